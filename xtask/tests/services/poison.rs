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
    let mut sender = peer::start_python("send.py", &[&ward.brokers, &ward.name]);
    for message in messages {
        sender.say(&message);
    }
    sender.close_stdin();
    sender.wait_end(crate::running::RUN_LIMIT).well();

    ward.run("consume --exit-at-end --quiet").well();
    let joined = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:00:00+00:00","heart_rate":90,"spo2":97,
        "blood_pressure":{"systolic":120},"temperature":36.8}"#;
    assert_eq!(ward.stored(), sorted(vec![columns(joined)]));
}
