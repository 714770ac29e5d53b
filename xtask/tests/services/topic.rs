//! `vitals topic` on Kafka, beside Kafka's own tools and another client.

use std::collections::BTreeMap;

use crate::peer::{self, tool};
use crate::program::Program as _;
use crate::ward::Ward;

const TOPIC_COMMAND: &str = "org.apache.kafka.tools.TopicCommand";
const GET_OFFSET_SHELL: &str = "org.apache.kafka.tools.GetOffsetShell";

/// A ward with nothing but its topic.
fn with_topic(partitions: u32) -> Ward {
    let ward = Ward::new();
    ward.done(&format!("topic create --partitions {partitions} -c max.message.bytes=2000000"));
    ward
}

/// The word behind `name` in a line of Kafka's tools.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(name).unwrap_or_else(|| panic!("no {name} in {text}"));
    rest.split_whitespace().next().unwrap_or_default()
}

#[test]
fn list_and_describe_say_what_kafkas_own_tools_say() {
    let ward = with_topic(3);
    ward.send(200);
    let theirs = tool(TOPIC_COMMAND, &ward.brokers, &["--describe", "--topic", &ward.name]);
    // A line is TOPIC:PARTITION:END.
    let ends: BTreeMap<i64, i64> = tool(GET_OFFSET_SHELL, &ward.brokers, &["--topic", &ward.name])
        .lines()
        .map(|line| line.split(':').skip(1).map(|number| number.parse().unwrap()).collect())
        .map(|numbers: Vec<i64>| (numbers[0], numbers[1]))
        .collect();

    let ours = ward.rows("topic describe");
    assert_eq!(ours.len(), 3);
    for partition in &ours {
        assert_eq!(partition["topic_id"], field(&theirs, "TopicId: "));
        assert_eq!(partition["own_settings"]["max.message.bytes"], "2000000");
        let number = partition["partition"].as_i64().unwrap();
        let line = theirs.lines().find(|line| line.contains(&format!("Partition: {number}\t"))).unwrap();
        assert_eq!(partition["leader"].to_string(), field(line, "Leader: "));
        assert_eq!(partition["replicas"].to_string(), format!("[{}]", field(line, "Replicas: ")));
        assert_eq!(partition["in_sync"].to_string(), format!("[{}]", field(line, "Isr: ")));
        assert_eq!(partition["end"].as_i64(), Some(ends[&number]), "{partition}");
    }
    let listed = ward.rows("topic list").into_iter().find(|topic| topic["topic"] == *ward.name).unwrap();
    assert_eq!(listed["records"].as_i64(), Some(ends.values().sum()));
    assert_eq!((&listed["records"], &listed["partitions"]), (&200.into(), &3.into()));
}

#[test]
fn a_tail_shows_what_came_compressed_in_transactions_and_near_the_size_limit() {
    let ward = with_topic(2);
    let sent = peer::rows("batches.py", &[&ward.brokers, &ward.name, "1"]);
    let mut sent: Vec<_> = sent.iter().map(|line| line["value"].as_str().unwrap()).collect();
    let shown = ward.rows("topic tail --from earliest");
    // What was aborted is shown as well, as Kafka's console consumer does.
    let mut ours: Vec<_> = shown.iter().filter_map(|message| message["value"].as_str()).collect();
    ours.retain(|value| sent.contains(value));
    ours.sort_unstable();
    sent.sort_unstable();
    assert!(ours == sent, "{} shown, {} sent", ours.len(), sent.len());
    assert!(shown.iter().all(|message| message["partition"] == 1 && message["key"] == "P001"));
    let refused = |reason: &str| shown.iter().filter(|message| message["refused"] == reason).count();
    assert_eq!((refused("not_json"), refused("too_large")), (4, 1));
    // The log ends with the marker of a transaction, which is no message and has no time.
    let described = ward.rows("topic describe");
    assert!(described[1]["newest"].is_string() && described[0]["newest"].is_null(), "{described:?}");
    assert_eq!(ward.rows("topic tail --last 3").len(), 3);
}

#[test]
fn a_tail_marks_what_is_refused_and_reads_on() {
    let ward = with_topic(3);
    let sent = peer::rows("poison.py", &[&ward.brokers, &ward.name, "3", "50", "30"]);
    let shown = ward.rows("topic tail --from earliest");
    assert_eq!(shown.len(), sent.len());
    let place = |message: &serde_json::Value| (message["partition"].as_i64(), message["offset"].as_i64());
    let marks: BTreeMap<_, _> = shown.iter().map(|message| (place(message), &message["refused"])).collect();
    for message in &sent {
        assert_eq!(marks[&place(message)], &message["reason"], "{:?}", place(message));
    }
}

#[test]
fn what_kafka_refuses_is_told_in_its_words() {
    let ward = Ward::new();
    ward.run("topic create -c nonsense.key=1").with_code(4).tells(&["nonsense.key", "hint: "]);
    ward.run("topic create --replication 99").with_code(4).tells(&["hint: give a replication factor"]);
}
