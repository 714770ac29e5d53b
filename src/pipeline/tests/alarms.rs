//! Alarms on their way: what the store knows of a patient comes before its first reading, what is before the committed offset
//! is heard again, and what is due by the clock is stored like the rest.

use super::stage::{assigned_from, chunk, message};
use super::*;
use crate::alarm::rules::RuleSet;
use crate::alarm::{Alarm, AlarmRecord, Priority, Step, Steps};
use crate::pipeline::source::ReadToEnd;
use crate::pipeline::store::Entry;
use crate::reading::{PatientId, Timestamp};

const DELAYED: &str = "\
[[rule]]
name = \"fast\"
sign = \"heart_rate\"
above = 110
hysteresis = 5
delay = \"20s\"
";

fn delayed(events: Vec<Event>) -> Play {
    let mut play = Play::of(events);
    play.rules = Remembering::by(play.log.clone(), RuleSet::parse("delayed", DELAYED).expect("rules"));
    play
}

/// Of the rule `heart_rate_high`, at 10:00:00.
pub(super) fn known(patient: &str, ended: Option<&str>) -> AlarmRecord {
    let micros = |second: &str| Timestamp::parse(&format!("2025-10-26T10:00:{second}Z")).expect("time").as_micros();
    AlarmRecord {
        patient: PatientId::parse(patient).expect("id"),
        rule: "heart_rate_high".into(),
        text: "High heart rate: 120".to_owned(),
        limit: Some(110.0),
        rules: None,
        steps: Steps::of(Step::Raised),
        alarm: Alarm { ended: ended.map(micros), ..Alarm::on(micros("00"), Priority::Medium, 120.0) },
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_the_store_knows_goes_on_and_is_not_raised_again() {
    let values = [message("P1", 5, 120), message("P1", 6, 130), message("P1", 7, 100), message("P2", 5, 120)];
    let mut play = Play::of([assigned(&[0], 4), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    play.shelf.alarms = Mutex::new(vec![known("P1", None), known("P2", Some("04"))]);
    let summary = play.run().await.expect("ends");
    assert!(play.log.place("restored P1 with 1") < play.log.place("judged 0 P1"));
    let told = ["worse P1 heart_rate_high", "ended P1 heart_rate_high", "raised P2 heart_rate_high"];
    assert_eq!(told.map(|line| play.log.count(line)), [1, 1, 1], "{:?}", play.log.lines());
    assert_eq!((play.log.count("raised"), summary.progress.alarms), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn readings_of_one_patient_wait_for_its_alarms_in_their_order_and_a_store_that_does_not_tell_is_asked_again() {
    let values = [message("P1", 0, 120), message("P2", 0, 70), message("P1", 1, 100), message("P1", 2, 121)];
    let mut play = Play::of([assigned(&[0], 4), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    play.shelf.questions_failed = Mutex::new(6);
    let summary = play.run().await.expect("ends");
    assert!(summary.is_clean);
    assert_eq!(play.log.count("trouble"), 1, "{:?}", play.log.lines());
    let steps: Vec<_> = play.log.lines().iter().filter(|line| line.ends_with("P1 heart_rate_high")).cloned().collect();
    assert_eq!(steps, ["raised", "ended", "raised"].map(|step| format!("{step} P1 heart_rate_high")));
    assert_eq!(play.log.count("stored P1"), 3);
}

#[tokio::test(start_paused = true)]
async fn records_before_the_start_are_heard_and_neither_shown_nor_stored_again() {
    let values = [message("P1", 0, 120), message("P1", 10, 121), message("P1", 25, 122), message("P2", 25, 70)];
    let values = values.each_ref().map(String::as_str);
    let mut play = delayed(vec![assigned_from(0, 0, 2, 4), chunk(0, 0, &values)]);
    let summary = play.run().await.expect("ends");
    assert_eq!((summary.progress.messages, summary.progress.stored), (2, 2));
    assert_eq!((play.log.count("judged 0 P1"), play.log.count("read"), play.log.count("stored P1")), (3, 2, 1));
    let onset = Timestamp::parse("2025-10-26T10:00:00Z").expect("time").as_micros();
    let stored = play.shelf.alarms.lock().expect("no panic").clone();
    assert_eq!(stored.iter().map(|record| record.alarm.onset).collect::<Vec<_>>(), [onset]);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_of_the_records_before_the_start_is_no_loss() {
    let gap = Gap { assignment: 1, partition: 0, wanted: 0, found: 2, end_offset: 3 };
    let mut play =
        Play::of([assigned_from(0, 0, 2, 3), Event::Fetched(Fetched::Gap(gap)), chunk(0, 2, &[&message("P1", 0, 70)])]);
    let summary = play.run().await.expect("ends");
    assert_eq!((summary.progress.stored, play.log.count("trouble")), (1, 0), "{:?}", play.log.lines());
    // A gap that reaches behind the start is one of what was to be read.
    let gap = Gap { assignment: 1, partition: 0, wanted: 0, found: 3, end_offset: 4 };
    let mut play =
        Play::of([assigned_from(0, 0, 2, 4), Event::Fetched(Fetched::Gap(gap)), chunk(0, 3, &[&message("P1", 0, 70)])]);
    play.run().await.expect("ends");
    assert!(play.log.has("trouble partition 0: 1 message from offset 2 on is gone from the log; reading on at 3"));
}

#[tokio::test(start_paused = true)]
async fn an_end_hears_what_is_before_the_start_even_where_nothing_is_left_to_read() {
    let mut play = delayed(vec![assigned_from(0, 0, 1, 1), chunk(0, 0, &[&message("P1", 0, 120)])]);
    play.run().await.expect("ends");
    assert!(play.log.has("raised P1 fast"), "long due by the clock: {:?}", play.log.lines());
    assert_eq!((play.log.count("read"), play.log.count("alarm stored P1 fast on")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_by_the_clock_at_the_end_is_stored_before_the_last_commit() {
    let mut play = delayed(vec![assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 120)])]);
    let summary = play.run().await.expect("ends");
    assert!(summary.is_clean && summary.progress.alarms == 1);
    assert!(play.log.place("stored P1 Some(120)") < play.log.place("raised P1 fast"));
    let (stored, needed) = (play.log.place("alarm stored P1 fast on"), play.log.place("needs 0:1 from 0"));
    assert!(stored < needed, "{:?}", play.log.lines());
}

/// That partition 0 was read to its end, a minute after the readings here.
fn end_of_partition() -> Event {
    let as_of = Timestamp::parse("2025-10-26T10:01:00Z").expect("time").as_micros();
    Event::Fetched(Fetched::End(ReadToEnd { assignment: 1, partition: 0, as_of }))
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_waits_for_alarms_that_no_record_stands_for() {
    let release = Event::Membership(MembershipEvent::Release);
    let mut play =
        delayed(vec![assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 120)]), end_of_partition(), release]);
    play.options.until.end = false;
    play.run_and_stop_after(1).await.expect("ends");
    let order = ["raised P1 fast", "alarm stored P1 fast on", "released"].map(|line| play.log.place(line));
    assert!(order.is_sorted(), "{:?}", play.log.lines());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_another_attempt_when_its_partition_is_taken_away_is_not_written_behind_its_next_owner() {
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 120)])]);
    play.loses_its_partitions();
    play.shelf.failures = Mutex::new(4);
    play.run_and_stop_after(60).await.expect("ends");
    let lines = play.log.lines();
    let revoked = lines.iter().position(|line| line == "revoked").expect("lost");
    let late = lines[revoked..].iter().filter(|line| line.contains("P1")).count();
    assert!(late == 0 && lines[..revoked].iter().any(|line| line == "failed P1"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_says_from_where_what_is_pending_has_to_be_heard_again() {
    // Of the year 2125: not due by the clock.
    let later = |patient, second, rate| message(patient, second, rate).replace("2025", "2125");
    let values = [later("P1", 0, 70), later("P2", 0, 120), later("P3", 1, 70)];
    let mut play = delayed(vec![assigned(&[0], 3), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    play.rules.forgets_times();
    let summary = play.run().await.expect("ends");
    assert_eq!((summary.is_clean, summary.progress.alarms), (true, 0));
    assert!(play.log.has("needs 0:3 from 1"), "{:?}", play.log.lines());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_the_store_has_forgotten_is_stored_again_and_told_to_nobody_twice() {
    let value = message("P1", 0, 170);
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&value])]);
    play.options.durability = Durability {
        delay: Duration::from_secs(16),
        generation: crate::pipeline::store::NodeGeneration(["0".to_owned()].into()),
    };
    play.shelf.restarts = vec![Instant::now() + Duration::from_secs(5)];
    play.shelf.forgets = true;
    play.script.again = stage::again(&[0], 1, vec![chunk(0, 0, &[&value])]);
    play.run().await.expect("ends");
    let log = &play.log;
    assert_eq!((log.count("raised"), log.count("alarm stored P1 heart_rate_high on")), (1, 2), "{:?}", log.lines());
}

#[tokio::test(start_paused = true)]
async fn a_patient_in_two_partitions_is_told_once() {
    let [a, b, c] = [message("P1", 0, 70), message("P1", 1, 71), message("P1", 2, 72)];
    let mut play = Play::of([assigned(&[0, 1], 2), chunk(0, 0, &[&a, &c]), chunk(1, 0, &[&b, &b])]);
    play.run().await.expect("ends");
    assert_eq!(play.log.count("stray"), 1);
}

fn admitted(version: i32, patient: &str, content: &str) -> Entry {
    let text = String::new;
    Entry { version, name: patient.to_owned(), author: text(), reason: text(), at: text(), content: content.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_patient_holds_from_the_first_reading_on() {
    let values = [message("P1", 0, 120), message("P2", 0, 120)];
    let mut play = Play::of([assigned(&[0], 2), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    let limit = r#"{"limits":{"heart_rate_high":{"value":130,"by":"Bo","at":"","reason":"sepsis"}}}"#;
    play.shelf.admissions = Mutex::new(vec![admitted(1, "P1", "{}"), admitted(2, "P1", limit)]);
    play.run().await.expect("ends");
    assert_eq!(play.log.count("raised P1"), 0, "{:?}", play.log.lines());
    assert_eq!(play.log.count("raised P2"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_read_here_is_told_and_leaves_what_was_known() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 120)])]);
    let limit = r#"{"limits":{"heart_rate_high":{"value":130,"by":"Bo","at":"","reason":"sepsis"}}}"#;
    play.shelf.admissions = Mutex::new(vec![admitted(1, "P1", limit), admitted(2, "P1", "not json")]);
    play.run().await.expect("ends");
    assert_eq!(play.log.count("trouble change 2 of the patients cannot be read here"), 1, "{:?}", play.log.lines());
    assert_eq!(play.log.count("raised P1"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_missing_holds_back_later_ones_and_no_reading() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 120)])]);
    let limit = r#"{"limits":{"heart_rate_high":{"value":130,"by":"Bo","at":"","reason":"sepsis"}}}"#;
    play.shelf.admissions = Mutex::new(vec![admitted(2, "P1", limit)]);
    play.run().await.expect("ends");
    assert_eq!(play.log.count("trouble change 1 of the patients is missing in the store"), 1, "{:?}", play.log.lines());
    assert_eq!(play.log.count("raised P1"), 1, "as before that change");
}

#[tokio::test(start_paused = true)]
async fn who_was_admitted_and_never_sent_anything_is_missed_by_whoever_has_the_partition() {
    let missed = async |partition: i32| {
        let mut play = Play::of([assigned(&[partition], 0)]);
        let content = r#"{"admitted_at":"2025-10-26T10:00:00+00:00"}"#;
        play.shelf.admissions = Mutex::new(vec![admitted(1, "P1", content)]);
        play.run().await.expect("ends");
        (play.log.count("raised P1 no_data"), play.log.count("alarm stored P1 no_data on"))
    };
    let own = crate::record::murmur2::partition_of(b"P1", 6);
    assert_eq!((missed(own).await, missed((own + 1) % 6).await), ((1, 1), (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_patient_of_whom_the_store_cannot_tell_keeps_no_other_from_being_judged_nor_from_what_is_due_by_the_clock() {
    let values = [message("P1", 0, 120), message("P2", 0, 120), message("P3", 0, 70)];
    let mut play = delayed(vec![assigned(&[0], 9), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    play.options.until.end = false;
    play.shelf.unreadable = Some("P1");
    let end = async {
        sleep(Duration::from_secs(20)).await;
        end_of_partition()
    };
    play.script.later = Some(Box::pin(end));
    let summary = play.run_and_stop_after(30).await.expect("ends");
    assert!(play.log.has("stored P3 Some(70)") && play.log.has("raised P2 fast"), "{:?}", play.log.lines());
    assert_eq!((play.log.count("stored P1"), play.log.count("committed"), summary.is_clean), (0, 0, false));
}

#[tokio::test(start_paused = true)]
async fn that_a_clock_is_fast_is_told_once_with_what_helps() {
    let ahead = |second| message("P1", second, 120).replace("2025", "2125");
    let values = [ahead(0), message("P1", 0, 70), ahead(1), message("P1", 1, 70)];
    let mut play = Play::of([assigned(&[0], 4), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    play.run().await.expect("ends");
    let told = play.log.lines().iter().filter(|line| line.starts_with("trouble")).cloned().collect::<Vec<_>>();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(told.contains("ahead of the clock") && told.contains("hint: "), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_maximum_in_the_middle_of_a_backlog_raises_nothing_by_the_clock() {
    let values = [message("P1", 0, 120), message("P1", 10, 80)];
    let mut play = delayed(vec![assigned(&[0], 2), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    play.options.until = Until { max_messages: Some(1), end: false };
    let summary = play.run().await.expect("ends");
    assert!(summary.is_clean && play.log.has("committed 0:1"));
    assert_eq!(play.log.count("raised"), 0, "what comes next could cancel it: {:?}", play.log.lines());
    assert!(play.log.has("needs 0:1 from 0"), "who goes on hears it again");
}

/// More than are asked for at once; the last of them by name is the one who is acknowledged.
#[tokio::test(start_paused = true)]
async fn acknowledgements_of_any_number_of_patients_are_taken_up_in_turns() {
    let patients = 450;
    let of = |second, rate| (0..patients).map(move |number| message(&format!("P{number}"), second, rate));
    let values: Vec<_> = of(0, 120).chain(of(1, 70)).collect();
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let mut play = Play::of([assigned(&[0], 2 * patients), chunk(0, 0, &values)]);
    let latched = "[[rule]]\nname = \"fast\"\nsign = \"heart_rate\"\nabove = 110\nlatch = true\n";
    play.rules = Remembering::by(play.log.clone(), RuleSet::parse("latched", latched).expect("rules"));
    play.shelf.acknowledged = Some("P99");
    play.options.until.end = false;
    play.run_and_stop_after(15).await.expect("ends");
    let patients = usize::try_from(patients).expect("few");
    assert_eq!(["raised P", "returned P"].map(|step| play.log.count(step)), [patients; 2]);
    assert_eq!((play.log.count("ended P"), play.log.has("ended P99 fast")), (1, true));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_cannot_read_the_rules_in_force_ends_no_alarm_of_them() {
    let ended = async |rules: &str| {
        let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 5, 70)])]);
        let of_later = AlarmRecord { rule: "of_a_later_vitals".into(), ..known("P1", None) };
        play.shelf.alarms = Mutex::new(vec![of_later]);
        play.shelf.applied = Mutex::new(Some(admitted(1, "later", rules)));
        play.run().await.expect("ends");
        play.log.count("ended P1 of_a_later_vitals")
    };
    assert_eq!((ended(DELAYED).await, ended("[[rule]]\nname = \"a\"\nof_later = 1\n").await), (1, 0));
}
