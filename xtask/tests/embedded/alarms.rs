//! `vitals alarms` on an SQLite file: alarms that `consume` has stored are listed and acknowledged.

use serde_json::{Value, json};

use super::home::{Home, behind_head, unread};
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

/// Without a time of its own: the present.
const NOW: &str = "patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

/// Two alarms of one patient, whose id has slashes, and one of another that is over.
const ROWS: &str = "\
    ward/3/P1,2025-10-26T10:30:15.5Z,130,85,,,,\n\
    P2,2025-10-26T10:40:00Z,131,,,,,\n\
    P2,2025-10-26T10:41:00Z,90,,,,,\n";

const SPO2: &str = "ward/3/P1/spo2_low/2025-10-26T10:30:15.500000+00:00";
const RATE: &str = "ward/3/P1/heart_rate_high/2025-10-26T10:30:15.500000+00:00";
const OVER: &str = "P2/heart_rate_high/2025-10-26T10:40:00+00:00";

fn send(home: &Home, rows: &str) {
    home.file("in.csv", rows);
    home.done("produce --mode csv --csv in.csv --once --interval 0");
    home.consume();
}

fn ward() -> Home {
    let home = Home::ready(6);
    send(&home, &format!("{NAMES}{ROWS}"));
    home
}

/// Id and state of each alarm that is listed.
fn listed(home: &Home, words: &str) -> Vec<(String, String)> {
    let text = |alarm: &Value, name: &str| alarm[name].as_str().unwrap_or_default().to_owned();
    home.rows(&format!("alarms list {words}")).iter().map(|alarm| (text(alarm, "id"), text(alarm, "state"))).collect()
}

fn seen(alarms: &[(String, String)]) -> Vec<(&str, &str)> {
    alarms.iter().map(|(id, state)| (id.as_str(), state.as_str())).collect()
}

fn alarm(home: &Home, id: &str) -> Value {
    home.rows("alarms list").into_iter().find(|alarm| alarm["id"] == id).unwrap()
}

fn values(alarm: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| alarm[*name].clone()).collect()
}

#[test]
fn alarms_are_listed_and_acknowledged_one_by_one_and_once() {
    let home = ward();
    assert_eq!(seen(&listed(&home, "--active")), [(SPO2, "active"), (RATE, "active")]);
    assert_eq!(seen(&listed(&home, "")), [(OVER, "ended"), (RATE, "active"), (SPO2, "active")]);
    assert_eq!(seen(&listed(&home, "--patient P2 --priority medium")), [(OVER, "ended")]);
    assert_eq!(seen(&listed(&home, "--since 2025-10-26T10:40:00Z")), [(OVER, "ended")]);
    let (before, other) = (alarm(&home, SPO2), alarm(&home, RATE));
    let names = ["patient_id", "value", "peak", "limit_in_force", "message", "stale"];
    assert_eq!(values(&before, &names), json!(["ward/3/P1", 85.0, 85.0, 92.0, "Low SpO2: 85", true]));

    assert_eq!(home.done(&format!("alarms ack {SPO2} --by Anna")), format!("{SPO2}: acknowledged by Anna\n"));
    let mut noted = alarm(&home, SPO2);
    assert_eq!((&noted["acknowledged_by"], &noted["state"]), (&"Anna".into(), &"active".into()));
    assert!(noted["acknowledged_at"].as_str().unwrap().ends_with("+00:00"), "{noted}");
    let again = home.run(&format!("alarms ack {SPO2} --by Bo")).well().tells(&["acknowledged before, by Anna at "]);
    assert_eq!(again.output(), "");
    assert_eq!(alarm(&home, SPO2), noted);
    assert_eq!(alarm(&home, RATE), other, "no other one");
    for name in ["acknowledged_by", "acknowledged_at"] {
        noted[name] = Value::Null;
    }
    assert_eq!(noted, before, "nothing else of it");
    home.run("alarms list -o table").well().shows(&["acknowledged by Anna at 20", "active STALE", "***  ward/3/P1"]);
}

#[test]
fn an_acknowledgement_outlives_what_becomes_of_its_alarm() {
    let home = ward();
    home.done(&format!("alarms ack {SPO2} --by Anna"));
    send(
        &home,
        &format!("{NAMES}ward/3/P1,2025-10-26T10:50:00Z,130,80,,,,\nward/3/P1,2025-10-26T10:51:00Z,90,97,,,,\n"),
    );
    let alarm = alarm(&home, SPO2);
    assert_eq!(values(&alarm, &["state", "acknowledged_by", "peak"]), json!(["ended", "Anna", 80.0]));
    assert!(listed(&home, "--active").is_empty());
}

#[test]
fn an_alarm_is_named_by_its_id_with_any_offset_or_by_patient_and_rule_also_when_it_is_over() {
    let home = ward();
    home.done("alarms ack ward/3/P1/spo2_low/2025-10-26T12:30:15.5+02:00 --by Anna");
    home.done("alarms ack ward/3/P1 --rule heart_rate_high --by Anna");
    home.done(&format!("alarms ack {OVER} --by Anna"));
    assert!(home.rows("alarms list").iter().all(|alarm| alarm["acknowledged_by"] == "Anna"));
    assert_eq!(alarm(&home, OVER)["state"], "ended");
}

#[test]
fn an_alarm_that_has_returned_ends_when_it_is_acknowledged() {
    let home = ward();
    home.sql("UPDATE patient_alerts SET returned = '2025-10-26T10:35:00+00:00' WHERE rule = 'spo2_low'");
    assert_eq!(seen(&listed(&home, "--active"))[0], (SPO2, "returned"));
    assert_eq!(
        home.done(&format!("alarms ack {SPO2} --by Anna")),
        format!("{SPO2}: acknowledged by Anna, and ended\n")
    );
    let alarm = alarm(&home, SPO2);
    assert_eq!((&alarm["state"], &alarm["ended"]), (&"ended".into(), &alarm["acknowledged_at"]));
}

#[test]
fn a_wrong_id_is_told_and_then_none_is_acknowledged() {
    let home = ward();
    for (words, told) in [
        ("P1", "'P1' is not the id of an alarm"),
        ("ward/3/P1/spo2_low/2025-10-26T10:30:15Z", "there is no alarm ward/3/P1/spo2_low/2025-10-26T10:30:15Z"),
        (OVER.split_once('/').unwrap().1, "is not the id of an alarm"),
        ("P2 --rule heart_rate_high", "no alarm of the rule heart_rate_high is on for P2"),
        ("ward/3/P1 --rule nothing", "no alarm of the rule nothing is on for ward/3/P1"),
    ] {
        home.refused(&format!("alarms ack {words} --by Anna"), 2).tells(&[told, "nothing was acknowledged"]);
    }
    home.refused(&format!("alarms ack {SPO2} {OVER}0 --by Anna"), 2).tells(&["there is no alarm"]);
    assert!(home.rows("alarms list").iter().all(|alarm| alarm["acknowledged_at"].is_null()));
}

#[test]
fn fresh_readings_keep_an_alarm_from_being_stale() {
    let home = Home::ready(6);
    send(&home, &format!("{NOW}P1,,85,,,,\n"));
    assert_eq!(home.rows("alarms list --active")[0]["stale"], false);
    home.sql("UPDATE patient_vitals SET timestamp = '2025-10-26T10:30:15+00:00'");
    let told = home.run("alarms list --active -o ndjson").well().tells(&["no alarm ends because data stopped"]);
    assert_eq!(told.rows()[0]["stale"], true);
}

#[test]
fn rows_of_an_earlier_vitals_are_shown_only_where_they_are_asked_for() {
    let home = ward();
    home.sql(
        "INSERT INTO patient_alerts (patient_id, onset, rule, priority, value) VALUES
         ('P2', '2025-10-26T10:00:00+00:00', 'spo2_low', 'high', 85), ('P9', '2025-10-26T10:00:00+00:00', 'x', NULL, NULL)",
    );
    assert_eq!(listed(&home, "--active").len(), 2);
    home.run("alarms list").well().tells(&["2 rows of an earlier vitals left out"]);
    let old = listed(&home, "--old");
    assert_eq!(
        seen(&old)[3..],
        [("P2/spo2_low/2025-10-26T10:00:00+00:00", "line"), ("P9/x/2025-10-26T10:00:00+00:00", "line")]
    );
    home.refused("alarms ack P9/x/2025-10-26T10:00:00+00:00 --by Anna", 2).tells(&["and no alarm"]);
}

#[test]
fn where_there_is_nothing_to_list_it_is_said_what_there_is_not() {
    let home = Home::with_tables();
    let told = home.run("alarms list --active -o json").well().tells(&["there are no alarms that are on"]);
    assert_eq!(told.output(), "[]\n");
    home.sql("ALTER TABLE patient_alerts DROP COLUMN started");
    for words in ["alarms list", "alarms ack P1/a/b --by Anna"] {
        home.refused(words, 2).tells(&["that of an earlier vitals: it has no column `started`", "vitals init"]);
    }
    home.sql("DROP TABLE patient_alerts");
    home.refused("alarms list", 2).tells(&["has no table `patient_alerts`", "vitals init"]);
    Home::new().refused("alarms list", 2).tells(&["there is no file"]);
}

#[test]
fn a_reader_that_has_enough_ends_the_list_well() {
    let home = Home::with_tables();
    home.sql(
        "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1000)
         INSERT INTO patient_alerts (patient_id, onset, rule, priority, started, message)
         SELECT 'P' || n, '2025-10-26T10:00:00+00:00', 'spo2_low', 'high', '2025-10-26T10:00:00+00:00', printf('%500s', n)
         FROM number",
    );
    for format in ["ndjson", "table"] {
        behind_head(unread(home.command(&format!("alarms list --limit 1000 -o {format}")))).well();
    }
    home.run("alarms list --limit 10").well().tells(&["990 more: --limit shows them"]);
}

#[cfg(unix)]
#[test]
fn who_watches_sees_what_comes_and_ctrl_c_ends_it_well() {
    let home = ward();
    let mut watch = home.start("alarms list --active --watch=200ms -o ndjson");
    watch.wait_for_line(SPO2, RUN_LIMIT);
    send(&home, &format!("{NOW}P7,,80,,,,\n"));
    watch.wait_for("a new alarm", RUN_LIMIT, |watch: &Running| {
        watch.stdout().iter().any(|line| line.contains("\"P7/spo2_low/")).then_some(())
    });
    watch.signal("INT");
    watch.wait_end(RUN_LIMIT).well();
}
