use cdrs_tokio::frame::{Serialize, Version};
use cdrs_tokio::types::value::Value;

use super::*;
use crate::alarm::{Limits, judge};
use crate::reading::{PatientId, Timestamp};

fn reading(signs: Signs) -> Reading {
    let time = Timestamp::parse("2025-10-26T10:30:15.123456Z").unwrap();
    Reading::new(PatientId::parse("P001").unwrap(), time, signs).unwrap()
}

fn bound(row: &impl Row) -> Vec<u8> {
    let mut bytes = Vec::new();
    row.bind(&mut Values(&mut bytes));
    bytes
}

/// What the driver makes of the same values.
fn by_driver(values: &[Value]) -> Vec<u8> {
    values.iter().flat_map(|value| value.serialize_to_vec(Version::V4)).collect()
}

#[test]
fn a_reading_is_bound_as_the_driver_binds_it() {
    let signs = Signs {
        heart_rate: Some(95),
        spo2: Some(98),
        systolic: Some(-1),
        diastolic: Some(80),
        respiratory_rate: Some(i32::MAX),
        temperature: Some(36.8),
    };
    let expected = [
        Value::new("P001"),
        Value::new("2025-10-26T10:30:15.123456+00:00"),
        Value::new(95),
        Value::new(98),
        Value::new(-1),
        Value::new(80),
        Value::new(i32::MAX),
        Value::new(36.8_f32),
    ];
    assert_eq!(bound(&reading(signs)), by_driver(&expected));
    assert_eq!(usize::from(Reading::VALUES), expected.len());
}

#[test]
fn a_sign_that_was_not_measured_is_not_set() {
    let mut expected = vec![Value::NotSet; 8];
    expected[0] = Value::new("P001");
    expected[1] = Value::new("2025-10-26T10:30:15.123456+00:00");
    expected[3] = Value::new(97);
    assert_eq!(bound(&reading(Signs { spo2: Some(97), ..Signs::default() })), by_driver(&expected));
}

#[test]
fn an_alert_is_bound_as_the_driver_binds_it() {
    let alerts =
        judge(&reading(Signs { spo2: Some(85), diastolic: Some(500), ..Signs::default() }), &Limits::default());
    let onset = || Value::new("2025-10-26T10:30:15.123456+00:00");
    let low =
        [Value::new("P001"), onset(), Value::new("spo2_low"), Value::new("high"), Value::new(85.0), Value::new(92.0)];
    assert_eq!(bound(&alerts[0]), by_driver(&low));
    let technical = &alerts[1];
    let doubt = [
        Value::new("P001"),
        onset(),
        Value::new(technical.rule.name()),
        Value::new(technical.priority.name()),
        Value::new(500.0),
        Value::NotSet,
    ];
    assert_eq!(bound(technical), by_driver(&doubt));
    assert_eq!(usize::from(Alert::VALUES), doubt.len());
}

#[test]
fn a_stored_row_keeps_its_texts() {
    let row = StoredReading {
        patient_id: "".to_owned(),
        timestamp: "yesterday".to_owned(),
        signs: Signs { spo2: Some(97), ..Signs::default() },
    };
    let mut expected = vec![Value::NotSet; 8];
    expected[0] = Value::new("");
    expected[1] = Value::new("yesterday");
    expected[3] = Value::new(97);
    assert_eq!(bound(&row), by_driver(&expected));
}
