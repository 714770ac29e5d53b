//! `vitals group`, `status` and `doctor` on real servers, healthy and broken.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::running::{RUN_LIMIT, wait_until};
use crate::ward::{CATCH_UP_LIMIT, Ward, cut, link_to};
use crate::{peer, place};

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// What is down is told within 5 s; the rest is for a slow machine to start a process.
const UNREACHABLE_LIMIT: Duration = Duration::from_secs(6);

fn status(ward: &Ward, code: i32) -> Value {
    ward.run("status -o ndjson").with_code(code).json()
}

/// What is wrong, all in one text.
fn wrongs(report: &Value) -> String {
    report["wrong"]
        .as_array()
        .unwrap()
        .iter()
        .map(|wrong| wrong["what"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join("; ")
}

/// The checks of `vitals doctor`, by name.
fn doctor(ward: &Ward, code: i32) -> BTreeMap<String, Value> {
    let ended = ward.run("doctor -o ndjson").with_code(code);
    let named = |check: Value| (check["check"].as_str().unwrap().to_owned(), check);
    ended.rows().into_iter().map(named).collect()
}

/// A ward in which everything was sent, read and stored.
fn read_to_the_end(partitions: u32) -> Ward {
    let ward = Ward::with_partitions(partitions);
    ward.send(30);
    ward.run("consume --exit-at-end --quiet").well();
    ward
}

#[test]
fn kafkas_own_tool_finds_a_group_where_seek_put_it() {
    let ward = read_to_the_end(1);
    ward.objects("group seek --to 7");
    let arguments = ["--bootstrap-server", &ward.brokers, "--describe", "--group", &ward.name, "--offsets"];
    let told = peer::start_tool(GROUPS, &arguments).wait_end(RUN_LIMIT).well().output();
    let line = told.lines().find(|line| line.starts_with(&ward.name)).unwrap_or_else(|| panic!("{told}"));
    // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
    let fields: Vec<_> = line.split_whitespace().collect();
    assert_eq!(fields[3..6], ["7", "30", "23"], "{told}");
    let moved = ward.objects("group seek --to latest");
    assert_eq!((&moved[0]["committed"], &moved[0]["new"]), (&7.into(), &30.into()));
    assert_eq!(ward.total_lag(), 0);
}

#[test]
fn a_member_of_another_kind_is_listed_and_keeps_the_group_from_being_moved_or_deleted() {
    let ward = read_to_the_end(2);
    let mut member = peer::start_python("old_consumer.py", &[&ward.brokers, &ward.name, &ward.name, "1000"]);
    let members = wait_until("a member with partitions", CATCH_UP_LIMIT, || {
        let members = ward.objects("group describe");
        members.iter().any(|member| !member["topic"].is_null()).then_some(members)
    });
    assert_eq!(members[0]["partitions"], serde_json::json!(["0", "1"]));
    let id = members[0]["member_id"].as_str().unwrap();
    for words in ["group seek --to earliest".to_owned(), format!("group delete {}", ward.name)] {
        let talk = ward.run(&words).with_code(1).talk();
        assert!(talk.contains(id) && talk.contains("hint: end them"), "{words}: {talk}");
    }
    let listed = ward.objects("group list");
    let ours = listed.iter().find(|group| group["group"] == ward.name.as_str()).unwrap();
    assert_eq!((&ours["state"], &ours["members"]), (&"Stable".into(), &1.into()));
    assert_eq!(ours["topics"], serde_json::json!([ward.name]));
    assert!(member.is_running());
    assert_eq!(status(&ward, 0)["group"]["members"], 1);
    member.kill();
}

#[test]
fn a_deleted_group_is_gone() {
    let ward = read_to_the_end(1);
    ward.run(&format!("group delete {} --yes", ward.name)).well();
    assert!(ward.objects("group list").iter().all(|group| group["group"] != ward.name.as_str()));
    ward.run(&format!("group delete {}", ward.name)).with_code(2);
}

#[test]
fn a_healthy_ward_is_well_in_every_part() {
    let ward = read_to_the_end(3);
    let report = status(&ward, 0);
    assert_eq!(report["healthy"], true);
    assert_eq!(report["topics"][0]["records"], 30);
    assert_eq!(report["group"]["lag"], 0);
    assert_eq!(report["store"]["nodes"][0]["up"], true);
    assert_eq!(report["store"]["replication"], "SimpleStrategy 1");
    let brokers = report["cluster"]["brokers"].as_array().unwrap();
    assert_eq!(report["cluster"]["controller"], brokers[0]["id"]);
    for (name, check) in doctor(&ward, 0) {
        assert_eq!(check["verdict"], "ok", "{name}: {check}");
    }
}

#[test]
fn a_broker_that_is_down_does_not_hide_the_store() {
    let ward = read_to_the_end(1);
    let proxy = link_to(&ward.brokers);
    cut(&proxy);
    let ward = Ward { brokers: proxy.address().to_string(), ..ward };
    let ended = ward.run("status -o ndjson").with_code(1);
    assert!(ended.lasted < UNREACHABLE_LIMIT, "{:?}", ended.lasted);
    let report = ended.json();
    assert_eq!(report["cluster"], Value::Null);
    assert_eq!(report["store"]["tables"][0]["state"], "fits");
    let checks = doctor(&ward, 1);
    assert_eq!(checks["topic"]["verdict"], "skip");
    assert_eq!(checks["readings_table"]["verdict"], "ok");
}

#[test]
fn what_is_missing_in_the_store_is_named_with_what_makes_it() {
    let ward = Ward::new();
    assert!(wrongs(&status(&ward, 1)).contains(&format!("the keyspace `{}` does not exist", ward.name)));
    assert_eq!(doctor(&ward, 1)["keyspace"]["verdict"], "fail");
    peer::python("by_hand.py", &[&place::cassandra(), &ward.name, "without-table"]);
    assert!(wrongs(&status(&ward, 1)).contains("the table `patient_vitals` does not exist"));
    let checks = doctor(&ward, 1);
    assert_eq!(checks["keyspace"]["verdict"], "ok");
    assert_eq!(checks["readings_table"]["cure"], "vitals init");
}

#[test]
fn a_table_of_another_shape_is_told_with_its_column() {
    let ward = Ward::new();
    peer::python("by_hand.py", &[&place::cassandra(), &ward.name, "wrong-table"]);
    let fault = "its column `timestamp` is TIMESTAMP where TEXT is needed";
    assert!(wrongs(&status(&ward, 1)).contains(fault));
    let check = doctor(&ward, 1).remove("readings_table").unwrap();
    assert_eq!(check["verdict"], "fail");
    assert!(check["found"].as_str().unwrap().contains(fault), "{check}");
}

#[test]
fn one_partition_and_messages_without_keys_are_warnings() {
    let ward = read_to_the_end(1);
    let checks = doctor(&ward, 0);
    assert_eq!(checks["partitions"]["verdict"], "warn");
    assert_eq!(checks["keys"]["verdict"], "ok");
    let ward = Ward::with_partitions(3);
    peer::python("old_producer.py", &[&ward.brokers, &ward.name, "40"]);
    ward.run("consume --exit-at-end --quiet").well();
    let check = doctor(&ward, 0).remove("keys").unwrap();
    assert_eq!(check["verdict"], "warn");
    assert!(check["found"].as_str().unwrap().contains("have no key"), "{check}");
}

#[test]
fn messages_that_wait_for_nobody_are_a_finding() {
    let ward = Ward::with_partitions(1);
    ward.send(5);
    assert!(wrongs(&status(&ward, 1)).contains("nobody reads: 5 messages wait"));
    assert_eq!(doctor(&ward, 1)["group"]["verdict"], "fail");
}

const READING: &str = r#"{"patient_id": "P001", "timestamp": "2025-10-26T10:30:15+00:00", "heart_rate": 95}"#;

#[test]
fn a_member_that_stands_still_is_told_as_stuck() {
    let ward = Ward::with_partitions(2);
    let consumer = ward.start("consume --quiet --session-timeout 60s");
    wait_until("a member with partitions", CATCH_UP_LIMIT, || {
        let described = ward.run("group describe -o ndjson");
        described.output().contains("\"topic\":\"ward").then_some(())
    });
    // It stays in the group, as one does that is stuck.
    consumer.signal("STOP");
    ward.send_as_is(&[READING], "120");
    let check = doctor(&ward, 1).remove("group").unwrap();
    consumer.signal("CONT");
    assert!(check["found"].as_str().unwrap().contains("does not get on in partition"), "{check}");
    ward.wait_for_no_lag(CATCH_UP_LIMIT);
    assert_eq!(doctor(&ward, 0)["group"]["verdict"], "ok");
    consumer.signal("TERM");
    consumer.wait_end(RUN_LIMIT).well();
}

#[test]
fn a_sender_whose_clock_is_ahead_is_told() {
    let ward = Ward::with_partitions(2);
    ward.send_as_is(&[READING], "-90");
    ward.run("consume --exit-at-end --quiet").well();
    let check = doctor(&ward, 0).remove("clock").unwrap();
    assert_eq!(check["verdict"], "warn");
    assert!(check["found"].as_str().unwrap().ends_with("s in the future"), "{check}");
}
