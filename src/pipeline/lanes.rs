//! Rows on their way to the store, in one lane per patient.
//!
//! A patient has at most one batch in flight, so that no two writes of one row can overtake each other; what arrives
//! meanwhile collects in its lane and goes out together. Nothing waits where there is nothing to wait for: a lane
//! without a batch in flight is ready at once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::alarm::Alert;
use crate::ledger::Receipt;
use crate::reading::{PatientId, Reading, Timestamp};
use crate::store::Batch;

/// A batch to write, and what is settled when it is written.
#[derive(Debug)]
pub struct Job {
    /// What to write.
    pub batch: Batch,
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
#[derive(Debug)]
pub struct Lanes {
    /// How many rows go out in one batch.
    batch_rows: usize,
    by_patient: HashMap<PatientId, Lane>,
    /// Patients with rows and without a batch in flight, in the order in which they became so.
    ready: VecDeque<PatientId>,
    /// Patients whose rows go out one by one; and how many batches the store had taken when it refused several of their
    /// rows together, until one of these is found.
    alone: HashMap<PatientId, Option<u64>>,
}

#[derive(Debug, Default)]
struct Lane {
    /// By the time of their readings, each of which is one row of the table.
    rows: BTreeMap<Timestamp, Row>,
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
    /// No lanes yet. Batches will have `batch_rows` rows at most.
    #[must_use]
    pub fn new(batch_rows: usize) -> Self {
        Self { batch_rows, by_patient: HashMap::new(), ready: VecDeque::new(), alone: HashMap::new() }
    }

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
    pub fn next_job(&mut self) -> Option<Job> {
        let patient = self.ready.pop_front()?;
        let lane = self.by_patient.get_mut(&patient)?;
        lane.in_flight = true;
        let most = if self.alone.contains_key(&patient) { 1 } else { self.batch_rows };
        let count = lane.rows.len().min(most);
        let batch = Batch { patient, readings: Vec::with_capacity(count), alerts: Vec::new() };
        let mut job = Job { batch, receipts: Vec::with_capacity(count), size_bytes: 0, attempts: 0, refused: None };
        for row in (0..count).map_while(|_| if most == 1 { lane.pop_one() } else { lane.pop() }) {
            job.refused = row.refused;
            job.attempts = row.refused.map_or(0, |refused| refused.attempts);
            job.batch.readings.push(row.reading);
            job.batch.alerts.extend(row.alerts);
            job.receipts.push(row.receipt);
            job.receipts.extend(row.joined);
            job.size_bytes += row.size_bytes;
        }
        Some(job)
    }

    /// From now on this patient's rows go out one by one, so that one of them that is refused takes no other along.
    /// Several of them were refused together, when the store had taken so many batches.
    pub fn send_alone(&mut self, patient: PatientId, taken: u64) {
        self.alone.insert(patient, Some(taken));
    }

    /// How many batches the store had taken when it refused several rows of this patient together; once.
    pub fn take_refused_together(&mut self, patient: &PatientId) -> Option<u64> {
        self.alone.get_mut(patient)?.take()
    }

    /// Puts the row of a batch of one back, which was refused: the patient's other rows go first.
    pub fn put_back(&mut self, job: Job, refused: Refused) {
        let Job { batch: Batch { patient, mut readings, alerts }, receipts, size_bytes, .. } = job;
        let mut receipts = receipts.into_iter();
        let (Some(lane), Some(reading), Some(receipt)) =
            (self.by_patient.get_mut(&patient), readings.pop(), receipts.next())
        else {
            return;
        };
        let joined = receipts.collect();
        lane.put_back(Row { reading, alerts, receipt, joined, size_bytes, refused: Some(refused) });
        lane.in_flight = false;
        self.ready.push_back(patient);
    }

    /// From now on every patient's rows go out together again.
    pub fn send_together(&mut self) {
        self.alone.clear();
    }

    /// Notes that a patient's batch is not in flight any more.
    pub fn done(&mut self, patient: &PatientId) {
        let Some(lane) = self.by_patient.get_mut(patient) else { return };
        lane.in_flight = false;
        if lane.rows.is_empty() {
            // A ward has few patients, but a topic may see many over the years.
            self.by_patient.remove(patient);
        } else {
            self.ready.push_back(patient.clone());
        }
    }

    /// Drops what has not gone out yet, and gives its size: its partitions are somebody else's.
    pub fn clear(&mut self) -> usize {
        self.ready.clear();
        let waiting = self.by_patient.values().flat_map(|lane| lane.rows.values()).map(|row| row.size_bytes).sum();
        self.by_patient.retain(|_, lane| lane.in_flight);
        self.by_patient.values_mut().for_each(|lane| lane.rows.clear());
        waiting
    }
}

impl Lane {
    fn pop(&mut self) -> Option<Row> {
        self.rows.pop_first().map(|(_, row)| row)
    }

    /// One that was not refused before, where there is one.
    fn pop_one(&mut self) -> Option<Row> {
        let fresh = self.rows.iter().find(|(_, row)| row.refused.is_none()).map(|(time, _)| *time);
        match fresh {
            Some(time) => self.rows.remove(&time),
            None => self.pop(),
        }
    }

    /// Puts an earlier record back; later ones of the same time stay the later ones.
    fn put_back(&mut self, mut earlier: Row) {
        if let Some(later) = self.rows.remove(&earlier.reading.time()) {
            earlier.join(later);
        }
        self.rows.insert(earlier.reading.time(), earlier);
    }

    fn add(&mut self, row: Row) {
        match self.rows.entry(row.reading.time()) {
            Entry::Occupied(mut earlier) => earlier.get_mut().join(row),
            Entry::Vacant(place) => {
                place.insert(row);
            }
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

    const BATCH_ROWS: usize = 60;

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
            Self { lanes: Lanes::new(BATCH_ROWS), ledger, offset: 0 }
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
        let patients: Vec<_> = std::iter::from_fn(|| bench.lanes.next_job()).map(|job| job.batch.patient).collect();
        assert_eq!(patients.iter().map(PatientId::as_str).collect::<Vec<_>>(), ["P1", "P2"]);
    }

    #[test]
    fn a_patient_has_one_batch_in_flight_and_the_rest_goes_out_together() {
        let mut bench = Bench::new();
        bench.add("P1", 0, spo2(98));
        let first = bench.lanes.next_job().expect("ready");
        bench.add("P1", 1, spo2(97));
        bench.add("P1", 2, spo2(96));
        assert!(bench.lanes.next_job().is_none());
        bench.lanes.done(&first.batch.patient);
        let second = bench.lanes.next_job().expect("ready again");
        assert_eq!((second.batch.readings.len(), second.receipts.len(), second.size_bytes), (2, 2, 200));
    }

    #[test]
    fn records_of_one_time_are_joined_sign_by_sign_in_their_order() {
        let mut bench = Bench::new();
        bench.add("P1", 5, Signs { heart_rate: Some(120), ..spo2(98) });
        bench.add("P1", 1, spo2(97));
        bench.add("P1", 5, spo2(91));
        bench.add("P1", 5, spo2(90));
        let job = bench.lanes.next_job().expect("ready");
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
        let job = bench.lanes.next_job().expect("ready");
        assert_eq!(job.batch.readings.len(), BATCH_ROWS);
        bench.lanes.done(&job.batch.patient);
        assert_eq!(bench.lanes.next_job().expect("the rest").batch.readings.len(), 1);
    }

    #[test]
    fn the_rows_of_a_patient_can_be_made_to_go_out_one_by_one() {
        let mut bench = Bench::new();
        bench.lanes.send_alone(PatientId::parse("P1").expect("id"), 0);
        bench.add("P1", 0, spo2(98));
        bench.add("P1", 1, spo2(98));
        let job = bench.lanes.next_job().expect("ready");
        assert_eq!(job.batch.readings.len(), 1);
        bench.lanes.done(&job.batch.patient);
        assert_eq!(bench.lanes.next_job().expect("the other").batch.readings.len(), 1);
    }

    #[test]
    fn a_row_that_was_refused_waits_for_the_others_and_for_later_records_of_its_time() {
        let mut bench = Bench::new();
        bench.lanes.send_alone(PatientId::parse("P1").expect("id"), 0);
        bench.add("P1", 0, Signs { heart_rate: Some(70), ..spo2(98) });
        bench.add("P1", 1, spo2(97));
        let refused = Refused { taken_before: 7, attempts: 1 };
        let job = bench.lanes.next_job().expect("ready");
        bench.add("P1", 0, spo2(91));
        bench.lanes.put_back(job, refused);
        let other = bench.lanes.next_job().expect("the other");
        assert_eq!((other.batch.readings[0].signs().spo2, other.refused), (Some(97), None));
        bench.lanes.done(&other.batch.patient);
        let again = bench.lanes.next_job().expect("once more");
        assert_eq!((again.refused, again.attempts, again.receipts.len()), (Some(refused), 1, 2));
        assert_eq!(*again.batch.readings[0].signs(), Signs { heart_rate: Some(70), ..spo2(91) });
    }

    #[test]
    fn what_has_not_gone_out_can_be_dropped_and_what_has_still_holds_its_lane() {
        let mut bench = Bench::new();
        bench.add("P1", 0, spo2(98));
        let job = bench.lanes.next_job().expect("ready");
        bench.add("P1", 1, spo2(98));
        bench.add("P2", 1, spo2(98));
        assert_eq!(bench.lanes.clear(), 200);
        bench.add("P1", 2, spo2(98));
        assert!(bench.lanes.next_job().is_none());
        bench.lanes.done(&job.batch.patient);
        assert_eq!(bench.lanes.next_job().expect("ready").batch.readings.len(), 1);
    }
}
