//! An alarm as the topic of alarms tells of it.

use serde::Deserialize;

use crate::store::StoredAlarm;

/// What is read of a message; `alarm/message.rs` writes it. Others may come to have more.
#[derive(Deserialize)]
struct Message {
    patient_id: String,
    rule: String,
    priority: String,
    text: String,
    value: f64,
    peak: f64,
    limit: Option<f64>,
    onset: String,
    started: Option<String>,
    returned: Option<String>,
    ended: Option<String>,
    acknowledged_at: Option<String>,
    rules: Option<String>,
}

/// The alarm of this message, as a row of the store has it; `None` where it is none.
pub(in crate::server) fn parse(message: &[u8]) -> Option<StoredAlarm> {
    let told: Message = serde_json::from_slice(message).ok()?;
    Some(StoredAlarm {
        patient_id: told.patient_id,
        // One whose start cannot be written has begun all the same.
        started: told.started.or_else(|| Some(told.onset.clone())),
        onset: told.onset,
        rule: told.rule,
        priority: Some(told.priority),
        value: Some(told.value),
        limit: told.limit,
        peak: Some(told.peak),
        returned: told.returned,
        ended: told.ended,
        acknowledged_by: None,
        acknowledged_at: told.acknowledged_at,
        message: Some(told.text),
        rules: told.rules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{Alarm, AlarmRecord, Priority, Steps, message};
    use crate::reading::{PatientId, Timestamp};
    use crate::store::AlarmState;

    #[test]
    fn what_is_announced_is_read_again_as_the_row_of_the_same_alarm() {
        let micros = |text: &str| Timestamp::parse(text).expect("a time").as_micros();
        let alarm = Alarm {
            onset: micros("2025-10-26T10:30:15Z"),
            start: micros("2025-10-26T10:31:15Z"),
            value: 88.0,
            peak: 85.0,
            is_partial: false,
            priority: Priority::High,
            returned: None,
            acknowledged: None,
            ended: None,
        };
        let record = AlarmRecord {
            patient: PatientId::parse("a/b").expect("an id"),
            rule: "spo2_low".into(),
            text: "Low SpO2: 85".to_owned(),
            limit: Some(90.0),
            rules: Some("ward".into()),
            steps: Steps::default(),
            alarm,
        };
        let mut bytes = Vec::new();
        message::encode(&record, &mut bytes);
        let row = parse(&bytes).expect("an alarm");
        assert_eq!(row.id().to_string(), "a/b/spo2_low/2025-10-26T10:30:15+00:00");
        assert_eq!((row.state(), row.limit, row.rules.as_deref()), (AlarmState::Active, Some(90.0), Some("ward")));
        let known = row.known().expect("an alarm");
        assert_eq!((known.alarm, known.patient), (alarm, record.patient));
        assert_eq!(parse(b"{}"), None);
        assert_eq!(parse(b"x"), None);
    }
}
