//! `vitals init`, `produce` and `bench`: what they make, and what they leave. When a producer is killed, too: that is a
//! campaign, R16.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::peer::{self, cqlsh};
use crate::program::Program as _;
use crate::running::{Ended, RUN_LIMIT};
use crate::ward::{CATCH_UP_LIMIT, Ward, messages_said};
use crate::{grants, place};

/// What `init` says by part.
fn parts(init: &Ended) -> BTreeMap<String, String> {
    init.stdout.iter().map(|line| line.split_once(": ").unwrap()).map(|(part, how)| (part.into(), how.into())).collect()
}

/// Partitions and settings of the ward's two topics, as another client sees them.
fn described(ward: &Ward) -> Value {
    peer::rows("topics.py", &[&ward.brokers, "describe", &ward.name, &ward.dead_letter_topic()]).remove(0)
}

#[test]
fn init_makes_everything_and_the_second_time_says_that_it_was_there() {
    let ward = Ward::new();
    let name = &ward.name;
    let in_store = [
        "schema_migrations",
        "patient_vitals",
        "patient_alerts",
        "alarm_rules",
        "patient_admissions",
        "access_tokens",
        "retention_changes",
        "patient_vitals_1m",
    ]
    .map(|table| format!("table {name}.{table}"));
    let topics = ["", ".dlq", ".alarms"].map(|ending| format!("topic {name}{ending}"));
    let mut expected: BTreeMap<_, _> = in_store.into_iter().map(|part| (part, "made".to_owned())).collect();
    expected.insert(format!("keyspace {name}"), "made".to_owned());
    expected.extend(topics.map(|part| (part, "made (3 partitions)".to_owned())));
    assert_eq!(parts(&ward.run("init --partitions 3").well()), expected);
    for how in expected.values_mut() {
        *how = how.replace("made", "was there");
    }
    // A topic with other partitions stays, and its number is said.
    assert_eq!(parts(&ward.run("init --partitions 5").well()), expected);

    let topics = described(&ward);
    let letters = &topics[&ward.dead_letter_topic()];
    assert_eq!((&topics[name]["partitions"], &letters["partitions"]), (&3.into(), &3.into()));
    assert_eq!(letters["retention.ms"], "-1", "they are kept without time limit");
    let bytes = |topic: &Value| topic["max.message.bytes"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(bytes(letters) > bytes(&topics[name]));
}

#[test]
fn several_init_at_once_make_every_part_once() {
    let ward = Ward::new();
    let runs: Vec<_> = (0..3).map(|_| ward.start("init --partitions 4")).collect();
    let mut made = BTreeMap::new();
    for run in runs {
        let parts = parts(&run.wait_end(RUN_LIMIT).well());
        // One may add the columns of a table that another has made.
        for (part, how) in parts.into_iter().filter(|(part, _)| !part.starts_with("column ")) {
            *made.entry(part).or_insert(0) += u32::from(how.starts_with("made"));
        }
    }
    assert!(made.len() == 12 && made.values().all(|times| *times == 1), "{made:?}");
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

fn json(message: &str) -> Value {
    serde_json::from_str(message).unwrap()
}

#[test]
fn a_count_is_sent_exactly_and_every_patient_s_messages_stay_in_order() {
    let ward = Ward::with_partitions(4);
    let ended = ward.run("produce --interval 0 --count 137 --patients A,B,C,D,E").well().tells(&["sent 137 messages"]);
    let said = messages_said(&ended.output());
    assert_eq!(said.len(), 137);
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in said {
        let patient = json(&message)["patient_id"].as_str().unwrap().to_owned();
        expected.entry(patient).or_default().push(message);
    }
    assert_eq!(by_patient(&ward), expected);
}

#[test]
fn the_seed_that_is_said_repeats_a_ward_that_nobody_chose() {
    let ward = Ward::with_partitions(1);
    let ended = ward.run("produce --interval 0 --count 1").well();
    let seed = ended.talk().split("--seed ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let again = ward.run(&format!("produce --interval 0 --count 1 --seed {seed}")).well();
    let rate = |ended: &Ended| json(&messages_said(&ended.output())[0])["heart_rate"].clone();
    assert_eq!(rate(&again), rate(&ended));
}

#[test]
fn ctrl_c_sends_what_was_made_and_the_summary_agrees_with_the_topic() {
    for interval in ["0", "0.005"] {
        let ward = Ward::with_partitions(3);
        let mut sender = ward.start(&format!("produce --interval {interval}"));
        sender.wait_for("a hundred messages", CATCH_UP_LIMIT, |sender| (sender.stdout().len() >= 100).then_some(()));
        sender.signal("INT");
        let in_time = Duration::from_secs(5);
        let ended = sender.wait_end(in_time).well();
        let in_topic: usize = by_patient(&ward).values().map(Vec::len).sum();
        assert_eq!(messages_said(&ended.output()).len(), in_topic);
        ended.tells(&[&format!("sent {in_topic} messages")]);
    }
}

#[test]
fn a_missing_topic_is_made_and_that_is_said() {
    let ward = Ward::new();
    ward.run("produce --interval 0 --count 3").well().tells(&[&format!("made the topic {}", ward.name)]);
    assert_eq!(ward.messages(&ward.name).len(), 3);
}

#[test]
fn a_bench_stores_everything_that_was_due_and_leaves_no_topic_group_or_keyspace() {
    let ward = Ward::new();
    if place::is_secured() {
        grants::give_to_bench(&ward);
    }
    let result = ward.run("bench --rate 500 --for 3s --consumers 2 -o json").well().json();
    let figures = &result["figures"];
    assert_eq!((&figures["due"], &figures["stored"]), (&1500.into(), &1500.into()), "{figures}");
    assert!(result["store"].as_str().unwrap().starts_with("Cassandra "), "{result}");
    for list in ["topic list", "group list"] {
        let listed = ward.done(&format!("{list} -o ndjson"));
        assert!(!listed.contains(".bench_"), "{listed}");
    }
    let keyspaces = cqlsh(ward.path(), "DESCRIBE KEYSPACES");
    assert!(keyspaces.contains("system") && !keyspaces.contains("vitals_bench"), "{keyspaces}");
}
