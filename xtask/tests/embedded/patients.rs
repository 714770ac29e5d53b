//! Patients who are admitted: each command a process of its own, beside a consumer that runs.

use std::time::{Duration, Instant};

use super::home::Home;
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running, wait_until};

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

fn send(home: &Home, rows: &str) {
    home.file("in.csv", format!("{NAMES}{rows}"));
    home.done("produce --mode csv --csv in.csv --once --interval 0");
}

fn consumer(home: &Home) -> Running {
    home.start("consume --alerts changes")
}

#[test]
fn a_limit_of_a_patients_own_is_taken_up_by_a_running_consumer_and_shown_with_who_and_why() {
    let home = Home::ready(1);
    let mut consumer = consumer(&home);
    send(&home, "P1,2025-10-26T10:00:00Z,120,,,,,\n");
    consumer.wait_for_line("raised   P1 High heart rate: 120", RUN_LIMIT);
    home.run("patient admit P1 --name Ada --ward West --bed 3 --by Anna")
        .well()
        .tells(&["P1: admitted, Ada, ward West"]);
    let began = Instant::now();
    home.run("patient set P1 --limit heart_rate.high=130 --reason sepsis --by Bo").well();
    consumer.wait_for_line("ended    P1 High heart rate: 120", RUN_LIMIT);
    assert!(began.elapsed() < Duration::from_secs(15));
    send(&home, "P1,2025-10-26T10:00:10Z,125,,,,,\nP1,2025-10-26T10:00:20Z,131,,,,,\n");
    consumer.wait_for_line("raised   P1 High heart rate: 131", RUN_LIMIT);
    let limits = home.rows("patient show P1");
    let own = limits.iter().find(|limit| limit["rule"] == "heart_rate_high").unwrap();
    assert_eq!((own["limit"].as_f64(), own["limit_of_all"].as_f64()), (Some(130.0), Some(110.0)));
    assert_eq!((&own["by"], &own["reason"]), (&"Bo".into(), &"sepsis".into()));
    let alarms = home.rows("alarms list --active --ward West");
    assert_eq!((alarms[0]["limit_in_force"].as_f64(), &alarms[0]["name"]), (Some(130.0), &"Ada".into()));
    assert_eq!(home.rows("alarms list --active --ward East").len(), 0);
    consumer.signal("INT");
    consumer.wait_end(RUN_LIMIT).well();
}

#[test]
fn what_is_impossible_is_refused_with_what_helps_and_changes_nothing() {
    let home = Home::ready(1);
    for (words, code, told) in [
        ("patient set P1 --limit spo2.low=88 --reason r --by A", 2, "hint: `vitals patient list` shows who is"),
        ("patient discharge P1 --by A", 2, "P1 is not admitted"),
        ("alarms pause P1 --for 2m --by A --reason r", 2, "P1 is not admitted"),
    ] {
        home.run(words).with_code(code).tells(&[told]);
    }
    home.run("patient admit P1 --by A").well();
    for (words, told) in [
        ("patient admit P1 --by A", "P1 is admitted already"),
        ("patient set P1 --by A --reason r", "nothing to set"),
        ("patient set P1 --limit spo2.lwo=88 --reason r --by A", "hint: did you mean spo2_low?"),
        ("patient set P1 --limit spo2.low=99.5 --reason r --by A", "would never end"),
        ("patient set P1 --limit heart_rate.high=400 --reason r --by A", "would never be crossed"),
        ("alarms pause P1 --for 2h --by A --reason r", "a pause lasts at most"),
    ] {
        home.run(words).with_code(2).tells(&[told]);
    }
    let patients = home.rows("patient list");
    assert_eq!((patients.len(), patients[0]["own_limits"].as_i64()), (1, Some(0)));
}

#[test]
fn changes_of_several_at_the_same_moment_are_all_kept() {
    let home = Home::ready(1);
    home.run("patient admit P1 --by A").well();
    let words = ["--name Ada", "--bed 7", "--ward West", "--birth-date 1950-02-28"];
    let running: Vec<_> = words.map(|words| home.start(&format!("patient set P1 {words} --by A --reason r"))).into();
    for change in running {
        change.wait_end(RUN_LIMIT).well();
    }
    let patient = &home.rows("patient list")[0];
    let known = ["name", "bed", "ward", "birth_date"].map(|name| patient[name].as_str().unwrap_or_default());
    assert_eq!(known, ["Ada", "7", "West", "1950-02-28"]);
    home.run("patient discharge P1 --by A").well();
    assert_eq!((home.rows("patient list").len(), home.rows("patient list --all").len()), (0, 1));
    home.run("patient show P1 -o table").well().shows(&["Ada", "discharged", "CHANGED"]);
}

#[test]
fn a_pause_is_shown_and_ends_by_itself_or_by_hand() {
    let home = Home::ready(1);
    home.run("patient admit P1 --by A").well();
    home.run("alarms pause P1 --for 10m --by Anna --reason suction").well().tells(&["P1: alarms are paused until "]);
    send(&home, "P1,2025-10-26T10:00:00Z,120,,,,,\n");
    home.run("consume --exit-at-end --alerts changes").well().shows(&["(paused)"]);
    assert_eq!(home.rows("alarms list --active")[0]["paused"], true);
    home.run("alarms resume P1 --by Anna").well();
    assert_eq!(home.rows("alarms list --active")[0]["paused"], false);
    home.run("alarms pause P1 --for 100ms --by Anna --reason suction").well();
    let is_over = || (home.rows("alarms list --active")[0]["paused"] == false).then_some(());
    wait_until("the pause ends", RUN_LIMIT, is_over);
}

#[test]
fn a_set_under_which_a_patients_own_limit_is_impossible_is_refused_with_what_helps() {
    let home = Home::ready(1);
    home.run("patient admit P1 --by A").well();
    home.run("patient set P1 --limit spo2.low=85 --by A --reason COPD").well();
    home.file("wide.toml", "[[rule]]\nname = \"spo2_low\"\nsign = \"spo2\"\nbelow = 70\nhysteresis = 20\n");
    let wide = "rules apply wide.toml --by A --reason r";
    home.run(wide).with_code(2).tells(&[
        "a patient's own limits are impossible under it: P1: an alarm of spo2_low with the limit 85 would never end",
        "`vitals patient set P1 --limit spo2_low=none",
    ]);
    assert_eq!(home.rows("rules history").len(), 0);
    home.file("rate.toml", "[[rule]]\nname = \"fast\"\nsign = \"heart_rate\"\nabove = 120\n");
    home.run("rules apply rate.toml --by A --reason r")
        .well()
        .tells(&["P1: the own limit of spo2_low has no effect", "applied as version 1"]);
    home.run("patient discharge P1 --by A").well();
    home.run(wide).well().tells(&["applied as version 2"]);
}

/// No fetch comes back empty: in the same partition something of others comes all the time.
#[test]
fn of_who_is_admitted_it_is_noticed_when_nothing_comes() {
    let home = Home::ready(1);
    let set = "[[rule]]\nname = \"quiet\"\nsilent = \"2s\"\n";
    home.file("quiet.toml", set);
    home.run("rules apply quiet.toml --by A --reason r").well();
    home.run("patient admit P1 --by A").well();
    let busy = home.start("produce --mode random --interval 0.05");
    let mut consumer = consumer(&home);
    consumer.wait_for_line("raised   P1 No data for 2 s", RUN_LIMIT);
    home.run("patient discharge P1 --by A").well();
    consumer.wait_for_line("ended    P1 No data for 2 s", RUN_LIMIT);
    consumer.signal("INT");
    consumer.wait_end(RUN_LIMIT).well();
    busy.kill();
    let alarms = home.rows("alarms list --patient P1");
    assert_eq!((alarms.len(), &alarms[0]["rule"], &alarms[0]["state"]), (1, &"quiet".into(), &"ended".into()));
}
