use std::collections::HashMap;

use chrono::{DateTime, TimeZone as _, Utc};

use super::list::{Args, Found};
use super::view::{self, Listed};
use crate::cmd::common::parsed;
use crate::output::{Memory, Output, Text};
use crate::store::StoredAlarm;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2025, 10, 26, 11, 0, 0).single().unwrap()
}

/// An alarm that began at this minute after ten.
fn alarm(patient: &str, rule: &str, priority: &str, minute: u32) -> StoredAlarm {
    let onset = format!("2025-10-26T10:{minute:02}:00+00:00");
    StoredAlarm {
        patient_id: patient.to_owned(),
        onset: onset.clone(),
        rule: rule.to_owned(),
        priority: Some(priority.to_owned()),
        value: Some(90.0),
        limit: Some(92.0),
        peak: Some(85.0),
        started: Some(onset),
        returned: Some(String::new()),
        ended: None,
        acknowledged_by: None,
        acknowledged_at: None,
        message: Some("Low SpO2: 85".to_owned()),
        rules: Some("classic".to_owned()),
    }
}

fn ended(alarm: StoredAlarm) -> StoredAlarm {
    StoredAlarm { ended: Some("2025-10-26T10:59:00+00:00".to_owned()), ..alarm }
}

/// A row of an earlier vitals.
fn line(patient: &str, minute: u32) -> StoredAlarm {
    StoredAlarm {
        started: None,
        returned: None,
        peak: None,
        message: None,
        ..alarm(patient, "spo2_low", "high", minute)
    }
}

/// What is listed of these rows, where the newest reading of every patient is of this minute after ten.
fn listed(words: &str, rows: &[StoredAlarm], newest: u32) -> Memory {
    let args: Args = parsed(words).unwrap();
    let mut found = Found::default();
    for row in rows {
        found.take(vec![row.clone()], &args);
    }
    let newest = |row: &StoredAlarm| (row.patient_id.clone(), format!("2025-10-26T10:{newest:02}:00+00:00"));
    found.judge(&rows.iter().map(newest).collect::<HashMap<_, _>>(), now());
    let (output, memory) = Output::into_memory();
    found.show(&args, now(), &output).unwrap();
    memory
}

fn ids(words: &str, rows: &[StoredAlarm]) -> Vec<String> {
    let csv = listed(&format!("{words} -o csv"), rows, 59).stdout();
    csv.lines().skip(1).map(|row| row.split(',').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_is_on_comes_by_priority_and_then_the_oldest_first() {
    let rows = [
        alarm("P1", "a", "low", 0),
        alarm("P2", "b", "high", 30),
        ended(alarm("P3", "c", "high", 1)),
        alarm("P4", "d", "medium", 5),
        alarm("P5", "e", "high", 20),
        line("P6", 10),
    ];
    let at = |id: &str, minute: u32| format!("{id}/2025-10-26T10:{minute:02}:00+00:00");
    let all = [at("P5/e", 20), at("P2/b", 30), at("P4/d", 5), at("P1/a", 0)];
    assert_eq!(ids("--active", &rows), all);
    assert_eq!(ids("--active --limit 2", &rows), all[..2]);
    assert_eq!(ids("--active --priority high", &rows), all[..2]);
    assert_eq!(ids("--active --since 2025-10-26T10:05:00Z", &rows), all[..3]);
}

#[test]
fn all_alarms_come_newest_first_and_those_beyond_the_limit_are_counted() {
    let rows = [alarm("P1", "b", "low", 0), alarm("P1", "a", "low", 0), ended(alarm("P2", "c", "high", 30))];
    let newest = ["P2/c/2025-10-26T10:30:00+00:00", "P1/a/2025-10-26T10:00:00+00:00"];
    assert_eq!(ids("", &rows)[..2], newest);
    assert_eq!(ids("--limit 2", &rows), newest);
    assert_eq!(listed("--limit 2 -o csv", &rows, 59).stderr(), "1 more: --limit shows them\n");
}

#[test]
fn rows_of_an_earlier_vitals_are_left_out_and_that_is_said() {
    let rows = [line("P1", 1), line("P1", 2), alarm("P1", "spo2_low", "high", 3)];
    assert_eq!(ids("", &rows).len(), 1);
    let talk = listed("-o csv", &rows, 59).stderr();
    assert_eq!(talk, "2 rows of an earlier vitals left out, one a reading over a limit; --old shows them\n");
    assert_eq!(listed("--active -o csv", &rows, 59).stderr(), "");
    let old = listed("--old -o ndjson", &rows[..1], 59);
    assert_eq!(old.stderr(), "");
    assert!(old.stdout().contains(r#""state":"line","stale":null,"#), "{}", old.stdout());
    assert!(parsed::<Args>("--active --old").is_err());
}

#[test]
fn programs_get_every_column_and_an_empty_text_is_none() {
    let expected = concat!(
        r#"{"id":"P1/spo2_low/2025-10-26T10:30:00+00:00","state":"active","stale":false,"patient_id":"P1","#,
        r#""onset":"2025-10-26T10:30:00+00:00","rule":"spo2_low","priority":"high","value":90.0,"#,
        r#""limit_in_force":92.0,"peak":85.0,"started":"2025-10-26T10:30:00+00:00","returned":null,"ended":null,"#,
        r#""acknowledged_by":null,"acknowledged_at":null,"message":"Low SpO2: 85","#,
        r#""name":null,"ward":null,"bed":null,"paused":false}"#,
        "\n"
    );
    assert_eq!(listed("-o ndjson", &[alarm("P1", "spo2_low", "high", 30)], 59).stdout(), expected);
}

#[test]
fn people_get_columns_and_below_them_the_id_and_who_acknowledged() {
    let acknowledged = StoredAlarm {
        acknowledged_by: Some("Anna".to_owned()),
        acknowledged_at: Some("2025-10-26T10:55:00+00:00".to_owned()),
        limit: None,
        message: Some("Heart rate 0: asystole or lead off".to_owned()),
        ..alarm("P002", "heart_rate_implausible", "high", 0)
    };
    let back = Some("2025-10-26T10:40:00+00:00".to_owned());
    let returned = StoredAlarm { returned: back, peak: Some(1.0 / 3.0), ..alarm("P001", "shock_index", "medium", 30) };
    let memory = listed("-o table", &[acknowledged, returned, ended(alarm("P1", "spo2_low", "low", 58))], 59);
    let expected = "\
PRI  PATIENT  ALARM                               STATE     FOR   PEAK  LIMIT
*    P1       Low SpO2: 85                        ended      1m     85     92
     P1/spo2_low/2025-10-26T10:58:00+00:00
**   P001     Low SpO2: 85                        returned  30m  0.333     92
     P001/shock_index/2025-10-26T10:30:00+00:00
***  P002     Heart rate 0: asystole or lead off  active     1h     85      -
     P002/heart_rate_implausible/2025-10-26T10:00:00+00:00
     acknowledged by Anna at 2025-10-26T10:55:00+00:00
";
    assert_eq!(memory.stdout(), expected);
    assert_eq!(memory.stderr(), "");
}

#[test]
fn on_a_terminal_no_line_is_wider_than_it_but_for_an_id() {
    let long = StoredAlarm {
        patient_id: "a patient with a long id \u{202e}".to_owned(),
        message: Some("Diastolic pressure not below systolic: 123.456".to_owned()),
        acknowledged_by: Some("Somebody with a long name, of the night shift on ward 7".to_owned()),
        acknowledged_at: Some("2025-10-26T10:55:00.123456+00:00".to_owned()),
        ..alarm("", "blood_pressure_implausible", "low", 0)
    };
    let alarms: Vec<_> = [long, alarm("P001", "spo2_low", "high", 30)]
        .map(|alarm| Listed { state: alarm.state(), alarm, is_stale: Some(true), admission: None, is_paused: false })
        .into();
    for width in [80, 72] {
        let lines: Vec<_> = view::lines(&alarms, now(), width, true).iter().map(printed).collect();
        assert!(lines.iter().all(|line| line.chars().count() <= width || line.contains("+00:00")), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\u{202e}')), "{lines:#?}");
        assert!(lines.iter().any(|line| line.trim() == "P001/spo2_low/2025-10-26T10:30:00+00:00"), "{lines:#?}");
    }
}

fn printed(line: &Text) -> String {
    let (output, memory) = Output::into_memory();
    output.line(line.clone()).unwrap();
    memory.stdout().trim_end().to_owned()
}

#[test]
fn an_alarm_whose_patient_has_had_no_reading_for_five_minutes_is_stale_and_that_is_said() {
    let rows = [alarm("P1", "spo2_low", "high", 30), ended(alarm("P1", "spo2_low", "high", 20))];
    for (newest, word, is_said) in [(55, "active", false), (54, "active STALE", true)] {
        let memory = listed("-o table", &rows, newest);
        let line = memory.stdout().lines().nth(1).unwrap_or_default().to_owned();
        assert!(line.contains(&format!("  {word}  ")), "{line}");
        assert_eq!(memory.stderr().contains("no alarm ends because data stopped"), is_said);
    }
    let mut found = Found::default();
    found.take(rows.to_vec(), &parsed("").unwrap());
    found.judge(&HashMap::new(), now());
    assert_eq!(found.alarms.iter().map(|listed| listed.is_stale).collect::<Vec<_>>(), [Some(true), None]);
}

#[test]
fn where_there_are_none_it_is_said_of_what() {
    for (words, told) in [
        ("", "there are no alarms"),
        ("--active", "there are no alarms that are on"),
        ("--active --patient P1 --priority low", "there are no alarms of low priority of P1 that are on"),
        ("--since 2025-10-26T10:05:00Z", "there are no alarms since 2025-10-26T10:05:00+00:00"),
    ] {
        let memory = listed(&format!("{words} -o table"), &[], 59);
        assert_eq!((memory.stdout(), memory.stderr()), (String::new(), format!("{told}\n")));
    }
}

#[test]
fn a_patient_with_more_rows_than_are_looked_through_is_told_where_one_of_them_could_be_wanted() {
    let lines: Vec<_> = (0..1000).map(|at| line("P1", 59 - at / 20)).collect();
    let alarms: Vec<_> = (0..1000).map(|at| alarm("P1", "spo2_low", "high", 59 - at / 20)).collect();
    for (words, rows, patients) in [
        ("--active", &lines, 1),
        ("--active --since 2025-10-26T10:11:00Z", &lines, 0),
        ("", &lines, 1),
        ("", &alarms, 0),
        ("--limit 1000", &alarms, 1),
        ("--active --limit 1", &alarms, 1),
    ] {
        let args = parsed(words).unwrap();
        let mut found = Found::default();
        found.take(rows.clone(), &args);
        assert_eq!(found.cut_off(&args), patients, "{words}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for words in ["--limit 0", "--limit 1001", "--priority urgent", "--since tomorrow", "--patient", "P001"] {
        assert!(parsed::<Args>(words).is_err(), "{words}");
    }
}
