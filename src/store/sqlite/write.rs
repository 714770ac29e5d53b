//! Readings, alarms and minutes in.
//!
//! One thread writes. It takes all batches that wait into one transaction and answers each when that is on the disk:
//! the sync, which is what costs, is shared, and nobody waits for a batch that is not there yet. Between the batches, and
//! where none come, it deletes what is older than what is kept (see `sweep`).

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::Utc;
use rusqlite::{CachedStatement, Connection, TransactionBehavior};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use super::error::{Doing, SqliteError};
use super::journal::retention;
use super::sweep::Sweep;
use super::{SqliteStore, minutes, schema};
use crate::alarm::AlarmRecord;
use crate::pipeline::store::{Batch, BatchLimits, WriteError, Written};
use crate::reading::{Consciousness, Signs, Timestamp};
use crate::span::Keep;
use crate::store::StoredReading;
use crate::store::changed::{Changed, Moment};
use crate::store::retention::{Kept, Life, Retention};

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
    pub async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        let written = self.writer.write(Rows::New(batch.clone())).await?;
        // It may not have been written then.
        if batch.tenure.is_over() { Err(WriteError::taken_away()) } else { Ok(written) }
    }

    /// Writes rows back as they once came out: their texts and values are taken as they are. A column without a value
    /// leaves an earlier one alone.
    pub async fn restore(&self, rows: &[StoredReading]) -> Result<Written, WriteError> {
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
    outcome: oneshot::Sender<Result<Written, SqliteError>>,
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
            Self::New(batch) => batch.readings.len() + batch.alarms.len() + batch.minutes.len(),
            Self::Restored(rows) => rows.len(),
        }
    }
}

impl Writer {
    pub(super) fn start(path: &Path) -> Result<Self, SqliteError> {
        let (batches, waiting) = mpsc::channel(MAX_WAITING_BATCHES);
        let failed = |error| SqliteError::failed(path, Doing::Write, error);
        let clock = Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let desk = Desk::of(path.to_owned());
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || desk.write_all(waiting, &clock))
            .map_err(failed)?;
        Ok(Self { path: path.to_owned(), batches: Some(batches), thread: Some(thread) })
    }

    async fn write(&self, rows: Rows) -> Result<Written, SqliteError> {
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

/// How often the journal is asked how long rows are kept; a change is to be taken up within 5 s.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What the thread has before it.
struct Desk {
    path: PathBuf,
    /// From the first batch on.
    open: Option<Connection>,
    kept: Retention,
    /// When the journal was asked.
    looked: Option<Instant>,
    sweep: Sweep,
    /// Rows that have gone, and nobody was told yet.
    deleted: u64,
}

impl Desk {
    fn of(path: PathBuf) -> Self {
        Self { path, open: None, kept: Retention::default(), looked: None, sweep: Sweep::new(), deleted: 0 }
    }

    /// What the thread does.
    fn write_all(mut self, mut waiting: mpsc::Receiver<WriteBatch>, clock: &Runtime) {
        loop {
            let next = match self.due() {
                None => waiting.blocking_recv(),
                Some(due) => {
                    let Ok(next) = clock.block_on(async { timeout_at(due.into(), waiting.recv()).await }) else {
                        self.keep_up();
                        continue;
                    };
                    next
                }
            };
            let Some(first) = next else { return };
            self.write_group(gather(first, &mut waiting));
            if self.due().is_some_and(|due| due <= Instant::now()) {
                self.keep_up();
            }
        }
    }

    fn write_group(&mut self, group: Vec<WriteBatch>) {
        let outcome = self.commit(&group);
        let is_refused = matches!(outcome, Err(SqliteError::Refused(_))) && group.len() > 1;
        for (index, batch) in group.into_iter().enumerate() {
            // What one batch's rows were refused for is not the others' fault.
            let own = if is_refused {
                self.commit(std::slice::from_ref(&batch)).map(|expired| expired.first().copied())
            } else {
                outcome.as_ref().map(|expired| expired.get(index).copied()).map_err(Clone::clone)
            };
            let own = own.map(|expired| Written {
                expired: expired.unwrap_or_default(),
                deleted: std::mem::take(&mut self.deleted),
            });
            // Who does not wait any more needs no outcome.
            let _ = batch.outcome.send(own);
        }
    }

    /// When something is to be done beside what is brought; nothing before the file is open.
    fn due(&self) -> Option<Instant> {
        let looked = self.open.as_ref().and(self.looked)?;
        let look = looked + LOOK_AGAIN;
        Some(if self.kept.in_force() == Kept::default() { look } else { look.min(self.sweep.due()) })
    }

    /// Does what is due. Where that fails the file is opened anew with the next batch, which says why it cannot be.
    fn keep_up(&mut self) {
        let kept_up = self.try_keep_up();
        if kept_up.is_err() || !self.path.exists() {
            self.open = None;
        }
    }

    fn try_keep_up(&mut self) -> rusqlite::Result<()> {
        self.look_again()?;
        let kept = self.kept.in_force();
        if let Some(connection) = &mut self.open
            && kept != Kept::default()
            && self.sweep.due() <= Instant::now()
        {
            self.deleted += self.sweep.step(connection, kept, Utc::now().timestamp_micros())?;
        }
        Ok(())
    }

    /// Asks how long rows are kept, where that is due.
    fn look_again(&mut self) -> rusqlite::Result<()> {
        if let Some(connection) = &self.open
            && self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AGAIN)
        {
            let kept = retention(connection)?;
            if kept.in_force() != self.kept.in_force() {
                self.sweep.restart();
            }
            self.kept = kept;
            self.looked = Some(Instant::now());
        }
        Ok(())
    }

    fn commit(&mut self, group: &[WriteBatch]) -> Result<Vec<u64>, SqliteError> {
        let outcome = self.try_commit(group);
        if matches!(outcome, Err(SqliteError::Failed(_) | SqliteError::NoFile(_))) {
            // The file may be another one by now: the next group opens it anew.
            self.open = None;
        }
        outcome
    }

    fn try_commit(&mut self, group: &[WriteBatch]) -> Result<Vec<u64>, SqliteError> {
        // A file that was removed could still be written to, and would take the rows along.
        if !self.path.exists() {
            return Err(SqliteError::NoFile(self.path.clone()));
        }
        if self.open.is_none() {
            self.open = Some(schema::open_to_write(&self.path)?);
            self.looked = None;
        }
        self.look_again().map_err(|error| SqliteError::from_driver(&self.path, Doing::Read, &error))?;
        let Self { path, open: Some(connection), kept, .. } = self else { return Ok(Vec::new()) };
        insert(connection, group, kept).map_err(|error| SqliteError::from_driver(path, Doing::Write, &error))
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

/// Writes all or nothing: a transaction that is not committed is rolled back when it is dropped. Gives for each batch how
/// many of its readings are older than what is kept, and not written; alarms are written, and go when they have ended.
fn insert(connection: &mut Connection, group: &[WriteBatch], kept: &Retention) -> rusqlite::Result<Vec<u64>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let raw = kept.in_force().raw;
    let now = Utc::now().timestamp_micros();
    let is_over = |time: i64| Life::of(raw, time, now) == Life::Over;
    let mut expired = Vec::with_capacity(group.len());
    {
        let mut readings = transaction.prepare_cached(INSERT_READING)?;
        let mut alarms = transaction.prepare_cached(INSERT_ALARM)?;
        for batch in group {
            let mut over = 0;
            match &batch.rows {
                // Whoever has their partition now may have written meanwhile, while this waited for the file.
                rows if rows.are_late() => {}
                Rows::New(batch) => {
                    for reading in &batch.readings {
                        if is_over(reading.time().as_micros()) {
                            over += 1;
                            continue;
                        }
                        let time = reading.time().to_string();
                        insert_reading(&mut readings, reading.patient().as_str(), &time, reading.signs())?;
                    }
                    for alarm in &batch.alarms {
                        insert_alarm(&mut alarms, alarm)?;
                    }
                    minutes::insert(&transaction, &batch.minutes, kept, now)?;
                }
                Rows::Restored(rows) => {
                    for row in rows {
                        // Told by its text alone, where that matters.
                        let time = Some(raw).filter(|raw| *raw != Keep::All).and(Timestamp::parse(&row.timestamp).ok());
                        if time.is_some_and(|time| is_over(time.as_micros())) {
                            over += 1;
                            continue;
                        }
                        insert_reading(&mut readings, &row.patient_id, &row.timestamp, &row.signs)?;
                    }
                }
            }
            expired.push(over);
        }
    }
    transaction.commit()?;
    Ok(expired)
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
