//! When rows end, by the server: readings, alarms, and what was written before somebody said for how long.

use std::time::{Duration, Instant};

use cdrs_tokio::statement::StatementParams;
use cdrs_tokio::types::ByIndex as _;
use futures::future::join_all;
use vitals::alarm::{Step, Steps};
use vitals::pipeline::store::{Batch, Store as _};
use vitals::reading::{PatientId, Reading, Signs, Timestamp};
use vitals::store::{Acknowledged, AnyStore, Renewed, StoredReading, WhichMinutes};

use crate::rows::{at, batch, heart_rate};
use crate::{TestKeyspace, contract};

/// In how many seconds each value ends that one row of a table has, and with its marks.
async fn ends(test: &TestKeyspace, table: &str, columns: &[&str]) -> Vec<Option<i32>> {
    let ttls: Vec<_> = columns.iter().map(|column| format!("TTL({column})")).collect();
    let rows = test.cql(&format!("SELECT {} FROM KS.{table}", ttls.join(", "))).await;
    let [row] = &rows[..] else { panic!("{} rows", rows.len()) };
    (0..columns.len()).map(|index| row.by_index(index).unwrap()).collect()
}

fn ago(minutes: i64) -> Timestamp {
    Timestamp::from_utc(chrono::Utc::now() - chrono::TimeDelta::minutes(minutes)).unwrap()
}

fn are_about(ends: &[Option<i32>], seconds: i32) -> bool {
    // However slow this test is, the end itself does not move.
    ends.iter().all(|end| end.is_some_and(|end| (seconds - 60..=seconds + 1).contains(&end)))
}

#[tokio::test]
async fn every_value_of_a_reading_ends_so_long_after_its_time_and_a_repeat_does_not_renew_it() {
    let test = TestKeyspace::with_tables().await;
    contract::keep(&AnyStore::Cassandra(test.store().await), 1, ago(600), r#"{"raw":"3h","alerts":"keep"}"#).await;
    let store = test.store().await;
    let signs = Signs { spo2: Some(97), temperature: Some(36.8), ..heart_rate(60) };
    let one = Reading::new(PatientId::parse("P001").unwrap(), ago(60), signs).unwrap();
    let columns = ["heart_rate", "spo2", "temperature"];
    store.write(&batch(vec![one.clone()])).await.unwrap();
    let first = ends(&test, "patient_vitals", &columns).await;
    assert!(are_about(&first, 2 * 3600), "{first:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    store.write(&batch(vec![one.clone()])).await.unwrap();
    let again = ends(&test, "patient_vitals", &columns).await;
    assert!(again.iter().zip(&first).all(|(again, first)| again.unwrap() <= first.unwrap() - 2), "{first:?} {again:?}");
    let row = StoredReading { patient_id: "P001".to_owned(), timestamp: one.time().to_string(), signs };
    store.restore(&[row]).await.unwrap();
    assert!(are_about(&ends(&test, "patient_vitals", &columns).await, 2 * 3600), "a row that is imported ends too");
    test.end().await;
}

/// Goes through all readings of P001.
async fn renew(test: &TestKeyspace) -> Renewed {
    let store = AnyStore::Cassandra(test.store().await);
    let mut renewal = store.renewals().unwrap().of("P001").await.unwrap();
    let mut all = Renewed::default();
    while let Some(step) = renewal.step().await.unwrap() {
        all += step;
    }
    all
}

#[tokio::test]
async fn rows_that_were_written_before_get_the_end_that_they_would_have_now_and_what_is_over_goes() {
    let test = TestKeyspace::with_tables().await;
    let store = AnyStore::Cassandra(test.store().await);
    let patient = PatientId::parse("P001").unwrap();
    let of = |minutes| Reading::new(patient.clone(), ago(minutes), heart_rate(60)).unwrap();
    store.write(&batch(vec![of(300), of(298), of(200), of(60)])).await.unwrap();
    let foreign = ago(250).to_string().replace("+00:00", "Z");
    let insert =
        format!("INSERT INTO KS.patient_vitals (patient_id, timestamp, spo2) VALUES ('P001', '{foreign}', 97)");
    test.cql(&insert).await;
    // Nothing but a column of the owner's, between rows that go.
    test.cql("ALTER TABLE KS.patient_vitals ADD note TEXT").await;
    let note = ago(299).to_string();
    test.cql(&format!("INSERT INTO KS.patient_vitals (patient_id, timestamp, note) VALUES ('P001', '{note}', 'fell')"))
        .await;
    let young = "FROM KS.patient_vitals WHERE patient_id = 'P001' LIMIT 1";
    let written = test.count(&format!("SELECT WRITETIME(heart_rate) {young}")).await;
    let end = async || {
        let rows = test.cql(&format!("SELECT TTL(heart_rate) {young}")).await;
        rows[0].by_index::<i32>(0).unwrap()
    };

    assert_eq!(renew(&test).await, Renewed { looked: 6, ..Renewed::default() }, "all is kept");
    contract::keep(&store, 1, ago(0), r#"{"raw":"3h","alerts":"keep"}"#).await;
    // One that knows nothing yet of what was in force before.
    let store = AnyStore::Cassandra(test.store().await);
    assert_eq!(
        store.make_minutes(&patient, None, Some(ago(100)), WhichMinutes::Whole).await.unwrap(),
        0,
        "a reading may have gone"
    );
    assert!(store.make_minutes(&patient, None, Some(ago(100)), WhichMinutes::AlsoMissing).await.unwrap() >= 3);
    assert_eq!(renew(&test).await, Renewed { looked: 6, changed: 1, gone: 3, left: 2 });
    assert_eq!(test.count("SELECT COUNT(*) FROM KS.patient_vitals").await, 3);
    assert!(are_about(&[end().await], 2 * 3600), "{:?}", end().await);
    let now = test.count(&format!("SELECT WRITETIME(heart_rate) {young}")).await;
    assert_eq!(now, written + 1, "what was written since is later");
    assert!(test.count("SELECT COUNT(*) FROM KS.patient_vitals_1m").await >= 3);
    assert_eq!(
        store.make_minutes(&patient, None, Some(ago(100)), WhichMinutes::AlsoMissing).await.unwrap(),
        0,
        "they are there"
    );
    assert_eq!(renew(&test).await, Renewed { looked: 3, left: 2, ..Renewed::default() }, "once is enough");

    contract::keep(&store, 2, ago(0), r#"{"raw":"keep","alerts":"keep"}"#).await;
    assert_eq!(renew(&test).await, Renewed { looked: 3, changed: 1, ..Renewed::default() });
    assert_eq!(end().await, None);
    test.end().await;
}

/// How many rows, or parts of them, that have gone a statement reads over, by the server's own account.
async fn read_over(test: &TestKeyspace, cql: &str) -> u64 {
    let params = StatementParams { tracing: true, ..StatementParams::default() };
    let answer = test.session.query_with_params(cql.replace("KS", &test.name), params).await.unwrap();
    let trace = answer.tracing_id.unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        // It is written beside the answer.
        let events = test.cql(&format!("SELECT activity FROM system_traces.events WHERE session_id = {trace}")).await;
        let told = events.iter().filter_map(|event| {
            let activity: String = event.r_by_index(0).unwrap();
            let (_, tombstones) = activity.strip_suffix(" tombstone cells")?.split_once(" live rows and ")?;
            tombstones.parse::<u64>().ok()
        });
        if let Some(most) = told.max() {
            return most;
        }
        assert!(Instant::now() < limit, "the server tells nothing of its reads");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The most that any read of readings went over so far: what `nodetool tablestats` calls the maximum per slice.
async fn most_read_over(test: &TestKeyspace) -> f64 {
    let of_readings = "keyspace_name = 'KS' AND table_name = 'patient_vitals'";
    let rows = test.cql(&format!("SELECT max FROM system_views.tombstones_per_read WHERE {of_readings}")).await;
    rows[0].r_by_index(0).unwrap()
}

#[tokio::test]
async fn the_newest_rows_are_read_over_none_that_has_gone() {
    const OVER: u32 = 500;
    const NEWEST: &str = "SELECT timestamp, heart_rate FROM KS.patient_vitals WHERE patient_id = 'P001' LIMIT 5";
    let test = TestKeyspace::with_tables().await;
    let store = test.store().await;
    let young = (0..20).map(|minutes| Reading::new(PatientId::parse("P001").unwrap(), ago(minutes), heart_rate(70)));
    store.write(&batch(young.collect::<Result<_, _>>().unwrap())).await.unwrap();
    let oldest_first = NEWEST.replace("LIMIT", "ORDER BY timestamp ASC LIMIT");
    assert_eq!((read_over(&test, NEWEST).await, read_over(&test, &oldest_first).await), (0, 0), "before");
    let rows: Vec<_> = (0..OVER)
        .map(|second| {
            let columns = "(patient_id, timestamp, heart_rate)";
            format!("INSERT INTO KS.patient_vitals {columns} VALUES ('P001', '{}', 60) USING TTL 1", at(second))
        })
        .collect();
    join_all(rows.iter().map(|row| test.cql(row))).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(read_over(&test, NEWEST).await, 0);
    assert!(most_read_over(&test).await <= 1.0, "by the account of the table");
    assert!(read_over(&test, &oldest_first).await >= u64::from(OVER), "the server tells of rows that it reads over");
    assert!(most_read_over(&test).await >= f64::from(OVER), "by the account of the table");
    test.end().await;
}

#[tokio::test]
async fn what_is_in_force_is_taken_up_while_rows_are_written_and_all_can_be_kept_again() {
    let test = TestKeyspace::with_tables().await;
    let store = test.store().await;
    let journal = AnyStore::Cassandra(test.store().await);
    let now = || batch(vec![Reading::new(PatientId::parse("P001").unwrap(), ago(0), heart_rate(60)).unwrap()]);
    let write = async |has_end: bool| {
        let limit = Instant::now() + Duration::from_secs(5);
        loop {
            test.cql("TRUNCATE KS.patient_vitals").await;
            store.write(&now()).await.unwrap();
            if ends(&test, "patient_vitals", &["heart_rate"]).await[0].is_some() == has_end {
                return;
            }
            assert!(Instant::now() < limit, "it is not taken up");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    write(false).await;
    contract::keep(&journal, 1, ago(0), r#"{"raw":"3h","alerts":"keep"}"#).await;
    write(true).await;
    contract::keep(&journal, 2, ago(0), r#"{"raw":"keep","alerts":"keep"}"#).await;
    write(false).await;
    test.end().await;
}

#[tokio::test]
async fn every_value_of_an_alarm_ends_together_also_those_of_its_acknowledgement_and_its_end() {
    let test = TestKeyspace::with_tables().await;
    let store = AnyStore::Cassandra(test.store().await);
    contract::keep(&store, 1, ago(600), r#"{"raw":"keep","alerts":"3h"}"#).await;
    // Later the same alarms are kept for longer: this one was begun before.
    contract::keep(&store, 2, ago(30), r#"{"raw":"keep","alerts":"400d"}"#).await;
    let mut critical = batch(vec![Reading::new(PatientId::parse("P001").unwrap(), ago(60), heart_rate(130)).unwrap()]);
    store.write(&critical).await.unwrap();
    let alarm = store.alarms_of(&["P001"], 5).await.unwrap().remove(0);
    let acknowledged = store.acknowledge(&alarm.id(), "Anna", ago(0)).await.unwrap();
    assert!(matches!(acknowledged, Acknowledged::Now(_)), "{acknowledged:?}");
    for alarm in &mut critical.alarms {
        (alarm.limit, alarm.rules, alarm.steps) = (None, None, Steps::of(Step::Ended));
        alarm.alarm.ended = Some(ago(1).as_micros());
    }
    store.write(&Batch { readings: Vec::new(), ..critical }).await.unwrap();
    let columns = [
        "priority",
        "value",
        "limit_in_force",
        "peak",
        "ended",
        "message",
        "rules",
        "acknowledged_by",
        "acknowledged_at",
    ];
    let ends = ends(&test, "patient_alerts", &columns).await;
    assert!(are_about(&ends, 2 * 3600), "{ends:?}");
    assert_eq!(test.count("SELECT COUNT(*) FROM KS.patient_alerts").await, 1);
    test.end().await;
}
