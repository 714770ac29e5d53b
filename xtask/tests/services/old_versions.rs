//! The versions that the old README has people install: Kafka 3.4 with `ZooKeeper`, and Cassandra 4.1.

use serde_json::Value;

use crate::running::{Running, wait_until};
use crate::ward::{CATCH_UP_LIMIT, Ward, assert_same, columns, sorted};
use crate::{peer, place};

/// A ward on the old servers, with the readings of its table.
struct OldWard(Ward);

impl OldWard {
    fn new() -> Self {
        Self(Ward { brokers: place::old_brokers(), cassandra: place::old_cassandra(), ..Ward::new() })
    }

    fn stored(&self) -> Vec<Value> {
        sorted(peer::lines_of_json(&peer::python("rows.py", &[&self.0.cassandra, &self.0.name, "patient_vitals"])))
    }
}

#[test]
fn readings_go_all_the_way_on_kafka_3_4_with_zookeeper_and_cassandra_4_1() {
    let old = OldWard::new();
    let ward = &old.0;
    ward.run("init --partitions 3").well();
    let sent = ward.send(50);
    ward.run("consume --exit-at-end --quiet").well();
    assert_same(&old.stored(), sent);
    assert_eq!((ward.lag().len(), ward.total_lag()), (3, 0));
    assert_eq!(ward.run("query --limit 5 -o ndjson").well().stdout.len(), 5);
    let status: Value = ward.run("status -o json").well().json();
    let versions = (&status["cluster"]["brokers"][0]["version"], &status["store"]["nodes"][0]["version"]);
    assert_eq!(versions, (&"Kafka 3.x".into(), &"4.1.10".into()), "{status}");
    ward.run("doctor").well();
}

#[test]
fn the_old_programs_and_ours_take_turns_with_a_table_and_a_topic_made_by_hand() {
    let old = OldWard::new();
    let ward = &old.0;
    peer::python("by_hand.py", &[&ward.cassandra, &ward.name]);
    peer::python("topics.py", &[&ward.brokers, "create", &ward.name, "1"]);
    ward.run("init").well();
    let theirs = peer::python("old_producer.py", &[&ward.brokers, &ward.name, "60"]);
    let mut sent: Vec<_> = theirs.lines().map(columns).collect();
    ward.run("consume --exit-at-end --quiet").well();
    assert_same(&old.stored(), sent.clone());

    // Their consumer goes on where ours has committed, and `lag` shows what it commits.
    sent.extend(ward.send(40));
    let _consumer = coursework_consumer(ward);
    wait_until("the rows of their consumer", CATCH_UP_LIMIT, || (old.stored().len() == sent.len()).then_some(()));
    ward.wait_for_no_lag(CATCH_UP_LIMIT);
    assert_same(&old.stored(), sent);
}

/// The old README's consumer, with its table.
fn coursework_consumer(ward: &Ward) -> Running {
    let mut command = peer::python_command("coursework_consumer.py", &[]);
    command.env("BROKER", &ward.brokers).env("CASS", &ward.cassandra).env("KS", &ward.name);
    command.env("TOPIC", &ward.name).env("GROUP", &ward.name);
    Running::start("coursework_consumer.py", &mut command)
}
