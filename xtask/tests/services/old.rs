//! What the old README has people install, run and make by hand, beside ours: its kafka-python producer and consumer, its
//! table, the output that it shows, and its versions: Kafka 3.4 with `ZooKeeper`, and Cassandra 4.1.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::peer;
use crate::place::{self, variable};
use crate::program::Program as _;
use crate::running::{Running, wait_until};
use crate::sharing::assigned;
use crate::ward::{CATCH_UP_LIMIT, Ward, assert_same, columns, messages_said, sorted};

#[test]
fn every_message_of_the_old_producer_is_stored_and_the_missing_keys_are_said_once() {
    let ward = Ward::with_partitions(3);
    let sent = peer::rows("old_producer.py", &[&ward.brokers, &ward.name, "300"]);
    let pressure = |message: &Value, which: &str| message["blood_pressure"][which].as_i64();
    let crossed = sent.iter().filter(|message| pressure(message, "diastolic") >= pressure(message, "systolic"));
    let crossed: Vec<_> = crossed.map(|message| (&message["patient_id"], &message["timestamp"])).collect();
    assert!(!crossed.is_empty(), "none has diastolic above systolic");

    let ended = ward.consume().tells(&["300 readings stored, 0 refused"]);
    let about_keys = ended.stderr.iter().filter(|line| line.contains("without a key"));
    assert_eq!(about_keys.count(), 1, "{}", ended.talk());
    assert_same(&ward.stored(), sent.iter().map(|message| columns(&message.to_string())).collect());
    // Without keys readings come later than the rules remember, and then no alarm is raised any more.
    let alerts = ward.table("patient_alerts");
    let implausible: Vec<_> = alerts.iter().filter(|alert| alert["rule"] == "blood_pressure_implausible").collect();
    assert!(!implausible.is_empty() && implausible.len() <= crossed.len(), "{implausible:?}");
    assert!(implausible.iter().all(|alert| crossed.contains(&(&alert["patient_id"], &alert["onset"]))), "{crossed:?}");
}

#[test]
fn the_old_consumer_reads_what_is_sent_here() {
    let ward = Ward::with_partitions(3);
    let mut old = peer::start_python("old_consumer.py", &[&ward.brokers, &ward.name, &ward.name, "40"]);
    let said = messages_said(&ward.done("produce --interval 0 --count 40 --seed 7"));
    let sent = said.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
    old.wait_for_line("done", CATCH_UP_LIMIT);
    let mut read = old.wait_end(CATCH_UP_LIMIT).well();
    read.stdout.retain(|line| line != "done");
    assert_eq!(sorted(read.rows()), sorted(sent));
}

#[test]
fn a_key_goes_to_the_partition_where_kafka_python_and_librdkafka_put_it() {
    let ward = Ward::with_partitions(7);
    let patients: Vec<_> = (0..60).map(|number| format!("P{number}ä{}", "x".repeat(number % 9))).collect();
    let patients = patients.join(",");
    ward.done(&format!("produce --interval 0 --count 60 --patients {patients}"));
    let placed = |message: peer::Message| (String::from_utf8(message.key.unwrap()).unwrap(), message.partition);
    let ours: BTreeMap<String, i64> = ward.messages(&ward.name).into_iter().map(placed).collect();
    assert_eq!(ours.len(), 60);

    let topic = format!("{}.keys", ward.name);
    let theirs = peer::rows("place_keys.py", &[&ward.brokers, &topic, "7", &patients]).remove(0);
    for client in ["kafka-python", "librdkafka"] {
        let theirs: BTreeMap<String, i64> = serde_json::from_value(theirs[client].clone()).unwrap();
        assert_eq!(theirs, ours, "{client}");
    }
}

#[test]
fn an_old_consumer_in_the_same_group_and_ours_share_the_partitions() {
    let ward = Ward::with_partitions(4);
    let mut ours = ward.start("consume");
    ours.wait_for_line("Partitions assigned", CATCH_UP_LIMIT);
    let mut old = peer::start_python("old_consumer.py", &[&ward.brokers, &ward.name, &ward.name, "1000000"]);
    ours.wait_for("half of the partitions", CATCH_UP_LIMIT, |member| (assigned(member).len() == 2).then_some(()));
    assert!(old.is_running());
    let sent = ward.send(60).len();
    // What the old one reads is its own: it commits before anything is stored. The rest is ours, once.
    wait_until("both shares together", CATCH_UP_LIMIT, || {
        let (read, stored) = (old.stdout().len(), ward.stored().len());
        (read + stored == sent && read > 0 && stored > 0).then_some(())
    });
}

/// The messages of the old README's examples.
const WITHOUT_ALERT: &str = r#"{"patient_id": "P001", "timestamp": "2025-10-26T10:30:15.123456+00:00", "heart_rate": 95, "spo2": 98, "blood_pressure": {"systolic": 120, "diastolic": 80}, "respiratory_rate": 16, "temperature": 36.8}"#;
const WITH_ALERT: &str = r#"{"patient_id": "P002", "timestamp": "2025-10-26T10:30:20.123456+00:00", "heart_rate": 115, "spo2": 90, "blood_pressure": {"systolic": 135, "diastolic": 88}, "respiratory_rate": 22, "temperature": 37.2}"#;

/// The ward's keyspace, table and topic are made as the old README says.
fn by_hand(ward: Ward) -> Ward {
    ward.make_by_hand(&[]);
    peer::python("topics.py", &[&ward.brokers, "create", &ward.name, "1"]);
    ward
}

fn tables(ward: &Ward) -> Value {
    peer::rows("tables.py", &[&ward.cassandra, &ward.name]).remove(0)
}

#[test]
fn a_table_made_by_hand_is_used_as_it_is_and_only_our_own_tables_are_added() {
    let ward = by_hand(Ward::new());
    assert_eq!(tables(&ward), serde_json::json!({"patient_vitals": {"timestamp": "asc"}}));
    let sent = ward.send(50);
    let ended = ward.consume();

    let made = ended.stderr.iter().filter(|line| line.ends_with(": made"));
    assert_eq!(made.count(), 9, "{}", ended.talk());
    let tables = tables(&ward);
    let mut names: Vec<_> = tables.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "access_tokens",
            "alarm_rules",
            "patient_admissions",
            "patient_alerts",
            "patient_vitals",
            "patient_vitals_1m",
            "retention_changes",
            "schema_migrations"
        ]
    );
    assert_eq!(tables["patient_vitals"]["timestamp"], "asc", "the table stays as it was made");
    assert_same(&ward.stored(), sent);
}

#[test]
fn a_query_shows_the_newest_first_whatever_way_the_table_was_made() {
    for ward in [by_hand(Ward::new()), Ward::with_partitions(1)] {
        ward.done("produce --interval 0 --count 20 --patients P001");
        ward.consume();
        let times = |rows: Vec<Value>| rows.into_iter().map(|mut row| row["timestamp"].take()).collect::<Vec<_>>();
        let mut all = times(ward.stored());
        assert_eq!(times(ward.rows("query --patient P001 --limit 5 --oldest")), all[..5]);
        all.reverse();
        assert_eq!(times(ward.rows("query --patient P001 --limit 5")), all[..5]);
        assert_eq!(ward.rows("query --limit 10").len(), 10);
    }
}

#[test]
fn consume_shows_what_the_old_readme_shows() {
    let ward = by_hand(Ward::new());
    ward.send_as_is(&[WITHOUT_ALERT, WITH_ALERT], "0");
    let shown = ward.done("consume --max 2");
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expected/consume.txt");
    let expected = std::fs::read_to_string(expected).unwrap().replace("{topic}", &ward.name);
    assert_eq!(shown, expected.replace("{brokers}", &place::own_brokers()).replace("{group}", &ward.name));
}

#[test]
fn a_missing_dead_letter_topic_is_made_with_the_first_letter() {
    let ward = by_hand(Ward::new());
    ward.send_as_is(&[r#"{"patient_id": "P001"}"#], "0");
    ward.consume();
    ward.wait_for_no_lag();
    let letters = ward.messages(&ward.dead_letter_topic());
    assert_eq!(letters.iter().map(peer::Message::text).collect::<Vec<_>>(), [r#"{"patient_id": "P001"}"#]);
}

/// A ward on the old servers.
fn old_ward() -> Ward {
    let (brokers, cassandra) = (variable("VITALS_TEST_OLD_BROKERS"), variable("VITALS_TEST_OLD_CASSANDRA"));
    Ward { brokers, cassandra, ..Ward::new() }
}

#[test]
fn readings_go_all_the_way_on_kafka_3_4_with_zookeeper_and_cassandra_4_1() {
    let ward = old_ward();
    ward.done("init --partitions 3");
    let sent = ward.send(50);
    ward.consume();
    assert_same(&ward.stored(), sent);
    assert_eq!((ward.rows("lag").len(), ward.total_lag()), (3, 0));
    assert_eq!(ward.rows("query --limit 5").len(), 5);
    let status = ward.status(0);
    let versions = (&status["cluster"]["brokers"][0]["version"], &status["store"]["nodes"][0]["version"]);
    assert_eq!(versions, (&"Kafka 3.x".into(), &"4.1.10".into()), "{status}");
    ward.done("doctor");
}

#[test]
fn the_old_programs_and_ours_take_turns_with_a_table_and_a_topic_made_by_hand() {
    let ward = by_hand(old_ward());
    ward.done("init");
    let theirs = peer::python("old_producer.py", &[&ward.brokers, &ward.name, "60"]);
    let mut sent: Vec<_> = theirs.lines().map(columns).collect();
    ward.consume();
    assert_same(&ward.stored(), sent.clone());

    // Their consumer goes on where ours has committed, and `lag` shows what it commits.
    sent.extend(ward.send(40));
    let mut command = peer::python_command("coursework_consumer.py", &[]);
    command.env("BROKER", &ward.brokers).env("CASS", &ward.cassandra).env("KS", &ward.name);
    command.env("TOPIC", &ward.name).env("GROUP", &ward.name);
    let _consumer = Running::start("coursework_consumer.py", &mut command);
    wait_until("the rows of their consumer", CATCH_UP_LIMIT, || (ward.stored().len() == sent.len()).then_some(()));
    ward.wait_for_no_lag();
    assert_same(&ward.stored(), sent);
}
