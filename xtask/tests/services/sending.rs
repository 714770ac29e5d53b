//! `vitals produce`: what it says is what the topic holds. When it is killed, too: that is a campaign, R16.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::running::Ended;
use crate::ward::{CATCH_UP_LIMIT, Ward};

/// The messages that were said to be sent, as they were printed.
fn said(ended: &Ended) -> Vec<String> {
    ended.stdout.iter().filter_map(|line| line.strip_prefix("SENT ")).map(str::to_owned).collect()
}

/// The messages of the topic by key, in their order there.
fn by_patient(ward: &Ward) -> BTreeMap<String, Vec<String>> {
    let mut by_patient: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in ward.messages(&ward.name) {
        let key = String::from_utf8(message.key.clone().unwrap()).unwrap();
        by_patient.entry(key).or_default().push(message.text());
    }
    by_patient
}

fn patient(message: &str) -> String {
    serde_json::from_str::<Value>(message).unwrap()["patient_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_count_is_sent_exactly_and_every_patient_s_messages_stay_in_order() {
    let ward = Ward::with_partitions(4);
    let ended = ward.run("produce --interval 0 --count 137 --patients A,B,C,D,E").well();
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in said(&ended) {
        expected.entry(patient(&message)).or_default().push(message);
    }
    assert_eq!(said(&ended).len(), 137);
    assert_eq!(by_patient(&ward), expected);
    assert!(ended.talk().contains("sent 137 messages"), "{}", ended.talk());
}

#[test]
fn the_same_seed_makes_the_same_ward() {
    let ward = Ward::with_partitions(1);
    let signs = |seed: u32| -> Vec<Value> {
        let ended = ward.run(&format!("produce --interval 0 --count 60 --seed {seed}")).well();
        let mut messages: Vec<Value> =
            said(&ended).iter().map(|message| serde_json::from_str(message).unwrap()).collect();
        // The time of measuring is the time of sending.
        for message in &mut messages {
            message["timestamp"] = Value::Null;
        }
        messages
    };
    let first = signs(7);
    assert_eq!(signs(7), first);
    assert_ne!(signs(8), first);
}

#[test]
fn the_seed_that_is_said_repeats_a_ward_that_nobody_chose() {
    let ward = Ward::with_partitions(1);
    let ended = ward.run("produce --interval 0 --count 1").well();
    let seed = ended.talk().split("--seed ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let again = ward.run(&format!("produce --interval 0 --count 1 --seed {seed}")).well();
    let rate = |ended: &Ended| serde_json::from_str::<Value>(&said(ended)[0]).unwrap()["heart_rate"].clone();
    assert_eq!(rate(&again), rate(&ended));
}

#[test]
fn ctrl_c_sends_what_was_made_and_the_summary_agrees_with_the_topic() {
    for interval in ["0", "0.005"] {
        let ward = Ward::with_partitions(3);
        let mut sender = ward.start(&format!("produce --interval {interval}"));
        sender.wait_for("a hundred messages", CATCH_UP_LIMIT, |sender| (sender.stdout().len() >= 100).then_some(()));
        sender.signal("INT");
        let ended = sender.wait_end(Duration::from_secs(5)).well();

        let in_topic: usize = by_patient(&ward).values().map(Vec::len).sum();
        assert_eq!(said(&ended).len(), in_topic);
        assert!(ended.talk().contains(&format!("sent {in_topic} messages")), "{}", ended.talk());
    }
}

#[test]
fn a_missing_topic_is_made_and_that_is_said() {
    let ward = Ward::new();
    let ended = ward.run("produce --interval 0 --count 3").well();
    assert!(ended.talk().contains(&format!("made the topic {}", ward.name)), "{}", ended.talk());
    assert_eq!(ward.messages(&ward.name).len(), 3);
}

#[test]
fn an_alert_shows_within_the_first_minute_with_the_defaults() {
    let ward = Ward::with_partitions(6);
    // A minute at one message a second, without waiting for it.
    ward.run("produce --interval 0 --count 60").well();
    let ended = ward.run("consume --exit-at-end").well();
    assert!(ended.output().contains("  >>> ALERT: "), "{}", ended.output());
}
