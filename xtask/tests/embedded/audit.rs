//! `vitals audit` and `vitals dlq` as processes: what was planted is found, and nothing else.

use std::process::Output;

use bytes::Bytes;
use serde_json::Value;
use vitals::kafka::append::append;
use vitals::kafka::cluster::Cluster;
use vitals::record::{Header, Record};

use super::commands::{Home, Up, done, text};

const TOPIC: &str = "patient.vitals";

/// A home with a broker and a topic of two partitions.
fn ready() -> (Home, Up) {
    let home = Home::new();
    let up = home.up();
    done(&home.run_embedded(&["init", "--partitions", "2"]));
    (home, up)
}

fn produce(home: &Home, count: &str) {
    done(&home.run_embedded(&["produce", "--interval", "0", "--count", count]));
}

fn consume(home: &Home) {
    done(&home.run_embedded(&["consume", "--exit-at-end", "--quiet"]));
}

/// Sends messages with the key P1 and a header, as another program might.
fn send(up: &Up, topic: &str, partition: i32, values: &[&str]) {
    let record = |value: &&str| Record {
        offset: 0,
        timestamp_ms: 1_761_474_615_123,
        key: Some(Bytes::from_static(b"P1")),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: vec![Header { key: Bytes::from_static(b"ward"), value: None }],
        fault: None,
    };
    let records: Vec<_> = values.iter().map(record).collect();
    let sent = async {
        let mut cluster = Cluster::connect(std::slice::from_ref(&up.address)).await?;
        let leaders = cluster.leaders(topic).await?;
        append(&mut cluster, &leaders, topic, partition, &records, "a message").await
    };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(sent).expect("sent");
}

fn reading(second: u32, signs: &str) -> String {
    format!(r#"{{"patient_id":"P1","timestamp":"2025-10-26T10:30:{second:02}Z",{signs}}}"#)
}

fn sql(home: &Home, sql: &str) {
    let path = home.path().join("data/vitals/vitals.db");
    let changed = rusqlite::Connection::open(path).and_then(|file| file.execute(sql, [])).expect("changed");
    assert_eq!(changed, 1, "{sql}");
}

fn rows(output: &Output, code: i32) -> Vec<Value> {
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{stdout}{}", text(&output.stderr));
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The audit finds nothing; gives its summary.
fn clean(home: &Home, args: &[&str]) -> String {
    let output = home.run_embedded(&[&["audit", "-o", "ndjson"], args].concat());
    assert!(rows(&output, 0).is_empty(), "{}", text(&output.stdout));
    text(&output.stderr)
}

/// The audit finds something: partition, offset and reason of each.
fn found(home: &Home, args: &[&str]) -> Vec<(i64, i64, String)> {
    let output = home.run_embedded(&[&["audit", "-o", "ndjson"], args].concat());
    let found = rows(&output, 1);
    let number = |row: &Value, name: &str| row[name].as_i64().expect("a number");
    let reason = |row: &Value| row["reason"].as_str().expect("a reason").to_owned();
    found.iter().map(|row| (number(row, "partition"), number(row, "offset"), reason(row))).collect()
}

#[test]
fn what_was_consumed_is_all_there_and_what_was_not_is_no_fault() {
    let (home, up) = ready();
    produce(&home, "300");
    send(&up, TOPIC, 1, &["{", &reading(1, r#""spo2":97"#), &reading(1, r#""spo2":98"#)]);
    let told = clean(&home, &[]);
    assert!(told.contains("303 offsets are above what the group"), "{told}");
    consume(&home);
    produce(&home, "20");
    let told = clean(&home, &[]);
    assert!(told.contains("messages audited: 303 (rows 301, repeats 1, dead letters 1); nothing is missing"), "{told}");
    assert!(told.contains("20 offsets are above what the group"), "{told}");
    assert!(clean(&home, &["--since", "2025-10-26T10:30:00Z", "--until", "2025-10-26T10:30:02Z"]).contains("rows 1,"));
}

#[test]
fn a_row_that_was_deleted_or_changed_is_found_with_its_offset() {
    let (home, up) = ready();
    let sent: Vec<_> = (0..6).map(|second| reading(second, r#""spo2":97,"heart_rate":80"#)).collect();
    send(&up, TOPIC, 0, &sent.iter().map(String::as_str).collect::<Vec<_>>());
    consume(&home);
    clean(&home, &[]);
    let row = |second: u32| format!("WHERE patient_id = 'P1' AND timestamp = '2025-10-26T10:30:{second:02}+00:00'");
    sql(&home, &format!("DELETE FROM patient_vitals {}", row(1)));
    sql(&home, &format!("UPDATE patient_vitals SET heart_rate = 81 {}", row(3)));
    sql(&home, &format!("UPDATE patient_vitals SET spo2 = NULL {}", row(4)));
    let expected = [(0, 1, "no_row"), (0, 3, "sign_differs"), (0, 4, "sign_missing")];
    let expected: Vec<_> = expected.map(|(partition, offset, reason)| (partition, offset, reason.to_owned())).into();
    assert_eq!(found(&home, &[]), expected);
    assert_eq!(found(&home, &["--offsets", "0:2-3"]), expected[1..2]);
    clean(&home, &["--offsets", "0:5-99"]);
    clean(&home, &["--partition", "1"]);
}

#[test]
fn a_value_that_a_message_behind_the_range_brought_is_no_fault() {
    let (home, up) = ready();
    send(&up, TOPIC, 0, &[&reading(1, r#""spo2":97"#), &reading(1, r#""spo2":98"#)]);
    consume(&home);
    assert!(clean(&home, &["--offsets", "0:0"]).contains("rows 0, repeats 1"));
    sql(&home, "UPDATE patient_vitals SET spo2 = 96");
    assert_eq!(found(&home, &["--offsets", "0:0"]), [(0, 0, "sign_differs".to_owned())]);
    assert_eq!(found(&home, &[]), [(0, 1, "sign_differs".to_owned())]);
}

#[test]
fn messages_that_a_commit_went_past_are_found() {
    let (home, up) = ready();
    produce(&home, "10");
    consume(&home);
    send(&up, TOPIC, 1, &[&reading(1, r#""spo2":97"#), "no reading"]);
    done(&home.run_embedded(&["group", "seek", "--to", "latest"]));
    let reasons: Vec<_> = found(&home, &[]).into_iter().map(|(partition, _, reason)| (partition, reason)).collect();
    assert_eq!(reasons, [(1, "no_row".to_owned()), (1, "no_letter".to_owned())]);
}

#[test]
fn a_partition_or_topic_that_is_not_there_is_told_with_a_hint() {
    let (home, _up) = ready();
    for args in [&["audit", "--offsets", "9:0-5"][..], &["audit", "--topic", "elsewhere"], &["dlq", "show", "0:0"]] {
        let output = home.run_embedded(args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains("error: ") && told.contains("hint: "), "{args:?}: {told}");
    }
}

#[test]
fn letters_are_listed_once_counted_by_reason_and_shown_as_they_came() {
    let (home, up) = ready();
    send(&up, TOPIC, 1, &["{", r#"{"patient_id":"P1"}"#, "}"]);
    consume(&home);
    // Read again, so that each letter is there twice.
    done(&home.run_embedded(&["group", "seek", "--to", "earliest"]));
    consume(&home);
    clean(&home, &[]);
    let listed = rows(&home.run_embedded(&["dlq", "list", "-o", "ndjson"]), 0);
    let offsets: Vec<_> = listed.iter().map(|row| (row["partition"].as_i64(), row["offset"].as_i64())).collect();
    assert_eq!(offsets, [(Some(1), Some(0)), (Some(1), Some(1)), (Some(1), Some(2))]);
    let counted = done(&home.run_embedded(&["dlq", "list", "--by", "reason", "-o", "csv"]));
    assert_eq!(counted, "reason,letters\nnot_json,2\ntimestamp,1\n");
    let shown = &rows(&home.run_embedded(&["dlq", "show", "1:1", "-o", "ndjson"]), 0)[0];
    assert_eq!((&shown["reason"], &shown["key"]), (&"timestamp".into(), &"P1".into()));
    assert_eq!(shown["headers"], serde_json::json!([{"key": "ward", "value": null}]));
    assert_eq!(done(&home.run_embedded(&["dlq", "show", "1:1", "--raw"])), r#"{"patient_id":"P1"}"#);
}

/// Puts a letter of 0:0 into the topic, for a reason that holds no more.
fn plant_letter(up: &Up) {
    let header = |key: &'static str, value: &'static str| Header {
        key: Bytes::from_static(key.as_bytes()),
        value: Some(Bytes::from_static(value.as_bytes())),
    };
    let place = [header("vitals.partition", "0"), header("vitals.offset", "0")];
    let why = [header("vitals.reason", "sign_type"), header("vitals.topic", TOPIC)];
    let letter = Record {
        offset: 0,
        timestamp_ms: 1_761_474_615_123,
        key: Some(Bytes::from_static(b"P1")),
        value: Some(reading(7, r#""spo2":97"#).into()),
        headers: [why, place].concat(),
        fault: None,
    };
    let sent = async {
        let mut cluster = Cluster::connect(std::slice::from_ref(&up.address)).await?;
        let (topic, letters) = (format!("{TOPIC}.dlq"), [letter.clone(), letter]);
        let leaders = cluster.leaders(&topic).await?;
        append(&mut cluster, &leaders, &topic, 0, &letters, "a letter").await
    };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(sent).expect("sent");
}

#[test]
fn a_replay_sends_what_is_a_reading_today_once_and_holds_the_rest_back() {
    let (home, up) = ready();
    send(&up, TOPIC, 1, &["{"]);
    consume(&home);
    plant_letter(&up);
    let replay = |args: &[&str]| rows(&home.run_embedded(&[&["dlq", "replay", "-o", "ndjson"], args].concat()), 0);
    let actions = |rows: &[Value]| {
        let mut actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().expect("text").to_owned()).collect();
        actions.sort();
        actions
    };
    assert_eq!(actions(&replay(&["--dry-run"])), ["held_back", "would_send"]);
    assert!(clean(&home, &[]).contains("messages audited: 1 "), "a dry run sends nothing");
    assert_eq!(actions(&replay(&[])), ["held_back", "sent"]);
    consume(&home);
    let stored = rows(&home.run_embedded(&["query", "--patient", "P1", "-o", "ndjson"]), 0);
    assert_eq!((stored.len(), &stored[0]["spo2"]), (1, &97.into()));
    assert!(clean(&home, &[]).contains("messages audited: 2 (rows 1, repeats 0, dead letters 1)"));
    assert_eq!(actions(&replay(&["--reason", "not_json", "--force"])), ["sent"]);
    consume(&home);
    assert!(clean(&home, &[]).contains("dead letters 2)"));
}

#[test]
fn a_reading_whose_row_the_store_refuses_becomes_a_dead_letter_and_holds_up_nobody() {
    let (home, up) = ready();
    let rule = "CREATE TRIGGER rule BEFORE INSERT ON patient_vitals WHEN new.patient_id = 'P1' AND new.heart_rate = 99 \
                BEGIN SELECT RAISE(ABORT, 'not on this ward'); END";
    let path = home.path().join("data/vitals/vitals.db");
    rusqlite::Connection::open(path).and_then(|file| file.execute_batch(rule)).expect("a rule of the owner");
    let sent: Vec<_> = (0..40).map(|second| reading(second, &format!(r#""heart_rate":{}"#, 60 + second))).collect();
    send(&up, TOPIC, 0, &sent.iter().map(String::as_str).collect::<Vec<_>>());
    produce(&home, "200");
    let consumed = home.run_embedded(&["consume", "--exit-at-end", "--quiet"]);
    done(&consumed);
    let told = text(&consumed.stderr);
    assert!(told.contains("not on this ward") && told.contains("240 messages"), "{told}");
    assert!(told.contains("239 readings stored, 1 refused"), "{told}");
    let told = clean(&home, &[]);
    assert!(told.contains("messages audited: 240 (rows 239, repeats 0, dead letters 1); nothing is missing"), "{told}");
    let listed = done(&home.run_embedded(&["dlq", "list", "-o", "ndjson"]));
    assert!(listed.contains(r#""reason":"refused_by_store""#) && listed.contains(r#""offset":39"#), "{listed}");
}
