//! `vitals scores` on an SQLite file.

use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::home::Home;
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};

/// A line of a file to import, of so many seconds before this time.
fn row_at(now: DateTime<Utc>, patient: &str, seconds_ago: i64, signs: &str) -> String {
    let time = now - TimeDelta::seconds(seconds_ago);
    format!("{patient},{},{signs}\n", time.format("%Y-%m-%dT%H:%M:%SZ"))
}

fn ward() -> Home {
    let home = Home::with_tables();
    let now = Utc::now();
    let row = |patient: &str, seconds_ago, signs: &str| row_at(now, patient, seconds_ago, signs);
    let mut rows = row("P1", 7300, "135,85,85,50,30,40.0");
    for minute in 0..60 {
        rows += &row("P2", 60 + 60 * minute, "75,98,120,80,16,36.8");
        rows += &row("P3", 60 + 60 * minute, "115,93,105,60,22,38.4");
    }
    // Of the temperature there is none in many readings.
    rows += &row("P4", 2000, ",,,,,39.5");
    for second in 60..1300 {
        rows += &row("P4", second, "120,97,,,,");
    }
    rows += &row("P5", 60, "0,0,,,,");
    home.file("in.csv", rows);
    home.done("import in.csv");
    home
}

/// The points of an item.
fn points<'a>(patient: &'a Value, item: &str) -> &'a Value {
    let parts = patient["parts"].as_array().unwrap();
    &parts.iter().find(|part| part["item"] == item).unwrap()["points"]
}

/// How often `vitals scores` opens the file.
fn opened(home: &Home) -> usize {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let scores = home.command("scores");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=openat", "-o"]).arg(trace.path());
    command.arg(scores.get_program()).args(scores.get_args());
    for (name, value) in scores.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = scores.get_current_dir() {
        command.current_dir(folder);
    }
    Running::start("strace, which apt-get install strace installs,", &mut command).wait_end(RUN_LIMIT).well();
    let trace = std::fs::read_to_string(trace.path()).unwrap();
    trace.lines().filter(|line| line.contains(".db\"") && !line.contains("ENOENT")).count()
}

#[test]
#[cfg(target_os = "linux")]
fn all_patients_are_read_over_one_connection() {
    let home = ward();
    let before = opened(&home);
    let rows: String = (10..30).map(|patient| row_at(Utc::now(), &format!("P{patient}"), 60, "80,97,,,,")).collect();
    home.file("more.csv", rows);
    home.done("import more.csv");
    assert_eq!((opened(&home), home.rows("scores --limit 100").len()), (before, 25));
}

#[test]
fn the_patients_to_look_at_first_come_first_and_who_is_silent_last() {
    let home = ward();
    let listed = home.rows("scores");
    let of = |name: &str| listed.iter().map(|patient| patient[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("patient_id"), ["P3", "P4", "P2", "P5", "P1"]);
    assert_eq!(of("total"), [json!(8), json!(4), json!(0), Value::Null, json!(14)]);
    assert_eq!(of("partial"), [json!(true), json!(true), json!(true), Value::Null, json!(true)]);
    assert_eq!(of("stale"), [false, false, false, false, true]);
    assert_eq!(of("level"), [json!("high"), json!("low"), json!("low"), Value::Null, json!("high")]);
    assert_eq!((points(&listed[1], "temperature"), points(&listed[1], "systolic")), (&json!(2), &Value::Null));
    assert_eq!(points(&listed[0], "consciousness"), &Value::Null);

    let one = home.rows("scores --patient P4 --score qsofa");
    assert_eq!((one.len(), &one[0]["score"], &one[0]["total"]), (1, &json!("qSOFA"), &Value::Null));
    home.run("scores --limit 2").well().tells(&["2 of 5 patients"]);
    home.run("scores -o table").well().shows(&["PATIENT  NEWS2 ", "\nP3          ≥8 ", "stale 2h"]).tells(&[
        "≥ is PARTIAL",
        "high, at least: emergency: ",
        "never an alarm",
    ]);
    home.run("scores --patient P4 -o table").well().shows(&["\ntemperature               2   39.5  33m"]);
}

#[test]
fn with_oxygen_and_consciousness_a_score_is_whole_and_its_alarm_says_so() {
    let home = Home::up();
    home.done("init");
    home.done("rules apply ward --by Anna --reason adults");
    let now = Utc::now();
    let names = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature";
    let ill = "115,92,105,60,22,38.4";
    let mut rows = format!("{names},supplemental_oxygen,consciousness\n");
    for minute in (0..10).rev() {
        let seen = if minute == 9 { ",true,A" } else { ",," };
        rows += &row_at(now, "P1", 60 * minute, &format!("{ill}{seen}"));
        rows += &row_at(now, "P2", 60 * minute, &format!("{ill},,"));
    }
    home.file("seen.csv", rows);
    home.done("produce --mode csv --csv seen.csv --once --interval 0");
    home.consume();
    assert_eq!(home.done("count"), "{\"rows\":20}\n");
    let listed = home.rows("scores");
    let of = |name: &str| listed.iter().map(|patient| patient[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("patient_id"), ["P1", "P2"]);
    assert_eq!((of("total"), of("partial")), (vec![json!(10), json!(8)], vec![json!(false), json!(true)]));
    assert_eq!(
        (points(&listed[0], "supplemental_oxygen"), points(&listed[0], "consciousness")),
        (&json!(2), &json!(0))
    );
    let alarms = home.rows("alarms list");
    let mut texts: Vec<_> = alarms.iter().filter(|alarm| alarm["rule"] == "news2_high").collect();
    texts.sort_by_key(|alarm| alarm["patient_id"].to_string());
    let texts: Vec<_> = texts.iter().map(|alarm| alarm["message"].clone()).collect();
    assert_eq!(texts, ["NEWS2: 10", "NEWS2 PARTIAL: 8"]);
}

#[test]
fn whoever_has_no_readings_is_told_and_the_list_goes_on_until_it_is_stopped() {
    let home = Home::with_tables();
    assert_eq!(home.run("scores").well().tells(&["the table has no readings"]).output(), "");
    home.run("scores --patient P9").well().tells(&["there are no readings of P9"]);
    home.refused("scores --store sqlite:elsewhere.db", 2);
    let mut watched = home.start("scores --watch=200ms");
    home.file("in.csv", row_at(Utc::now(), "P1", 10, "75,98,120,80,16,36.8"));
    home.done("import in.csv");
    let is_shown_again = |watched: &Running| {
        let lines = watched.stdout();
        (lines.iter().filter(|line| line.contains("\"patient_id\":\"P1\"")).count() > 1).then_some(())
    };
    watched.wait_for("the list again", RUN_LIMIT, is_shown_again);
    watched.signal("INT");
    watched.wait_end(RUN_LIMIT).well();
}
