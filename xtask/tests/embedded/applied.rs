//! Rules that are applied while a consumer runs, and alarms over a consumer's end: each command a process of its own.

use std::time::{Duration, Instant};

use super::home::Home;
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

/// By the promise.
const TAKEN_UP: Duration = Duration::from_secs(5);
/// What the tests beside this one may add.
const ROOM: Duration = Duration::from_secs(10);

/// Without a delay: these readings are long past by the clock, so that a delay would have run out at once.
const ADULTS: &str = "\
[[rule]]\nname = \"heart_rate_high\"\nsign = \"heart_rate\"\nabove = 130\nhysteresis = 5\n\
[[rule]]\nname = \"spo2_low\"\nsign = \"spo2\"\nbelow = 92\nhysteresis = 2\n";

const SLOW: &str = "[[rule]]\nname = \"fast\"\nsign = \"heart_rate\"\nabove = 110\nhysteresis = 5\ndelay = \"60s\"\n";

fn send(home: &Home, rows: &str) {
    home.file("in.csv", format!("{NAMES}{rows}"));
    home.done("produce --mode csv --csv in.csv --once --interval 0");
}

fn consumer(home: &Home) -> Running {
    home.start("consume --alerts changes")
}

fn end(consumer: Running) {
    consumer.signal("INT");
    consumer.wait_end(RUN_LIMIT).well();
}

/// Rule, onset, start and end of each alarm.
fn alarms(home: &Home) -> Vec<[String; 4]> {
    let text =
        |value: &serde_json::Value| value.as_str().unwrap_or_default().replace("2025-10-26T", "").replace("+00:00", "");
    let rows = home.rows("alarms list");
    let mut alarms: Vec<_> =
        rows.iter().map(|row| ["rule", "onset", "started", "ended"].map(|name| text(&row[name]))).collect();
    alarms.sort();
    alarms
}

#[test]
fn a_running_consumer_takes_up_what_is_applied_and_keeps_alarms_over_it() {
    let home = Home::ready(2);
    let mut consumer = consumer(&home);
    send(&home, "P1,2025-10-26T10:00:00Z,120,85,,,,\n");
    consumer.wait_for_line("raised   P1 Low SpO2: 85", RUN_LIMIT);
    let began = Instant::now();
    home.file("adults.toml", ADULTS);
    home.run("rules apply adults.toml --by nurse --reason ward").well().tells(&["2 rules: applied as version 1"]);
    consumer.wait_for_note("the rules in force are adults.toml, version 1 (applied by nurse: ward)", TAKEN_UP + ROOM);
    assert!(began.elapsed() < TAKEN_UP + ROOM);
    // The rate of 120 is not over the new limit: it is back. The alarm of SpO2 goes on.
    send(&home, "P1,2025-10-26T10:00:10Z,,93,,,,\nP1,2025-10-26T10:00:20Z,,94,,,,\n");
    consumer.wait_for_line("ended    P1 Low SpO2: 85", RUN_LIMIT);
    end(consumer);
    let expected =
        [["heart_rate_high", "10:00:00", "10:00:00", "10:00:00"], ["spo2_low", "10:00:00", "10:00:00", "10:00:20"]];
    assert_eq!(alarms(&home), expected);
}

#[test]
fn what_was_applied_is_listed_once_and_a_mistake_never_reaches_the_store() {
    let home = Home::ready(1);
    assert_eq!(home.rows("rules history").len(), 0);
    home.file("mine.toml", SLOW);
    for (words, told) in [
        (["mine.toml", "one"], "mine.toml, 1 rule: applied as version 1"),
        (["mine.toml", "two"], "mine.toml is in force already, as version 1"),
        (["classic", "back"], "classic, 2 rules: applied as version 2"),
    ] {
        let [set, reason] = words;
        home.run(&format!("rules apply {set} --by me --reason {reason}")).well().tells(&[told]);
    }
    home.file("mine.toml", SLOW.replace("above", "abov"));
    home.run("rules apply mine.toml --by me --reason x").with_code(3).tells(&["line 4, column 1"]);
    home.run("rules apply ward --by= --reason x").with_code(2);
    let history = home.rows("rules history");
    let shown: Vec<_> =
        history.iter().map(|set| (set["version"].as_i64(), set["name"].as_str(), &set["in_force"])).collect();
    assert_eq!(shown, [(Some(2), Some("classic"), &true.into()), (Some(1), Some("mine.toml"), &false.into())]);
    assert_eq!(history[1]["content"], SLOW);
}

#[test]
fn rules_that_cannot_be_read_here_leave_those_before_in_force() {
    let home = Home::ready(1);
    home.sql(
        "INSERT INTO alarm_rules (scope, version, name, author, reason, applied_at, content) \
         VALUES ('all', 7, 'tomorrow', 'x', 'y', 't', '[[rule]]' || char(10) || 'name = \"a\"' || char(10) || 'moon = 1')",
    );
    send(&home, "P1,2025-10-26T10:00:00Z,130,,,,,\n");
    home.run("consume --exit-at-end --alerts changes").well().tells(&[
        "rules of version 7 cannot be read here (line 3, column 1: a rule has no 'moon')",
        "those before stay in force",
    ]);
    assert_eq!(alarms(&home), [["heart_rate_high", "10:00:00", "10:00:00", ""]]);
}

/// The first consumer ends while an alarm is pending, and all that it has read is committed.
#[test]
fn what_was_pending_when_a_consumer_ended_is_raised_by_the_next_one() {
    let home = Home::ready(1);
    home.file("slow.toml", SLOW.replace("60s", "20s"));
    home.run("rules apply slow.toml --by me --reason testing").well();
    let now = chrono::Utc::now();
    let second = |ago: i64| (now - chrono::TimeDelta::seconds(ago)).to_rfc3339();
    send(&home, &format!("P1,{},120,,,,,\nP2,{},80,,,,,\n", second(10), second(0)));
    home.run("consume --exit-at-end --quiet").well().tells(&["0 alarms"]);
    assert_eq!(home.rows("lag").iter().map(|lag| lag["lag"].as_i64().unwrap()).sum::<i64>(), 0);
    // A reading that is over, too: the onset is that of the first.
    let later = (now + chrono::TimeDelta::seconds(15)).to_rfc3339();
    send(&home, &format!("P1,{later},121,,,,,\n"));
    home.run("consume --exit-at-end --quiet").well().tells(&["1 alarm"]);
    let alarms = home.rows("alarms list");
    assert_eq!(alarms.len(), 1);
    assert_eq!((alarms[0]["value"].as_f64(), alarms[0]["peak"].as_f64()), (Some(120.0), Some(121.0)));
}

#[test]
fn an_alarm_that_latches_ends_when_it_is_acknowledged_by_another_command() {
    let home = Home::ready(1);
    home.file("latched.toml", SLOW.replace("delay = \"60s\"", "latch = true"));
    home.run("rules apply latched.toml --by me --reason testing").well();
    let mut consumer = consumer(&home);
    send(&home, "P1,2025-10-26T10:00:00Z,130,,,,,\nP1,2025-10-26T10:00:10Z,90,,,,,\n");
    consumer.wait_for_line("returned P1 High heart rate: 130", RUN_LIMIT);
    home.run("alarms ack P1/fast/2025-10-26T10:00:00+00:00 --by nurse").well();
    consumer.wait_for_line("ended    P1 High heart rate: 130", RUN_LIMIT);
    // It is free for the next one.
    send(&home, "P1,2025-10-26T10:00:20Z,140,,,,,\n");
    consumer.wait_for_line("raised   P1 High heart rate: 140", RUN_LIMIT);
    end(consumer);
    let shown = home.rows("alarms list");
    assert_eq!(shown.iter().filter(|alarm| alarm["acknowledged_by"] == "nurse").count(), 1);
}
