//! What the old README has people make by hand, and the output that it shows.

use std::path::Path;

use serde_json::Value;

use crate::ward::{CATCH_UP_LIMIT, Ward, assert_same};
use crate::{peer, place};

/// The messages of the old README's examples.
const WITHOUT_ALERT: &str = r#"{"patient_id": "P001", "timestamp": "2025-10-26T10:30:15.123456+00:00", "heart_rate": 95, "spo2": 98, "blood_pressure": {"systolic": 120, "diastolic": 80}, "respiratory_rate": 16, "temperature": 36.8}"#;
const WITH_ALERT: &str = r#"{"patient_id": "P002", "timestamp": "2025-10-26T10:30:20.123456+00:00", "heart_rate": 115, "spo2": 90, "blood_pressure": {"systolic": 135, "diastolic": 88}, "respiratory_rate": 22, "temperature": 37.2}"#;

/// A ward whose keyspace, table and topic were made as the old README says.
fn by_hand() -> Ward {
    let ward = Ward::new();
    peer::python("by_hand.py", &[&place::cassandra(), &ward.name]);
    peer::python("topics.py", &[&ward.brokers, "create", &ward.name, "1"]);
    ward
}

fn tables(ward: &Ward) -> Value {
    serde_json::from_str(&peer::python("tables.py", &[&place::cassandra(), &ward.name])).unwrap()
}

#[test]
fn a_table_made_by_hand_is_used_as_it_is_and_only_our_own_tables_are_added() {
    let ward = by_hand();
    assert_eq!(tables(&ward), serde_json::json!({"patient_vitals": {"timestamp": "asc"}}));
    let sent = ward.send(50);
    let ended = ward.run("consume --exit-at-end --quiet").well();

    let made: Vec<_> = ended.stderr.iter().filter(|line| line.ends_with(": made")).collect();
    let tables = tables(&ward);
    let mut names: Vec<_> = tables.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["patient_alerts", "patient_vitals", "schema_migrations"]);
    assert_eq!(made.len(), 2, "{}", ended.talk());
    assert_eq!(tables["patient_vitals"]["timestamp"], "asc", "the table stays as it was made");
    assert_same(&ward.stored(), sent);
}

#[test]
fn a_query_shows_the_newest_first_whatever_way_the_table_was_made() {
    for ward in [by_hand(), Ward::with_partitions(1)] {
        ward.run("produce --interval 0 --count 20 --patients P001").well();
        ward.run("consume --exit-at-end --quiet").well();
        let times = |words: &str| -> Vec<String> {
            let rows = ward.run(words).well().rows();
            rows.iter().map(|row| row["timestamp"].as_str().unwrap().to_owned()).collect()
        };
        let mut all: Vec<_> = ward.stored().iter().map(|row| row["timestamp"].as_str().unwrap().to_owned()).collect();
        assert_eq!(times("query --patient P001 --limit 5 --oldest -o ndjson"), all[..5]);
        all.reverse();
        assert_eq!(times("query --patient P001 --limit 5 -o ndjson"), all[..5]);
        assert_eq!(times("query --limit 10 -o ndjson").len(), 10);
    }
}

#[test]
fn consume_shows_what_the_old_readme_shows() {
    let ward = by_hand();
    ward.send_as_is(&[WITHOUT_ALERT, WITH_ALERT], "0");

    let shown = ward.run("consume --max 2").well();
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expected/consume.txt");
    let expected = std::fs::read_to_string(expected).unwrap();
    let expected =
        expected.replace("{topic}", &ward.name).replace("{brokers}", &ward.brokers).replace("{group}", &ward.name);
    assert_eq!(shown.output(), expected);
}

#[test]
fn a_missing_dead_letter_topic_is_made_with_the_first_letter() {
    let ward = by_hand();
    ward.send_as_is(&[r#"{"patient_id": "P001"}"#], "0");
    ward.run("consume --exit-at-end --quiet").well();
    ward.wait_for_no_lag(CATCH_UP_LIMIT);
    let letters = ward.messages(&ward.dead_letter_topic());
    assert_eq!(letters.iter().map(peer::Message::text).collect::<Vec<_>>(), [r#"{"patient_id": "P001"}"#]);
}
