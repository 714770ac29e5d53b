//! The topic of alarms on the embedded broker: what becomes of an alarm is there under the id that it has in the store,
//! and again under the same where something is done twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use vitals::record::murmur2::partition_of;

use super::home::{Home, TOPIC, wait_for};
use crate::program::Program as _;
use crate::running::RUN_LIMIT;

const ALARMS: &str = "patient.alarms";

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

fn send(home: &Home, rows: &str) {
    home.file("in.csv", format!("{NAMES}{rows}"));
    home.done("produce --mode csv --csv in.csv --once --interval 0");
}

/// The records of the topic, and what is in each.
fn announced(home: &Home) -> Vec<(Value, Value)> {
    let records = home.rows(&format!("topic tail {ALARMS} --from earliest"));
    let alarm = |record: &Value| serde_json::from_str(record["value"].as_str().unwrap()).unwrap();
    records.into_iter().map(|record| (record.clone(), alarm(&record))).collect()
}

fn ids(home: &Home) -> BTreeSet<String> {
    announced(home).iter().map(|(_, alarm)| alarm["id"].as_str().unwrap().to_owned()).collect()
}

fn topics(home: &Home) -> BTreeMap<String, Value> {
    let rows = home.rows("topic list");
    rows.into_iter().map(|topic| (topic["topic"].as_str().unwrap().to_owned(), topic["partitions"].clone())).collect()
}

#[test]
fn every_change_of_an_alarm_is_announced_under_its_id_and_reading_it_all_again_brings_no_other() {
    let home = Home::ready(6);
    send(&home, "ward/3/P1,2025-10-26T10:30:15.5Z,130,85,,,,\nP2,2025-10-26T10:40:00Z,131,,,,,\n");
    home.consume();
    assert_eq!(announced(&home).len(), 3);
    send(&home, "ward/3/P1,2025-10-26T10:31:00Z,140,97,,,,\nP2,2025-10-26T10:41:00Z,90,,,,,\n");
    home.consume();
    let announced = announced(&home);
    for (record, alarm) in &announced {
        assert_eq!((&record["key"], &record["refused"]), (&alarm["patient_id"], &Value::Null));
        let key = record["key"].as_str().unwrap();
        assert_eq!(record["partition"], partition_of(key.as_bytes(), 6), "as producers place it");
    }
    let of_rate: Vec<_> = announced.iter().filter(|(_, of)| of["rule"] == "heart_rate_high").collect();
    let raised = &of_rate.iter().find(|(record, _)| record["key"] == "ward/3/P1").unwrap().1;
    assert_eq!(
        (&raised["limit"], &raised["rules"], &raised["peak"]),
        (&110.0.into(), &"classic".into(), &130.0.into())
    );
    let last: BTreeMap<_, _> = announced.iter().map(|(_, alarm)| (alarm["id"].clone().to_string(), alarm)).collect();
    for listed in home.rows("alarms list") {
        let last = last[&listed["id"].to_string()];
        for name in ["patient_id", "rule", "priority", "state", "value", "peak", "onset", "started"] {
            assert_eq!(last[name], listed[name], "{name} of {last}");
        }
        assert_eq!(last.get("ended").unwrap_or(&Value::Null), &listed["ended"]);
    }
    assert_eq!(last.len(), 3);
    let before = ids(&home);
    home.done("group seek --to earliest");
    home.consume();
    assert_eq!(ids(&home), before);
    home.run(&format!("topic tail {ALARMS} -o table"))
        .well()
        .shows(&[" ALARM P2/heart_rate_high/2025-10-26T10:40:00+00:00 ended"]);
}

#[test]
fn an_acknowledgement_is_announced_and_noted_all_the_same_where_that_is_not_possible() {
    let mut home = Home::ready(1);
    send(&home, "P1,2025-10-26T10:30:15Z,130,,,,,\nP2,2025-10-26T10:30:15Z,131,,,,,\n");
    home.consume();
    let before = announced(&home).len();
    home.run("alarms ack P1 --rule heart_rate_high --by Anna").well();
    let announced = announced(&home);
    let last = &announced.last().unwrap().1;
    assert_eq!(announced.len(), before + 1);
    let listed = home.rows("alarms list --patient P1").remove(0);
    for name in ["id", "state", "peak", "started", "acknowledged_at"] {
        assert_eq!(last[name], listed[name], "{name} of {last}");
    }
    assert_eq!((&last["text"], &last["state"]), (&"High heart rate: 130".into(), &"active".into()));
    home.kill_broker();
    home.run("alarms ack P2 --rule heart_rate_high --by Anna").well().tells(&["the topic of alarms was not told"]);
    home.run("alarms ack P2 --rule heart_rate_high --by Bo").well().tells(&["acknowledged before, by Anna"]);
    assert_eq!(home.rows("alarms list --patient P2")[0]["acknowledged_by"], "Anna");
}

#[test]
fn an_alarm_that_was_announced_and_not_stored_is_announced_again_as_the_same() {
    let home = Home::ready(1);
    let consumer = home.start("consume --quiet");
    send(&home, "P1,2025-10-26T10:00:00Z,70,97,,,,\n");
    wait_for(|| home.count() == 1);
    home.sql("ALTER TABLE patient_alerts RENAME TO elsewhere");
    send(&home, "P1,2025-10-26T10:00:10Z,70,85,,,,\n");
    wait_for(|| !announced(&home).is_empty());
    consumer.kill();
    home.sql("ALTER TABLE elsewhere RENAME TO patient_alerts");
    assert_eq!(home.rows("alarms list").len(), 0, "it was not stored");
    let before = announced(&home).len();
    home.consume();
    let announced = announced(&home);
    assert!(announced.len() > before);
    assert!(announced.iter().all(|(record, _)| record["value"] == announced[0].0["value"]), "{announced:?}");
    assert_eq!(home.rows("alarms list")[0]["id"], announced[0].1["id"]);
    assert_eq!(home.total_lag(), 0);
}

#[test]
fn without_a_topic_alarms_are_stored_and_none_is_made_and_with_one_a_missing_one_is() {
    let home = Home::up();
    home.file("none.toml", format!("[profile.embedded]\nalarms_topic = \"none\"\nbrokers = \"{}\"\n", home.address()));
    home.done("init --partitions 3 --alarms-topic none");
    send(&home, "P1,2025-10-26T10:30:15Z,130,,,,,\n");
    home.run("consume --exit-at-end --quiet --config none.toml").well();
    assert_eq!(home.rows("alarms list").len(), 1);
    assert!(!topics(&home).contains_key(ALARMS));
    home.run("status --alarms-topic none").well();
    home.run("doctor --alarms-topic none -o ndjson").well().shows(&["alarms are not announced"]);
    assert_eq!(home.doctor(0)["alarms_topic"]["verdict"], "warn");
    send(&home, "P2,2025-10-26T10:30:15Z,130,,,,,\n");
    home.consume();
    assert_eq!((&topics(&home)[ALARMS], &topics(&home)[TOPIC]), (&3.into(), &3.into()));
    assert_eq!(ids(&home).into_iter().collect::<Vec<_>>(), ["P2/heart_rate_high/2025-10-26T10:30:15+00:00"]);
}

#[test]
fn a_program_that_follows_the_topic_hears_of_an_alarm_when_it_is_raised() {
    let home = Home::ready(2);
    let mut follower = home.start(&format!("topic tail {ALARMS} --follow --raw"));
    let consumer = home.start("consume --quiet");
    send(&home, "P1,2025-10-26T10:30:15Z,130,,,,,\n");
    let heard = follower.wait_for_line("\"id\":\"P1/heart_rate_high/2025-10-26T10:30:15+00:00\"", RUN_LIMIT);
    assert!(heard.contains(r#""state":"active""#), "{heard}");
    let schema: Value = serde_json::from_str(&home.done("alarms schema")).unwrap();
    let heard: Value = serde_json::from_str(&heard).unwrap();
    assert!(heard.as_object().unwrap().keys().all(|key| schema["properties"].get(key).is_some()), "{heard}");
    consumer.kill();
    follower.kill();
}
