//! `vitals audit` and `vitals dlq` as processes: what was planted is found, and nothing else.

use serde_json::Value;
use vitals::record::{Header, Record};

use super::home::{DEAD_LETTERS, Home, TOPIC};
use super::records::{self, header, record};
use crate::program::Program as _;
use crate::running::Ended;

/// Sends messages with the key P1 and a header, as another program might.
fn send(home: &Home, partition: i32, values: &[impl AsRef<str>]) {
    let ward = Header { key: "ward".into(), value: None };
    let of = |value: &str| Record { headers: vec![ward.clone()], ..record("P1", value) };
    let all: Vec<_> = values.iter().map(|value| of(value.as_ref())).collect();
    records::send(home, TOPIC, partition, &all);
}

fn reading(second: u32, signs: &str) -> String {
    format!(r#"{{"patient_id":"P1","timestamp":"2025-10-26T10:30:{second:02}Z",{signs}}}"#)
}

fn clean(home: &Home, options: &str) -> Ended {
    let audit = home.run(&format!("audit -o ndjson {options}")).well();
    assert_eq!(audit.output(), "");
    audit
}

/// The audit finds something: partition, offset and reason of each.
fn found(home: &Home, options: &str) -> Vec<(i64, i64, String)> {
    let found = home.run(&format!("audit -o ndjson {options}")).with_code(1).rows();
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
    let reason = |row: &Value| row["reason"].as_str().unwrap().to_owned();
    found.iter().map(|row| (number(row, "partition"), number(row, "offset"), reason(row))).collect()
}

#[test]
fn what_was_consumed_is_all_there_and_what_was_not_is_no_fault() {
    let home = Home::filled(2, 300);
    send(&home, 1, &["{", &reading(1, r#""spo2":97"#), &reading(1, r#""spo2":98"#)]);
    clean(&home, "").tells(&["303 offsets are above what the group"]);
    home.consume();
    home.produce(20);
    let whole = "messages audited: 303 (rows 301, repeats 1, dead letters 1); nothing is missing";
    clean(&home, "").tells(&[whole, "20 offsets are above what the group"]);
    clean(&home, "--since 2025-10-26T10:30:00Z --until 2025-10-26T10:30:02Z").tells(&["rows 1,"]);
}

#[test]
fn a_row_that_was_deleted_or_changed_is_found_with_its_offset() {
    let home = Home::ready(2);
    let sent: Vec<_> = (0..6).map(|second| reading(second, r#""spo2":97,"heart_rate":80"#)).collect();
    send(&home, 0, &sent);
    home.consume();
    clean(&home, "");
    let row = |second: u32| format!("WHERE patient_id = 'P1' AND timestamp = '2025-10-26T10:30:{second:02}+00:00'");
    home.sql(&format!("DELETE FROM patient_vitals {}", row(1)));
    home.sql(&format!("UPDATE patient_vitals SET heart_rate = 81 {}", row(3)));
    home.sql(&format!("UPDATE patient_vitals SET spo2 = NULL {}", row(4)));
    let expected = [(0, 1, "no_row"), (0, 3, "sign_differs"), (0, 4, "sign_missing")];
    let expected = expected.map(|(partition, offset, reason)| (partition, offset, reason.to_owned()));
    assert_eq!(found(&home, ""), expected);
    assert_eq!(found(&home, "--offsets 0:2-3"), expected[1..2]);
    clean(&home, "--offsets 0:5-99");
    clean(&home, "--partition 1");
}

#[test]
fn a_value_that_a_message_behind_the_range_brought_is_no_fault() {
    let home = Home::ready(2);
    send(&home, 0, &[reading(1, r#""spo2":97"#), reading(1, r#""spo2":98"#)]);
    home.consume();
    clean(&home, "--offsets 0:0").tells(&["rows 0, repeats 1"]);
    home.sql("UPDATE patient_vitals SET spo2 = 96");
    assert_eq!(found(&home, "--offsets 0:0"), [(0, 0, "sign_differs".to_owned())]);
    assert_eq!(found(&home, ""), [(0, 1, "sign_differs".to_owned())]);
}

#[test]
fn messages_that_a_commit_went_past_are_found() {
    let home = Home::filled(2, 10);
    home.consume();
    send(&home, 1, &[&reading(1, r#""spo2":97"#), "no reading"]);
    home.done("group seek --to latest");
    let reasons: Vec<_> = found(&home, "").into_iter().map(|(partition, _, reason)| (partition, reason)).collect();
    assert_eq!(reasons, [(1, "no_row".to_owned()), (1, "no_letter".to_owned())]);
}

#[test]
fn a_partition_or_topic_that_is_not_there_is_told_with_a_hint() {
    let home = Home::ready(2);
    for words in ["audit --offsets 9:0-5", "audit --topic elsewhere", "dlq show 0:0"] {
        home.refused(words, 2);
    }
}

#[test]
fn letters_are_listed_once_counted_by_reason_and_shown_as_they_came() {
    let home = Home::ready(2);
    send(&home, 1, &["{", r#"{"patient_id":"P1"}"#, "}"]);
    home.consume();
    // Read again, so that each letter is there twice.
    home.done("group seek --to earliest");
    home.consume();
    clean(&home, "");
    let listed = home.rows("dlq list");
    let offsets: Vec<_> = listed.iter().map(|row| (row["partition"].as_i64(), row["offset"].as_i64())).collect();
    assert_eq!(offsets, [0, 1, 2].map(|offset| (Some(1), Some(offset))));
    assert_eq!(home.done("dlq list --by reason -o csv"), "reason,letters\nnot_json,2\ntimestamp,1\n");
    let shown = &home.rows("dlq show 1:1")[0];
    assert_eq!((&shown["reason"], &shown["key"]), (&"timestamp".into(), &"P1".into()));
    assert_eq!(shown["headers"], serde_json::json!([{"key": "ward", "value": null}]));
    assert_eq!(home.run("dlq show 1:1 --raw").well().stdout, [r#"{"patient_id":"P1"}"#]);
}

#[test]
fn a_replay_sends_what_is_a_reading_today_once_and_holds_the_rest_back() {
    let home = Home::ready(2);
    send(&home, 1, &["{"]);
    home.consume();
    // A letter of 0:0, twice, for a reason that holds no more.
    let headers =
        [("vitals.reason", "sign_type"), ("vitals.topic", TOPIC), ("vitals.partition", "0"), ("vitals.offset", "0")];
    let headers = headers.map(|(key, value)| header(key, value)).into();
    let letter = Record { headers, ..record("P1", &reading(7, r#""spo2":97"#)) };
    records::send(&home, DEAD_LETTERS, 0, &[letter.clone(), letter]);
    let replay = |options: &str| {
        let rows = home.rows(&format!("dlq replay {options}"));
        let mut actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect();
        actions.sort();
        actions
    };
    assert_eq!(replay("--dry-run"), ["held_back", "would_send"]);
    // A dry run sends nothing.
    clean(&home, "").tells(&["messages audited: 1 "]);
    assert_eq!(replay(""), ["held_back", "sent"]);
    home.consume();
    let stored = home.rows("query --patient P1");
    assert_eq!((stored.len(), &stored[0]["spo2"]), (1, &97.into()));
    clean(&home, "").tells(&["messages audited: 2 (rows 1, repeats 0, dead letters 1)"]);
    assert_eq!(replay("--reason not_json --force"), ["sent"]);
    home.consume();
    clean(&home, "").tells(&["dead letters 2)"]);
}

#[test]
fn a_reading_whose_row_the_store_refuses_becomes_a_dead_letter_and_holds_up_nobody() {
    let home = Home::ready(2);
    home.sql(
        "CREATE TRIGGER rule BEFORE INSERT ON patient_vitals WHEN new.patient_id = 'P1' AND new.heart_rate = 99 \
         BEGIN SELECT RAISE(ABORT, 'not on this ward'); END",
    );
    let sent: Vec<_> = (0..40).map(|second| reading(second, &format!(r#""heart_rate":{}"#, 60 + second))).collect();
    send(&home, 0, &sent);
    home.produce(200);
    home.consume().tells(&["not on this ward", "240 messages", "239 readings stored, 1 refused"]);
    clean(&home, "").tells(&["messages audited: 240 (rows 239, repeats 0, dead letters 1); nothing is missing"]);
    home.run("dlq list -o ndjson").well().shows(&[r#""reason":"refused_by_store""#, r#""offset":39"#]);
}
