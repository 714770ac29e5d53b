//! Rows on their way to the store, in one queue per patient.
//!
//! A patient is in one batch in flight at most, so that no two writes of one row can overtake each other; what arrives
//! meanwhile collects in its queue and goes out together. Where that is little, several patients share a batch, as far
//! as the store's [limits](BatchLimits) let them. Nothing waits where there is nothing to wait for: a queue without a
//! batch in flight is ready at once.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::minutes::Held;
use super::store::{Batch, BatchLimits, Tenure};
use crate::alarm::AlarmRecord;
use crate::ledger::InFlight;
use crate::reading::{PatientId, Reading, Timestamp};

/// A batch to write, and what is acknowledged when it is written.
#[derive(Debug, Default)]
pub struct WriteBatch {
    /// What to write.
    pub rows: Batch,
    /// Whose readings it holds.
    pub patients: Vec<PatientId>,
    /// The records that it stands for.
    pub in_flight: Vec<InFlight>,
    /// What is to be done for minutes once it is written.
    pub(super) needs: Vec<Held>,
    /// What these records take of the memory limit.
    pub size_bytes: usize,
    /// How often it was tried.
    pub attempts: u32,
    /// How long the store took over the last attempt.
    pub took: Duration,
    /// Where its only row was refused before.
    pub refused: Option<Refused>,
}

/// Rows that wait to be written, in a queue for each patient.
#[derive(Debug, Default)]
pub struct WriteQueue {
    by_patient: HashMap<PatientId, PatientQueue>,
    /// Patients with rows and without a batch in flight, in the order in which they became so.
    ready: VecDeque<PatientId>,
    /// Patients whose rows go out one by one; and how many batches the store had taken when it refused several of their
    /// rows together, until one of these is found.
    alone: HashMap<PatientId, Option<u64>>,
    /// Until it is cleared.
    tenure: Tenure,
}

#[derive(Debug, Default)]
struct PatientQueue {
    /// In the order of their times, each of which is one row of the table.
    rows: VecDeque<Row>,
    /// Alarms as they are since they were written, whichever row has brought that about: they go out with the next
    /// rows, so that no row is acknowledged before them.
    alarms: Vec<AlarmRecord>,
    is_in_flight: bool,
}

#[derive(Debug)]
struct Row {
    reading: Reading,
    in_flight: InFlight,
    size_bytes: usize,
    /// Apart, since few rows have any of it and a hundred thousand may wait.
    beside: Option<Box<Beside>>,
}

/// What few rows have.
#[derive(Debug, Default)]
struct Beside {
    /// Later records of the same patient and time, joined into this row.
    joined: Vec<InFlight>,
    /// What is to be done for minutes once it is written.
    needs: Vec<Held>,
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

impl WriteQueue {
    /// Puts a reading into its patient's queue. A later record of the same time is joined into the row that waits, sign
    /// by sign.
    #[cfg(any(test, feature = "testing"))]
    pub fn add(&mut self, reading: Reading, in_flight: InFlight, size_bytes: usize) {
        self.add_with(reading, in_flight, size_bytes, None);
    }

    /// The same, with what is to be done for minutes once it is written.
    pub(super) fn add_with(&mut self, reading: Reading, in_flight: InFlight, size_bytes: usize, need: Option<Held>) {
        let queue = self.queue_of(reading.patient());
        let beside = need.map(|need| Box::new(Beside { needs: vec![need], ..Beside::default() }));
        queue.add(Row { reading, in_flight, size_bytes, beside });
    }

    /// Whether anything of a patient waits, or is in flight.
    pub fn has(&self, patient: &PatientId) -> bool {
        self.by_patient.contains_key(patient)
    }

    /// Puts an alarm into its patient's queue, in the place of what waits of it. Before the reading that has brought it
    /// about.
    pub fn add_alarm(&mut self, alarm: AlarmRecord) {
        let queue = self.queue_of(&alarm.patient);
        match queue.alarms.iter_mut().find(|other| other.is_of(&alarm)) {
            Some(other) => other.update(alarm),
            None => queue.alarms.push(alarm),
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    fn queue_of(&mut self, patient: &PatientId) -> &mut PatientQueue {
        let queue = self.by_patient.entry(patient.clone()).or_default();
        if queue.is_empty() && !queue.is_in_flight {
            self.ready.push_back(patient.clone());
        }
        queue
    }

    /// The next batch that may go out.
    pub fn next_batch(&mut self, limits: BatchLimits) -> Option<WriteBatch> {
        let patient = self.ready.pop_front()?;
        let rows = Batch { tenure: self.tenure.clone(), ..Batch::default() };
        let mut batch = WriteBatch { rows, ..WriteBatch::default() };
        if self.alone.contains_key(&patient) {
            self.take_one(patient, &mut batch);
            return Some(batch);
        }
        self.take_rows(patient, limits.rows, &mut batch);
        while batch.patients.len() < limits.patients
            && let Some(room) = limits.shared_rows.checked_sub(batch.rows.readings.len())
            && self.ready.front().is_some_and(|patient| self.shares(patient, room))
            && let Some(patient) = self.ready.pop_front()
        {
            self.take_rows(patient, room, &mut batch);
        }
        Some(batch)
    }

    /// Whether all that waits of a patient may go into a batch with so much room, beside others.
    fn shares(&self, patient: &PatientId, room: usize) -> bool {
        let fits = self.by_patient.get(patient).is_some_and(|queue| queue.rows.len() <= room);
        fits && !self.alone.contains_key(patient)
    }

    /// The only row of a batch of its own.
    fn take_one(&mut self, patient: PatientId, batch: &mut WriteBatch) {
        let Some(queue) = self.by_patient.get_mut(&patient) else { return };
        queue.is_in_flight = true;
        batch.rows.alarms.append(&mut queue.alarms);
        if let Some(row) = queue.pop_one() {
            batch.refused = row.refused();
            batch.attempts = batch.refused.map_or(0, |refused| refused.attempts);
            batch.add(row);
        }
        batch.patients.push(patient);
    }

    /// What waits of one patient, up to so many rows.
    fn take_rows(&mut self, patient: PatientId, room: usize, batch: &mut WriteBatch) {
        let Some(queue) = self.by_patient.get_mut(&patient) else { return };
        queue.is_in_flight = true;
        batch.rows.alarms.append(&mut queue.alarms);
        let count = queue.rows.len().min(room);
        queue.rows.drain(..count).for_each(|row| batch.add(row));
        batch.patients.push(patient);
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
    pub fn put_back(&mut self, batch: WriteBatch, refused: Refused) {
        let WriteBatch { rows: Batch { mut readings, alarms, .. }, mut patients, in_flight, needs, size_bytes, .. } =
            batch;
        self.put_back_alarms(alarms);
        let mut records = in_flight.into_iter();
        let (Some(patient), Some(reading), Some(in_flight)) = (patients.pop(), readings.pop(), records.next()) else {
            return;
        };
        let Some(queue) = self.by_patient.get_mut(&patient) else { return };
        let beside = Beside { joined: records.collect(), needs, refused: Some(refused) };
        self.alone.entry(patient.clone()).or_default();
        queue.put_back(Row { reading, in_flight, size_bytes, beside: Some(Box::new(beside)) });
        queue.is_in_flight = false;
        self.ready.push_back(patient);
    }

    /// Puts alarms back that were not written; what has become of them since counts.
    pub fn put_back_alarms(&mut self, alarms: Vec<AlarmRecord>) {
        for mut alarm in alarms {
            let Some(queue) = self.by_patient.get_mut(&alarm.patient) else { continue };
            match queue.alarms.iter_mut().find(|later| later.is_of(&alarm)) {
                Some(later) => {
                    alarm.update(later.clone());
                    *later = alarm;
                }
                None => queue.alarms.push(alarm),
            }
        }
    }

    /// From now on every patient's rows go out together again.
    pub fn send_together(&mut self) {
        self.alone.clear();
    }

    /// Notes that a batch of these patients is not in flight any more.
    pub fn done(&mut self, patients: &[PatientId]) {
        for patient in patients {
            let Some(queue) = self.by_patient.get_mut(patient) else { continue };
            queue.is_in_flight = false;
            if queue.is_empty() {
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
        std::mem::take(&mut self.tenure).end();
        let waiting = self.by_patient.values().flat_map(|queue| &queue.rows).map(|row| row.size_bytes).sum();
        self.by_patient.retain(|_, queue| queue.is_in_flight);
        for queue in self.by_patient.values_mut() {
            queue.rows.clear();
            queue.alarms.clear();
        }
        waiting
    }
}

impl WriteBatch {
    /// Whether no record stands behind it.
    pub fn is_of_alarms(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Whether the partitions were taken away since it went out.
    pub fn is_late(&self) -> bool {
        self.rows.tenure.is_over()
    }

    fn add(&mut self, row: Row) {
        self.rows.readings.push(row.reading);
        self.in_flight.push(row.in_flight);
        self.size_bytes += row.size_bytes;
        if let Some(beside) = row.beside {
            self.in_flight.extend(beside.joined);
            self.needs.extend(beside.needs);
        }
    }
}

impl PatientQueue {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.alarms.is_empty()
    }

    /// One that was not refused before, where there is one.
    fn pop_one(&mut self) -> Option<Row> {
        let fresh = self.rows.iter().position(|row| row.refused().is_none());
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
        // Nearly always behind all others.
        if self.rows.back().is_none_or(|row| row.reading.time() < time) {
            return Err(self.rows.len());
        }
        self.rows.binary_search_by_key(&time, |row| row.reading.time())
    }
}

impl Row {
    fn join(&mut self, later: Self) {
        self.reading.overlay(&later.reading);
        self.size_bytes += later.size_bytes;
        let beside = self.beside.get_or_insert_default();
        beside.joined.push(later.in_flight);
        if let Some(later) = later.beside {
            beside.joined.extend(later.joined);
            beside.needs.extend(later.needs);
        }
    }

    fn refused(&self) -> Option<Refused> {
        self.beside.as_ref()?.refused
    }
}

#[cfg(test)]
mod tests;
