//! Readings and alerts in.
//!
//! One thread writes. It takes all batches that wait into one transaction and answers each when that is on the disk:
//! the sync, which is what costs, is shared, and nobody waits for a batch that is not there yet.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rusqlite::{CachedStatement, Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::error::{Doing, SqliteError};
use super::{SqliteStore, schema};
use crate::alarm::Alert;
use crate::pipeline::store::{Batch, BatchLimits, Epoch, Store, WriteError};
use crate::reading::{Reading, Signs};
use crate::store::StoredReading;

/// Batches that wait for the writer; who brings one more waits outside. The pipeline has no more than
/// [`MAX_WRITES_IN_FLIGHT`](crate::pipeline::MAX_WRITES_IN_FLIGHT).
const MAX_WAITING_BATCHES: usize = 64;

/// Rows in a transaction, except where one batch alone has more: so that other processes come to write in between.
const MAX_GROUP_ROWS: usize = 10_000;

/// Rows in a batch, of one patient or of as many: a few batches fill a transaction.
const MAX_BATCH_ROWS: usize = 2_000;

/// Sign by sign: what a later reading does not carry stays.
const INSERT_READING: &str = "\
INSERT INTO patient_vitals (patient_id, timestamp, heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    heart_rate = COALESCE(excluded.heart_rate, heart_rate),
    spo2 = COALESCE(excluded.spo2, spo2),
    systolic = COALESCE(excluded.systolic, systolic),
    diastolic = COALESCE(excluded.diastolic, diastolic),
    respiratory_rate = COALESCE(excluded.respiratory_rate, respiratory_rate),
    temperature = COALESCE(excluded.temperature, temperature)";

/// What comes to be known of an alert later (its peak, its end, who acknowledged it) is not written here, so that a
/// repeat of the reading does not erase it.
const INSERT_ALERT: &str = "\
INSERT INTO patient_alerts (patient_id, onset, rule, priority, value, limit_in_force) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    priority = excluded.priority,
    value = excluded.value,
    limit_in_force = COALESCE(excluded.limit_in_force, limit_in_force)";

impl Store for SqliteStore {
    fn batch_limits(&self) -> BatchLimits {
        BatchLimits { rows: MAX_BATCH_ROWS, patients: MAX_BATCH_ROWS, shared_rows: MAX_BATCH_ROWS }
    }

    /// What is acknowledged is on the disk: there is nothing that another life could have forgotten.
    async fn epoch(&self) -> Result<Epoch, WriteError> {
        Ok(Epoch::default())
    }

    /// `Ok` means that the rows are on the disk.
    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        Ok(self.writer.write(Load::Batch(batch.clone())).await?)
    }
}

impl SqliteStore {
    /// Writes rows back as they once came out: their texts and values are taken as they are. A column without a value
    /// leaves an earlier one alone.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn restore(&self, rows: &[StoredReading]) -> Result<(), WriteError> {
        Ok(self.writer.write(Load::Rows(rows.to_vec())).await?)
    }
}

/// The thread that writes. When this is dropped, the thread is waited for: it finishes what it was given.
pub(super) struct Writer {
    path: PathBuf,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What a job writes.
enum Load {
    Batch(Batch),
    Rows(Vec<StoredReading>),
}

impl Load {
    fn rows(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.readings.len() + batch.alerts.len(),
            Self::Rows(rows) => rows.len(),
        }
    }
}

struct Job {
    load: Load,
    answer: oneshot::Sender<Result<(), SqliteError>>,
}

impl Writer {
    pub(super) fn start(path: &Path) -> Result<Self, SqliteError> {
        let (jobs, waiting) = mpsc::channel(MAX_WAITING_BATCHES);
        let mut desk = Desk { path: path.to_owned(), connection: None };
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || desk.work(waiting))
            .map_err(|error| SqliteError::failed(path, Doing::Write, error))?;
        Ok(Self { path: path.to_owned(), jobs: Some(jobs), thread: Some(thread) })
    }

    async fn write(&self, load: Load) -> Result<(), SqliteError> {
        let (answer, answered) = oneshot::channel();
        let ended = || SqliteError::failed(&self.path, Doing::Write, "the writer has ended");
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(Job { load, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // Its panic has been told by the hook; whoever waited for an answer has an error.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Where the thread sits: the file, open from the first batch on.
struct Desk {
    path: PathBuf,
    connection: Option<Connection>,
}

impl Desk {
    fn work(&mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.blocking_recv() {
            let group = gather(first, &mut waiting);
            let outcome = self.commit(&group);
            let is_refused = matches!(outcome, Err(SqliteError::Refused { .. })) && group.len() > 1;
            for job in group {
                // What one job's rows were refused for is not the others' fault.
                let own = if is_refused { self.commit(std::slice::from_ref(&job)) } else { outcome.clone() };
                // Who does not wait any more needs no answer.
                let _ = job.answer.send(own);
            }
        }
    }

    fn commit(&mut self, group: &[Job]) -> Result<(), SqliteError> {
        let outcome = self.try_commit(group);
        if matches!(outcome, Err(SqliteError::Failed { .. } | SqliteError::NoFile(_))) {
            // The file may be another one by now: the next group opens it anew.
            self.connection = None;
        }
        outcome
    }

    fn try_commit(&mut self, group: &[Job]) -> Result<(), SqliteError> {
        // A file that was removed could still be written to, and would take the rows along.
        if !self.path.exists() {
            return Err(SqliteError::NoFile(self.path.clone()));
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => schema::open_checked(&self.path, Doing::Write)?.0,
        };
        let connection = self.connection.insert(connection);
        insert(connection, group).map_err(|error| SqliteError::from_driver(&self.path, Doing::Write, &error))
    }
}

/// All that waits, as far as [`MAX_GROUP_ROWS`] goes.
fn gather(first: Job, waiting: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut rows = first.load.rows();
    let mut group = vec![first];
    while rows < MAX_GROUP_ROWS
        && let Ok(job) = waiting.try_recv()
    {
        rows += job.load.rows();
        group.push(job);
    }
    group
}

/// Writes all or nothing: a transaction that is not committed is rolled back when it is dropped.
fn insert(connection: &mut Connection, group: &[Job]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut readings = transaction.prepare_cached(INSERT_READING)?;
        let mut alerts = transaction.prepare_cached(INSERT_ALERT)?;
        for job in group {
            match &job.load {
                Load::Batch(batch) => {
                    batch.readings.iter().try_for_each(|reading| insert_reading(&mut readings, reading))?;
                    batch.alerts.iter().try_for_each(|alert| insert_alert(&mut alerts, alert))?;
                }
                Load::Rows(rows) => rows
                    .iter()
                    .try_for_each(|row| insert_row(&mut readings, &row.patient_id, &row.timestamp, &row.signs))?,
            }
        }
    }
    transaction.commit()
}

fn insert_reading(statement: &mut CachedStatement<'_>, reading: &Reading) -> rusqlite::Result<()> {
    insert_row(statement, reading.patient().as_str(), &reading.time().to_string(), reading.signs())
}

fn insert_row(
    statement: &mut CachedStatement<'_>,
    patient_id: &str,
    timestamp: &str,
    signs: &Signs,
) -> rusqlite::Result<()> {
    let values = (
        patient_id,
        timestamp,
        signs.heart_rate,
        signs.spo2,
        signs.systolic,
        signs.diastolic,
        signs.respiratory_rate,
        signs.temperature.map(as_sent),
    );
    statement.execute(values).map(drop)
}

fn insert_alert(statement: &mut CachedStatement<'_>, alert: &Alert) -> rusqlite::Result<()> {
    let values = (
        alert.patient.as_str(),
        alert.onset.to_string(),
        alert.rule.name(),
        alert.priority.name(),
        alert.value,
        alert.limit,
    );
    statement.execute(values).map(drop)
}

/// The number whose text was sent: 36.8, where the same as an `f32` is 36.79999923706055. It reads as the same `f32`.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "looks whether it reads as the same"
)]
fn as_sent(degrees: f32) -> f64 {
    let shortest = degrees.to_string().parse::<f64>().ok();
    shortest.filter(|wide| *wide as f32 == degrees).unwrap_or(degrees.into())
}
