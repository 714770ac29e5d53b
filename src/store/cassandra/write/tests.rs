use super::*;
use crate::reading::{PatientId, Signs, Timestamp};

fn row(bytes: usize) -> Vec<Value> {
    vec![Value::Some(vec![0; bytes - ROW_OVERHEAD_BYTES - VALUE_OVERHEAD_BYTES])]
}

fn lengths(groups: &[Vec<Vec<Value>>]) -> Vec<usize> {
    groups.iter().map(Vec::len).collect()
}

fn reading(signs: Signs) -> Reading {
    let time = Timestamp::parse("2025-10-26T10:30:15.123456Z").unwrap();
    Reading::new(PatientId::parse("P001").unwrap(), time, signs).unwrap()
}

#[test]
fn sixty_small_rows_are_one_batch() {
    assert_eq!(lengths(&split((0..60).map(|_| row(30)))), [60]);
}

#[test]
fn the_sixty_first_row_begins_another_batch() {
    assert_eq!(lengths(&split((0..61).map(|_| row(30)))), [60, 1]);
}

#[test]
fn a_batch_stays_under_five_kibibytes() {
    assert_eq!(lengths(&split((0..5).map(|_| row(1024)))), [4, 1]);
    assert_eq!(lengths(&split((0..5).map(|_| row(1023)))), [5]);
}

#[test]
fn a_row_that_is_too_large_goes_alone() {
    assert_eq!(lengths(&split([row(100), row(9000), row(100)].into_iter())), [1, 1, 1]);
}

#[test]
fn no_rows_are_no_batch() {
    assert_eq!(lengths(&split(std::iter::empty())), [0; 0]);
}

#[test]
fn no_row_is_lost_or_turned_around() {
    let rows: Vec<_> = (0..1000_i32).map(|number| vec![Value::new(number)]).collect();
    let together: Vec<_> = split(rows.clone().into_iter()).into_iter().flatten().collect();
    assert_eq!(together, rows);
}

#[test]
fn the_counted_bytes_are_those_on_the_wire() {
    use cdrs_tokio::frame::{Serialize, Version};
    let values = reading_values(&reading(Signs { heart_rate: Some(95), temperature: Some(36.8), ..Signs::default() }));
    let query = BatchQuery {
        subject: BatchQuerySubj::PreparedId(cdrs_tokio::types::CBytesShort::new(vec![0; 16])),
        values: QueryValues::SimpleValues(values.clone()),
    };
    assert_eq!(row_bytes(&values), query.serialize_to_vec(Version::V4).len());
}

#[test]
fn a_sign_that_was_not_measured_is_not_set() {
    let values = reading_values(&reading(Signs { spo2: Some(97), ..Signs::default() }));
    let expected = [
        Value::new("P001"),
        Value::new("2025-10-26T10:30:15.123456+00:00"),
        Value::NotSet,
        Value::Some(vec![0, 0, 0, 97]),
        Value::NotSet,
        Value::NotSet,
        Value::NotSet,
        Value::NotSet,
    ];
    assert_eq!(values, expected);
}
