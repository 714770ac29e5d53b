//! Boards for tests: what the screen and the lines are checked with.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::board::{Board, Event, Group, Message};
use super::draw::Title;
use crate::alarm::Limits;
use crate::kafka::lag::{Member, PartitionLag};
use crate::reading::reject::Reject;
use crate::reading::{PatientId, Reading, Signs, Timestamp};

/// 2025-10-26T10:30:30Z.
pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_761_474_630, 0).expect("a time")
}

pub(super) fn title() -> Title {
    Title {
        topic: "patient.vitals".to_owned(),
        brokers: "localhost:9093".to_owned(),
        group: "vitals-monitor-consumer-v7".to_owned(),
        store: "cassandra://localhost:9042/hospital".to_owned(),
    }
}

/// A reading of `patient`, so many seconds ago.
pub(super) fn reading(patient: &str, seconds_ago: i64, signs: Signs) -> Reading {
    let time = Timestamp::from_utc(now() - chrono::TimeDelta::seconds(seconds_ago)).expect("a time");
    Reading::new(PatientId::parse(patient).expect("an id"), time, signs).expect("a reading")
}

fn well() -> Signs {
    Signs {
        heart_rate: Some(80),
        spo2: Some(98),
        systolic: Some(120),
        diastolic: Some(80),
        respiratory_rate: Some(16),
        temperature: Some(36.8),
    }
}

fn messages(readings: impl IntoIterator<Item = Reading>, seconds_ago: i64) -> Event {
    let second = Some(now().timestamp() - seconds_ago);
    Event::Messages(readings.into_iter().map(|reading| Message { second, reading: Ok(reading) }).collect())
}

/// The lag of so many partitions, which two members share.
pub(super) fn group(partitions: i32) -> Group {
    let lag = |partition: i32| PartitionLag {
        partition,
        committed: Some(100),
        stored: Some(100),
        earlier: None,
        end: 100 + i64::from(partition),
        lag: i64::from(partition),
        lag_seconds: (partition > 0).then_some(1.25),
        member: (partition != 5)
            .then(|| Member { id: format!("vitals-{}-4c1f-9b1e", partition % 2), host: "127.0.0.1".to_owned() }),
    };
    Group { state: Some("Stable".to_owned()), members: 2, lags: (0..partitions).map(lag).collect() }
}

/// Everything that a ward can show: an alert of each priority, signs that are not believed, carried or missing.
pub(super) fn busy() -> Board {
    let mut board = Board::new(Limits::default());
    let mut happens = |event| board.apply(event, now());
    let pressed = Signs { systolic: Some(90), diastolic: Some(95), ..well() };
    let ward = [
        reading("P001", 1, Signs { heart_rate: Some(115), ..well() }),
        reading("P002", 2, Signs { spo2: Some(85), heart_rate: Some(131), ..well() }),
        reading("P003", 70, pressed),
        reading("P004", 3, Signs { heart_rate: Some(0), spo2: None, temperature: Some(97.2), ..well() }),
        reading("P005", 600, well()),
        reading("P005", 5, Signs { heart_rate: Some(78), ..Signs::default() }),
        reading("Zoë-of-ward-12-bed-3", 7_200, Signs { spo2: Some(97), ..Signs::default() }),
    ];
    happens(messages(ward, 1));
    for second in 0..30 {
        let count = usize::try_from(second % 8).expect("small");
        happens(messages(vec![reading("P006", second, well()); count], second));
    }
    happens(Event::Messages(vec![Message { second: None, reading: Err(Reject::NoSign) }]));
    happens(Event::Group(Ok(group(6))));
    happens(Event::Store(Ok(Duration::from_micros(1_900))));
    happens(Event::Store(Ok(Duration::from_micros(2_100))));
    board
}
