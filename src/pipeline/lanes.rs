//! Rows on their way to the store, in one lane per patient.
//!
//! A patient is in one batch in flight at most, so that no two writes of one row can overtake each other; what arrives
//! meanwhile collects in its lane and goes out together. Where that is little, several patients share a batch, as far as
//! the store's [limits](BatchLimits) let them. Nothing waits where there is nothing to wait for: a lane without a batch
//! in flight is ready at once.

use std::collections::{HashMap, VecDeque};

use crate::alarm::Alert;
use crate::ledger::Receipt;
use crate::pipeline::store::{Batch, BatchLimits};
use crate::reading::{PatientId, Reading, Timestamp};

/// A batch to write, and what is settled when it is written.
#[derive(Debug, Default)]
pub struct Job {
    /// What to write.
    pub batch: Batch,
    /// Whose readings it holds.
    pub patients: Vec<PatientId>,
    /// The records that it stands for.
    pub receipts: Vec<Receipt>,
    /// What these records take of the memory limit.
    pub size_bytes: usize,
    /// How often it was tried.
    pub attempts: u32,
    /// Where its only row was refused before.
    pub refused: Option<Refused>,
}

/// The lanes of all patients.
#[derive(Debug, Default)]
pub struct Lanes {
    by_patient: HashMap<PatientId, Lane>,
    /// Patients with rows and without a batch in flight, in the order in which they became so.
    ready: VecDeque<PatientId>,
    /// Patients whose rows go out one by one; and how many batches the store had taken when it refused several of their
    /// rows together, until one of these is found.
    alone: HashMap<PatientId, Option<u64>>,
}

#[derive(Debug, Default)]
struct Lane {
    /// In the order of their times, each of which is one row of the table. They mostly come in that order too.
    rows: VecDeque<Row>,
    in_flight: bool,
}

#[derive(Debug)]
struct Row {
    reading: Reading,
    alerts: Vec<Alert>,
    receipt: Receipt,
    /// Later records of the same patient and time, joined into this row.
    joined: Vec<Receipt>,
    size_bytes: usize,
    refused: Option<Refused>,
}

/// That a row was refused alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// How many batches the store had taken when it first refused it.
    pub taken_before: u64,
    /// How often it was tried.
    pub attempts: u32,
}

impl Lanes {
    /// Puts a reading into its patient's lane. A later record of the same time is joined into the row that waits, sign
    /// by sign.
    pub fn add(&mut self, reading: Reading, alerts: Vec<Alert>, receipt: Receipt, size_bytes: usize) {
        let patient = reading.patient().clone();
        let lane = self.by_patient.entry(patient.clone()).or_default();
        if lane.rows.is_empty() && !lane.in_flight {
            self.ready.push_back(patient);
        }
        lane.add(Row { reading, alerts, receipt, joined: Vec::new(), size_bytes, refused: None });
    }

    /// The next batch that may go out.
    pub fn next_job(&mut self, limits: BatchLimits) -> Option<Job> {
        let patient = self.ready.pop_front()?;
        let mut job = Job::default();
        if self.alone.contains_key(&patient) {
            self.take_one(patient, &mut job);
            return Some(job);
        }
        self.take_rows(patient, limits.rows, &mut job);
        while job.patients.len() < limits.patients
            && let Some(room) = limits.shared_rows.checked_sub(job.batch.readings.len())
            && self.ready.front().is_some_and(|patient| self.shares(patient, room))
            && let Some(patient) = self.ready.pop_front()
        {
            self.take_rows(patient, room, &mut job);
        }
        Some(job)
    }

    /// Whether all that waits of a patient may go into a batch with so much room, beside others.
    fn shares(&self, patient: &PatientId, room: usize) -> bool {
        let fits = self.by_patient.get(patient).is_some_and(|lane| lane.rows.len() <= room);
        fits && !self.alone.contains_key(patient)
    }

    /// The only row of a batch of its own.
    fn take_one(&mut self, patient: PatientId, job: &mut Job) {
        let Some(lane) = self.by_patient.get_mut(&patient) else { return };
        lane.in_flight = true;
        if let Some(row) = lane.pop_one() {
            job.refused = row.refused;
            job.attempts = row.refused.map_or(0, |refused| refused.attempts);
            job.add(row);
        }
        job.patients.push(patient);
    }

    /// What waits of one patient, up to so many rows.
    fn take_rows(&mut self, patient: PatientId, room: usize, job: &mut Job) {
        let Some(lane) = self.by_patient.get_mut(&patient) else { return };
        lane.in_flight = true;
        let count = lane.rows.len().min(room);
        lane.rows.drain(..count).for_each(|row| job.add(row));
        job.patients.push(patient);
    }

    /// From now on this patient's rows go out one by one, so that one of them that is refused takes no other along.
    /// Several of them were refused together, when the store had taken so many batches.
    pub fn send_alone(&mut self, patient: PatientId, taken: u64) {
        self.alone.insert(patient, Some(taken));
    }

    /// How many batches the store had taken when it refused several rows of these patients together; once.
    pub fn take_refused_together(&mut self, patients: &[PatientId]) -> Option<u64> {
        patients.iter().find_map(|patient| self.alone.get_mut(patient)?.take())
    }

    /// Puts the row of a batch of one back, which was refused: the patient's other rows go first, and one by one too.
    pub fn put_back(&mut self, job: Job, refused: Refused) {
        let Job { batch: Batch { mut readings, alerts }, mut patients, receipts, size_bytes, .. } = job;
        let mut receipts = receipts.into_iter();
        let (Some(patient), Some(reading), Some(receipt)) = (patients.pop(), readings.pop(), receipts.next()) else {
            return;
        };
        let Some(lane) = self.by_patient.get_mut(&patient) else { return };
        let joined = receipts.collect();
        self.alone.entry(patient.clone()).or_default();
        lane.put_back(Row { reading, alerts, receipt, joined, size_bytes, refused: Some(refused) });
        lane.in_flight = false;
        self.ready.push_back(patient);
    }

    /// From now on every patient's rows go out together again.
    pub fn send_together(&mut self) {
        self.alone.clear();
    }

    /// Notes that a batch of these patients is not in flight any more.
    pub fn done(&mut self, patients: &[PatientId]) {
        for patient in patients {
            let Some(lane) = self.by_patient.get_mut(patient) else { continue };
            lane.in_flight = false;
            if lane.rows.is_empty() {
                // A ward has few patients, but a topic may see many over the years.
                self.by_patient.remove(patient);
            } else {
                self.ready.push_back(patient.clone());
            }
        }
    }

    /// Drops what has not gone out yet, and gives its size: its partitions are somebody else's.
    pub fn clear(&mut self) -> usize {
        self.ready.clear();
        let waiting = self.by_patient.values().flat_map(|lane| &lane.rows).map(|row| row.size_bytes).sum();
        self.by_patient.retain(|_, lane| lane.in_flight);
        self.by_patient.values_mut().for_each(|lane| lane.rows.clear());
        waiting
    }
}

impl Job {
    fn add(&mut self, row: Row) {
        self.batch.readings.push(row.reading);
        self.batch.alerts.extend(row.alerts);
        self.receipts.push(row.receipt);
        self.receipts.extend(row.joined);
        self.size_bytes += row.size_bytes;
    }
}

impl Lane {
    /// One that was not refused before, where there is one.
    fn pop_one(&mut self) -> Option<Row> {
        let fresh = self.rows.iter().position(|row| row.refused.is_none());
        self.rows.remove(fresh.unwrap_or(0))
    }

    /// Puts an earlier record back; later ones of the same time stay the later ones.
    fn put_back(&mut self, mut earlier: Row) {
        match self.find(earlier.reading.time()) {
            Ok(at) => {
                if let Some(later) = self.rows.remove(at) {
                    earlier.join(later);
                }
                self.rows.insert(at, earlier);
            }
            Err(at) => self.rows.insert(at, earlier),
        }
    }

    fn add(&mut self, row: Row) {
        match self.find(row.reading.time()) {
            Ok(at) => {
                if let Some(earlier) = self.rows.get_mut(at) {
                    earlier.join(row);
                }
            }
            Err(at) => self.rows.insert(at, row),
        }
    }

    /// Where the row of this time is, or would be.
    fn find(&self, time: Timestamp) -> Result<usize, usize> {
        match self.rows.back() {
            Some(last) if last.reading.time() >= time => {
                self.rows.binary_search_by_key(&time, |row| row.reading.time())
            }
            _ => Err(self.rows.len()),
        }
    }
}

impl Row {
    fn join(&mut self, later: Self) {
        self.reading.overlay(&later.reading);
        // One alert a rule and time: the store could not tell which of two came later.
        self.alerts.retain(|alert| !later.alerts.iter().any(|again| again.rule.name() == alert.rule.name()));
        self.alerts.extend(later.alerts);
        self.joined.push(later.receipt);
        self.size_bytes += later.size_bytes;
    }
}

#[cfg(test)]
mod tests;
