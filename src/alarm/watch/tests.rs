//! All patients of some partitions: what is due, what is pending at a commit, and rules that change.

mod admitted;

use super::partition::MAX_HEARD_AGAIN;
use super::*;
use crate::alarm::Priority;
use crate::reading::{Signs, Timestamp};

const RULES: &str = "\
[[rule]]
name = \"fast\"
sign = \"heart_rate\"
above = 110
hysteresis = 5
delay = \"60s\"

[[rule]]
name = \"low\"
sign = \"spo2\"
below = 92
hysteresis = 2
";

fn watch() -> Watch {
    Watch::new(RuleSet::parse("test", RULES).expect("rules"))
}

fn id(patient: &str) -> PatientId {
    PatientId::parse(patient).expect("id")
}

/// Takes a reading of this patient, `second` seconds after the beginning of a day.
fn take(watch: &mut Watch, offset: i64, patient: &str, second: i64, signs: Signs) -> Vec<AlarmChange> {
    take_in(watch, 0, offset, patient, second, signs)
}

fn take_in(
    watch: &mut Watch,
    partition: i32,
    offset: i64,
    patient: &str,
    second: i64,
    signs: Signs,
) -> Vec<AlarmChange> {
    if !watch.knows(&id(patient)) {
        watch.restore(partition, &id(patient), 0, &[]);
    }
    let reading = Reading::new(id(patient), at(second), signs).expect("reading");
    watch.take(partition, offset, second * 1000, &reading)
}

fn at(second: i64) -> Timestamp {
    let midnight = Timestamp::parse("2025-10-26T00:00:00Z").expect("time").as_micros();
    Timestamp::from_micros(midnight + second * SECOND).expect("time")
}

fn rate(heart_rate: i32) -> Signs {
    Signs { heart_rate: Some(heart_rate), ..Signs::default() }
}

fn spo2(spo2: i32) -> Signs {
    Signs { spo2: Some(spo2), ..Signs::default() }
}

fn told(changes: &[AlarmChange]) -> Vec<String> {
    let line = |AlarmChange { step, record, .. }: &AlarmChange| {
        format!("{} {} {} {}", step.name(), record.patient, record.rule, record.text)
    };
    changes.iter().map(line).collect()
}

#[test]
fn a_lone_reading_alarms_when_readings_of_others_show_that_its_delay_has_run_out() {
    let mut watch = watch();
    assert_eq!(told(&take(&mut watch, 0, "P1", 0, rate(120))), [""; 0]);
    assert_eq!(
        told(&take(&mut watch, 1, "P2", 62, rate(70))),
        [""; 0],
        "one that is a little late could still cancel it"
    );
    let changes = take(&mut watch, 2, "P2", 63, rate(70));
    assert_eq!(told(&changes), ["raised P1 fast High heart rate: 120"]);
    assert_eq!(changes[0].record.alarm.start, at(60).as_micros());
    assert_eq!((changes[0].record.limit, changes[0].record.rules.as_deref()), (Some(110.0), Some("test")));
    let ended = take(&mut watch, 3, "P1", 70, rate(80));
    assert_eq!((told(&ended).len(), ended[0].record.limit, &ended[0].record.rules), (1, None, &None));
}

#[test]
fn a_reading_of_another_era_tells_no_time_and_the_clock_does() {
    let mut watch = watch();
    take(&mut watch, 0, "P1", 0, rate(120));
    let years = 20 * 365 * 24 * 60 * 60;
    assert_eq!(told(&take(&mut watch, 1, "P2", years, rate(70))), [""; 0]);
    assert_eq!(told(&take(&mut watch, 2, "P1", 30, rate(80))), [""; 0], "what was pending is cancelled");
    take(&mut watch, 3, "P1", 40, rate(120));
    assert_eq!(told(&watch.advance(0, at(102).as_micros())), [""; 0]);
    assert_eq!(told(&watch.advance(0, at(103).as_micros())), ["raised P1 fast High heart rate: 120"]);
    assert_eq!(told(&watch.advance(1, at(103).as_micros())), [""; 0]);
}

/// The clock of a device was an hour fast for one reading.
#[test]
fn a_reading_ahead_of_the_clock_keeps_no_other_from_being_judged() {
    let mut watch = watch();
    watch.tell_time(at(10).as_micros());
    take(&mut watch, 0, "P2", 8, rate(120));
    let hour = 3600;
    let ahead = take(&mut watch, 1, "P1", hour, Signs { spo2: Some(85), ..rate(120) });
    assert_eq!(told(&ahead), ["raised P1 low Low SpO2: 85"], "P2's delay has not run out");
    assert!(!watch.has_fast_clock(), "nothing was taken back yet");
    let now = take(&mut watch, 2, "P1", 10, spo2(90));
    assert_eq!(told(&now), ["ended P1 low Low SpO2: 85", "raised P1 low Low SpO2: 90"]);
    assert!(watch.has_fast_clock());
    assert!(now[0].record.alarm.ended == Some(at(hour).as_micros()) && now[1].record.alarm.start == at(10).as_micros());
    assert_eq!(told(&watch.advance(0, at(100).as_micros())), ["raised P2 fast High heart rate: 120"], "and not P1");
    let known = |onset: i64| {
        let alarm = Alarm { onset: at(onset).as_micros(), ..now[1].record.alarm };
        KnownAlarm { patient: id("P3"), rule: "low".to_owned(), alarm }
    };
    let ended = watch.restore(0, &id("P3"), at(9).as_micros(), &[&known(hour), &known(9)]);
    assert_eq!(told(&ended), ["ended P3 low Low SpO2: 90"]);
    assert_eq!(ended[0].record.alarm.onset, at(hour).as_micros());
    // The clock has come there: it still explains nothing.
    watch.tell_time(at(2 * hour).as_micros());
    let mut never = known(hour);
    never.alarm.ended = Some(never.alarm.onset);
    assert_eq!(told(&watch.restore(0, &id("P3"), at(9).as_micros(), &[&never, &known(9)])), [""; 0]);
    assert_eq!(told(&take(&mut watch, 3, "P3", 2 * hour, spo2(95))), ["ended P3 low Low SpO2: 90"]);
}

#[test]
fn what_is_pending_goes_on_after_a_reading_that_was_ahead_of_the_clock() {
    let rules = RULES.replace("hysteresis = 2", "hysteresis = 2\ndelay = \"2h\"");
    let mut watch = Watch::new(RuleSet::parse("test", &rules).expect("rules"));
    watch.tell_time(at(60).as_micros());
    take(&mut watch, 0, "P1", 0, spo2(90));
    assert_eq!(told(&take(&mut watch, 1, "P1", 3600, spo2(95))), [""; 0]);
    take(&mut watch, 2, "P1", 30, spo2(90));
    watch.tell_time(at(7200).as_micros());
    let raised = take(&mut watch, 3, "P1", 7200, spo2(91));
    assert_eq!(told(&raised), ["raised P1 low Low SpO2: 90"]);
    assert_eq!(raised[0].record.alarm.onset, at(0).as_micros());
}

#[test]
fn a_recording_that_is_ahead_of_the_clock_is_judged_as_any_other() {
    let mut watch = watch();
    watch.tell_time(at(0).as_micros());
    let years = 20 * 365 * 24 * 60 * 60;
    take(&mut watch, 0, "P1", years, Signs { spo2: Some(85), ..rate(120) });
    let changes = take(&mut watch, 1, "P2", years + 63, rate(70));
    assert_eq!(told(&changes), ["raised P1 fast High heart rate: 120"]);
    assert_eq!(told(&take(&mut watch, 2, "P1", years + 64, spo2(95))), ["ended P1 low Low SpO2: 85"]);
}

#[test]
fn of_two_alarms_of_one_rule_that_are_known_to_be_on_the_earlier_ends() {
    let mut watch = watch();
    let on = take(&mut watch, 0, "P1", 10, spo2(90))[0].record.alarm;
    let known = |second: i64| {
        let alarm = Alarm { onset: at(second).as_micros(), start: at(second).as_micros(), ..on };
        KnownAlarm { patient: id("P2"), rule: "low".to_owned(), alarm }
    };
    let changes = watch.restore(0, &id("P2"), at(30).as_micros(), &[&known(20), &known(10)]);
    assert_eq!(told(&changes), ["ended P2 low Low SpO2: 90"]);
    assert_eq!(
        (changes[0].record.alarm.onset, changes[0].record.alarm.ended),
        (known(10).alarm.onset, Some(at(20).as_micros()))
    );
    assert_eq!(told(&take(&mut watch, 1, "P2", 40, spo2(95))), ["ended P2 low Low SpO2: 90"]);
}

#[test]
fn a_commit_needs_what_was_pending_at_it_and_what_was_decided_only_behind_it() {
    let mut watch = watch();
    // An hour apart, so that nothing else has to be heard again.
    let hour = 3600;
    take(&mut watch, 0, "P1", 0, rate(70));
    take(&mut watch, 10, "P1", hour, rate(120));
    take(&mut watch, 20, "P2", 2 * hour, rate(70));
    // P1's alarm is due; nothing says that it is stored.
    assert_eq!([0, 11, 20, 21].map(|committed| watch.history(0, committed)), [0, 10, 10, 10]);
    let alarm = watch.partitions[&0].unstored.keys().next().cloned().expect("one");
    assert_eq!((alarm.0.as_str(), &*alarm.1), ("P1", "fast"));
    let record = AlarmRecord {
        patient: alarm.0,
        rule: alarm.1,
        text: String::new(),
        limit: None,
        rules: None,
        is_rearmed: false,
        alarm: Alarm {
            onset: alarm.2,
            start: 0,
            value: 0.0,
            peak: 0.0,
            is_partial: false,
            priority: Priority::Low,
            returned: None,
            acknowledged: None,
            ended: None,
        },
    };
    watch.stored([record].iter());
    assert!(!watch.awaits_stored());
    assert_eq!(watch.history(0, 21), 10, "the store may forget it yet");
    take(&mut watch, 21, "P2", 3 * hour, rate(70));
    take(&mut watch, 22, "P2", 4 * hour, rate(70));
    assert_eq!(watch.history(0, 23), 22);
    watch.committed(0, 23);
    assert_eq!(watch.history(0, 23), 22);
}

#[test]
fn what_was_sent_within_the_memory_of_the_rules_is_heard_again_but_not_without_limit() {
    let mut watch = watch();
    for offset in 0..1000 {
        take(&mut watch, offset, "P1", offset, rate(70));
    }
    assert_eq!(watch.history(0, 1000), 999 - 300);
    assert_eq!(watch.history(0, 500), 499 - 300);
    assert_eq!(watch.history(1, 7), 7, "nothing is known of it");
    take(&mut watch, 5_000_000, "P1", 1000, rate(70));
    assert_eq!(watch.history(0, 5_000_001), 5_000_001 - MAX_HEARD_AGAIN);
}

#[test]
fn an_alarm_goes_on_under_changed_rules_and_ends_where_its_rule_is_gone() {
    let mut watch = watch();
    let mut changes = take(&mut watch, 0, "P1", 0, spo2(90));
    changes.extend(take(&mut watch, 1, "P2", 0, Signs { spo2: Some(85), ..rate(120) }));
    assert_eq!(told(&changes), ["raised P1 low Low SpO2: 90", "raised P2 low Low SpO2: 85"]);
    let lower = RuleSet::parse("lower", &RULES.replace("below = 92", "below = 87")).expect("rules");
    assert_eq!(told(&watch.change_set(lower)), ["ended P1 low Low SpO2: 90"], "it is back, by the new limit");
    assert_eq!(told(&take(&mut watch, 2, "P2", 61, spo2(88))), ["raised P2 fast High heart rate: 120"], "as pending");
    let other = RULES.replace("\"low\"", "\"lower\"").replace("below = 92", "below = 90");
    let other = RuleSet::parse("other", &other).expect("rules");
    assert_eq!(told(&watch.change_set(other)), ["ended P2 low Low SpO2: 85", "raised P2 lower Low SpO2: 85"]);
}

#[test]
fn what_is_forgotten_leaves_nothing_behind() {
    let mut watch = watch();
    take_in(&mut watch, 0, 0, "P1", 0, rate(120));
    take_in(&mut watch, 1, 0, "P2", 0, rate(120));
    watch.forget(0);
    assert!(!watch.knows(&id("P1")) && watch.knows(&id("P2")));
    assert_eq!((told(&watch.advance(0, at(999).as_micros())), watch.history(0, 5)), (Vec::new(), 5));
    assert_eq!(told(&watch.advance(1, at(200).as_micros())), ["raised P2 fast High heart rate: 120"]);
}

#[test]
fn a_patient_of_two_partitions_is_watched_as_one() {
    let mut watch = watch();
    take_in(&mut watch, 0, 0, "P1", 0, rate(120));
    assert!(!watch.has_strays());
    take_in(&mut watch, 1, 0, "P1", 30, rate(120));
    assert!(watch.has_strays());
    assert_eq!(told(&take_in(&mut watch, 0, 1, "P1", 61, rate(120))), ["raised P1 fast High heart rate: 120"]);
}

/// As many readings as are remembered, and an alarm that is on, with its places in the maps.
#[test]
fn a_patient_takes_less_than_a_kibibyte() {
    let mut watch = Watch::new(RuleSet::built_in("ward").expect("built in"));
    let bad = rate(150);
    for second in 0..200 {
        take(&mut watch, second, "P1", second, bad);
    }
    let watched = &watch.patients[&id("P1")];
    let bytes = watched.patient.size_bytes() + size_of::<(PatientId, Watched)>() + 2 * 32;
    assert!(bytes <= 1024, "{bytes}");
}

fn known(rule: &str, onset: i64, peak: f64, ended: Option<i64>) -> KnownAlarm {
    let onset = at(onset).as_micros();
    let alarm = Alarm {
        onset,
        start: onset,
        value: peak,
        peak,
        is_partial: false,
        priority: Priority::Medium,
        returned: None,
        acknowledged: None,
        ended: ended.map(|end| at(end).as_micros()),
    };
    KnownAlarm { patient: id("P1"), rule: rule.to_owned(), alarm }
}

/// Takes what the store knows up, the newest first, and then these readings; what was told of `low`, with its end.
fn taken_up(stored: &[KnownAlarm], readings: &[(i64, i32)]) -> (Vec<String>, Vec<Option<Micros>>) {
    let mut watch = watch();
    let first = readings.first().map_or(0, |(second, _)| *second);
    let mut changes = watch.restore(0, &id("P1"), at(first).as_micros(), &stored.iter().collect::<Vec<_>>());
    for (offset, (second, value)) in (0..).zip(readings) {
        changes.extend(take(&mut watch, offset, "P1", *second, spo2(*value)));
    }
    (told(&changes), changes.iter().map(|change| change.record.alarm.ended).collect())
}

/// A consumer stood still before it wrote that the first alarm was raised, and wrote it when another one had ended it.
#[test]
fn an_end_that_was_written_over_is_found_again_where_the_readings_are_heard_again() {
    let stored = [known("low", 30, 85.0, Some(40)), known("low", 0, 90.0, None)];
    let readings = [(0, 90), (10, 88), (20, 95), (30, 85), (40, 96), (50, 97)];
    let (told, ends) = taken_up(&stored, &readings);
    assert_eq!(told, ["worse P1 low Low SpO2: 88", "ended P1 low Low SpO2: 88"]);
    assert_eq!(ends, [None, Some(at(20).as_micros())]);
    let (told, ends) = taken_up(&stored, &[(30, 85), (40, 96)]);
    assert_eq!(told, ["ended P1 low Low SpO2: 90"], "where they are not, it was over when the next one began");
    assert_eq!(ends, [Some(at(30).as_micros())]);
}

#[test]
fn what_is_raised_once_more_is_told_where_it_became_something_else() {
    let stored = [known("low", 30, 88.0, Some(40)), known("low", 0, 90.0, None)];
    let (told, ends) = taken_up(&stored, &[(0, 90), (20, 95), (30, 88), (35, 80), (50, 96), (60, 80)]);
    let changes = ["ended P1 low Low SpO2: 90", "worse P1 low Low SpO2: 80", "ended P1 low Low SpO2: 80"];
    assert_eq!(told[..3], changes);
    assert_eq!((ends[2], told[3].as_str()), (Some(at(50).as_micros()), "raised P1 low Low SpO2: 80"));
}
