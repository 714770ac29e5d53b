//! A topic that is deleted and made anew, as an operator sees it.

use kafka_protocol::protocol::StrBytes;
use serde_json::Value;
use vitals::kafka::error::KafkaError;

use super::home::{GROUP, Home, TOPIC};
use super::records::run;
use super::wire::{Wire, group_of};

fn send(home: &Home, count: usize) {
    home.done(&format!("produce --count {count} --interval 0 --patients P001"));
}

fn stored(home: &Home) -> usize {
    home.rows("query --patient P001 --limit 1000").len()
}

/// A commit that was on its way when its topic was deleted: offset 50 of the one partition.
fn commit_late(home: &Home) {
    let beside = "topic=f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff";
    let code = run(async {
        let mut wire = Wire::connect(home.address()).await;
        Ok::<_, KafkaError>(wire.commit_of(group_of(GROUP), &StrBytes::new(), -1, (TOPIC, 50, beside)).await)
    });
    assert_eq!(code, 0);
}

#[test]
fn a_topic_made_anew_is_read_from_its_start_by_a_group_that_read_another_of_its_name() {
    let home = Home::up();
    let mut sent = 0;
    for (partitions, count) in [(1, 50), (1, 80), (3, 20), (1, 50)] {
        home.run(&format!("topic delete {TOPIC} --yes"));
        home.done(&format!("init --partitions {partitions}"));
        send(&home, count);
        sent += count;
        home.consume();
        assert_eq!(stored(&home), sent);
    }
}

#[test]
fn offsets_of_an_earlier_topic_are_told_and_the_next_consumer_begins_at_the_start() {
    let home = Home::ready(1);
    send(&home, 80);
    commit_late(&home);

    let output = home.run("lag -o ndjson").well();
    let lag = output.json();
    assert_eq!((&lag["committed"], &lag["lag"], &lag["earlier_committed"]), (&Value::Null, &80.into(), &50.into()));
    let told = format!("what {GROUP} has committed in partition 0 belongs to an earlier topic of this name");
    for expected in [&*told, "hint: vitals consume --profile embedded begins at the start"] {
        assert!(output.talk().contains(expected), "{}", output.talk());
    }
    for command in ["status", "doctor"] {
        let output = home.run(&[command, "-o", "ndjson"]).with_code(1).output();
        assert!(output.contains(&told), "{output}");
    }
    let moved = &home.rows("group seek --to earliest --dry-run")[0];
    assert_eq!((&moved["committed"], &moved["new"]), (&Value::Null, &0.into()));
    let audit = home.run("audit -o json").output();
    assert!(!audit.contains("no_row"), "{audit}");

    let consumed = home.consume();
    assert!(consumed.contains("partition 0 are not of this one; reading from the start"), "{consumed}");
    assert_eq!(stored(&home), 80);
    home.done("status");
}
