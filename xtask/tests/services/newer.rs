//! Groups whose members do not speak the classic protocol.

use serde_json::Value;

use crate::peer;
use crate::running::{RUN_LIMIT, wait_until};
use crate::ward::{CATCH_UP_LIMIT, PartitionLag, Ward};

const SHARE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleShareConsumer";

/// What `group list` tells of the ward's own.
fn listed(ward: &Ward) -> Option<Value> {
    ward.objects("group list").into_iter().find(|listed| listed["group"] == *ward.name)
}

fn status(ward: &Ward, code: i32) -> Value {
    ward.run("status -o ndjson").with_code(code).json()
}

#[test]
fn a_group_of_the_newer_protocol_is_described_and_counted_and_never_joined() {
    let ward = Ward::with_partitions(3);
    ward.send(30);
    let mut member = peer::start_python("member_librdkafka.py", &[&ward.brokers, &ward.name, &ward.name, "newer"]);
    member.wait_for("30 messages", CATCH_UP_LIMIT, |member| {
        (member.stdout().iter().filter(|line| line.starts_with("read ")).count() == 30).then_some(())
    });
    let lag = ward.lag();
    assert!(lag.iter().all(|lag| lag.lag() == 0 && lag.member().is_some()), "{lag:?}");
    let described = ward.objects("group describe");
    let partitions: Vec<_> = described.iter().flat_map(|row| row["partitions"].as_array().unwrap()).collect();
    assert_eq!((described.len(), partitions.len()), (1, 3), "{described:?}");
    let group = listed(&ward).unwrap();
    assert_eq!((&group["type"], &group["members"]), (&"consumer".into(), &1.into()));
    assert_eq!(status(&ward, 0)["group"]["members"], 1);
    ward.run("doctor").well();
    for words in [format!("group delete {} --yes", ward.name), "group seek --to earliest".to_owned()] {
        assert!(ward.run(&words).with_code(1).talk().contains("has members: "), "{words}");
    }
    let refused = ward.run("consume --exit-at-end").with_code(2).talk();
    assert!(refused.contains("Kafka's newer consumer protocol") && refused.contains("hint: "), "{refused}");

    member.say("leave");
    member.wait_end(RUN_LIMIT).well();
    wait_until("it is empty", CATCH_UP_LIMIT, || (listed(&ward)?["state"] == "Empty").then_some(()));
    assert_eq!(ward.lag().iter().filter_map(PartitionLag::committed).sum::<i64>(), 30);
    ward.objects("group seek --to earliest");
    assert_eq!(ward.total_lag(), 30);
    assert!(status(&ward, 1).to_string().contains("nobody reads: 30 messages"));
    ward.run(&format!("group delete {} --yes", ward.name)).well();
    ward.run("lag").with_code(2);
}

#[test]
fn a_share_group_is_listed_and_otherwise_refused() {
    let ward = Ward::with_partitions(1);
    ward.send(1);
    let arguments = ["--bootstrap-server", &ward.brokers, "--topic", &ward.name, "--group", &ward.name];
    let _member = peer::start_tool(SHARE_CONSUMER, &arguments);
    wait_until("the group", RUN_LIMIT, || (listed(&ward)?["type"] == "share").then_some(()));
    ward.run("group describe").well();
    for words in ["lag", "consume --exit-at-end", "group seek --to earliest"] {
        let refused = ward.run(words).with_code(2).talk();
        assert!(refused.contains("Kafka's 'share' protocol") && refused.contains("hint: "), "{words}: {refused}");
    }
}
