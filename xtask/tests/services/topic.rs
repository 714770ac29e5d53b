//! `vitals topic` on Kafka, beside Kafka's own tools and another client.

use std::collections::BTreeMap;

use crate::peer::{self, start_tool};
use crate::running::{RUN_LIMIT, wait_until};
use crate::ward::{CATCH_UP_LIMIT, Ward};

const TOPIC_COMMAND: &str = "org.apache.kafka.tools.TopicCommand";
const GET_OFFSET_SHELL: &str = "org.apache.kafka.tools.GetOffsetShell";

/// A ward with nothing but its topic.
fn with_topic(partitions: u32) -> Ward {
    let ward = Ward::new();
    ward.run(&format!("topic create --partitions {partitions} -c max.message.bytes=2000000")).well();
    ward
}

fn tool(ward: &Ward, class: &str, words: &[&str]) -> String {
    let whole = [&["--bootstrap-server", ward.brokers.as_str()], words].concat();
    start_tool(class, &whole).wait_end(RUN_LIMIT).well().output()
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
    let theirs = tool(&ward, TOPIC_COMMAND, &["--describe", "--topic", &ward.name]);
    let ends: BTreeMap<i64, i64> = tool(&ward, GET_OFFSET_SHELL, &["--topic", &ward.name])
        .lines()
        .map(|line| {
            let mut numbers = line.rsplit(':').map(|number| number.parse::<i64>().unwrap());
            let end = numbers.next().unwrap();
            (numbers.next().unwrap(), end)
        })
        .collect();

    let ours = ward.objects("topic describe");
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
    let listed = ward.objects("topic list").into_iter().find(|topic| topic["topic"] == *ward.name).unwrap();
    assert_eq!(listed["records"].as_i64(), Some(ends.values().sum()));
    assert_eq!((&listed["records"], &listed["partitions"]), (&200.into(), &3.into()));
}

#[test]
fn a_tail_shows_what_came_compressed_in_transactions_and_near_the_size_limit() {
    let ward = with_topic(2);
    let sent = peer::lines_of_json(&peer::python("batches.py", &[&ward.brokers, &ward.name, "1"]));
    let mut sent: Vec<_> = sent.iter().map(|line| line["value"].as_str().unwrap()).collect();
    let shown = ward.objects("topic tail --from earliest");
    // What was aborted is shown as well, as Kafka's console consumer does.
    let mut ours: Vec<_> = shown.iter().filter_map(|message| message["value"].as_str()).collect();
    ours.retain(|value| sent.contains(value));
    ours.sort_unstable();
    sent.sort_unstable();
    assert!(ours == sent, "{} shown, {} sent", ours.len(), sent.len());
    assert!(shown.iter().all(|message| message["partition"] == 1 && message["key"] == "P001"));
    assert_eq!(shown.iter().filter(|message| message["refused"] == "not_json").count(), 4);
    assert_eq!(shown.iter().filter(|message| message["refused"] == "too_large").count(), 1);
    // The log ends with the marker of a transaction, which is no message and has no time.
    let described = ward.objects("topic describe");
    assert!(described[1]["newest"].is_string() && described[0]["newest"].is_null(), "{described:?}");
    assert_eq!(ward.objects("topic tail --last 3").len(), 3);
}

#[test]
fn a_tail_marks_what_is_refused_and_reads_on() {
    let ward = with_topic(3);
    let sent = peer::lines_of_json(&peer::python("poison.py", &[&ward.brokers, &ward.name, "3", "50", "30"]));
    let shown = ward.objects("topic tail --from earliest");
    let by_place: BTreeMap<_, _> = shown
        .iter()
        .map(|message| ((message["partition"].as_i64(), message["offset"].as_i64()), &message["refused"]))
        .collect();
    assert_eq!(by_place.len(), sent.len());
    for message in &sent {
        let place = (message["partition"].as_i64(), message["offset"].as_i64());
        assert_eq!(by_place[&place], &message["reason"], "{place:?}");
    }
}

#[test]
fn following_goes_on_over_what_comes() {
    let ward = with_topic(2);
    ward.send(5);
    let mut tail = ward.start("topic tail --follow -o table");
    let lines = |count: usize| move |tail: &crate::running::Running| (tail.stdout().len() >= count).then_some(());
    tail.wait_for("the last messages", CATCH_UP_LIMIT, lines(5));
    ward.send(20);
    tail.wait_for("what comes", CATCH_UP_LIMIT, lines(25));
    tail.signal("INT");
    let ended = tail.wait_end(RUN_LIMIT).well();
    assert_eq!((ended.stdout.len(), ended.talk()), (25, String::new()));
}

#[test]
fn what_kafka_refuses_is_told_in_its_words() {
    let ward = Ward::new();
    let ended = ward.run("topic create -c nonsense.key=1").with_code(4);
    assert!(ended.talk().contains("nonsense.key") && ended.talk().contains("hint: "), "{}", ended.talk());
    let ended = ward.run("topic create --replication 99").with_code(4);
    assert!(ended.talk().contains("hint: give a replication factor"), "{}", ended.talk());
}

#[test]
fn a_deleted_topic_can_be_made_again_at_once() {
    let ward = with_topic(2);
    ward.send(10);
    let mut ids = Vec::new();
    for partitions in [3, 4] {
        ward.run(&format!("topic delete {} --yes", ward.name)).well();
        ward.run(&format!("topic create --partitions {partitions}")).well();
        let described = wait_until("the new topic", CATCH_UP_LIMIT, || {
            Some(ward.objects("topic describe")).filter(|rows| rows.iter().all(|row| row["records"] == 0))
        });
        assert_eq!(described.len(), partitions);
        ids.push(described[0]["topic_id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}
