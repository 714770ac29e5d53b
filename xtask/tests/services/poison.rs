//! Messages that are no readings, and what is strange one level below: nothing of it stops a partition, and `vitals audit`
//! and `vitals dlq` account for all of it.

use serde_json::Value;

use crate::peer::{self, Header, Message};
use crate::program::Program as _;
use crate::running::Ended;
use crate::ward::{Ward, assert_same, columns, sorted};

fn header(name: &str, value: &str) -> Header {
    (name.into(), Some(value.into()))
}

/// The letter that a refused message becomes, at whatever place.
fn letter(topic: &str, sent: &Message, reason: &str) -> (Vec<Header>, Option<Vec<u8>>, Option<Vec<u8>>) {
    let mut headers = sent.headers.clone();
    headers.push(header("vitals.reason", reason));
    headers.push(header("vitals.topic", topic));
    headers.push(header("vitals.partition", &sent.partition.to_string()));
    headers.push(header("vitals.offset", &sent.offset.to_string()));
    (headers, sent.key.clone(), sent.value.clone())
}

#[test]
fn readings_are_stored_and_everything_else_is_kept_byte_for_byte_and_accounted_for() {
    let ward = Ward::with_partitions(3);
    let lines = peer::rows("poison.py", &[&ward.brokers, &ward.name, "3", "1000", "100"]);
    let sent: Vec<_> = lines.iter().map(|line| (Message::from_json(line), line["reason"].as_str())).collect();
    assert_eq!(sent.len(), 1_100);
    for partition in 0..3 {
        let of_partition = sent.iter().filter(|(message, _)| message.partition == partition);
        let last = of_partition.max_by_key(|(message, _)| message.offset);
        assert!(last.unwrap().1.is_some(), "the last message of partition {partition} is none");
    }

    ward.consume().tells(&["1000 readings stored, 100 refused"]);

    let (refused, readings): (Vec<_>, Vec<_>) = sent.iter().partition(|(_, reason)| reason.is_some());
    assert_same(&ward.stored(), readings.iter().map(|(message, _)| columns(&message.text())).collect());
    let kept = ward.messages(&ward.dead_letter_topic());
    let mut kept: Vec<_> = kept.into_iter().map(|letter| (letter.headers, letter.key, letter.value)).collect();
    let mut expected: Vec<_> =
        refused.iter().map(|(message, reason)| letter(&ward.name, message, reason.unwrap())).collect();
    kept.sort();
    expected.sort();
    for (kept, expected) in kept.iter().zip(&expected) {
        // Only what tells them apart is shown: values have up to a megabyte.
        assert_eq!((&kept.0, &kept.1), (&expected.0, &expected.1), "headers and key");
        assert!(kept.2 == expected.2, "the value of {:?} was changed", kept.0);
    }
    assert_eq!(kept.len(), expected.len());
    assert_eq!(ward.total_lag(), 0);

    let whole = "messages audited: 1100 (rows 1000, repeats 0, dead letters 100); nothing is missing";
    assert_eq!(ward.run("audit -o ndjson").well().tells(&[whole]).output(), "");
    let reasons = ward.rows("dlq list --by reason");
    assert_eq!(reasons.iter().map(|row| row["letters"].as_i64().unwrap()).sum::<i64>(), 100);
    let replay = ward.rows("dlq replay --dry-run");
    assert!(replay.len() == 100 && replay.iter().all(|row| row["action"] == "held_back"));
}

#[test]
fn compressed_batches_transactions_and_records_near_the_size_limit_are_read_and_accounted_for() {
    let ward = Ward::with_partitions(2);
    let sent = peer::rows("batches.py", &[&ward.brokers, &ward.name, "1"]);
    let (refused, readings): (Vec<&Value>, Vec<&Value>) =
        sent.iter().partition(|line| line["kind"].as_str().unwrap().ends_with(" refused"));
    assert_eq!((readings.len(), refused.len()), (4 * 25 + 2 * 5, 4 + 1));

    ward.consume();

    let stored = ward.stored();
    for reading in readings.iter().map(|line| columns(line["value"].as_str().unwrap())) {
        assert!(stored.contains(&reading), "not stored: {reading}");
    }
    let mut kept: Vec<_> = ward.messages(&ward.dead_letter_topic()).iter().map(Message::text).collect();
    let mut expected: Vec<_> = refused.iter().map(|line| line["value"].as_str().unwrap()).collect();
    kept.sort();
    expected.sort_unstable();
    assert!(kept == expected, "other letters than {} expected", expected.len());
    assert_eq!(ward.total_lag(), 0);
    ward.run("audit").well().tells(&["nothing is missing"]);
}

#[test]
fn a_changed_row_and_a_commit_that_was_moved_ahead_are_found() {
    let ward = Ward::read_to_the_end(1, 50);
    let row = ward.stored().remove(0);
    let (patient, time) = (row["patient_id"].as_str().unwrap(), row["timestamp"].as_str().unwrap());
    // 10.5 degrees is what no simulated patient has.
    ward.file("change.csv", format!("{patient},{time},,,,,,10.5\n"));
    ward.done("import change.csv");
    ward.send(5);
    ward.done("group seek --to latest");

    let found = ward.run("audit -o ndjson").with_code(1).rows();
    let reasons: Vec<_> = found.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["sign_differs", "no_row", "no_row", "no_row", "no_row", "no_row"]);
    assert_eq!((&found[0]["patient_id"], &found[0]["timestamp"]), (&row["patient_id"], &row["timestamp"]));
    assert_eq!(found[1]["offset"], 50);
}

#[test]
fn a_repeat_with_other_signs_is_joined_sign_by_sign_and_the_later_one_wins() {
    let ward = Ward::with_partitions(1);
    let messages = [
        r#""heart_rate":80,"spo2":97"#,
        r#""heart_rate":90,"spo2":null"#,
        r#""temperature":36.8,"blood_pressure":{"systolic":120}"#,
    ]
    .map(|signs| format!(r#"{{"patient_id":"P1","timestamp":"2025-10-26T10:00:00Z",{signs}}}"#));
    ward.send_as_is(&messages.each_ref().map(String::as_str), "0");
    ward.consume();
    let joined = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:00:00+00:00","heart_rate":90,"spo2":97,
        "blood_pressure":{"systolic":120},"temperature":36.8}"#;
    assert_eq!(ward.stored(), sorted(vec![columns(joined)]));
}

/// A ward whose topics others have made, each with options of its own, and what `init` says of that.
fn ward_of_others(of_topic: &str, of_letters: &str) -> (Ward, Ended) {
    let ward = Ward::new();
    ward.done(&format!("topic create {} --partitions 1 {of_topic}", ward.name));
    ward.done(&format!("topic create {} --partitions 1 {of_letters}", ward.dead_letter_topic()));
    let init = ward.run("init --partitions 1").well();
    (ward, init)
}

/// Sends messages of these sizes with a reading behind each; all of them are kept, and replayed byte for byte.
fn large_messages_are_kept(ward: &Ward, sizes: &[&str]) -> Ended {
    let lines = peer::rows("large.py", &[&[&*ward.brokers, &*ward.name], sizes].concat());
    let sent: Vec<_> = lines.iter().map(Message::from_json).collect();
    let told = ward.consume();
    assert_eq!((ward.stored().len(), ward.total_lag()), (sizes.len(), 0), "{}", told.talk());
    ward.done("audit");
    ward.done("dlq replay --force");
    let again = ward.messages(&ward.name).split_off(2 * sent.len());
    assert_eq!(again.len(), sent.len());
    for (again, sent) in again.iter().zip(&sent) {
        // Not side by side: they are large.
        assert!(again.key == sent.key && again.value == sent.value && again.headers == sent.headers, "every byte");
    }
    told
}

#[test]
fn what_the_dead_letters_of_the_brokers_default_do_not_take_is_kept_in_parts() {
    let (ward, init) = ward_of_others("-c max.message.bytes=1048588", "");
    init.tells(&["takes 1048588 bytes at once"]);
    let in_parts = format!("0:0 of '{}' is kept in 2 parts", ward.name);
    let told = large_messages_are_kept(&ward, &["1048490", "k1048480", "h1048480", "1000"]);
    told.tells(&[&in_parts, "takes 1048588 bytes at once (max.message.bytes)"]);
    ward.run("status").with_code(1).shows(&["1049612 or more"]);
}

#[test]
fn a_topic_that_takes_more_than_its_dead_letters_holds_nothing_up() {
    let (ward, _) = ward_of_others("-c max.message.bytes=12000000", "-c max.message.bytes=100000");
    large_messages_are_kept(&ward, &["1048576", "k2000000", "h3000000", "11000000"]);
}

#[test]
fn dead_letters_with_rules_of_their_own_hold_nothing_up() {
    // Compressed it is small, and the last of these undoes that.
    let refused = format!("{{\"patient_id\":\"P1\",\"note\":\"{}\"}}", "x".repeat(900_000));
    let reading = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:00:00Z","spo2":97}"#;
    for rule in [
        "-c cleanup.policy=compact",
        "-c message.timestamp.before.max.ms=1000",
        "-c compression.type=uncompressed -c max.message.bytes=500000",
    ] {
        let (ward, _) = ward_of_others("", rule);
        ward.send_as_is(&[&refused, reading], "60");
        ward.consume();
        assert_eq!((ward.stored().len(), ward.total_lag()), (1, 0), "{rule}");
        assert!(ward.done("dlq show 0:0 --raw").trim_end() == refused, "{rule}");
    }
}
