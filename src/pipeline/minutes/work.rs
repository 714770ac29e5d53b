//! What is to be done for minutes is done: rows are read where only they can tell, and what is known is written.
//!
//! For one patient one thing at a time is done, so that no older state of a minute takes the place of a newer one. What
//! comes meanwhile waits, and is done together. Minutes of several patients are written together: a request of its own for
//! each would cost the store more than the minute does.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::{Before, Held, Minutes, Need};
use crate::ledger::InFlight;
use crate::minute::{Minute, PatientMinute, Summary};
use crate::pipeline::store::{Batch, Store, WriteError, Written as Told};
use crate::reading::{PatientId, Timestamp};
use crate::record::murmur2::partition_of;
use crate::retry;

/// How long what is known waits for more to be written with it.
pub(super) const LINGER: Duration = Duration::from_millis(200);

/// So many minutes are written together, and those of one more patient; and no more wait before they are.
const MAX_ROWS: usize = 200;
const MAX_WRITES: usize = 4;

/// Patients whose rows are read at the same time.
const MAX_READS: usize = 16;
/// Of these, such of whom nothing has come, and where nobody waits for it.
const MAX_SILENT: usize = 1;

/// Behind everything: the end of the year 9999, in microseconds since 1970.
const END_OF_TIME: i64 = 253_402_300_799_999_999;

/// What is to be done for a patient next, and whether something is being done.
#[derive(Debug, Default)]
pub(super) struct Work {
    waiting: Need,
    is_under_way: bool,
}

/// What was read for a patient.
pub(in crate::pipeline) struct Read {
    patient: PatientId,
    need: Need,
    attempts: u32,
    outcome: Result<Found, WriteError>,
}

/// What the rows of minutes have told.
#[derive(Default)]
struct Found {
    rows: Vec<(Minute, Summary)>,
    /// The minute of the newest row of all.
    newest: Option<Minute>,
}

/// What was written.
pub(in crate::pipeline) struct Written {
    batch: Batch,
    of: Vec<(PatientId, Vec<InFlight>)>,
    attempts: u32,
    outcome: Result<Done, WriteError>,
}

/// What became of minutes that were to be written.
#[derive(Default)]
pub(in crate::pipeline) struct Done {
    pub(in crate::pipeline) told: Told,
    /// Minutes that the store refuses for good, each by itself: how many, and why the last one.
    pub(in crate::pipeline) refused: Option<(usize, String)>,
}

/// Who has readings, as the store has told.
pub(in crate::pipeline) struct Listed(Result<Vec<PatientId>, WriteError>);

impl<T: Store> Minutes<'_, T> {
    /// Has something done.
    pub(super) fn begin(&mut self, Held { patient, need }: Held) {
        let work = self.work.entry(patient.clone()).or_default();
        let is_idle = !work.is_under_way && work.waiting.is_empty();
        work.waiting.merge(need);
        if is_idle {
            self.ready.push_back(patient);
        }
    }

    /// Begins what can be begun.
    pub(in crate::pipeline) fn go_on(&mut self) {
        while self.reads.len() < MAX_READS
            && let Some(patient) = self.ready.pop_front()
        {
            self.start(patient);
        }
        while self.ready.is_empty()
            && self.reads.len() < MAX_SILENT
            && let Some(patient) = self.silent.pop_front()
        {
            if !self.patients.contains_key(&patient) && !self.work.contains_key(&patient) {
                let waiting = Need { before: Some(Before::All), ..Need::default() };
                self.work.insert(patient.clone(), Work { waiting, is_under_way: false });
                self.start(patient);
            }
        }
        while self.may_write()
            && (self.full_batch().is_some() || self.waits_since.is_some_and(|at| at.elapsed() >= LINGER))
        {
            self.write_some();
        }
    }

    fn start(&mut self, patient: PatientId) {
        let Some(work) = self.work.get_mut(&patient) else { return };
        work.is_under_way = true;
        let need = std::mem::take(&mut work.waiting);
        if need.read.is_empty() && need.before.is_none() {
            self.queue(patient, need);
        } else {
            self.reads.push(Box::pin(read(self.store, patient, need, 0)));
        }
    }

    fn queue(&mut self, patient: PatientId, need: Need) {
        self.to_write.push((patient, need));
        self.waits_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn may_write(&self) -> bool {
        self.late_writes == 0 && self.writes.len() < MAX_WRITES && !self.to_write.is_empty()
    }

    /// How many of those that wait make a full batch.
    fn full_batch(&self) -> Option<usize> {
        let mut rows = 0;
        let is_full = |(_, need): &(PatientId, Need)| {
            rows += need.rows.len().max(1);
            rows >= MAX_ROWS
        };
        self.to_write.iter().position(is_full).map(|last| last + 1)
    }

    fn write_some(&mut self) {
        let (mut minutes, mut of) = (Vec::new(), Vec::new());
        let count = self.full_batch().unwrap_or(self.to_write.len());
        for (patient, Need { rows, holds, .. }) in self.to_write.drain(..count) {
            let row = |(minute, summary): (Minute, Box<Summary>)| PatientMinute {
                patient: patient.clone(),
                minute,
                summary: *summary,
            };
            minutes.extend(rows.into_iter().map(row));
            of.push((patient, holds));
        }
        self.waits_since = (!self.to_write.is_empty()).then(Instant::now);
        let batch = Batch { minutes, tenure: self.tenure.clone(), ..Batch::default() };
        self.writes.push(Box::pin(write(self.store, batch, of, 0)));
    }

    /// Takes what was read, or has it read again and tells why.
    pub(super) fn take_read(&mut self, read: Read) -> Option<(u32, String)> {
        let Read { patient, mut need, attempts, outcome } = read;
        match outcome {
            Ok(Found { rows, newest }) => {
                if let (Some(tracked), Some(Before::Minute(_))) = (self.patients.get_mut(&patient), need.before) {
                    need.holds.extend(tracked.learn(newest));
                }
                need.rows.extend(rows.into_iter().map(|(minute, summary)| (minute, Box::new(summary))));
                self.queue(patient, need);
                None
            }
            Err(error) => {
                let attempts = attempts + 1;
                self.reads.push(Box::pin(self::read(self.store, patient, need, attempts)));
                Some((attempts, error.to_string()))
            }
        }
    }

    /// What may be committed since, and what the store tells beside; or it is written again, and why.
    pub(super) fn take_written(&mut self, written: Written) -> Result<(Vec<InFlight>, Done), (u32, String)> {
        let Written { batch, of, attempts, outcome } = written;
        if batch.tenure.is_over() {
            self.late_writes = self.late_writes.saturating_sub(1);
            return Ok((Vec::new(), outcome.unwrap_or_default()));
        }
        let done = match outcome {
            Ok(done) => done,
            Err(error) => {
                let attempts = attempts + 1;
                self.writes.push(Box::pin(write(self.store, batch, of, attempts)));
                return Err((attempts, error.to_string()));
            }
        };
        let mut committable = Vec::new();
        for (patient, holds) in of {
            committable.extend(holds);
            let Some(work) = self.work.get_mut(&patient) else { continue };
            work.is_under_way = false;
            if work.waiting.is_empty() {
                self.work.remove(&patient);
            } else {
                self.ready.push_back(patient);
            }
        }
        Ok((committable, done))
    }

    /// Takes note of whom to look at, as far as they are ours.
    pub(in crate::pipeline) fn listed(&mut self, Listed(patients): Listed) {
        match patients {
            Ok(patients) => {
                let is_ours = |patient: &PatientId| {
                    self.partitions.contains(&partition_of(patient.as_str().as_bytes(), self.topic_partitions))
                };
                self.silent = patients.into_iter().filter(is_ours).collect();
            }
            // It is away: whoever stores tells that.
            Err(_) => self.look_due = Some(Instant::now() + super::LOOK_AFTER),
        }
    }
}

pub(super) async fn list<T: Store>(store: &T) -> Option<Listed> {
    AssertUnwindSafe(store.known_patients()).catch_unwind().await.ok().map(Listed)
}

async fn read<T: Store>(store: &T, patient: PatientId, need: Need, attempts: u32) -> Option<Read> {
    sleep(retry::pause_before(attempts)).await;
    let outcome = AssertUnwindSafe(find(store, &patient, &need)).catch_unwind().await.ok()?;
    Some(Read { patient, need, attempts, outcome })
}

async fn find<T: Store>(store: &T, patient: &PatientId, need: &Need) -> Result<Found, WriteError> {
    let (mut read, mut found) = (need.read.clone(), Found::default());
    if let Some(before) = need.before {
        found.newest = newest(store, patient, Timestamp::from_micros(END_OF_TIME)).await?;
        match (before, found.newest) {
            (Before::Minute(before), Some(newest)) if newest >= before => {
                read.extend(Some(newest).filter(|newest| *newest > before));
                read.extend(self::newest(store, patient, Some(before.start())).await?);
            }
            (_, newest) => read.extend(newest),
        }
    }
    for minute in read {
        let mut summary = Summary::default();
        for (_, signs) in store.measured(patient, minute.start(), minute.end()).await? {
            summary.add(&signs);
        }
        if summary.n > 0 {
            found.rows.push((minute, summary));
        }
    }
    Ok(found)
}

/// The minute of the newest row before a moment.
async fn newest<T: Store>(
    store: &T,
    patient: &PatientId,
    until: Option<Timestamp>,
) -> Result<Option<Minute>, WriteError> {
    let Some(until) = until else { return Ok(None) };
    let newest = store.newest(std::slice::from_ref(patient), until).await?;
    Ok(newest.first().map(|(_, time)| Minute::of(*time)))
}

async fn write<T: Store>(
    store: &T,
    batch: Batch,
    of: Vec<(PatientId, Vec<InFlight>)>,
    attempts: u32,
) -> Option<Written> {
    sleep(retry::pause_before(attempts)).await;
    let outcome = AssertUnwindSafe(write_all(store, &batch)).catch_unwind().await.ok()?;
    Some(Written { batch, of, attempts, outcome })
}

/// Together; where the store refuses that for good, one by one, so that one of them holds up no other.
async fn write_all<T: Store>(store: &T, batch: &Batch) -> Result<Done, WriteError> {
    if batch.tenure.is_over() || batch.minutes.is_empty() {
        return Ok(Done::default());
    }
    match store.write(batch).await {
        Err(WriteError::Never(_)) => {}
        outcome => return outcome.map(|told| Done { told, refused: None }),
    }
    let mut done = Done::default();
    for minute in &batch.minutes {
        let alone = Batch { minutes: vec![minute.clone()], tenure: batch.tenure.clone(), ..Batch::default() };
        match store.write(&alone).await {
            Ok(told) => done.told += told,
            Err(WriteError::Never(reason)) => {
                let before = done.refused.map_or(0, |(count, _)| count);
                done.refused = Some((before + 1, reason));
            }
            Err(later) => return Err(later),
        }
    }
    Ok(done)
}
