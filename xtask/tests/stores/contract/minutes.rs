//! What the readings of minutes come to: in, out, and as hours and days.

use std::collections::BTreeMap;

use vitals::minute::{Every, Minute, PatientMinute, Summary};
use vitals::pipeline::store::{Batch, Store as _};
use vitals::reading::{PatientId, Reading, Signs, Timestamp};
use vitals::store::{AnyStore, Order, Stretch};

use super::{batch, heart_rate, keep};

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

async fn series(
    store: &AnyStore,
    every: Every,
    (since, until): (Option<&str>, Option<&str>),
    order: Order,
) -> Vec<(Timestamp, Summary)> {
    let (since, until) = (since.map(time), until.map(time));
    let mut series = store.series(Stretch { patient: "P001".to_owned(), every, since, until, order });
    let mut all = Vec::new();
    while let Some(page) = series.next_page().await.unwrap() {
        all.extend(page);
    }
    all
}

/// Readings across the end of a month, with a gap of some hours.
fn readings() -> Vec<Reading> {
    let begin = time("2025-10-31T22:58:40Z").as_micros();
    let seconds = (0..5_000_i64).step_by(7).chain((20_000..24_000).step_by(13));
    let reading = |second: i64| {
        let rate = i32::try_from(60 + second % 50).unwrap();
        let temperature = (second % 3 == 0).then_some(36.6);
        let at = Timestamp::from_micros(begin + second * 1_000_000).unwrap();
        Reading::new(PatientId::parse("P001").unwrap(), at, Signs { temperature, ..heart_rate(rate) }).unwrap()
    };
    seconds.map(reading).collect()
}

/// What they come to, computed in another way than the program does.
fn expected(readings: &[Reading], every: Every) -> Vec<(Timestamp, Summary)> {
    let mut spans: BTreeMap<Timestamp, Summary> = BTreeMap::new();
    for reading in readings {
        let length = every.micros();
        let start = Timestamp::from_micros(reading.time().as_micros() / length * length).unwrap();
        spans.entry(start).or_default().add(reading.signs());
    }
    spans.into_iter().collect()
}

fn minutes(readings: &[Reading]) -> Vec<PatientMinute> {
    let minute = |(start, summary)| PatientMinute {
        patient: PatientId::parse("P001").unwrap(),
        minute: Minute::of(start),
        summary,
    };
    expected(readings, Every::Minute).into_iter().map(minute).collect()
}

async fn write_minutes(store: &AnyStore, minutes: &[PatientMinute]) {
    store.write(&Batch { minutes: minutes.to_vec(), ..Batch::default() }).await.unwrap();
}

async fn write_readings(store: &AnyStore, readings: &[Reading]) {
    for some in readings.chunks(50) {
        store.write(&batch(some.to_vec())).await.unwrap();
    }
}

fn all_signs() -> Signs {
    Signs {
        heart_rate: Some(80),
        spo2: Some(97),
        systolic: Some(120),
        diastolic: Some(80),
        respiratory_rate: Some(16),
        temperature: Some(36.6),
        ..Signs::default()
    }
}

pub(crate) async fn a_minute_comes_back_as_it_was_written_and_a_later_one_takes_its_place(store: &AnyStore) {
    let minute = |signs: &[Signs]| {
        let mut summary = Summary::default();
        for signs in signs {
            summary.add(signs);
        }
        PatientMinute {
            patient: PatientId::parse("P001").unwrap(),
            minute: Minute::of(time("2025-10-26T10:30:15Z")),
            summary,
        }
    };
    for signs in [&[heart_rate(80)][..], &[heart_rate(80), all_signs(), heart_rate(95)]] {
        write_minutes(store, &[minute(signs)]).await;
        let found = series(store, Every::Minute, (None, None), Order::OldestFirst).await;
        assert_eq!(found, [(time("2025-10-26T10:30:00Z"), minute(signs).summary)]);
    }
    assert_eq!(series(store, Every::Minute, (None, Some("2025-10-26T10:30:00Z")), Order::NewestFirst).await, []);
}

/// As they are of a file of hourly readings that comes all at once: months are partitions, and what goes to several of
/// them together is refused by Cassandra beyond 50 KiB.
pub(crate) async fn minutes_of_months_are_written_together(store: &AnyStore) {
    let begin = time("2025-09-20T00:00:00Z").as_micros();
    let hour = |hour: i64| {
        let at = Timestamp::from_micros(begin + hour * Every::Hour.micros()).unwrap();
        Reading::new(PatientId::parse("P001").unwrap(), at, all_signs()).unwrap()
    };
    let readings: Vec<_> = (0..1500).map(hour).collect();
    write_minutes(store, &minutes(&readings)).await;
    assert_eq!(
        series(store, Every::Minute, (None, None), Order::OldestFirst).await,
        expected(&readings, Every::Minute)
    );
}

pub(crate) async fn a_series_is_the_same_out_of_minutes_of_readings_and_of_both(store: &AnyStore) {
    let all = readings();
    let minutes = minutes(&all);
    let ranges = [
        (None, None),
        (Some("2025-10-31T23:00:00Z"), Some("2025-11-01T00:10:00Z")),
        (Some("2025-11-01T00:00:00Z"), None),
        (None, Some("2025-11-01T00:00:00Z")),
        (Some("2025-11-02T00:00:00Z"), None),
    ];
    let check = async |what: &str| {
        for every in Every::ALL {
            for (since, until) in ranges {
                let start = |text| every.start_of(time(text));
                let is_in = |at: &Timestamp| {
                    since.is_none_or(|since| *at >= start(since)) && until.is_none_or(|until| *at < time(until))
                };
                let mut expected = expected(&all, every);
                expected.retain(|(at, _)| is_in(at));
                let found = series(store, every, (since, until), Order::OldestFirst).await;
                assert_eq!(found, expected, "{what} {every} {since:?} {until:?}");
                expected.reverse();
                let found = series(store, every, (since, until), Order::NewestFirst).await;
                assert_eq!(found, expected, "{what} {every} {since:?} {until:?}, newest first");
            }
        }
    };
    write_readings(store, &all).await;
    check("readings alone").await;
    // An earlier program wrote the first part, and the newest minutes are not closed yet.
    write_minutes(store, &minutes[40..minutes.len() - 3]).await;
    check("minutes in the middle").await;
    // As a consumer leaves it that ended within a minute.
    let mut part = minutes[minutes.len() - 1].clone();
    part.summary.n -= 1;
    write_minutes(store, &[part]).await;
    write_minutes(store, &minutes[..minutes.len() - 1]).await;
    check("all minutes").await;
}

pub(crate) async fn a_minute_stays_as_it_is_when_its_readings_may_have_gone(store: &AnyStore) {
    let now = chrono::Utc::now();
    let ago = |minutes: i64| Timestamp::from_utc(now - chrono::TimeDelta::minutes(minutes)).unwrap();
    let minute = |age, n: u32| {
        let mut summary = Summary::default();
        (0..n).for_each(|_| summary.add(&heart_rate(80)));
        PatientMinute { patient: PatientId::parse("P001").unwrap(), minute: Minute::of(ago(age)), summary }
    };
    let first = [minute(300, 60), minute(60, 60)];
    write_minutes(store, &first).await;
    keep(store, 1, ago(400), r#"{"raw":"2h","minutes":"keep","alerts":"keep"}"#).await;
    // Whoever writes takes that up.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    store.write(&Batch::default()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    write_minutes(store, &[minute(300, 3), minute(60, 61)]).await;
    let found = series(store, Every::Minute, (None, None), Order::OldestFirst).await;
    assert_eq!(found.iter().map(|(_, summary)| summary.n).collect::<Vec<_>>(), [60, 61]);
    keep(store, 2, ago(0), r#"{"raw":"2h","minutes":"2h","alerts":"keep"}"#).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    store.write(&Batch::default()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    write_minutes(store, &[minute(299, 5)]).await;
    let found = series(store, Every::Minute, (None, None), Order::NewestFirst).await;
    assert_eq!(
        found.first().map(|(_, summary)| summary.n),
        Some(61),
        "what is older than minutes are kept is not written"
    );
    assert!(found.iter().all(|(_, summary)| summary.n != 5));
}
