//! `vitals group`, `status` and `doctor` on real servers, healthy and broken.

use crate::peer;
use crate::program::{Program as _, wrongs};
use crate::running::{RUN_LIMIT, wait_until};
use crate::ward::{CATCH_UP_LIMIT, Ward};

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

#[test]
fn kafkas_own_tool_finds_a_group_where_seek_put_it() {
    let ward = Ward::read_to_the_end(1, 30);
    ward.done("group seek --to 7");
    let told = peer::tool(GROUPS, &ward.brokers, &["--describe", "--group", &ward.name, "--offsets"]);
    let line = told.lines().find(|line| line.starts_with(&ward.name)).unwrap_or_else(|| panic!("{told}"));
    // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
    let fields: Vec<_> = line.split_whitespace().collect();
    assert_eq!(fields[3..6], ["7", "30", "23"], "{told}");
    let moved = ward.rows("group seek --to latest");
    assert_eq!((&moved[0]["committed"], &moved[0]["new"]), (&7.into(), &30.into()));
    assert_eq!(ward.total_lag(), 0);
}

#[test]
fn a_member_of_another_kind_is_listed_and_keeps_the_group_from_being_moved_or_deleted() {
    let ward = Ward::read_to_the_end(2, 30);
    let mut member = peer::start_python("old_consumer.py", &[&ward.brokers, &ward.name, &ward.name, "1000"]);
    let members = wait_until("a member with partitions", CATCH_UP_LIMIT, || {
        let members = ward.rows("group describe");
        members.iter().any(|member| !member["topic"].is_null()).then_some(members)
    });
    assert_eq!(members[0]["partitions"], serde_json::json!(["0", "1"]));
    let id = members[0]["member_id"].as_str().unwrap();
    for words in ["group seek --to earliest".to_owned(), format!("group delete {}", ward.name)] {
        ward.run(&words).with_code(1).tells(&[id, "hint: end them"]);
    }
    let listed = ward.rows("group list");
    let ours = listed.iter().find(|group| group["group"] == *ward.name).unwrap();
    assert_eq!((&ours["state"], &ours["members"]), (&"Stable".into(), &1.into()));
    assert_eq!(ours["topics"], serde_json::json!([ward.name]));
    assert!(member.is_running());
    assert_eq!(ward.status(0)["group"]["members"], 1);
    member.kill();
}

#[test]
fn a_healthy_ward_is_well_in_every_part() {
    let ward = Ward::read_to_the_end(3, 30);
    let report = ward.status(0);
    assert_eq!(report["healthy"], true);
    assert_eq!(report["topics"][0]["records"], 30);
    assert_eq!(report["group"]["lag"], 0);
    assert_eq!(report["store"]["nodes"][0]["up"], true);
    assert_eq!(report["store"]["replication"], "SimpleStrategy 1");
    assert_eq!(report["cluster"]["controller"], report["cluster"]["brokers"][0]["id"]);
    for (name, check) in ward.doctor(0) {
        assert_eq!(check["verdict"], "ok", "{name}: {check}");
    }
}

#[test]
fn what_is_missing_or_wrong_in_the_store_is_named_with_what_makes_it() {
    let ward = Ward::new();
    assert!(wrongs(&ward.status(1)).contains(&format!("the keyspace `{}` does not exist", ward.name)));
    assert_eq!(ward.doctor(1)["keyspace"]["verdict"], "fail");
    ward.make_by_hand(&["without-table"]);
    assert!(wrongs(&ward.status(1)).contains("the table `patient_vitals` does not exist"));
    let checks = ward.doctor(1);
    assert_eq!(checks["keyspace"]["verdict"], "ok");
    assert_eq!(checks["readings_table"]["cure"], "vitals init");

    let ward = Ward::new();
    ward.make_by_hand(&["wrong-table"]);
    let fault = "its column `timestamp` is TIMESTAMP where TEXT is needed";
    assert!(wrongs(&ward.status(1)).contains(fault));
    let check = &ward.doctor(1)["readings_table"];
    assert_eq!(check["verdict"], "fail");
    assert!(check["found"].as_str().unwrap().contains(fault), "{check}");
}

#[test]
fn one_partition_and_messages_without_keys_are_warnings() {
    let checks = Ward::read_to_the_end(1, 30).doctor(0);
    assert_eq!(checks["partitions"]["verdict"], "warn");
    assert_eq!(checks["keys"]["verdict"], "ok");
    let ward = Ward::with_partitions(3);
    peer::python("old_producer.py", &[&ward.brokers, &ward.name, "40"]);
    ward.consume();
    let check = &ward.doctor(0)["keys"];
    assert_eq!(check["verdict"], "warn");
    assert!(check["found"].as_str().unwrap().contains("have no key"), "{check}");
}

const READING: &str = r#"{"patient_id": "P001", "timestamp": "2025-10-26T10:30:15+00:00", "heart_rate": 95}"#;

#[test]
fn a_member_that_stands_still_is_told_as_stuck() {
    let ward = Ward::with_partitions(2);
    let consumer = ward.start("consume --quiet --session-timeout 60s");
    wait_until("a member with partitions", CATCH_UP_LIMIT, || {
        ward.run("group describe -o ndjson").output().contains("\"topic\":\"ward").then_some(())
    });
    // It stays in the group, as one does that is stuck.
    consumer.signal("STOP");
    ward.send_as_is(&[READING], "120");
    let check = ward.doctor(1).remove("group").unwrap();
    consumer.signal("CONT");
    assert!(check["found"].as_str().unwrap().contains("does not get on in partition"), "{check}");
    ward.wait_for_no_lag();
    assert_eq!(ward.doctor(0)["group"]["verdict"], "ok");
    consumer.signal("TERM");
    consumer.wait_end(RUN_LIMIT).well();
}

#[test]
fn a_sender_whose_clock_is_ahead_is_told() {
    let ward = Ward::with_partitions(2);
    ward.send_as_is(&[READING], "-90");
    ward.consume();
    let check = &ward.doctor(0)["clock"];
    assert_eq!(check["verdict"], "warn");
    assert!(check["found"].as_str().unwrap().ends_with("s in the future"), "{check}");
}
