//! Patients who were admitted: what is missed, and what is different about them.

use std::collections::BTreeMap;

use super::*;
use crate::admission::{Admission, OwnLimit, Pause};
use crate::score::Scale;

fn admission(second: i64) -> Admission {
    Admission { admitted_at: at(second).to_string(), ..Admission::default() }
}

fn with_limit(rule: &str, value: f64) -> Admission {
    let limit = OwnLimit { value, by: String::new(), at: String::new(), reason: String::new() };
    Admission { limits: BTreeMap::from([(rule.to_owned(), limit)]), ..admission(0) }
}

fn advance(watch: &mut Watch, second: i64) -> Vec<String> {
    told(&watch.advance(0, at(second).as_micros()))
}

const SILENT: &str = "raised P1 no_data No data for 5 min";

#[test]
fn nothing_from_an_admitted_patient_for_five_minutes_is_an_alarm_until_something_comes() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    take(&mut watch, 0, "P1", 10, rate(80));
    take(&mut watch, 1, "P2", 10, rate(80));
    assert_eq!(advance(&mut watch, 312), [""; 0], "one that is a little late could still come");
    let changes = watch.advance(0, at(313).as_micros());
    assert_eq!(told(&changes), [SILENT]);
    let alarm = changes[0].record.alarm;
    assert_eq!((alarm.onset, alarm.start), (at(10).as_micros(), at(310).as_micros()));
    assert_eq!((alarm.value, alarm.peak), (300.0, 300.0));
    assert_eq!(advance(&mut watch, 999), [""; 0], "once, and never of who is not admitted");
    let ended = take(&mut watch, 2, "P1", 1000, spo2(97));
    assert_eq!(ended[0].record.alarm.ended, Some(at(1000).as_micros()));
    assert_eq!(told(&ended).len(), 1);
}

#[test]
fn a_late_reading_from_before_the_silence_ends_nothing() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    take(&mut watch, 0, "P1", 10, rate(80));
    assert_eq!(advance(&mut watch, 320), [SILENT]);
    assert_eq!(told(&take(&mut watch, 1, "P1", 5, rate(81))), [""; 0]);
    assert_eq!(told(&take(&mut watch, 2, "P1", 11, rate(81))).len(), 1);
}

#[test]
fn a_gap_in_a_backlog_is_the_alarm_that_it_would_have_been_in_life() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    take(&mut watch, 0, "P1", 10, rate(80));
    let changes = take(&mut watch, 1, "P1", 400, rate(80));
    assert_eq!(told(&changes), [SILENT, "ended P1 no_data No data for 5 min"]);
    assert_eq!(told(&take(&mut watch, 2, "P1", 700, rate(80))), [""; 0]);
    assert_eq!(told(&take(&mut watch, 3, "P2", 5000, rate(80))), [""; 0]);
}

#[test]
fn of_the_time_before_the_first_reading_others_have_told() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    assert_eq!(told(&take(&mut watch, 0, "P1", 1000, rate(80))), [""; 0]);
}

#[test]
fn who_was_discharged_a_day_ago_is_not_asked_about() {
    let mut watch = watch();
    watch.admit(&id("P1"), Admission { discharged_at: Some(at(450).to_string()), ..admission(0) });
    for (clock, count) in [(450 + 86_399, 1), (450 + 86_400, 0)] {
        watch.tell_time(at(clock).as_micros());
        assert_eq!(watch.unheard().count(), count, "{clock}");
    }
}

#[test]
fn who_never_sent_anything_is_missed_since_the_admission_or_the_stores_newest_reading() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(100));
    watch.admit(&id("P2"), admission(100));
    assert_eq!(watch.unheard().count(), 2);
    watch.restore_silent(0, &id("P1"), None, &[]);
    watch.restore_silent(0, &id("P2"), Some(at(200).as_micros()), &[]);
    assert_eq!(watch.unheard().count(), 0);
    assert_eq!(advance(&mut watch, 403), [SILENT]);
    let other_bed = Admission { bed: Some("7".to_owned()), ..admission(100) };
    assert_eq!(told(&watch.admit(&id("P1"), other_bed)), [""; 0]);
    assert_eq!(advance(&mut watch, 503), ["raised P2 no_data No data for 5 min"]);
}

#[test]
fn a_silence_that_the_store_knows_is_not_raised_twice() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    let stored = KnownAlarm { rule: "no_data".to_owned(), ..known("no_data", 10, 300.0, None) };
    watch.restore_silent(0, &id("P1"), Some(at(10).as_micros()), &[&stored]);
    assert_eq!(advance(&mut watch, 900), [""; 0]);
    assert_eq!(told(&take(&mut watch, 0, "P1", 901, rate(80))), ["ended P1 no_data No data for 5 min"]);
}

/// By a clock that is an hour slow.
#[test]
fn a_message_that_came_as_the_silence_began_does_not_end_it() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    let stored = known("no_data", 4000, 300.0, None);
    watch.restore_silent(0, &id("P1"), None, &[&stored]);
    for (clock, changes) in [(4000, 0), (4001, 1)] {
        watch.tell_time(at(clock).as_micros());
        assert_eq!(take(&mut watch, clock, "P1", clock - 3600, rate(80)).len(), changes, "{clock}");
    }
}

#[test]
fn a_silence_that_ended_as_it_began_was_none() {
    let later = |ended| {
        let mut watch = watch();
        watch.admit(&id("P1"), admission(0));
        let stored = known("no_data", 10, 300.0, Some(ended));
        watch.restore_silent(0, &id("P1"), Some(at(10).as_micros()), &[&stored]);
        advance(&mut watch, 900)
    };
    assert_eq!(later(10), [SILENT]);
    assert_eq!(later(400), [""; 0]);
}

#[test]
fn a_silence_is_over_where_the_store_has_a_newer_reading() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    let stored = known("no_data", 10, 300.0, None);
    let changes = watch.restore_silent(0, &id("P1"), Some(at(20).as_micros()), &[&stored]);
    assert_eq!(told(&changes), ["ended P1 no_data No data for 5 min"]);
    assert_eq!(changes[0].record.alarm.ended, Some(at(20).as_micros()));
}

#[test]
fn a_discharge_ends_the_silence_and_nobody_is_missed_any_more() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    take(&mut watch, 0, "P1", 10, rate(80));
    advance(&mut watch, 400);
    let discharged = Admission { discharged_at: Some(at(450).to_string()), ..admission(0) };
    let changes = watch.admit(&id("P1"), discharged);
    assert_eq!(told(&changes), ["ended P1 no_data No data for 5 min"]);
    assert_eq!(changes[0].record.alarm.ended, Some(at(450).as_micros()));
    assert_eq!(advance(&mut watch, 2000), [""; 0]);
}

#[test]
fn who_was_discharged_is_forgotten_when_nothing_depends_on_it_any_more() {
    let mut watch = watch();
    let discharged = |second| Admission { discharged_at: Some(at(second).to_string()), ..admission(0) };
    let day = 24 * 3600;
    watch.tell_time(at(day).as_micros());
    for (patient, of) in [("P1", admission(0)), ("P2", discharged(0)), ("P3", discharged(10))] {
        watch.admit(&id(patient), of);
    }
    take(&mut watch, 0, "P1", day, rate(80));
    let known = |watch: &Watch| {
        let mut known: Vec<_> = watch.beds.keys().map(ToString::to_string).collect();
        known.sort_unstable();
        known
    };
    assert_eq!(known(&watch), ["P1", "P3"], "P3 may be missed yet");
    watch.tell_time(at(day + 10).as_micros());
    watch.advance(0, at(day + 10).as_micros());
    assert_eq!(known(&watch), ["P1"]);
    assert_eq!(watch.unheard().count(), 0);
}

#[test]
fn a_limit_of_the_patients_own_holds_at_once_and_for_nobody_else() {
    let mut watch = watch();
    take(&mut watch, 0, "P1", 0, spo2(90));
    take(&mut watch, 1, "P2", 0, spo2(90));
    assert_eq!(told(&watch.admit(&id("P1"), with_limit("low", 85.0))), ["ended P1 low Low SpO2: 90"]);
    assert_eq!(told(&take(&mut watch, 2, "P1", 10, spo2(86))), [""; 0]);
    let raised = take(&mut watch, 3, "P1", 20, spo2(84));
    assert_eq!((raised[0].record.limit, raised[0].record.rules.as_deref()), (Some(85.0), Some("test, own limits")));
    assert_eq!(told(&take(&mut watch, 4, "P2", 20, spo2(80))), ["worse P2 low Low SpO2: 80"]);
}

#[test]
fn limits_of_a_patients_own_outlive_a_change_of_the_rules_for_all() {
    let mut watch = watch();
    watch.admit(&id("P1"), with_limit("low", 85.0));
    let other = RULES.replace("92", "94");
    watch.change_set(RuleSet::parse("other", &other).expect("rules"));
    assert_eq!(told(&take(&mut watch, 0, "P1", 10, spo2(86))), [""; 0]);
    assert_eq!(told(&take(&mut watch, 1, "P2", 10, spo2(93))).len(), 1);
    assert_eq!(told(&watch.admit(&id("P1"), admission(0))), ["raised P1 low Low SpO2: 86"], "taken back");
}

#[test]
fn the_oxygen_saturation_of_a_patient_on_scale_2_counts_by_it() {
    let rule = "[[rule]]\nname = \"news\"\nscore = \"NEWS2\"\nabove = 2\n";
    let mut watch = Watch::new(RuleSet::parse("scores", rule).expect("rules"));
    watch.admit(&id("P1"), Admission { spo2_scale: Scale::Two, ..admission(0) });
    assert_eq!(told(&take(&mut watch, 0, "P1", 0, spo2(89))), [""; 0]);
    assert_eq!(told(&take(&mut watch, 1, "P2", 0, spo2(89))).len(), 1);
}

#[test]
fn a_pause_is_over_when_its_time_is() {
    let mut watch = watch();
    let pause = Pause { until: at(60).to_string(), by: String::new(), reason: String::new() };
    watch.admit(&id("P1"), Admission { pause: Some(pause), ..admission(0) });
    assert!(watch.is_paused(&id("P1"), at(59).as_micros()));
    assert!(!watch.is_paused(&id("P1"), at(60).as_micros()) && !watch.is_paused(&id("P2"), 0));
}

/// One reading a second by a clock that is an hour slow.
#[test]
fn a_monitor_with_a_slow_clock_is_missed_when_it_stops_and_not_before() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(4000));
    let hour = 3600;
    for second in 5000..5100 {
        watch.tell_time(at(second).as_micros());
        take(&mut watch, second, "P1", second - hour, rate(80));
        assert_eq!(advance(&mut watch, second + 3), [""; 0], "{second}");
    }
    watch.tell_time(at(5500).as_micros());
    assert_eq!(advance(&mut watch, 5500), [SILENT]);
    watch.tell_time(at(5600).as_micros());
    let ended = take(&mut watch, 9000, "P1", 5600 - hour, rate(80));
    assert_eq!(told(&ended), ["ended P1 no_data No data for 5 min"], "whatever time it tells");
    assert_eq!(advance(&mut watch, 5603), [""; 0]);
}

#[test]
fn a_reading_ahead_of_the_clock_neither_raises_a_silence_nor_hides_one() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    watch.tell_time(at(10).as_micros());
    take(&mut watch, 0, "P1", 10, rate(80));
    let day = 24 * 3600;
    assert_eq!(told(&take(&mut watch, 1, "P1", 10 + day, rate(80))), [""; 0]);
    watch.tell_time(at(400).as_micros());
    assert_eq!(advance(&mut watch, 400), [SILENT]);
}

#[test]
fn what_is_of_a_stay_that_is_over_ends_when_the_patient_is_taken_up_again() {
    let silence = known("no_data", 10, 300.0, None);
    let restored = |change: Admission| {
        let mut watch = watch();
        watch.tell_time(at(1000).as_micros());
        watch.admit(&id("P1"), change);
        assert_eq!(watch.unheard().count(), 1);
        let changes = watch.restore_silent(0, &id("P1"), Some(at(10).as_micros()), &[&silence]);
        assert_eq!(told(&changes), ["ended P1 no_data No data for 5 min"]);
        (changes[0].record.alarm.ended, advance(&mut watch, 1000))
    };
    let discharged = Admission { discharged_at: Some(at(450).to_string()), ..admission(0) };
    assert_eq!(restored(discharged), (Some(at(450).as_micros()), Vec::new()));
    assert_eq!(restored(admission(500)), (Some(at(500).as_micros()), vec![SILENT.to_owned()]));
}

/// The readings of the patient come to another consumer.
#[test]
fn of_whom_nothing_was_heard_here_the_store_is_asked_again_before_it_is_an_alarm() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    watch.tell_time(at(100).as_micros());
    watch.restore_silent(0, &id("P1"), Some(at(90).as_micros()), &[]);
    watch.tell_time(at(500).as_micros());
    assert_eq!(advance(&mut watch, 500), [""; 0]);
    assert_eq!(watch.unheard().count(), 1, "it is asked about again");
    watch.restore_silent(0, &id("P1"), Some(at(499).as_micros()), &[]);
    assert_eq!(advance(&mut watch, 502), [""; 0]);
    watch.tell_time(at(900).as_micros());
    advance(&mut watch, 900);
    watch.restore_silent(0, &id("P1"), Some(at(499).as_micros()), &[]);
    assert_eq!(advance(&mut watch, 962), [SILENT], "asked a minute ago");
}

#[test]
fn a_pause_or_another_bed_changes_nothing_about_what_is_pending() {
    let mut watch = watch();
    watch.admit(&id("P1"), admission(0));
    for second in 0..50 {
        take(&mut watch, second, "P1", second, rate(120));
    }
    watch.admit(&id("P1"), Admission { bed: Some("7".to_owned()), ..admission(0) });
    watch.admit(&id("P1"), with_limit("low", 85.0));
    let raised = take(&mut watch, 60, "P1", 60, rate(120));
    assert_eq!(told(&raised), ["raised P1 fast High heart rate: 120"]);
    assert_eq!(raised[0].record.alarm.onset, at(0).as_micros());
}

#[test]
fn who_was_discharged_is_judged_by_the_rules_for_all() {
    let mut watch = watch();
    let discharged = Admission { discharged_at: Some(at(5).to_string()), ..with_limit("low", 85.0) };
    watch.admit(&id("P1"), discharged);
    assert_eq!(told(&take(&mut watch, 0, "P1", 10, spo2(90))).len(), 1);
}
