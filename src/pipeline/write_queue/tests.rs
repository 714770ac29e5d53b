//! Rows in and batches out: what goes together, what waits, and what goes alone.

use super::*;
use crate::alarm::rules::RuleSet;
use crate::alarm::{Limits, Watch};
use crate::ledger::Ledger;
use crate::reading::Signs;

const LIMITS: BatchLimits = BatchLimits { rows: 60, patients: 1, shared_rows: 60 };

struct Bench {
    write_queue: WriteQueue,
    watch: Watch,
    ledger: Ledger,
    offset: i64,
}

impl Bench {
    fn new() -> Self {
        let mut ledger = Ledger::default();
        ledger.assign(1);
        ledger.add(0, 0, 0);
        let watch = Watch::new(RuleSet::classic(Limits::default()));
        Self { write_queue: WriteQueue::default(), watch, ledger, offset: 0 }
    }

    fn add(&mut self, patient: &str, second: u32, signs: Signs) {
        let time = Timestamp::parse(&format!("2025-10-26T10:00:{second:02}Z")).expect("time");
        let reading = Reading::new(PatientId::parse(patient).expect("id"), time, signs).expect("reading");
        let in_flight = self.ledger.admit(0, self.offset).expect("ours");
        self.offset += 1;
        if !self.watch.knows(reading.patient()) {
            self.watch.restore(0, reading.patient(), 0, &[]);
        }
        for change in self.watch.take(0, self.offset, 0, &reading) {
            self.write_queue.add_alarm(change.record);
        }
        self.write_queue.add(reading, in_flight, 100);
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
        std::iter::from_fn(|| bench.write_queue.next_batch(LIMITS)).flat_map(|batch| batch.patients).collect();
    assert_eq!(patients.iter().map(PatientId::as_str).collect::<Vec<_>>(), ["P1", "P2"]);
}

#[test]
fn a_patient_has_one_batch_in_flight_and_the_rest_goes_out_together() {
    let mut bench = Bench::new();
    bench.add("P1", 0, spo2(98));
    let first = bench.write_queue.next_batch(LIMITS).expect("ready");
    bench.add("P1", 1, spo2(97));
    bench.add("P1", 2, spo2(96));
    assert!(bench.write_queue.next_batch(LIMITS).is_none());
    bench.write_queue.done(&first.patients);
    let second = bench.write_queue.next_batch(LIMITS).expect("ready again");
    assert_eq!((second.rows.readings.len(), second.in_flight.len(), second.size_bytes), (2, 2, 200));
}

#[test]
fn records_of_one_time_are_joined_sign_by_sign_in_their_order() {
    let mut bench = Bench::new();
    bench.add("P1", 5, Signs { heart_rate: Some(120), ..spo2(98) });
    bench.add("P1", 1, spo2(97));
    bench.add("P1", 5, spo2(91));
    bench.add("P1", 5, spo2(90));
    let batch = bench.write_queue.next_batch(LIMITS).expect("ready");
    assert_eq!(batch.rows.readings.len(), 2);
    assert_eq!(*batch.rows.readings[1].signs(), Signs { heart_rate: Some(120), ..spo2(90) });
    assert_eq!((batch.in_flight.len(), batch.size_bytes), (4, 400));
    let alarms: Vec<_> = batch.rows.alarms.iter().map(|alarm| alarm.text.as_str()).collect();
    assert_eq!(alarms, ["High heart rate: 120", "Low SpO2: 90"]);
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
    let in_flight = bench.ledger.admit(0, bench.offset).expect("ours");
    bench.write_queue.add(reading, in_flight, 100);
    let batch = bench.write_queue.next_batch(LIMITS).expect("ready");
    assert_eq!(batch.rows.readings.len(), LIMITS.rows);
    bench.write_queue.done(&batch.patients);
    assert_eq!(bench.write_queue.next_batch(LIMITS).expect("the rest").rows.readings.len(), 1);
}

#[test]
fn patients_with_few_rows_share_a_batch_up_to_its_limits() {
    let mut bench = Bench::new();
    for patient in ["P1", "P2", "P3", "P4"] {
        (0..3).for_each(|second| bench.add(patient, second, spo2(90)));
    }
    let mut of = |limits| {
        let batch = bench.write_queue.next_batch(limits).expect("ready");
        let whose: Vec<_> = batch.rows.readings.iter().map(|reading| reading.patient().as_str().to_owned()).collect();
        (whose, batch.patients.len(), batch.in_flight.len(), batch.rows.alarms.len())
    };
    // The third one has more than there is room for: none of them goes in two parts.
    let first = of(BatchLimits { rows: 60, patients: 3, shared_rows: 8 });
    assert_eq!(first, (["P1", "P1", "P1", "P2", "P2", "P2"].map(str::to_owned).to_vec(), 2, 6, 2));
    let second = of(BatchLimits { rows: 60, patients: 1, shared_rows: 8 });
    assert_eq!(second, (vec!["P3".to_owned(); 3], 1, 3, 1));
}

#[test]
fn a_patient_with_many_rows_shares_no_batch() {
    let mut bench = Bench::new();
    (0..9).for_each(|second| bench.add("P1", second, spo2(98)));
    bench.add("P2", 0, spo2(98));
    let limits = BatchLimits { rows: 60, patients: 3, shared_rows: 8 };
    let sizes: Vec<_> =
        std::iter::from_fn(|| bench.write_queue.next_batch(limits)).map(|batch| batch.in_flight.len()).collect();
    assert_eq!(sizes, [9, 1]);
}

#[test]
fn a_limit_of_rows_holds_for_one_patient_and_for_several() {
    let mut bench = Bench::new();
    (0..3).for_each(|second| bench.add("P1", second, spo2(98)));
    bench.add("P2", 0, spo2(98));
    bench.add("P3", 0, spo2(98));
    let limits = BatchLimits { rows: 60, patients: 10, shared_rows: 30 }.with_rows(2);
    let first = bench.write_queue.next_batch(limits).expect("ready");
    let second = bench.write_queue.next_batch(limits).expect("ready");
    assert_eq!((first.in_flight.len(), second.in_flight.len(), second.patients.len()), (2, 2, 2));
}

#[test]
fn a_patient_whose_rows_go_alone_shares_no_batch() {
    let mut bench = Bench::new();
    bench.write_queue.send_alone(PatientId::parse("P2").expect("id"), 0);
    for patient in ["P1", "P2", "P3"] {
        bench.add(patient, 0, spo2(98));
    }
    let limits = BatchLimits { rows: 60, patients: 10, shared_rows: 60 };
    let jobs: Vec<_> = std::iter::from_fn(|| bench.write_queue.next_batch(limits)).collect();
    assert_eq!(jobs.iter().map(|batch| batch.patients.len()).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn the_rows_of_a_patient_can_be_made_to_go_out_one_by_one() {
    let mut bench = Bench::new();
    bench.write_queue.send_alone(PatientId::parse("P1").expect("id"), 0);
    bench.add("P1", 0, spo2(98));
    bench.add("P1", 1, spo2(98));
    let batch = bench.write_queue.next_batch(LIMITS).expect("ready");
    assert_eq!(batch.rows.readings.len(), 1);
    bench.write_queue.done(&batch.patients);
    assert_eq!(bench.write_queue.next_batch(LIMITS).expect("the other").rows.readings.len(), 1);
}

#[test]
fn rows_that_were_refused_together_are_told_of_once_and_go_together_again_when_that_is_over() {
    let mut bench = Bench::new();
    let [first, other] = ["P1", "P2"].map(|patient| PatientId::parse(patient).expect("id"));
    bench.write_queue.send_alone(first.clone(), 7);
    assert_eq!(bench.write_queue.take_refused_together(&[other.clone(), first.clone()]), Some(7));
    assert_eq!(bench.write_queue.take_refused_together(&[other, first]), None);
    bench.write_queue.send_together();
    bench.add("P1", 0, spo2(98));
    bench.add("P1", 1, spo2(98));
    assert_eq!(bench.write_queue.next_batch(LIMITS).expect("ready").rows.readings.len(), 2);
}

#[test]
fn an_alarm_that_was_not_written_goes_out_without_a_row_or_as_what_has_become_of_it() {
    let mut bench = Bench::new();
    bench.add("P1", 0, spo2(90));
    let batch = bench.write_queue.next_batch(LIMITS).expect("ready");
    assert!(!batch.is_of_alarms() && bench.write_queue.is_empty());
    bench.write_queue.put_back_alarms(batch.rows.alarms);
    bench.write_queue.done(&batch.patients);
    let alone = bench.write_queue.next_batch(LIMITS).expect("ready");
    assert!(alone.is_of_alarms());
    bench.add("P1", 1, spo2(85));
    bench.write_queue.put_back_alarms(alone.rows.alarms);
    bench.write_queue.done(&alone.patients);
    assert!(!bench.write_queue.is_empty());
    let worse = bench.write_queue.next_batch(LIMITS).expect("ready").rows.alarms;
    assert_eq!(
        worse.iter().map(|alarm| (alarm.text.as_str(), alarm.limit)).collect::<Vec<_>>(),
        [("Low SpO2: 85", Some(92.0))]
    );
}

#[test]
fn a_row_that_was_refused_waits_for_the_others_and_for_later_records_of_its_time() {
    let mut bench = Bench::new();
    bench.write_queue.send_alone(PatientId::parse("P1").expect("id"), 0);
    bench.add("P1", 0, Signs { heart_rate: Some(70), ..spo2(98) });
    bench.add("P1", 1, spo2(97));
    let refused = Refused { taken_before: 7, attempts: 1 };
    let batch = bench.write_queue.next_batch(LIMITS).expect("ready");
    // These two are joined while it is away, and both are acknowledged with it.
    bench.add("P1", 0, spo2(92));
    bench.add("P1", 0, spo2(91));
    bench.write_queue.put_back(batch, refused);
    let other = bench.write_queue.next_batch(LIMITS).expect("the other");
    assert_eq!((other.rows.readings[0].signs().spo2, other.refused), (Some(97), None));
    bench.write_queue.done(&other.patients);
    let again = bench.write_queue.next_batch(LIMITS).expect("once more");
    assert_eq!((again.refused, again.attempts, again.in_flight.len()), (Some(refused), 1, 3));
    assert_eq!(*again.rows.readings[0].signs(), Signs { heart_rate: Some(70), ..spo2(91) });
}

#[test]
fn what_has_not_gone_out_can_be_dropped_and_what_has_still_holds_its_lane() {
    let mut bench = Bench::new();
    bench.add("P1", 0, spo2(98));
    let batch = bench.write_queue.next_batch(LIMITS).expect("ready");
    bench.add("P1", 1, spo2(98));
    bench.add("P2", 1, spo2(98));
    assert!(!batch.is_late());
    assert_eq!(bench.write_queue.clear(), 200);
    assert!(batch.is_late());
    bench.add("P1", 2, spo2(98));
    assert!(bench.write_queue.next_batch(LIMITS).is_none());
    bench.write_queue.done(&batch.patients);
    let next = bench.write_queue.next_batch(LIMITS).expect("ready");
    assert!(next.rows.readings.len() == 1 && !next.is_late());
}
