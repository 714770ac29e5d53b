use serde_json::{Value, json};

use super::*;
use crate::alarm::Limits;
use crate::reading::{Consciousness, Observed, PatientId, Signs};

fn reading(second: u32, signs: Signs) -> Reading {
    let time = Timestamp::parse(&format!("2025-10-26T10:30:{second:02}Z")).expect("a time");
    Reading::new(PatientId::parse("P1").expect("an id"), time, signs).expect("a reading")
}

fn shown(bed: &Bed) -> Value {
    serde_json::to_value(bed.show("P1", &RuleSet::classic(Limits::default()), 0)).expect("JSON")
}

fn alarm(rule: &str, priority: &str, onset: &str) -> StoredAlarm {
    let onset = format!("2025-10-26T10:{onset}+00:00");
    StoredAlarm {
        patient_id: "P1".to_owned(),
        onset: onset.clone(),
        rule: rule.to_owned(),
        priority: Some(priority.to_owned()),
        value: Some(85.0),
        limit: Some(90.0),
        peak: Some(80.0),
        started: Some(onset),
        returned: None,
        ended: None,
        acknowledged_by: None,
        acknowledged_at: None,
        message: Some("Low SpO2: 80".to_owned()),
        rules: None,
    }
}

fn ended(alarm: &StoredAlarm) -> StoredAlarm {
    StoredAlarm { ended: Some("2025-10-26T10:59:00+00:00".to_owned()), ..alarm.clone() }
}

#[test]
fn each_sign_has_its_newest_value_with_its_time_and_what_nobody_believes_is_marked() {
    let mut bed = Bed::default();
    bed.hear(&reading(5, Signs { heart_rate: Some(80), spo2: Some(98), ..Signs::default() }), 0);
    bed.hear(&reading(7, Signs { spo2: Some(0), ..Signs::default() }), 0);
    bed.hear(&reading(6, Signs { heart_rate: Some(90), spo2: Some(50), ..Signs::default() }), 0);
    let shown = shown(&bed);
    assert_eq!(shown["time"], "2025-10-26T10:30:07+00:00");
    let at = |second: u32| format!("2025-10-26T10:30:{second:02}+00:00");
    assert_eq!(shown["signs"]["heart_rate"], json!({"value": 90, "time": at(6), "is_implausible": false}));
    assert_eq!(shown["signs"]["spo2"], json!({"value": 0, "time": at(7), "is_implausible": true}));
    assert_eq!(shown["signs"].as_object().map(serde_json::Map::len), Some(2));
}

#[test]
fn a_score_is_partial_until_everything_is_known_and_a_child_has_none() {
    let mut bed = Bed::default();
    assert_eq!(shown(&bed)["score"], Value::Null);
    bed.hear(&reading(1, Signs { heart_rate: Some(120), ..Signs::default() }), 0);
    assert_eq!((&shown(&bed)["score"]["total"], &shown(&bed)["score"]["is_partial"]), (&json!(2), &json!(true)));
    let observed = Observed { supplemental_oxygen: Some(false), consciousness: Some(Consciousness::Alert) };
    let rest = Signs {
        spo2: Some(97),
        systolic: Some(120),
        respiratory_rate: Some(16),
        temperature: Some(36.8),
        observed,
        ..Signs::default()
    };
    bed.hear(&reading(2, rest), 0);
    assert_eq!((&shown(&bed)["score"]["total"], &shown(&bed)["score"]["is_partial"]), (&json!(2), &json!(false)));
    let birth_date = Some("2020-01-01".to_owned());
    bed.admission =
        Some(Admission { birth_date, admitted_at: "2025-10-26T10:00:00Z".to_owned(), ..Admission::default() });
    assert_eq!(shown(&bed)["score"], Value::Null);
}

#[test]
fn the_most_pressing_alarm_comes_first_and_what_is_acknowledged_after_its_equals() {
    let mut bed = Bed::default();
    let acknowledged_at = Some("2025-10-26T10:40:00+00:00".to_owned());
    bed.hear_alarm(StoredAlarm { acknowledged_at, ..alarm("a", "high", "10:00") }, 0);
    bed.hear_alarm(alarm("b", "medium", "09:00"), 0);
    bed.hear_alarm(alarm("c", "high", "12:00"), 0);
    bed.hear_alarm(alarm("d", "high", "11:00"), 0);
    let shown = shown(&bed);
    let rules: Vec<_> = shown["alarms"].as_array().expect("alarms").iter().map(|alarm| &alarm["rule"]).collect();
    assert_eq!(rules, ["d", "c", "a", "b"]);
    assert_eq!(shown["alarms"][0]["id"], "P1/d/2025-10-26T10:11:00+00:00");
}

#[test]
fn what_the_topic_told_just_now_is_not_undone_by_a_store_that_does_not_know_it_yet() {
    let mut bed = Bed::default();
    let (new, old) = (alarm("spo2_low", "high", "10:00"), alarm("heart_rate_high", "high", "01:00"));
    assert!(bed.compare_alarms(vec![old.clone()], 0));
    assert!(bed.hear_alarm(new.clone(), 0));
    assert!(!bed.hear_alarm(new.clone(), 1), "the same again");
    assert!(bed.hear_alarm(ended(&old), 1));
    assert!(!bed.compare_alarms(vec![old.clone()], 2), "it has neither stored the start nor the end");
    assert_eq!(shown(&bed)["alarms"].as_array().map(Vec::len), Some(1));
    assert!(!bed.compare_alarms(vec![], STORED_AFTER + 2), "what cannot be stored is on all the same");
    assert!(!bed.compare_alarms(vec![new.clone()], STORED_AFTER + 2));
    assert!(bed.compare_alarms(vec![], STORED_AFTER + 3), "what was stored is on no more when the store says so");
    assert_eq!(shown(&bed)["alarms"], json!([]));
    assert!(bed.compare_alarms(vec![old], STORED_AFTER + 4), "and so it does where it says that it is on");
}

#[test]
fn what_was_announced_and_never_stored_goes_in_the_end() {
    let mut bed = Bed::default();
    bed.hear_alarm(alarm("spo2_low", "high", "10:00"), 0);
    assert!(!bed.compare_alarms(vec![], UNSTORED_LIMIT - 1));
    assert!(bed.compare_alarms(vec![], UNSTORED_LIMIT));
}

#[test]
fn a_later_message_keeps_the_limit_and_the_acknowledgement_of_earlier_ones() {
    let mut bed = Bed::default();
    let by = Some("Anna".to_owned());
    let at = Some("2025-10-26T10:40:00+00:00".to_owned());
    let first = alarm("spo2_low", "high", "10:00");
    bed.hear_alarm(StoredAlarm { acknowledged_by: by, acknowledged_at: at, ..first.clone() }, 0);
    assert!(bed.hear_alarm(StoredAlarm { limit: None, peak: Some(70.0), ..first }, 1));
    let alarm = &shown(&bed)["alarms"][0];
    assert_eq!(
        (&alarm["limit"], &alarm["peak"], &alarm["acknowledged_by"]),
        (&json!(90.0), &json!(70.0), &json!("Anna"))
    );
}

#[test]
fn a_pause_is_shown_until_it_ends() {
    let mut bed = Bed::default();
    let until = Timestamp::from_micros(5 * SECOND).expect("a time").to_string();
    let pause = Some(crate::admission::Pause { until: until.clone(), by: "Anna".to_owned(), reason: "x".to_owned() });
    bed.admission = Some(Admission { pause, ..Admission::default() });
    assert_eq!(shown(&bed)["paused_until"], until);
    assert!(!bed.has_pause_ended(0) && bed.has_pause_ended(6 * SECOND) && !bed.has_pause_ended(7 * SECOND));
}
