//! Messages that are no readings, and what is strange one level below: nothing of it stops a partition.

use serde_json::Value;

use crate::peer::{self, Header, Message};
use crate::ward::{Ward, assert_same, columns, sorted};

/// A message that another client sent.
struct Sent {
    message: Message,
    /// Why it is refused, if it is.
    reason: Option<String>,
}

fn poison(ward: &Ward, partitions: u32, valid: u32, malformed: u32) -> Vec<Sent> {
    let numbers = [partitions, valid, malformed].map(|number| number.to_string());
    let arguments = [&ward.brokers, &ward.name, &numbers[0], &numbers[1], &numbers[2]];
    let lines = peer::lines_of_json(&peer::python("poison.py", &arguments.map(String::as_str)));
    let sent = lines
        .iter()
        .map(|line| Sent { message: Message::from_json(line), reason: line["reason"].as_str().map(str::to_owned) });
    sent.collect()
}

fn header(name: &str, value: &str) -> Header {
    (name.into(), Some(value.into()))
}

/// The letter that a refused message becomes, at whatever place.
fn letter(topic: &str, sent: &Message, reason: &str) -> (Option<Vec<u8>>, Option<Vec<u8>>, Vec<Header>) {
    let mut headers = sent.headers.clone();
    headers.push(header("vitals.reason", reason));
    headers.push(header("vitals.topic", topic));
    headers.push(header("vitals.partition", &sent.partition.to_string()));
    headers.push(header("vitals.offset", &sent.offset.to_string()));
    (sent.key.clone(), sent.value.clone(), headers)
}

#[test]
fn readings_are_stored_and_everything_else_is_kept_byte_for_byte() {
    const VALID: u32 = 1_000;
    const MALFORMED: u32 = 100;
    let ward = Ward::with_partitions(3);
    let sent = poison(&ward, 3, VALID, MALFORMED);
    assert_eq!(sent.len(), 1_100);
    for partition in 0..3 {
        let last =
            sent.iter().filter(|sent| sent.message.partition == partition).max_by_key(|sent| sent.message.offset);
        assert!(last.unwrap().reason.is_some(), "the last message of partition {partition} is none");
    }

    let ended = ward.run("consume --exit-at-end --quiet").well();
    assert!(ended.talk().contains("1000 readings stored, 100 refused"), "{}", ended.talk());

    let (refused, readings): (Vec<_>, Vec<_>) = sent.iter().partition(|sent| sent.reason.is_some());
    assert_same(&ward.stored(), readings.iter().map(|sent| columns(&sent.message.text())).collect());
    let kept = ward.messages(&ward.dead_letter_topic());
    let mut kept: Vec<_> = kept.into_iter().map(|letter| (letter.key, letter.value, letter.headers)).collect();
    let mut expected: Vec<_> =
        refused.iter().map(|sent| letter(&ward.name, &sent.message, sent.reason.as_deref().unwrap())).collect();
    kept.sort();
    expected.sort();
    for (kept, expected) in kept.iter().zip(&expected) {
        // Only what tells them apart is shown: values have up to a megabyte.
        assert_eq!(kept.2, expected.2, "headers");
        assert_eq!(kept.0, expected.0, "key");
        assert!(kept.1 == expected.1, "the value of {:?} was changed", kept.2);
    }
    assert_eq!(kept.len(), expected.len());
    assert_eq!(ward.total_lag(), 0);
}

#[test]
fn compressed_batches_transactions_and_records_near_the_size_limit_are_read() {
    let ward = Ward::with_partitions(2);
    let sent = peer::lines_of_json(&peer::python("batches.py", &[&ward.brokers, &ward.name, "1"]));
    let (refused, readings): (Vec<&Value>, Vec<&Value>) =
        sent.iter().partition(|line| line["kind"].as_str().unwrap().ends_with(" refused"));
    assert_eq!((readings.len(), refused.len()), (4 * 25 + 2 * 5, 4 + 1));

    ward.run("consume --exit-at-end --quiet").well();

    let stored = ward.stored();
    for reading in readings.iter().map(|line| columns(line["value"].as_str().unwrap())) {
        assert!(stored.contains(&reading), "not stored: {reading}");
    }
    let values = |messages: Vec<Message>| sorted_texts(messages.iter().map(Message::text));
    let expected = sorted_texts(refused.iter().map(|line| line["value"].as_str().unwrap().to_owned()));
    assert!(
        values(ward.messages(&ward.dead_letter_topic())) == expected,
        "other letters than {} expected",
        expected.len()
    );
    assert_eq!(ward.total_lag(), 0);
}

fn sorted_texts(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<_> = texts.collect();
    texts.sort();
    texts
}

#[test]
fn a_repeat_with_other_signs_is_joined_sign_by_sign_and_the_later_one_wins() {
    let ward = Ward::with_partitions(1);
    let message = |signs: &str| format!(r#"{{"patient_id":"P1","timestamp":"2025-10-26T10:00:00Z",{signs}}}"#);
    let messages = [
        message(r#""heart_rate":80,"spo2":97"#),
        message(r#""heart_rate":90,"spo2":null"#),
        message(r#""temperature":36.8,"blood_pressure":{"systolic":120}"#),
    ];
    ward.send_as_is(&messages.each_ref().map(String::as_str), "0");

    ward.run("consume --exit-at-end --quiet").well();
    let joined = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:00:00+00:00","heart_rate":90,"spo2":97,
        "blood_pressure":{"systolic":120},"temperature":36.8}"#;
    assert_eq!(ward.stored(), sorted(vec![columns(joined)]));
}

/// A ward whose topics others have made, with these limits.
fn ward_taking(source_bytes: u32, letter_bytes: Option<u32>) -> Ward {
    let ward = Ward::new();
    ward.run(&format!("topic create {} --partitions 1 -c max.message.bytes={source_bytes}", ward.name)).well();
    let limit = letter_bytes.map(|bytes| format!("-c max.message.bytes={bytes}")).unwrap_or_default();
    ward.run(&format!("topic create {} --partitions 1 {limit}", ward.dead_letter_topic())).well();
    ward
}

/// Sends messages of these sizes with a reading behind each; all of them are kept, and replayed byte for byte.
fn large_messages_are_kept(ward: &Ward, sizes: &[&str]) -> String {
    let lines = peer::lines_of_json(&peer::python("large.py", &[&[&*ward.brokers, &*ward.name], sizes].concat()));
    let sent: Vec<_> = lines.iter().map(Message::from_json).collect();
    let told = ward.run("consume --exit-at-end --quiet").well();
    assert_eq!((ward.stored().len(), ward.total_lag()), (sizes.len(), 0), "{}", told.talk());
    ward.run("audit").well();
    ward.run("dlq replay --force").well();
    let again = ward.messages(&ward.name).split_off(2 * sent.len());
    assert_eq!(again.len(), sent.len());
    for (again, sent) in again.iter().zip(&sent) {
        // Not side by side: they are large.
        assert!(again.key == sent.key && again.value == sent.value && again.headers == sent.headers, "every byte");
    }
    told.talk()
}

#[test]
fn what_the_dead_letters_of_the_brokers_default_do_not_take_is_kept_in_parts() {
    let ward = ward_taking(1_048_588, None);
    let init = ward.run("init --partitions 1").well();
    assert!(init.talk().contains("takes 1048588 bytes at once"), "{}", init.talk());
    let told = large_messages_are_kept(&ward, &["1048490", "k1048480", "h1048480", "1000"]);
    assert!(told.contains(&format!("0:0 of '{}' is kept in 2 parts", ward.name)), "{told}");
    assert!(told.contains("takes 1048588 bytes at once (max.message.bytes)"), "{told}");
    let status = ward.run("status").with_code(1);
    assert!(status.output().contains("1049612 or more"), "{}", status.output());
}

#[test]
fn a_topic_that_takes_more_than_its_dead_letters_holds_nothing_up() {
    let ward = ward_taking(12_000_000, Some(100_000));
    ward.run("init --partitions 1").well();
    large_messages_are_kept(&ward, &["1048576", "k2000000", "h3000000", "11000000"]);
}

#[test]
fn dead_letters_with_rules_of_their_own_hold_nothing_up() {
    // Compressed it is small, and the last of these undoes that.
    let refused = format!("{{\"patient_id\":\"P1\",\"note\":\"{}\"}}", "x".repeat(900_000));
    let reading = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:00:00Z","spo2":97}"#;
    for rule in [
        "cleanup.policy=compact",
        "message.timestamp.before.max.ms=1000",
        "compression.type=uncompressed -c max.message.bytes=500000",
    ] {
        let ward = Ward::new();
        ward.run(&format!("topic create {} --partitions 1", ward.name)).well();
        ward.run(&format!("topic create {} --partitions 1 -c {rule}", ward.dead_letter_topic())).well();
        ward.run("init --partitions 1").well();
        ward.send_as_is(&[&refused, reading], "60");
        ward.run("consume --exit-at-end --quiet").well();
        assert_eq!((ward.stored().len(), ward.total_lag()), (1, 0), "{rule}");
        assert!(ward.run("dlq show 0:0 --raw").well().output().trim_end() == refused, "{rule}");
    }
}
