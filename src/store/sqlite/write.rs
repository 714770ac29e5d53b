//! Readings and alerts in.
//!
//! One thread writes. It takes all batches that wait into one transaction and answers each when that is on the disk:
//! the sync, which is what costs, is shared, and nobody waits for a batch that is not there yet.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rusqlite::{CachedStatement, Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::error::{Doing, SqliteError};
use super::{SqliteStore, schema};
use crate::alarm::AlarmRecord;
use crate::pipeline::store::{Batch, BatchLimits, WriteError};
use crate::reading::{Consciousness, Signs, Timestamp};
use crate::store::StoredReading;
use crate::store::changed::{Changed, Moment};

/// Batches that wait for the writer; who brings one more waits outside. The pipeline has no more than
/// [`MAX_WRITES_IN_FLIGHT`](crate::pipeline::MAX_WRITES_IN_FLIGHT).
const MAX_WAITING_BATCHES: usize = 64;

/// Rows in a transaction, except where one batch alone has more: so that other processes come to write in between.
const MAX_GROUP_ROWS: usize = 10_000;

/// Rows in a batch, of one patient or of as many: a few batches fill a transaction.
const MAX_BATCH_ROWS: usize = 2_000;

/// Sign by sign: what a later reading does not carry stays.
const INSERT_READING: &str = "\
INSERT INTO patient_vitals (patient_id, timestamp, heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature,
    supplemental_oxygen, consciousness)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    heart_rate = COALESCE(excluded.heart_rate, heart_rate),
    spo2 = COALESCE(excluded.spo2, spo2),
    systolic = COALESCE(excluded.systolic, systolic),
    diastolic = COALESCE(excluded.diastolic, diastolic),
    respiratory_rate = COALESCE(excluded.respiratory_rate, respiratory_rate),
    temperature = COALESCE(excluded.temperature, temperature),
    supplemental_oxygen = COALESCE(excluded.supplemental_oxygen, supplemental_oxygen),
    consciousness = COALESCE(excluded.consciousness, consciousness)";

/// What is null has not changed since it was written. Who acknowledged an alarm, and when, is written by others, and taken
/// back by a rise alone.
const INSERT_ALARM: &str = "\
INSERT INTO patient_alerts (patient_id, onset, rule, priority, value, limit_in_force, peak, started, returned, ended, message, rules,
    acknowledged_by, acknowledged_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    priority = COALESCE(excluded.priority, priority),
    value = COALESCE(excluded.value, value),
    limit_in_force = COALESCE(excluded.limit_in_force, limit_in_force),
    peak = COALESCE(excluded.peak, peak),
    started = COALESCE(excluded.started, started),
    returned = COALESCE(excluded.returned, returned),
    ended = COALESCE(excluded.ended, ended),
    message = COALESCE(excluded.message, message),
    rules = COALESCE(excluded.rules, rules),
    acknowledged_by = COALESCE(excluded.acknowledged_by, acknowledged_by),
    acknowledged_at = COALESCE(excluded.acknowledged_at, acknowledged_at)";

impl SqliteStore {
    /// How much a batch should have at most.
    pub const fn batch_limits() -> BatchLimits {
        BatchLimits { rows: MAX_BATCH_ROWS, patients: MAX_BATCH_ROWS, shared_rows: MAX_BATCH_ROWS }
    }

    /// Writes a batch. `Ok` means that the rows are on the disk.
    pub async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        self.writer.write(Rows::New(batch.clone())).await?;
        // It may not have been written then.
        if batch.tenure.is_over() { Err(WriteError::taken_away()) } else { Ok(()) }
    }

    /// Writes rows back as they once came out: their texts and values are taken as they are. A column without a value
    /// leaves an earlier one alone.
    pub async fn restore(&self, rows: &[StoredReading]) -> Result<(), WriteError> {
        Ok(self.writer.write(Rows::Restored(rows.to_vec())).await?)
    }
}

/// The thread that writes. When this is dropped, the thread is waited for: it finishes what it was given.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    batches: Option<mpsc::Sender<WriteBatch>>,
    thread: Option<JoinHandle<()>>,
}

/// Rows that are written together, and where the outcome goes.
struct WriteBatch {
    rows: Rows,
    outcome: oneshot::Sender<Result<(), SqliteError>>,
}

enum Rows {
    New(Batch),
    Restored(Vec<StoredReading>),
}

impl Rows {
    /// Whether they may not be written any more.
    fn are_late(&self) -> bool {
        matches!(self, Self::New(batch) if batch.tenure.is_over())
    }

    fn count(&self) -> usize {
        match self {
            Self::New(batch) => batch.readings.len() + batch.alarms.len(),
            Self::Restored(rows) => rows.len(),
        }
    }
}

impl Writer {
    pub(super) fn start(path: &Path) -> Result<Self, SqliteError> {
        let (batches, waiting) = mpsc::channel(MAX_WAITING_BATCHES);
        let writes = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_all(&writes, waiting))
            .map_err(|error| SqliteError::failed(path, Doing::Write, error))?;
        Ok(Self { path: path.to_owned(), batches: Some(batches), thread: Some(thread) })
    }

    async fn write(&self, rows: Rows) -> Result<(), SqliteError> {
        let (outcome, done) = oneshot::channel();
        let ended = || SqliteError::failed(&self.path, Doing::Write, "the writer has ended");
        let batches = self.batches.as_ref().ok_or_else(ended)?;
        batches.send(WriteBatch { rows, outcome }).await.map_err(|_| ended())?;
        done.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // Its panic has been told by the hook; whoever waited for an outcome has an error.
            let _ = thread.join();
        }
    }
}

/// What the thread does. The file is open from the first batch on.
fn write_all(path: &Path, mut waiting: mpsc::Receiver<WriteBatch>) {
    let mut connection = None;
    while let Some(first) = waiting.blocking_recv() {
        let group = gather(first, &mut waiting);
        let outcome = commit(&mut connection, path, &group);
        let is_refused = matches!(outcome, Err(SqliteError::Refused(_))) && group.len() > 1;
        for batch in group {
            // What one batch's rows were refused for is not the others' fault.
            let own =
                if is_refused { commit(&mut connection, path, std::slice::from_ref(&batch)) } else { outcome.clone() };
            // Who does not wait any more needs no outcome.
            let _ = batch.outcome.send(own);
        }
    }
}

/// All that waits, as far as [`MAX_GROUP_ROWS`] goes.
fn gather(first: WriteBatch, waiting: &mut mpsc::Receiver<WriteBatch>) -> Vec<WriteBatch> {
    let mut rows = first.rows.count();
    let mut group = vec![first];
    while rows < MAX_GROUP_ROWS
        && let Ok(batch) = waiting.try_recv()
    {
        rows += batch.rows.count();
        group.push(batch);
    }
    group
}

fn commit(open: &mut Option<Connection>, path: &Path, group: &[WriteBatch]) -> Result<(), SqliteError> {
    let outcome = try_commit(open, path, group);
    if matches!(outcome, Err(SqliteError::Failed(_) | SqliteError::NoFile(_))) {
        // The file may be another one by now: the next group opens it anew.
        *open = None;
    }
    outcome
}

fn try_commit(open: &mut Option<Connection>, path: &Path, group: &[WriteBatch]) -> Result<(), SqliteError> {
    // A file that was removed could still be written to, and would take the rows along.
    if !path.exists() {
        return Err(SqliteError::NoFile(path.to_owned()));
    }
    let connection = match open.take() {
        Some(connection) => connection,
        None => schema::open_to_write(path)?,
    };
    insert(open.insert(connection), group).map_err(|error| SqliteError::from_driver(path, Doing::Write, &error))
}

/// Writes all or nothing: a transaction that is not committed is rolled back when it is dropped.
fn insert(connection: &mut Connection, group: &[WriteBatch]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut readings = transaction.prepare_cached(INSERT_READING)?;
        let mut alarms = transaction.prepare_cached(INSERT_ALARM)?;
        for batch in group {
            match &batch.rows {
                // Whoever has their partition now may have written meanwhile, while this waited for the file.
                rows if rows.are_late() => {}
                Rows::New(batch) => {
                    for reading in &batch.readings {
                        let time = reading.time().to_string();
                        insert_reading(&mut readings, reading.patient().as_str(), &time, reading.signs())?;
                    }
                    for alarm in &batch.alarms {
                        insert_alarm(&mut alarms, alarm)?;
                    }
                }
                Rows::Restored(rows) => {
                    for row in rows {
                        insert_reading(&mut readings, &row.patient_id, &row.timestamp, &row.signs)?;
                    }
                }
            }
        }
    }
    transaction.commit()
}

fn insert_reading(
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
        signs.observed.supplemental_oxygen,
        signs.observed.consciousness.map(Consciousness::name),
    );
    statement.execute(values).map(drop)
}

fn insert_alarm(statement: &mut CachedStatement<'_>, record: &AlarmRecord) -> rusqlite::Result<()> {
    let changed = Changed::of(record);
    let text = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
    let values = (
        record.patient.as_str(),
        Timestamp::from_micros(record.alarm.onset).map(|onset| onset.to_string()),
        &*record.rule,
        changed.priority,
        changed.value,
        changed.limit,
        changed.peak,
        text(changed.started),
        text(changed.returned),
        text(changed.ended),
        changed.message,
        changed.rules,
        changed.acknowledged,
        changed.acknowledged,
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
