//! What every store has to do, whichever it is: the same checks run over each, and what they expect is written out, so
//! that the stores give the same results in the same order.

#[path = "contract/alarms.rs"]
mod alarms;
#[path = "contract/minutes.rs"]
mod minutes;

pub(crate) use alarms::*;
pub(crate) use minutes::*;
use vitals::admission::Admission;
use vitals::pipeline::store::{Entry, Store as _};
use vitals::reading::{Consciousness, Observed, PatientId, Reading, Signs, Timestamp};
use vitals::store::{AnyStore, Followed as _, Journal, Order, Selection, StoreError, StoredReading, Width};

use super::rows::{at, batch, heart_rate, reading};

/// One test for each check; `$with_store` gives the check a store with tables and without rows.
macro_rules! keeps_the_contract {
    ($with_store:path) => {
        keeps_the_contract!(
            $with_store;
            every_sign_comes_back_as_it_was_written,
            a_missing_sign_never_erases_a_value,
            observations_come_back_and_a_missing_one_erases_nothing,
            a_later_value_replaces_an_earlier_one,
            a_batch_written_again_changes_nothing,
            alarms_come_newest_first_and_then_by_rule,
            all_patients_with_alarms_are_told_once,
            alarms_that_are_on_are_counted_by_priority,
            an_acknowledgement_is_noted_once_and_touches_no_other_alarm,
            what_becomes_of_an_alarm_does_not_erase_who_acknowledged_it,
            an_alarm_whose_value_is_back_ends_by_its_acknowledgement,
            an_alarm_that_rises_while_its_value_was_back_is_on,
            an_alarm_that_is_raised_once_more_is_on,
            an_alarm_that_is_on_is_known_behind_any_number_of_newer_ones,
            of_several_who_acknowledge_at_once_one_is_the_first,
            what_is_not_there_is_not_acknowledged_and_not_made,
            who_was_admitted_is_read_on_from_where_it_was_read,
            the_newest_reading_of_each_patient_is_told_up_to_a_time,
            a_large_batch_is_stored_whole_and_read_page_by_page,
            a_range_begins_with_since_and_ends_before_until,
            times_sort_with_and_without_decimals,
            a_patient_s_first_rows_of_the_table_are_the_newest,
            every_patient_is_listed_once,
            the_whole_table_has_every_row_once,
            a_scan_gives_every_row_once_and_in_the_same_order_again,
            a_scan_of_the_keys_leaves_the_values_out,
            rows_are_restored_as_they_were_whatever_they_hold,
            a_row_that_is_restored_keeps_what_it_does_not_carry,
            what_is_older_than_what_is_kept_is_counted_and_not_written,
            a_minute_comes_back_as_it_was_written_and_a_later_one_takes_its_place,
            minutes_of_months_are_written_together,
            a_series_is_the_same_out_of_minutes_of_readings_and_of_both,
            a_minute_stays_as_it_is_when_its_readings_may_have_gone
        );
    };
    ($with_store:path; $($check:ident),+) => {
        $(
            #[tokio::test]
            async fn $check() {
                $with_store(contract::$check).await;
            }
        )+
    };
}
pub(crate) use keeps_the_contract;

pub(crate) fn of(patient: &str, order: Order) -> Selection {
    Selection::Patient { id: patient.to_owned(), since: None, until: None, order }
}

pub(crate) async fn read(store: &AnyStore, selection: &Selection, limit: u32) -> Vec<StoredReading> {
    let mut all = Vec::new();
    let mut readings = store.readings(selection, limit);
    while let Some(page) = readings.next_page().await.unwrap() {
        assert!(page.len() <= 1000);
        all.extend(page);
    }
    all
}

pub(crate) fn rates(readings: &[StoredReading]) -> Vec<i32> {
    readings.iter().map(|reading| reading.signs.heart_rate.unwrap()).collect()
}

fn seconds(readings: &[StoredReading]) -> Vec<&str> {
    readings.iter().map(|reading| reading.timestamp.strip_prefix("2025-10-26T00:00:").unwrap()).collect()
}

async fn write(store: &AnyStore, patient: &str, rows: impl IntoIterator<Item = (u32, Signs)>) {
    let readings = rows.into_iter().map(|(second, signs)| reading(patient, second, signs)).collect();
    store.write(&batch(readings)).await.unwrap();
}

pub(crate) async fn every_sign_comes_back_as_it_was_written(store: &AnyStore) {
    let signs = Signs {
        heart_rate: Some(-1),
        spo2: Some(i32::MAX),
        systolic: Some(120),
        diastolic: Some(i32::MIN),
        respiratory_rate: Some(16),
        temperature: Some(36.8),
        observed: Observed { supplemental_oxygen: Some(false), consciousness: Some(Consciousness::Pain) },
    };
    write(store, "Pä 1", [(0, signs)]).await;
    let (patient_id, timestamp) = ("Pä 1".to_owned(), "2025-10-26T00:00:00+00:00".to_owned());
    assert_eq!(read(store, &of("Pä 1", Order::NewestFirst), 5).await, [StoredReading { patient_id, timestamp, signs }]);
    for (second, temperature) in (1..).zip([0.1, -0.0, 97.2, f32::MIN_POSITIVE, f32::MAX, 1e-45, 16_777_217.0]) {
        write(store, "Pä 1", [(second, Signs { temperature: Some(temperature), ..Signs::default() })]).await;
        let stored = read(store, &of("Pä 1", Order::NewestFirst), 1).await;
        assert_eq!(stored[0].signs.temperature, Some(temperature));
    }
}

pub(crate) async fn a_missing_sign_never_erases_a_value(store: &AnyStore) {
    // Alone, and in a batch: they may take different ways.
    let whole = |second| (second, Signs { spo2: Some(97), temperature: Some(36.8), ..heart_rate(80) });
    let half = |second| (second, heart_rate(85));
    write(store, "P001", [whole(0)]).await;
    write(store, "P001", [half(0)]).await;
    write(store, "P001", [whole(1), whole(2)]).await;
    write(store, "P001", [half(1), half(2)]).await;
    let stored = read(store, &of("P001", Order::OldestFirst), 5).await;
    assert_eq!(rates(&stored), [85, 85, 85]);
    let expected = Signs { spo2: Some(97), temperature: Some(36.8), ..heart_rate(85) };
    assert!(stored.iter().all(|reading| reading.signs == expected), "{stored:?}");
}

pub(crate) async fn observations_come_back_and_a_missing_one_erases_nothing(store: &AnyStore) {
    let observed = |supplemental_oxygen, consciousness| Observed { supplemental_oxygen, consciousness };
    let signs = |observed| Signs { observed, ..Signs::default() };
    let stored = async || {
        let mut all = scanned(store, Width::Rows).await;
        assert_eq!(all, read(store, &of("P001", Order::NewestFirst), 5).await);
        all.pop().unwrap().signs
    };
    for (written, expected) in [
        (observed(Some(true), None), observed(Some(true), None)),
        (observed(None, Some(Consciousness::Alert)), observed(Some(true), Some(Consciousness::Alert))),
        (observed(Some(false), Some(Consciousness::Voice)), observed(Some(false), Some(Consciousness::Voice))),
        (Observed::NOTHING, observed(Some(false), Some(Consciousness::Voice))),
    ] {
        write(store, "P001", [(0, Signs { heart_rate: Some(80), ..signs(written) })]).await;
        assert_eq!(stored().await, Signs { heart_rate: Some(80), ..signs(expected) });
    }
    let restored = row("P001", "2025-10-26T00:00:00+00:00", signs(observed(Some(true), None)));
    store.restore(&[restored]).await.unwrap();
    let expected = signs(observed(Some(true), Some(Consciousness::Voice)));
    assert_eq!(stored().await, Signs { heart_rate: Some(80), ..expected });
}

pub(crate) async fn a_later_value_replaces_an_earlier_one(store: &AnyStore) {
    for rate in [80, 0, 85] {
        write(store, "P001", [(0, heart_rate(rate))]).await;
        assert_eq!(rates(&read(store, &of("P001", Order::NewestFirst), 5).await), [rate]);
    }
}

pub(crate) async fn a_batch_written_again_changes_nothing(store: &AnyStore) {
    let critical = batch((0..3).map(|second| reading("P001", second, heart_rate(130))).collect());
    let state = async || (read(store, &Selection::Any, 10).await, store.alarms_of(&["P001"], 10).await.unwrap());
    store.write(&critical).await.unwrap();
    let before = state().await;
    store.write(&critical).await.unwrap();
    assert_eq!(state().await, before);
    assert_eq!((before.0.len(), before.1.len()), (3, 3));
}

pub(crate) async fn who_was_admitted_is_read_on_from_where_it_was_read(store: &AnyStore) {
    let admit = async |version, patient: &str, bed: &str| {
        let admission = Admission { bed: Some(bed.to_owned()), ..Admission::default() };
        let [author, reason, at] = ["Anna", "x", "2025-10-26T00:00:00+00:00"].map(str::to_owned);
        let entry = Entry { version, name: patient.to_owned(), author, reason, at, content: admission.content() };
        assert!(store.add_entry(Journal::Patients, &entry).await.unwrap());
    };
    admit(1, "P1", "1").await;
    admit(2, "P2", "2").await;
    let mut admissions = store.admitted().await.unwrap();
    assert_eq!((admissions.version(), admissions.patients.len()), (2, 2));
    // To see whether it comes once more.
    admissions.patients.remove("P1");
    store.follow(&mut admissions).await.unwrap();
    admit(3, "P2", "7").await;
    store.follow(&mut admissions).await.unwrap();
    assert_eq!((admissions.version(), admissions.patients.len()), (3, 1));
    assert_eq!(admissions.patients["P2"].bed.as_deref(), Some("7"));
    // What is behind a gap is not taken up before what is missing is there.
    admit(5, "P5", "5").await;
    let missing = store.follow(&mut admissions).await.unwrap_err();
    assert!(matches!(missing, StoreError::Gap { version: 4, .. }), "{missing}");
    assert_eq!(admissions.version(), 3);
    admit(4, "P4", "4").await;
    store.follow(&mut admissions).await.unwrap();
    assert_eq!((admissions.version(), admissions.patients.len()), (5, 3));
}

pub(crate) async fn the_newest_reading_of_each_patient_is_told_up_to_a_time(store: &AnyStore) {
    let patients: Vec<_> = (0..40).map(|number| format!("P{number}")).collect();
    for patient in &patients[1..] {
        write(store, patient, (0..5).map(|second| (second, heart_rate(60)))).await;
    }
    let ids: Vec<_> = patients.iter().map(String::as_str).collect();
    let newest = store.newest_readings(&ids, at(3)).await.unwrap();
    let seen: Vec<_> = newest.iter().map(|reading| reading.patient_id.as_str()).collect();
    assert_eq!(seen, ids[1..]);
    assert!(seconds(&newest).iter().all(|second| *second == "02+00:00"), "{newest:?}");
}

pub(crate) async fn a_large_batch_is_stored_whole_and_read_page_by_page(store: &AnyStore) {
    const ROWS: i32 = 2500;
    write(store, "P001", (0..).zip((0..ROWS).map(heart_rate))).await;
    write(store, "P002", [(0, heart_rate(1))]).await;
    let all: Vec<i32> = (0..ROWS).collect();
    assert_eq!(rates(&read(store, &of("P001", Order::OldestFirst), 10_000).await), all);
    let backwards: Vec<i32> = (0..ROWS).rev().collect();
    assert_eq!(rates(&read(store, &of("P001", Order::NewestFirst), 2000).await), backwards[..2000]);
    assert_eq!(rates(&read(store, &of("P001", Order::NewestFirst), 5).await), backwards[..5]);
    assert_eq!(rates(&read(store, &of("P001", Order::OldestFirst), 1500).await), all[..1500]);
    let between =
        |order| Selection::Patient { id: "P001".to_owned(), since: Some(at(100)), until: Some(at(2400)), order };
    assert_eq!(rates(&read(store, &between(Order::OldestFirst), 10_000).await), all[100..2400]);
    assert_eq!(rates(&read(store, &between(Order::NewestFirst), 10_000).await), backwards[100..2400]);
    assert_eq!(read(store, &of("P001", Order::OldestFirst), 0).await, []);
    assert_eq!(read(store, &of("P003", Order::OldestFirst), 5).await, []);
    assert_eq!(read(store, &Selection::Any, 10).await.len(), 10);
}

pub(crate) async fn a_range_begins_with_since_and_ends_before_until(store: &AnyStore) {
    write(store, "P001", (0..10).map(|second| (second, heart_rate(60)))).await;
    let (third, fourth) = ("03+00:00", "04+00:00");
    for (order, expected) in [(Order::OldestFirst, [third, fourth]), (Order::NewestFirst, [fourth, third])] {
        let range = Selection::Patient { id: "P001".to_owned(), since: Some(at(3)), until: Some(at(5)), order };
        assert_eq!(seconds(&read(store, &range, 100).await), expected);
    }
}

pub(crate) async fn times_sort_with_and_without_decimals(store: &AnyStore) {
    let times = ["00:00:01Z", "00:00:00.5Z", "00:00:00Z", "02:00:00.000001+02:00"];
    let time = |text: &str| Timestamp::parse(&format!("2025-10-26T{text}")).unwrap();
    let patient = PatientId::parse("P001").unwrap();
    let readings = times.map(|text| Reading::new(patient.clone(), time(text), heart_rate(60)).unwrap());
    store.write(&batch(readings.into())).await.unwrap();
    let stored = read(store, &of("P001", Order::OldestFirst), 9).await;
    assert_eq!(seconds(&stored), ["00+00:00", "00.000001+00:00", "00.500000+00:00", "01+00:00"]);
}

pub(crate) async fn a_patient_s_first_rows_of_the_table_are_the_newest(store: &AnyStore) {
    write(store, "P001", (0..10).map(|second| (second, heart_rate(60)))).await;
    let stored = read(store, &Selection::Any, 3).await;
    assert_eq!(seconds(&stored), ["09+00:00", "08+00:00", "07+00:00"]);
}

pub(crate) async fn every_patient_is_listed_once(store: &AnyStore) {
    assert_eq!(store.patients().await.unwrap(), Vec::<String>::new());
    let ids: Vec<_> =
        (0..1100).map(|number| format!("P{number:04}")).chain(["a".to_owned(), "Pä 1".to_owned()]).collect();
    for ids in ids.chunks(50) {
        let readings = ids.iter().flat_map(|id| [0, 1].map(|second| reading(id, second, heart_rate(80))));
        store.write(&batch(readings.collect())).await.unwrap();
    }
    let mut patients = store.patients().await.unwrap();
    patients.sort();
    let mut expected = ids;
    expected.sort();
    assert_eq!(patients, expected);
}

pub(crate) async fn the_whole_table_has_every_row_once(store: &AnyStore) {
    // More and fewer than a page each, so that pages end within and between patients.
    let patients = [("P1", 700), ("P2", 300), ("P3", 1500), ("P4", 1)];
    for (patient, rows) in patients {
        write(store, patient, (0..rows).map(|second| (second, heart_rate(60)))).await;
    }
    let seen = read(store, &Selection::Any, u32::MAX).await;
    assert_eq!(seen.len(), 2501);
    for (patient, rows) in patients {
        let times: Vec<_> = seen.iter().filter(|row| row.patient_id == patient).map(|row| &row.timestamp).collect();
        assert_eq!(times.len(), usize::try_from(rows).unwrap(), "{patient}");
        assert!(times.is_sorted_by(|one, next| one > next), "{patient}");
    }
}

pub(crate) async fn scanned(store: &AnyStore, width: Width) -> Vec<StoredReading> {
    let mut all = Vec::new();
    let mut scan = store.scan(width).await.unwrap();
    while let Some(page) = scan.next_page().await.unwrap() {
        all.extend(page);
    }
    all
}

pub(crate) async fn a_scan_gives_every_row_once_and_in_the_same_order_again(store: &AnyStore) {
    // One patient with more rows than wait in memory, and many with few.
    write(store, "P0", (0..9000).map(|second| (second, heart_rate(60)))).await;
    for patient in 1..150 {
        write(store, &format!("P{patient}"), (0..3).map(|second| (second, heart_rate(60)))).await;
    }
    let seen = scanned(store, Width::Rows).await;
    assert_eq!(seen.len(), 9000 + 149 * 3);
    assert_eq!(seen, scanned(store, Width::Rows).await);
    let keys: std::collections::BTreeSet<_> = seen.iter().map(|row| (&row.patient_id, &row.timestamp)).collect();
    assert_eq!(keys.len(), seen.len());
    let mut patients: Vec<_> = seen.iter().map(|row| &row.patient_id).collect();
    patients.dedup();
    assert_eq!(patients.len(), 150, "a patient's rows come together");
    assert!(seen.iter().filter(|row| row.patient_id == "P0").is_sorted_by(|one, next| one.timestamp > next.timestamp));
}

pub(crate) async fn a_scan_of_the_keys_leaves_the_values_out(store: &AnyStore) {
    write(store, "P001", (0..3).map(|second| (second, heart_rate(60)))).await;
    let keys = scanned(store, Width::Keys).await;
    assert!(keys.iter().all(|row| row.patient_id == "P001"), "{keys:?}");
    assert_eq!(seconds(&keys), ["02+00:00", "01+00:00", "00+00:00"]);
}

const OBSERVED: Observed =
    Observed { supplemental_oxygen: Some(true), consciousness: Some(Consciousness::Unresponsive) };

fn row(patient_id: &str, timestamp: &str, signs: Signs) -> StoredReading {
    StoredReading { patient_id: patient_id.to_owned(), timestamp: timestamp.to_owned(), signs }
}

pub(crate) async fn rows_are_restored_as_they_were_whatever_they_hold(store: &AnyStore) {
    let long = "P".repeat(3000);
    let odd = |temperature| Signs { temperature: Some(temperature), ..Signs::default() };
    let mut rows = vec![
        row("P1", "2025-10-26T12:00:00+02:00", Signs { spo2: Some(i32::MIN), ..odd(f32::INFINITY) }),
        row("P1", "yesterday", heart_rate(i32::MAX)),
        row("P1", "", odd(-0.0)),
        row("P1", "nothing was measured", Signs::default()),
        row("P1", "only looked at", Signs { observed: OBSERVED, ..Signs::default() }),
        row(" \"P\", \\2\r\n", "a\tb", odd(1e-45)),
        row(&long, "2025-10-26T10:00:00Z", odd(36.8)),
    ];
    store.restore(&rows).await.unwrap();
    store.restore(&rows).await.unwrap();
    let mut seen = scanned(store, Width::Rows).await;
    let key = |row: &StoredReading| (row.patient_id.clone(), row.timestamp.clone());
    rows.sort_by_key(key);
    seen.sort_by_key(key);
    assert_eq!(seen, rows);
    store.restore(&[]).await.unwrap();
}

pub(crate) async fn a_row_that_is_restored_keeps_what_it_does_not_carry(store: &AnyStore) {
    let time = "a time of another program";
    store.restore(&[row("P 1", time, Signs { spo2: Some(97), ..heart_rate(80) })]).await.unwrap();
    store.restore(&[row("P 1", time, heart_rate(81))]).await.unwrap();
    let expected = [row("P 1", time, Signs { spo2: Some(97), ..heart_rate(81) })];
    assert_eq!(scanned(store, Width::Rows).await, expected);
    assert_eq!(read(store, &Selection::Any, 5).await, expected);
}

/// Notes how long rows are kept, as `vitals retention set` does.
pub(crate) async fn keep(store: &AnyStore, version: i32, at: Timestamp, content: &str) {
    let [name, author, reason] = ["raw", "Anna", "a test"].map(str::to_owned);
    let entry = Entry { version, name, author, reason, at: at.to_string(), content: content.to_owned() };
    assert!(store.add_entry(Journal::Retention, &entry).await.unwrap());
}

pub(crate) async fn what_is_older_than_what_is_kept_is_counted_and_not_written(store: &AnyStore) {
    keep(store, 1, at(0), r#"{"raw":"2h","alerts":"keep"}"#).await;
    let ago = |minutes: i64| Timestamp::from_utc(chrono::Utc::now() - chrono::TimeDelta::minutes(minutes)).unwrap();
    let reading = |minutes| Reading::new(PatientId::parse("P001").unwrap(), ago(minutes), heart_rate(60)).unwrap();
    let written = store.write(&batch(vec![reading(181), reading(119), reading(121), reading(-5)])).await.unwrap();
    assert_eq!((written.expired, read(store, &of("P001", Order::NewestFirst), 9).await.len()), (2, 2));
    let texts = [ago(180).to_string(), ago(60).to_string(), "a year ago".to_owned()];
    let rows: Vec<_> = texts.iter().map(|time| row("P002", time, heart_rate(60))).collect();
    assert_eq!(store.restore(&rows).await.unwrap().expired, 1);
    let stored = read(store, &of("P002", Order::NewestFirst), 9).await;
    assert_eq!(stored.iter().map(|row| row.timestamp.as_str()).collect::<Vec<_>>(), [&texts[2], &texts[1]]);
}
