//! The files in `fixtures/` are what they say they are.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails, in its helpers too")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vitals::alarm::{Limits, implausible, judge};
use vitals::intake::csv::{CsvFile, Entry, Row, Survey};
use vitals::reading::{MAX_MESSAGE_BYTES, Reading, Timestamp, decode, encode};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn entries_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

#[test]
fn every_good_message_decodes_and_comes_back_the_same() {
    let paths = entries_of(&fixtures().join("messages/good"));
    assert!(paths.len() >= 10, "{}", paths.len());
    for path in paths {
        let message = std::fs::read(&path).expect("message");
        let reading = decode(&message).unwrap_or_else(|reject| panic!("{}: {reject}", path.display()));
        assert_eq!(decode(&encode(&reading)), Ok(reading), "{}", path.display());
    }
}

#[test]
fn our_own_message_comes_back_byte_for_byte() {
    let message = std::fs::read(fixtures().join("messages/good/full.json")).expect("message");
    assert_eq!(encode(&decode(&message).expect("reading")), message);
}

#[test]
fn every_refused_message_is_refused_with_the_code_of_its_folder() {
    for folder in entries_of(&fixtures().join("messages/refused")) {
        for path in entries_of(&folder) {
            let message = std::fs::read(&path).expect("message");
            let code = decode(&message).map_err(|reject| reject.code());
            assert_eq!(code, Err(name_of(&folder)), "{}", path.display());
        }
    }
}

#[test]
fn every_reason_that_a_message_can_have_has_a_fixture() {
    let folders = entries_of(&fixtures().join("messages/refused"));
    let codes: BTreeSet<_> = folders.iter().map(|folder| name_of(folder)).collect();
    let expected = "blood_pressure duplicate_key no_sign not_an_object not_json not_utf8 patient_id sign_range sign_type \
                    timestamp too_deep";
    assert_eq!(codes, expected.split(' ').collect());
    // A file for this one would be all padding.
    let padded = format!("{}{{}}", " ".repeat(MAX_MESSAGE_BYTES));
    assert_eq!(decode(padded.as_bytes()).map_err(|reject| reject.code()), Err("too_large"));
}

fn csv(name: &str) -> (Survey, Vec<Row>) {
    let file = CsvFile::open(&fixtures().join(name)).expect("file");
    let entries = file.rows().expect("rows").map(|entry| entry.expect("entry"));
    let rows = entries.filter_map(|entry| if let Entry::Row(row) = entry { Some(row) } else { None }).collect();
    (file.check().expect("checked"), rows)
}

fn reading(row: Row) -> Reading {
    row.into_reading(Timestamp::parse("2025-10-26T10:30:15Z").expect("time")).expect("reading")
}

#[test]
fn the_sample_has_twenty_rows_of_which_two_raise_alerts() {
    let (survey, rows) = csv("sample_vitals.csv");
    assert_eq!((survey.rows, survey.without_sign, survey.faults.count), (20, 0, 0));
    assert!(rows.iter().all(|row| row.time.is_none()));
    let readings = rows.into_iter().map(reading);
    let alerting = readings.filter(|reading| !judge(reading, Limits::default()).is_empty());
    assert_eq!(alerting.count(), 2);
}

#[test]
fn the_ward_has_an_hour_of_six_patients_with_times_of_their_own() {
    let (survey, rows) = csv("ward.csv");
    assert_eq!((survey.rows, survey.without_sign, survey.faults.count), (360, 0, 0));
    let patients: BTreeSet<_> = rows.iter().map(|row| row.patient.clone()).collect();
    assert_eq!(patients.len(), 6);
    assert!(rows.windows(2).all(|pair| pair[0].time.is_some() && pair[0].time < pair[1].time));
    assert!(rows.iter().all(|row| implausible(&row.signs).is_empty()));
    assert!(rows.into_iter().map(reading).any(|reading| !judge(&reading, Limits::default()).is_empty()));
}
