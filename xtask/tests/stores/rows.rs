//! Readings to write.

use vitals::alarm::{Alarm, AlarmRecord, Alert, Limits, Step, Steps, judge};
use vitals::pipeline::store::{Batch, Store as _};
use vitals::reading::{PatientId, Reading, Signs, Timestamp};
use vitals::store::AnyStore;

pub(crate) fn at(second: u32) -> Timestamp {
    Timestamp::parse(&format!("2025-10-26T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)).unwrap()
}

pub(crate) fn reading(patient: &str, second: u32, signs: Signs) -> Reading {
    Reading::new(PatientId::parse(patient).unwrap(), at(second), signs).unwrap()
}

pub(crate) fn batch(readings: Vec<Reading>) -> Batch {
    let alarms =
        readings.iter().flat_map(|reading| judge(reading, Limits::default())).map(|alert| raised(&alert)).collect();
    Batch { readings, alarms, ..Batch::default() }
}

/// An alarm that goes on for each reading over a limit.
fn raised(alert: &Alert) -> AlarmRecord {
    let onset = alert.onset.as_micros();
    AlarmRecord {
        patient: alert.patient.clone(),
        rule: alert.rule.name().into(),
        text: alert.to_string(),
        limit: alert.limit,
        rules: Some("classic".into()),
        steps: Steps::of(Step::Raised),
        alarm: Alarm {
            onset,
            start: onset,
            value: alert.value,
            peak: alert.value,
            is_partial: false,
            priority: alert.priority,
            returned: None,
            acknowledged: None,
            ended: None,
        },
    }
}

pub(crate) fn heart_rate(rate: i32) -> Signs {
    Signs { heart_rate: Some(rate), ..Signs::default() }
}

/// One reading of P001.
pub(crate) fn one(second: u32) -> Batch {
    batch(vec![reading("P001", second, heart_rate(60))])
}

pub(crate) async fn write_alarms(store: &AnyStore, all: &[AlarmRecord]) {
    for alarms in all.chunks(50) {
        store.write(&Batch { alarms: alarms.to_vec(), ..Batch::default() }).await.unwrap();
    }
}
