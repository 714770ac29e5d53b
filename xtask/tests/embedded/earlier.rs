//! A topic that is deleted and made anew, as an operator sees it.

use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use serde_json::Value;
use vitals::kafka::cluster::Cluster;

use super::commands::{Home, Up, done, text};

const GROUP: &str = "vitals-monitor-consumer-v7";
const TOPIC: &str = "patient.vitals";

fn rows(home: &Home, words: &[&str]) -> Vec<Value> {
    let output = home.run_embedded(words);
    done(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn send(home: &Home, count: &str) {
    done(&home.run_embedded(&["produce", "--count", count, "--interval", "0", "--patients", "P001"]));
}

fn stored(home: &Home) -> usize {
    rows(home, &["query", "--patient", "P001", "--limit", "1000", "-o", "ndjson"]).len()
}

/// A commit that was on its way when its topic was deleted: offset 50 of the one partition.
fn commit_late(up: &Up) {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let place = OffsetCommitRequestPartition::default()
        .with_committed_offset(50)
        .with_committed_metadata(Some(text("topic=f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff")));
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName(text(TOPIC))).with_partitions(vec![place]);
    let request = OffsetCommitRequest::default().with_group_id(GroupId(text(GROUP))).with_topics(vec![topic]);
    let committed = async {
        let mut cluster = Cluster::connect(std::slice::from_ref(&up.address)).await.expect("connected");
        let coordinator = cluster.coordinator(GROUP).await.expect("found");
        cluster.node(coordinator).await.expect("connected").call(&request).await.expect("an answer")
    };
    let answer = tokio::runtime::Runtime::new().expect("a runtime").block_on(committed);
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
}

#[test]
fn a_topic_made_anew_is_read_from_its_start_by_a_group_that_read_another_of_its_name() {
    let home = Home::new();
    let _up = home.up();
    let mut sent = 0;
    for (partitions, count) in [("1", 50), ("1", 80), ("3", 20), ("1", 50)] {
        home.run_embedded(&["topic", "delete", TOPIC, "--yes"]);
        done(&home.run_embedded(&["init", "--partitions", partitions]));
        send(&home, &count.to_string());
        sent += count;
        done(&home.run_embedded(&["consume", "--exit-at-end", "--quiet"]));
        assert_eq!(stored(&home), sent);
    }
}

#[test]
fn offsets_of_an_earlier_topic_are_told_and_the_next_consumer_begins_at_the_start() {
    let home = Home::new();
    let up = home.up();
    done(&home.run_embedded(&["init", "--partitions", "1"]));
    send(&home, "80");
    commit_late(&up);

    let output = home.run_embedded(&["lag", "-o", "ndjson"]);
    let lag: Value = serde_json::from_str(&done(&output)).expect("JSON");
    assert_eq!((&lag["committed"], &lag["lag"], &lag["earlier_committed"]), (&Value::Null, &80.into(), &50.into()));
    let told = format!("what {GROUP} has committed in partition 0 belongs to an earlier topic of this name");
    let lag = text(&output.stderr);
    assert!(
        lag.contains(&told) && lag.contains("hint: vitals consume --profile embedded begins at the start"),
        "{lag}"
    );
    for command in ["status", "doctor"] {
        let output = home.run_embedded(&[command, "-o", "ndjson"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stdout).contains(&told), "{}", text(&output.stdout));
    }
    let moved = &rows(&home, &["group", "seek", "--to", "earliest", "--dry-run", "-o", "ndjson"])[0];
    assert_eq!((&moved["committed"], &moved["new"]), (&Value::Null, &0.into()));
    let audit = home.run_embedded(&["audit", "-o", "json"]);
    assert!(!text(&audit.stdout).contains("no_row"), "{}", text(&audit.stdout));

    let consumed = home.run_embedded(&["consume", "--exit-at-end", "--quiet"]);
    done(&consumed);
    let consumed = text(&consumed.stderr);
    assert!(consumed.contains("partition 0 are not of this one; reading from the start"), "{consumed}");
    assert_eq!(stored(&home), 80);
    done(&home.run_embedded(&["status"]));
}
