//! All patients of some partitions: what is due, what is pending at a commit, and rules that change.

mod admitted;
mod clock;
mod taken_up;

use super::partition::MAX_HEARD_AGAIN;
use super::*;
use crate::alarm::{Priority, Step, Steps};
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

#[test]
fn what_somebody_acknowledges_is_that_alarm_and_no_other() {
    let rules = RULES.replace("delay = \"60s\"", "latch = true").replace("hysteresis = 2", "latch = true");
    let mut watch = Watch::new(RuleSet::parse("test", &rules).expect("rules"));
    let raised = take(&mut watch, 0, "P1", 0, Signs { spo2: Some(90), ..rate(120) });
    take(&mut watch, 1, "P2", 0, rate(70));
    assert_eq!(told(&take(&mut watch, 2, "P1", 10, spo2(95))), ["returned P1 low Low SpO2: 90"]);
    let known = |patient: &str, rule: &str, onset: i64, acknowledged: Option<i64>| KnownAlarm {
        patient: id(patient),
        rule: rule.to_owned(),
        alarm: Alarm {
            onset: at(onset).as_micros(),
            acknowledged: acknowledged.map(|second| at(second).as_micros()),
            ..raised[0].record.alarm
        },
    };
    let others = [
        known("P1", "low", 0, None),
        known("P1", "low", 1, Some(20)),
        known("P1", "gone", 0, Some(20)),
        known("P3", "low", 0, Some(20)),
    ];
    assert_eq!(told(&watch.acknowledge(&others)), [""; 0]);
    let ended = watch.acknowledge(&[known("P1", "low", 0, Some(20))]);
    assert_eq!(told(&ended), ["ended P1 low Low SpO2: 90"]);
    assert_eq!(ended[0].record.alarm.ended, Some(at(20).as_micros()));
    assert_eq!(watch.unacknowledged(), [id("P1")], "its heart rate");
    assert_eq!(told(&watch.acknowledge(&[known("P1", "fast", 0, Some(20))])), [""; 0]);
    assert_eq!(watch.unacknowledged(), []);
}

#[test]
fn a_record_takes_what_has_become_of_its_alarm_and_keeps_what_only_the_start_tells() {
    let mut watch = watch();
    let raised = take(&mut watch, 0, "P1", 0, spo2(90)).remove(0).record;
    let worse = take(&mut watch, 1, "P1", 1, spo2(85)).remove(0).record;
    assert!(raised.is_raised() && !worse.is_raised());
    assert!(
        raised.is_of(&worse)
            && raised.key() == worse.key()
            && raised.key() == (id("P1"), "low".into(), at(0).as_micros())
    );
    let mut of_both = raised.clone();
    of_both.update(worse.clone());
    assert_eq!(
        of_both,
        AlarmRecord { limit: Some(92.0), rules: Some("test".into()), steps: raised.steps.and(worse.steps), ..worse }
    );
    let mut later = raised.alarm;
    later.onset += 1;
    for other in [
        AlarmRecord { patient: id("P2"), ..raised.clone() },
        AlarmRecord { rule: "fast".into(), ..raised.clone() },
        AlarmRecord { alarm: later, ..raised.clone() },
    ] {
        assert!(!raised.is_of(&other), "{other:?}");
    }
    let has_risen = |record: &AlarmRecord| record.steps.have(&[Step::Rose]);
    let mut off = take(&mut watch, 2, "P1", 2, rate(400)).remove(0).record;
    let rose = take(&mut watch, 3, "P1", 3, rate(0)).remove(0).record;
    let ended = take(&mut watch, 4, "P1", 4, rate(80)).remove(0).record;
    assert!(!has_risen(&off) && has_risen(&rose) && !has_risen(&ended));
    off.update(rose);
    off.update(ended);
    assert!(has_risen(&off) && off.alarm.ended.is_some());
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
        steps: Steps::of(Step::Raised),
        alarm: Alarm::on(alarm.2, Priority::Low, 0.0),
    };
    assert!(watch.awaits_stored());
    watch.stored([record].iter());
    assert!(!watch.awaits_stored());
    assert_eq!(watch.history(0, 21), 10, "the store may forget it yet");
    take(&mut watch, 21, "P2", 3 * hour, rate(70));
    take(&mut watch, 22, "P2", 4 * hour, rate(70));
    assert_eq!(watch.history(0, 23), 22);
    watch.committed(0, 23);
    assert_eq!(watch.history(0, 23), 22);
    assert!(watch.partitions[&0].decided.is_empty());
}

#[test]
fn what_is_still_pending_is_heard_again_from_the_record_that_it_began_with() {
    let mut watch = watch();
    watch.restore(0, &id("P1"), 0, &[]);
    // Sent days apart, so that nothing else has to be heard again.
    let take = |watch: &mut Watch, offset: i64, signs| {
        let reading = Reading::new(id("P1"), at(offset), signs).expect("reading");
        watch.take(0, offset, offset * ERA / 1000, &reading);
        watch.committed(0, 13);
    };
    for (offset, signs) in [(9, rate(70)), (10, rate(120)), (11, rate(120)), (12, spo2(97))] {
        take(&mut watch, offset, signs);
    }
    assert_eq!(watch.history(0, 13), 10);
    take(&mut watch, 13, rate(80));
    assert_eq!(watch.history(0, 13), 10, "it was decided at the next one");
}

#[test]
fn an_alarm_that_is_not_stored_needs_the_record_that_it_began_with_and_not_that_of_another() {
    let mut watch = Watch::new(RuleSet::parse("test", &format!("{RULES}delay = \"1h\"")).expect("rules"));
    take(&mut watch, 5, "P1", 0, spo2(90));
    take(&mut watch, 10, "P1", 10, rate(120));
    assert_eq!(told(&take(&mut watch, 20, "P2", 80, rate(70))), ["raised P1 fast High heart rate: 120"]);
    assert_eq!(watch.partitions[&0].unstored.values().collect::<Vec<_>>(), [&10]);
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
    watch.committed(0, 1000);
    assert_eq!((watch.history(0, 1000), watch.partitions[&0].sent.len()), (999 - 300, 301));
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
fn what_was_pending_for_long_is_raised_with_the_priority_of_the_rules_in_force() {
    let slow = RULES.replace("hysteresis = 2", "hysteresis = 2\ndelay = \"1h\"");
    let urgent = slow.replace("delay = \"1h\"", "delay = \"1h\"\npriority = \"high\"");
    let mut watch = Watch::new(RuleSet::parse("slow", &slow).expect("rules"));
    take(&mut watch, 0, "P1", 0, spo2(90));
    for offset in 1..=20 {
        take(&mut watch, offset, "P1", offset, rate(70));
    }
    watch.change_set(RuleSet::parse("urgent", &urgent).expect("rules"));
    let raised = take(&mut watch, 21, "P1", 3600, spo2(90)).remove(0).record.alarm;
    assert_eq!((raised.onset, raised.priority), (at(0).as_micros(), Priority::High));
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
    let bytes = watched.patient.size_bytes() + size_of::<(PatientId, Box<Watched>)>() + size_of::<Watched>() + 2 * 32;
    assert!(bytes <= 1024, "{bytes}");
}

fn known(rule: &str, onset: i64, peak: f64, ended: Option<i64>) -> KnownAlarm {
    let on = Alarm::on(at(onset).as_micros(), Priority::Medium, peak);
    let alarm = Alarm { ended: ended.map(|end| at(end).as_micros()), ..on };
    KnownAlarm { patient: id("P1"), rule: rule.to_owned(), alarm }
}

/// Whether these raise one, and whether it is written whole.
fn raises_whole(changes: &[AlarmChange]) -> Vec<bool> {
    let raised = changes.iter().filter(|change| change.step == Step::Raised);
    raised.map(|change| change.record.steps.have(&[Step::Again])).collect()
}

#[test]
fn what_rules_that_come_back_raise_once_more_is_written_whole() {
    let mut watch = watch();
    assert_eq!(raises_whole(&take(&mut watch, 0, "P1", 0, spo2(90))), [false]);
    watch.change_set(RuleSet::parse("other", &RULES.replace("\"low\"", "\"other\"")).expect("rules"));
    let again = watch.change_set(RuleSet::parse("test", RULES).expect("rules"));
    assert_eq!(told(&again), ["ended P1 other Low SpO2: 90", "raised P1 low Low SpO2: 90"]);
    assert_eq!(raises_whole(&again), [true]);
    take(&mut watch, 1, "P1", 1, spo2(95));
    assert_eq!(raises_whole(&take(&mut watch, 2, "P1", 2, spo2(90))), [false], "another one");
}

#[test]
fn what_is_raised_once_more_behind_a_fast_clock_is_written_whole() {
    let mut watch = watch();
    watch.tell_time(at(10).as_micros());
    take(&mut watch, 0, "P1", 20, spo2(90));
    take(&mut watch, 1, "P1", 311, spo2(85));
    assert_eq!(told(&take(&mut watch, 2, "P1", 312, spo2(95))), ["ended P1 low Low SpO2: 85"]);
    let again = take(&mut watch, 3, "P1", 21, rate(70));
    assert_eq!(told(&again), ["raised P1 low Low SpO2: 90"]);
    assert_eq!(raises_whole(&again), [true]);
}

#[test]
fn what_is_raised_behind_what_the_store_told_is_written_as_a_new_one_is() {
    let mut watch = watch();
    watch.restore(0, &id("P1"), at(9).as_micros(), &[&known("low", 0, 90.0, Some(5))]);
    assert_eq!(raises_whole(&take(&mut watch, 1, "P1", 9, spo2(90))), [false]);
}
