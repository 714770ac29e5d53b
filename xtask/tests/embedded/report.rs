//! `vitals report` on an SQLite file: what `consume` has stored comes to figures and a page.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::home::Home;
use crate::program::Program as _;

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

const SHIFT: &str = "--since 2025-10-26T10:00:00Z --until 2025-10-26T12:00:00Z";

/// Two hours of a patient at one reading a minute, with three alarms; of another one, a reading.
fn ward() -> Home {
    let home = Home::ready(6);
    let mut rows = NAMES.to_owned();
    for minute in 0..120 {
        let (hour, minute_of_hour) = (10 + minute / 60, minute % 60);
        let heart_rate = if (30..40).contains(&minute) || minute == 50 { 131 } else { 80 };
        let spo2 = if minute >= 100 { 85 } else { 97 };
        let time = format!("2025-10-26T{hour:02}:{minute_of_hour:02}:00Z");
        writeln!(rows, "P1,{time},{heart_rate},{spo2},120,80,16,").unwrap();
    }
    rows += "<script>,2025-10-26T11:59:00Z,135,,,,,\n";
    home.file("in.csv", rows);
    home.done("produce --mode csv --csv in.csv --once --interval 0");
    home.consume();
    home
}

fn document(home: &Home, words: &str) -> Value {
    serde_json::from_str(&home.done(&format!("report {words} -o json"))).unwrap()
}

fn values(of: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| of[*name].clone()).collect()
}

#[test]
fn the_alarms_of_a_shift_are_counted_by_patient_and_rule() {
    let home = ward();
    let all = document(&home, SHIFT);
    let names = ["patients", "alarms", "on", "unacknowledged", "from_before", "noisiest_tenth_percent"];
    assert_eq!(values(&all, &names), json!([2, 4, 2, 4, 0, 75.0]));
    let rows = home.rows(&format!("report {SHIFT}"));
    assert_eq!(json!(rows), all["by_patient"]);
    let names = ["patient_id", "alarms", "watched_s", "in_alarm_s", "longest_s", "news2_peak", "news2_partial"];
    assert_eq!(values(&rows[0], &names), json!(["P1", 3, 7140, 600 + 60 + 1200, 1200, 3, true]));
    assert_eq!(values(&rows[1], &names), json!(["<script>", 1, 0, 60, 60, 3, true]));
    assert_eq!(rows[0]["news2_peak_at"], "2025-10-26T10:30:00+00:00");
    let rules: Vec<_> = all["by_rule"].as_array().unwrap().iter().map(|of| values(of, &["rule", "alarms"])).collect();
    assert_eq!(json!(rules), json!([["heart_rate_high", 3], ["spo2_low", 1]]));
    assert_eq!(all["longest_alarms"][0]["id"], "P1/spo2_low/2025-10-26T11:40:00+00:00");

    let first = all["unacknowledged_alarms"][0]["id"].as_str().unwrap();
    assert_eq!(first, "P1/spo2_low/2025-10-26T11:40:00+00:00");
    home.done(&format!("alarms ack {first} --by Anna"));
    let after = document(&home, SHIFT);
    assert_eq!(values(&after, &["on", "on_unacknowledged", "unacknowledged"]), json!([2, 1, 3]));
    let later = document(&home, "--since 2025-10-26T11:45:00Z --until 2025-10-26T12:00:00Z --patient P1");
    assert_eq!(values(&later, &["alarms", "from_before", "on"]), json!([0, 1, 1]));
    assert_eq!(later["by_patient"][0]["in_alarm_s"], 900);

    let table = home.run(&format!("report {SHIFT} -o table")).well();
    let table =
        table.shows(&["Alarms from 20", "alarms raised   4 (1 ***, 3 **)", "\nP1          1   2  0    3 ", "By rule"]);
    assert!(table.stdout.iter().all(|line| line.chars().count() <= 80), "{}", table.output());
}

#[test]
fn a_long_time_and_one_whose_readings_have_gone_are_told_by_their_minutes() {
    let home = ward();
    let shift = document(&home, SHIFT);
    let long = "--since 2025-10-22T10:00:00Z --until 2025-10-26T12:00:00Z";
    let told = "NEWS2 is that of the last values of each minute";
    assert!(!home.run(&format!("report {SHIFT}")).well().stderr.iter().any(|line| line.contains(told)));
    // There is a reading a minute, at its beginning.
    home.run(&format!("report {long} --html long.html")).well().tells(&[told]);
    assert_eq!(document(&home, long)["by_patient"], shift["by_patient"]);
    assert!(home.read("long.html").contains(told));

    home.done("retention set --raw 30d --yes --by Anna --reason disk");
    home.sql("DELETE FROM patient_vitals");
    for span in [SHIFT, long] {
        home.run(&format!("report {span}")).well().tells(&[told]);
        assert_eq!(document(&home, span)["by_patient"], shift["by_patient"]);
    }
}

#[test]
fn the_page_is_replaced_by_a_whole_one_and_holds_what_others_have_named_as_text() {
    let home = ward();
    home.file("shift.html", "old");
    home.run(&format!("report {SHIFT} --html shift.html")).well().tells(&["wrote shift.html ("]);
    let page = home.read("shift.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    assert_eq!((page.matches("<section").count(), page.matches("<svg class=\"trend\"").count()), (2, 2));

    home.refused(&format!("report {SHIFT} --html nowhere/shift.html"), 2)
        .tells(&["there is no folder", "make the folder"]);
    home.refused(&format!("report {SHIFT} --html shift.html --store sqlite:elsewhere.db"), 2)
        .tells(&["there is no file"]);
    assert_eq!(home.read("shift.html"), page, "it is left as it was");
    let files = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.filter(|name| name.contains(".partial")).count(), 0);
}

#[test]
fn rows_of_an_earlier_vitals_are_no_alarms_and_are_told() {
    let home = ward();
    home.sql(
        "INSERT INTO patient_alerts (patient_id, onset, rule, priority, value) VALUES
         ('P1', '2025-10-26T10:30:00+00:00', 'x', 'high', 85), ('P1', '2025-10-26T09:00:00+00:00', 'x', 'high', 85)",
    );
    home.run(&format!("report {SHIFT}")).well().tells(&["note: 1 row of an earlier vitals left out"]);
    assert_eq!(document(&home, SHIFT)["alarms"], 4);
}

#[test]
fn where_there_is_nothing_to_report_it_is_said() {
    let home = Home::with_tables();
    assert_eq!(home.run("report").well().tells(&["there are no readings and no alarms from 20"]).output(), "");
    home.run("report --patient P9 -o table").well().tells(&["there are no readings and no alarms of P9 from 20"]);
    assert_eq!(document(&home, "")["patients"], 0);
    home.refused("report --since -1h --until -2h", 2).tells(&["no time lies between"]);
    home.sql("DROP TABLE patient_alerts");
    home.refused("report", 2).tells(&["has no table `patient_alerts`", "vitals init"]);
    Home::new().refused("report", 2).tells(&["there is no file"]);
}
