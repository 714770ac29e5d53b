//! What is known of a patient, reading by reading.

use super::*;
use crate::alarm::Limits;
use crate::alarm::rules::SECOND;

fn reading(id: &str, second: u32, signs: Signs) -> Reading {
    let time = format!("2025-10-26T10:{:02}:{:02}Z", second / 60, second % 60);
    let time = Timestamp::parse(&time).expect("a time");
    Reading::new(PatientId::parse(id).expect("an id"), time, signs).expect("a reading")
}

fn heart_rate(rate: i32) -> Signs {
    Signs { heart_rate: Some(rate), ..Signs::default() }
}

fn temperature(degrees: f32) -> Signs {
    Signs { temperature: Some(degrees), ..Signs::default() }
}

fn nobody() -> Patients {
    Patients::new(RuleSet::classic(Limits::default()))
}

/// The one patient that there is.
fn only(patients: Patients) -> Patient {
    patients.by_id.into_values().next().expect("a patient")
}

fn taken(readings: impl IntoIterator<Item = Reading>) -> Patient {
    let mut patients = nobody();
    readings.into_iter().for_each(|reading| patients.hear(reading, &[], 0));
    only(patients)
}

fn texts(patient: &Patient) -> Vec<&str> {
    patient.alarms.iter().map(|alarm| alarm.text.as_str()).collect()
}

/// An alarm that the store knows, so many seconds after that of the first reading.
fn known(rule: &str, onset: i64, ended: Option<i64>) -> KnownAlarm {
    let at = |second: i64| reading("P1", 0, heart_rate(80)).time().as_micros() + second * SECOND;
    let alarm = Alarm {
        onset: at(onset),
        start: at(onset),
        value: 112.0,
        peak: 140.0,
        is_partial: false,
        priority: Priority::Medium,
        returned: None,
        acknowledged: None,
        ended: ended.map(at),
    };
    KnownAlarm { patient: PatientId::parse("P1").expect("an id"), rule: rule.to_owned(), alarm }
}

#[test]
fn a_sign_that_the_last_reading_lacks_is_carried_from_an_earlier_one() {
    let patient = taken([reading("P1", 0, temperature(36.8)), reading("P1", 10, heart_rate(80))]);
    assert_eq!(patient.signs.temperature, Some(36.8));
    assert!(patient.is_carried(Sign::Temperature) && !patient.is_carried(Sign::HeartRate));
    assert_eq!(patient.last().map(|time| time.to_string()), Some("2025-10-26T10:00:10+00:00".to_owned()));
}

#[test]
fn a_sign_older_than_fifteen_minutes_is_carried_no_more() {
    let at = |second| taken([reading("P1", 0, temperature(36.8)), reading("P1", second, heart_rate(80))]);
    assert_eq!(at(900).signs.temperature, Some(36.8));
    assert_eq!(at(901).signs.temperature, None);
}

#[test]
fn an_older_reading_that_comes_late_changes_nothing_that_is_newer() {
    let patient = taken([reading("P1", 10, heart_rate(80)), reading("P1", 0, heart_rate(200))]);
    assert_eq!(patient.signs.heart_rate, Some(80));
    assert!(patient.alarms.is_empty());
}

#[test]
fn the_same_time_again_joins_the_signs() {
    let patient = taken([reading("P1", 0, heart_rate(80)), reading("P1", 0, temperature(37.0))]);
    assert!(!patient.is_carried(Sign::HeartRate) && !patient.is_carried(Sign::Temperature));
    assert_eq!(patient.readings.len(), 1);
}

#[test]
fn a_patient_never_holds_more_readings_than_there_are_signs() {
    let signs = |second: u32| if second.is_multiple_of(2) { heart_rate(80) } else { temperature(36.8) };
    assert_eq!(taken((0..100).map(|second| reading("P1", second, signs(second)))).readings.len(), 2);
}

#[test]
fn an_alarm_stays_until_the_value_is_back_and_keeps_its_onset_and_its_worst_value() {
    let rates = |rates: &[i32]| taken((0..).zip(rates).map(|(second, rate)| reading("P1", second, heart_rate(*rate))));
    let patient = rates(&[115, 120, 108]);
    assert_eq!(texts(&patient), ["High heart rate: 120"]);
    assert_eq!(patient.alarms[0].alarm.onset, patient.last_micros() - 2 * SECOND);
    assert_eq!(patient.priority_of(Sign::HeartRate), Some(Priority::Medium));
    assert_eq!((patient.priority_of(Sign::Spo2), patient.priority()), (None, Some(Priority::Medium)));
    assert_eq!(texts(&rates(&[115, 120, 108, 105])), [""; 0]);
}

#[test]
fn the_most_pressing_alarm_comes_first_and_of_those_the_oldest() {
    let both = |spo2| Signs { heart_rate: Some(120), spo2, ..Signs::default() };
    let patient = taken([reading("P1", 0, both(None)), reading("P1", 1, both(Some(85)))]);
    assert_eq!(texts(&patient), ["Low SpO2: 85", "High heart rate: 120"]);
    let later = taken([reading("P1", 5, heart_rate(120))]);
    let well = taken([reading("P1", 0, heart_rate(80))]);
    let earlier = taken([reading("P1", 0, heart_rate(120))]);
    assert!(patient.pressure() > earlier.pressure() && earlier.pressure() > later.pressure());
    assert!(later.pressure() > well.pressure());
}

#[test]
fn a_value_that_is_not_believed_is_marked_and_raises_a_technical_alarm() {
    let patient = taken([reading("P1", 0, heart_rate(0))]);
    assert!(patient.is_doubted(Sign::HeartRate) && !patient.is_doubted(Sign::Spo2));
    assert_eq!(patient.priority_of(Sign::HeartRate), Some(Priority::High));
}

#[test]
fn an_alarm_that_the_store_knows_goes_on_and_one_that_is_over_there_is_not_raised_again() {
    let with = |known: &[KnownAlarm], rate| {
        let mut patients = nobody();
        patients.hear(reading("P1", 10, heart_rate(rate)), known, 0);
        only(patients)
    };
    let on = [known("heart_rate_high", -600, None)];
    let patient = with(&on, 108);
    assert_eq!(texts(&patient), ["High heart rate: 140"], "between limit and hysteresis it goes on");
    assert_eq!(patient.alarms[0].alarm.onset, on[0].alarm.onset);
    assert_eq!(texts(&with(&on, 80)), [""; 0]);
    assert_eq!(texts(&with(&[known("heart_rate_high", 0, Some(20))], 120)), [""; 0]);
    assert_eq!(texts(&with(&[known("no_rule", -600, None)], 80)), [""; 0]);
}

#[test]
fn what_the_store_knows_counts_only_for_who_is_new() {
    let mut patients = nobody();
    patients.hear(reading("P1", 10, heart_rate(80)), &[], 0);
    patients.hear(reading("P1", 11, heart_rate(108)), &[known("heart_rate_high", -600, None)], 0);
    assert_eq!(texts(&only(patients)), [""; 0]);
}

#[test]
fn a_rule_with_a_delay_raises_its_alarm_by_the_clock_where_nothing_comes() {
    let mut patients = Patients::new(RuleSet::built_in("ward").expect("built in"));
    let first = reading("P1", 0, heart_rate(140));
    let onset = first.time().as_micros();
    patients.hear(first, &[], 0);
    patients.advance(onset + 61 * SECOND);
    assert_eq!(patients.alarming(), 0, "a reading that is late could cancel it");
    patients.advance(onset + 63 * SECOND);
    assert_eq!(texts(&only(patients)), ["High heart rate: 140"]);
}

#[test]
fn with_other_rules_the_alarms_are_theirs() {
    let mut patients = nobody();
    patients.hear(reading("P1", 0, heart_rate(115)), &[], 0);
    assert_eq!(patients.alarming(), 1);
    patients.change_set(RuleSet::classic(Limits { heart_rate_high: 130, ..Limits::default() }));
    patients.hear(reading("P1", 1, heart_rate(115)), &[], 0);
    assert_eq!(patients.alarming(), 0, "115 is back by the limit that is in force now");
}

#[test]
fn beyond_the_limit_the_longest_silent_are_forgotten() {
    let mut patients = nobody();
    let mut take = |number: usize| patients.hear(reading(&format!("P{number}"), 0, heart_rate(80)), &[], 0);
    take(0);
    (1..=MAX_PATIENTS).for_each(&mut take);
    take(0);
    (MAX_PATIENTS + 1..=MAX_PATIENTS + 2 * SLACK).for_each(&mut take);
    assert!(patients.count() <= MAX_PATIENTS + SLACK + 1, "{}", patients.count());
    let known = |id: &str| patients.all().any(|patient| patient.id() == id);
    assert!(known("P0") && !known("P1") && known(&format!("P{}", MAX_PATIENTS + 2 * SLACK)));
    assert!(patients.forgotten > 0);
}

/// At this second after that of the first reading.
fn at(second: i64) -> Micros {
    reading("P1", 0, heart_rate(80)).time().as_micros() + second * SECOND
}

fn admitted(second: i64) -> Admission {
    let time = Timestamp::from_micros(at(second)).expect("a time");
    Admission { admitted_at: time.to_string(), bed: Some("3".to_owned()), ..Admission::default() }
}

fn stored(newest: Option<i64>, known: Vec<KnownAlarm>) -> Stored {
    Stored { patient: PatientId::parse("P1").expect("an id"), newest: newest.map(at), known }
}

fn on(patients: &Patients) -> Vec<String> {
    patients.all().flat_map(|patient| patient.alarms.iter().map(|alarm| alarm.text.clone())).collect()
}

#[test]
fn of_who_is_admitted_it_is_raised_that_nothing_comes_and_a_reading_ends_it() {
    let mut patients = nobody();
    patients.admit("P1".to_owned(), admitted(-600));
    patients.look_for_silence(at(0));
    assert_eq!(patients.count(), 0, "the store may know of a reading");
    patients.remember(stored(Some(-200), Vec::new()));
    patients.look_for_silence(at(101));
    assert_eq!(on(&patients), [""; 0]);
    patients.look_for_silence(at(103));
    assert_eq!(on(&patients), ["No data for 5 min"]);
    let patient = patients.all().next().expect("a patient");
    assert_eq!((patient.id(), patient.who().as_str(), patient.last()), ("P1", "bed 3", None));
    assert_eq!((patient.alarms[0].alarm.onset, patient.last_micros()), (at(-200), at(-200)));
    patients.hear(reading("P1", 110, heart_rate(80)), &[], at(110));
    patients.look_for_silence(at(200));
    assert_eq!(on(&patients), [""; 0]);
    patients.look_for_silence(at(413));
    assert_eq!(on(&patients), ["No data for 5 min"]);
    let discharged = Admission { discharged_at: Some("2025-10-26T11:00:00+00:00".to_owned()), ..admitted(-600) };
    patients.admit("P1".to_owned(), discharged);
    patients.look_for_silence(at(900));
    assert_eq!((on(&patients), patients.count()), (Vec::new(), 1), "there were readings");
}

#[test]
fn a_silence_that_the_store_knows_goes_on_and_that_of_a_stay_before_does_not() {
    let with = |admission: Admission| {
        let mut patients = nobody();
        patients.admit("P1".to_owned(), admission);
        patients.remember(stored(Some(-900), vec![known("no_data", -900, None)]));
        patients
    };
    assert_eq!(on(&with(admitted(-1000))), ["No data for 5 min"]);
    assert_eq!(on(&with(admitted(-100))), [""; 0]);
    let mut patients = with(admitted(-1000));
    patients.admit(
        "P1".to_owned(),
        Admission { discharged_at: Some("2025-10-26T11:00:00+00:00".to_owned()), ..admitted(-1000) },
    );
    assert_eq!(patients.count(), 0, "who was there to be missed alone");
    patients.remember(stored(None, Vec::new()));
    assert_eq!(patients.count(), 0);
}

#[test]
fn a_message_ends_a_silence_whatever_time_it_tells() {
    let mut patients = nobody();
    patients.admit("P1".to_owned(), admitted(-600));
    patients.remember(stored(Some(-10), Vec::new()));
    patients.look_for_silence(at(400));
    assert_eq!(on(&patients), ["No data for 5 min"]);
    // Its clock is ten minutes behind.
    patients.hear(reading("P1", 0, heart_rate(80)), &[], at(600));
    patients.look_for_silence(at(800));
    assert_eq!(on(&patients), [""; 0]);
}
