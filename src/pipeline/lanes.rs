//! Rows on their way to the store, in one lane per patient.
//!
//! A patient is in one batch in flight at most, so that no two writes of one row can overtake each other; what arrives
//! meanwhile collects in its lane and goes out together. Where that is little, several patients share a batch. Nothing
//! waits where there is nothing to wait for: a lane without a batch in flight is ready at once.

use std::collections::{HashMap, VecDeque};

use crate::alarm::Alert;
use crate::ledger::Receipt;
use crate::reading::{PatientId, Reading, Timestamp};
use crate::store::{Batch, BatchLimits};

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
            && let Some(room) = limits.rows.checked_sub(job.batch.readings.len()).filter(|room| *room > 0)
            && let Some(patient) = self.ready.pop_front_if(|patient| !self.alone.contains_key(patient))
        {
            self.take_rows(patient, room, &mut job);
        }
        Some(job)
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
mod tests {
    use super::*;
    use crate::alarm::{Limits, judge};
    use crate::ledger::Ledger;
    use crate::reading::Signs;

    const LIMITS: BatchLimits = BatchLimits { rows: 60, patients: 1 };

    struct Bench {
        lanes: Lanes,
        ledger: Ledger,
        offset: i64,
    }

    impl Bench {
        fn new() -> Self {
            let mut ledger = Ledger::default();
            ledger.assign(1);
            ledger.add(0, 0, 0);
            Self { lanes: Lanes::default(), ledger, offset: 0 }
        }

        fn add(&mut self, patient: &str, second: u32, signs: Signs) {
            let time = Timestamp::parse(&format!("2025-10-26T10:00:{second:02}Z")).expect("time");
            let reading = Reading::new(PatientId::parse(patient).expect("id"), time, signs).expect("reading");
            let receipt = self.ledger.admit(0, self.offset).expect("ours");
            self.offset += 1;
            let alerts = judge(&reading, &Limits::default());
            self.lanes.add(reading, alerts, receipt, 100);
        }
    }

    fn spo2(value: i32) -> Signs {
        Signs { spo2: Some(value), ..Signs::default() }
    }

    #[test]
    fn a_row_without_a_batch_in_flight_goes_out_at_once() {
        let mut bench = Bench::new();
        bench.add("P1", 0, spo2(98));
        bench.add("P2", 0, spo2(98));
        let patients: Vec<_> =
            std::iter::from_fn(|| bench.lanes.next_job(LIMITS)).flat_map(|job| job.patients).collect();
        assert_eq!(patients.iter().map(PatientId::as_str).collect::<Vec<_>>(), ["P1", "P2"]);
    }

    #[test]
    fn a_patient_has_one_batch_in_flight_and_the_rest_goes_out_together() {
        let mut bench = Bench::new();
        bench.add("P1", 0, spo2(98));
        let first = bench.lanes.next_job(LIMITS).expect("ready");
        bench.add("P1", 1, spo2(97));
        bench.add("P1", 2, spo2(96));
        assert!(bench.lanes.next_job(LIMITS).is_none());
        bench.lanes.done(&first.patients);
        let second = bench.lanes.next_job(LIMITS).expect("ready again");
        assert_eq!((second.batch.readings.len(), second.receipts.len(), second.size_bytes), (2, 2, 200));
    }

    #[test]
    fn records_of_one_time_are_joined_sign_by_sign_in_their_order() {
        let mut bench = Bench::new();
        bench.add("P1", 5, Signs { heart_rate: Some(120), ..spo2(98) });
        bench.add("P1", 1, spo2(97));
        bench.add("P1", 5, spo2(91));
        bench.add("P1", 5, spo2(90));
        let job = bench.lanes.next_job(LIMITS).expect("ready");
        assert_eq!(job.batch.readings.len(), 2);
        assert_eq!(*job.batch.readings[1].signs(), Signs { heart_rate: Some(120), ..spo2(90) });
        assert_eq!(job.receipts.len(), 4);
        let alerts: Vec<_> = job.batch.alerts.iter().map(ToString::to_string).collect();
        assert_eq!(alerts, ["High heart rate: 120", "Low SpO2: 90"]);
    }

    #[test]
    fn a_batch_is_limited_and_the_lane_stays_ready() {
        let mut bench = Bench::new();
        for _ in 0..3 {
            (0..40).for_each(|second| bench.add("P1", second, spo2(98)));
        }
        (40..60).for_each(|second| bench.add("P1", second, spo2(98)));
        let late = Timestamp::parse("2025-10-26T11:00:00Z").expect("time");
        let reading = Reading::new(PatientId::parse("P1").expect("id"), late, spo2(98)).expect("reading");
        let receipt = bench.ledger.admit(0, bench.offset).expect("ours");
        bench.lanes.add(reading, Vec::new(), receipt, 100);
        let job = bench.lanes.next_job(LIMITS).expect("ready");
        assert_eq!(job.batch.readings.len(), LIMITS.rows);
        bench.lanes.done(&job.patients);
        assert_eq!(bench.lanes.next_job(LIMITS).expect("the rest").batch.readings.len(), 1);
    }

    #[test]
    fn patients_with_few_rows_share_a_batch_up_to_its_limits() {
        let mut bench = Bench::new();
        for patient in ["P1", "P2", "P3", "P4"] {
            (0..3).for_each(|second| bench.add(patient, second, spo2(90)));
        }
        let limits = BatchLimits { rows: 8, patients: 3 };
        let job = bench.lanes.next_job(limits).expect("ready");
        let whose: Vec<_> = job.batch.readings.iter().map(|reading| reading.patient().as_str()).collect();
        assert_eq!(whose, ["P1", "P1", "P1", "P2", "P2", "P2", "P3", "P3"]);
        assert_eq!((job.patients.len(), job.receipts.len(), job.batch.alerts.len()), (3, 8, 8));
        let rest = bench.lanes.next_job(limits).expect("ready");
        assert_eq!((rest.patients.len(), rest.batch.readings.len()), (1, 3));
        bench.lanes.done(&job.patients);
        assert_eq!(bench.lanes.next_job(limits).expect("the rest of P3").batch.readings.len(), 1);
    }

    #[test]
    fn a_patient_whose_rows_go_alone_shares_no_batch() {
        let mut bench = Bench::new();
        bench.lanes.send_alone(PatientId::parse("P2").expect("id"), 0);
        ["P1", "P2", "P3"].into_iter().for_each(|patient| bench.add(patient, 0, spo2(98)));
        let limits = BatchLimits { rows: 60, patients: 10 };
        let jobs: Vec<_> = std::iter::from_fn(|| bench.lanes.next_job(limits)).collect();
        assert_eq!(jobs.iter().map(|job| job.patients.len()).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn the_rows_of_a_patient_can_be_made_to_go_out_one_by_one() {
        let mut bench = Bench::new();
        bench.lanes.send_alone(PatientId::parse("P1").expect("id"), 0);
        bench.add("P1", 0, spo2(98));
        bench.add("P1", 1, spo2(98));
        let job = bench.lanes.next_job(LIMITS).expect("ready");
        assert_eq!(job.batch.readings.len(), 1);
        bench.lanes.done(&job.patients);
        assert_eq!(bench.lanes.next_job(LIMITS).expect("the other").batch.readings.len(), 1);
    }

    #[test]
    fn a_row_that_was_refused_waits_for_the_others_and_for_later_records_of_its_time() {
        let mut bench = Bench::new();
        bench.lanes.send_alone(PatientId::parse("P1").expect("id"), 0);
        bench.add("P1", 0, Signs { heart_rate: Some(70), ..spo2(98) });
        bench.add("P1", 1, spo2(97));
        let refused = Refused { taken_before: 7, attempts: 1 };
        let job = bench.lanes.next_job(LIMITS).expect("ready");
        bench.add("P1", 0, spo2(91));
        bench.lanes.put_back(job, refused);
        let other = bench.lanes.next_job(LIMITS).expect("the other");
        assert_eq!((other.batch.readings[0].signs().spo2, other.refused), (Some(97), None));
        bench.lanes.done(&other.patients);
        let again = bench.lanes.next_job(LIMITS).expect("once more");
        assert_eq!((again.refused, again.attempts, again.receipts.len()), (Some(refused), 1, 2));
        assert_eq!(*again.batch.readings[0].signs(), Signs { heart_rate: Some(70), ..spo2(91) });
    }

    #[test]
    fn what_has_not_gone_out_can_be_dropped_and_what_has_still_holds_its_lane() {
        let mut bench = Bench::new();
        bench.add("P1", 0, spo2(98));
        let job = bench.lanes.next_job(LIMITS).expect("ready");
        bench.add("P1", 1, spo2(98));
        bench.add("P2", 1, spo2(98));
        assert_eq!(bench.lanes.clear(), 200);
        bench.add("P1", 2, spo2(98));
        assert!(bench.lanes.next_job(LIMITS).is_none());
        bench.lanes.done(&job.patients);
        assert_eq!(bench.lanes.next_job(LIMITS).expect("ready").batch.readings.len(), 1);
    }
}
