//! What the ward promises, over many seeds.

use std::collections::HashMap;

use super::drift::Drift;
use super::*;
use crate::alarm::rules::{Micros, RuleSet, SECOND};
use crate::alarm::{AlarmChange, AlarmRecord, Limits, Newest, Rule, Step, Watch, implausible, judge};
use crate::reading::{Consciousness, Observed, Sign, Signs, encode};
use crate::score::BuiltIn;

/// The first minute of the defaults of `vitals produce`: four patients, one message a second.
const FIRST_MINUTE: usize = 60;
/// The same four for a day of their own time.
const DAY: usize = 4 * 24 * 3600 / 20;
const SEEDS: u64 = 2000;

/// Between two readings of all four together, where they have the times of the patients' own.
const OWN_TIME: Micros = 20 * SECOND / 4;

fn time(micros: Micros) -> Timestamp {
    Timestamp::from_micros(1_761_474_600_000_000 + micros).expect("time")
}

fn readings(scenario: Scenario, seed: u64, count: usize) -> Vec<Reading> {
    let mut ward = Ward::new(&Patients::default(), scenario, seed, STEP);
    (0..).take(count).map(|number: Micros| ward.next(time(number * OWN_TIME))).collect()
}

fn rules(readings: &[Reading]) -> Vec<Rule> {
    readings.iter().flat_map(|reading| judge(reading, Limits::default())).map(|alert| alert.rule).collect()
}

fn changes(set: RuleSet, readings: &[Reading]) -> Vec<AlarmChange> {
    let mut watch = Watch::new(set);
    let mut changes = Vec::new();
    for (offset, reading) in (0..).zip(readings) {
        if !watch.knows(reading.patient()) {
            watch.restore(0, reading.patient(), 0, &[]);
        }
        changes.extend(watch.take(0, offset, 0, reading));
        watch.committed(0, offset + 1);
    }
    changes
}

/// The alarms that were raised and are over, in the order of their ends.
fn ended(set: RuleSet, readings: &[Reading]) -> Vec<AlarmRecord> {
    let changes = changes(set, readings).into_iter();
    changes.filter(|change| change.step == Step::Ended).map(|change| change.record).collect()
}

fn classic() -> RuleSet {
    RuleSet::classic(Limits::default())
}

fn ward_rules() -> RuleSet {
    RuleSet::built_in("ward").expect("built in")
}

const ALL: [Scenario; 6] = [
    Scenario::Stable,
    Scenario::Tachycardia,
    Scenario::Desaturation,
    Scenario::Hypotension,
    Scenario::Sepsis,
    Scenario::Mixed,
];

/// What the coursework producer sends.
fn coursework_range(sign: Sign) -> (f64, f64) {
    match sign {
        Sign::HeartRate => (50.0, 120.0),
        Sign::Spo2 => (88.0, 100.0),
        Sign::Systolic => (90.0, 140.0),
        Sign::Diastolic => (60.0, 95.0),
        Sign::RespiratoryRate => (10.0, 30.0),
        Sign::Temperature => (35.5, 39.0),
    }
}

#[test]
fn the_mixed_ward_alerts_within_the_first_minute_for_every_seed() {
    for seed in 0..SEEDS {
        let rules = rules(&readings(Scenario::Mixed, seed, FIRST_MINUTE));
        assert!(rules.contains(&Rule::HighHeartRate) && rules.contains(&Rule::LowSpo2), "seed {seed}");
    }
}

#[test]
fn the_stable_ward_never_alerts() {
    for seed in 0..SEEDS / 10 {
        let readings = readings(Scenario::Stable, seed, 2000);
        assert_eq!(rules(&readings), [], "seed {seed}");
        assert_eq!(changes(ward_rules(), &readings), [], "seed {seed}");
    }
}

#[test]
fn every_value_is_plausible_and_the_diastolic_pressure_is_the_lower_one() {
    for scenario in ALL {
        for seed in 0..50 {
            for reading in readings(scenario, seed, 2000) {
                assert_eq!(implausible(reading.signs()), [], "{scenario:?} seed {seed}");
            }
        }
    }
}

#[test]
fn without_a_scenario_the_values_are_such_as_the_coursework_producer_sends() {
    assert_eq!(Scenario::default(), Scenario::Mixed);
    for seed in 0..50 {
        for reading in readings(Scenario::Mixed, seed, 4000) {
            for sign in Sign::ALL {
                let (value, (low, high)) = (reading.signs().get(sign).expect("all signs"), coursework_range(sign));
                assert!((low..=high).contains(&value), "seed {seed}: {sign} {value}");
            }
        }
    }
}

#[test]
fn each_scenario_raises_the_alarm_it_is_named_for() {
    let raises = |set, readings: &[Reading], rule: &str| {
        changes(set, readings).iter().any(|change| change.step == Step::Raised && *change.record.rule == *rule)
    };
    for seed in 0..50 {
        let of = |scenario| readings(scenario, seed, 400);
        assert!(raises(classic(), &of(Scenario::Tachycardia), "heart_rate_high"));
        assert!(raises(classic(), &of(Scenario::Desaturation), "spo2_low"));
        assert!(raises(ward_rules(), &of(Scenario::Hypotension), "systolic_low"));
        let septic = of(Scenario::Sepsis);
        assert!(raises(classic(), &septic, "heart_rate_high"));
        assert!(raises(ward_rules(), &septic, "respiratory_rate_high"));
        assert!(raises(ward_rules(), &septic, "systolic_low"));
        assert!(septic.iter().any(|reading| reading.signs().temperature > Some(38.0)));
    }
}

#[test]
fn nobody_looks_at_the_patients_of_the_coursework_producer_and_who_does_sees_the_same_signs() {
    let patients = Patients::default();
    for scenario in ALL {
        let mut ward = Ward::new(&patients, scenario, 3, STEP);
        let mut observed = Ward::new(&patients, scenario, 3, STEP).observed();
        for _ in 0..500 {
            let (reading, seen) = (ward.next(time(0)), observed.next(time(0)));
            assert_eq!(reading.signs().observed, Observed::NOTHING);
            assert_eq!(Signs { observed: Observed::NOTHING, ..*seen.signs() }, *reading.signs());
        }
    }
}

#[test]
fn with_oxygen_and_consciousness_every_score_is_whole_and_only_who_is_ill_is_not_alert() {
    let readings = |scenario, seed| {
        let mut ward = Ward::new(&Patients::default(), scenario, seed, STEP).observed();
        (0..2000).map(|number: Micros| ward.next(time(number * OWN_TIME))).collect::<Vec<_>>()
    };
    let seen = |readings: &[Reading]| {
        let of = |reading: &Reading| reading.signs().observed;
        let oxygen = readings.iter().filter(|reading| of(reading).supplemental_oxygen == Some(true)).count();
        let is_alert = |reading: &&Reading| of(reading).consciousness == Some(Consciousness::Alert);
        (oxygen, readings.iter().filter(|reading| !is_alert(reading)).count())
    };
    for seed in 0..20 {
        let stable = readings(Scenario::Stable, seed);
        assert_eq!((seen(&stable), changes(ward_rules(), &stable)), ((0, 0), Vec::new()), "seed {seed}");
        for scenario in ALL {
            for reading in readings(scenario, seed) {
                let mut newest = Newest::default();
                newest.take(0, reading.signs());
                let score = BuiltIn::News2.chart().score(&newest.inputs_since(0));
                assert!(!score.is_partial, "{scenario:?} seed {seed}");
            }
        }
        let mixed = readings(Scenario::Mixed, seed);
        let (oxygen, not_alert) = seen(&mixed);
        assert!(oxygen > 10 && oxygen * 2 < mixed.len(), "seed {seed}: {oxygen} readings on oxygen");
        assert!(not_alert < oxygen, "seed {seed}: {not_alert} readings of a patient who is not alert");
        for grave in [Scenario::Sepsis, Scenario::Desaturation, Scenario::Hypotension] {
            let (_, not_alert) = seen(&readings(grave, seed));
            assert!(not_alert > 10, "{grave:?} seed {seed}: {not_alert}");
            let changes = changes(ward_rules(), &readings(grave, seed));
            assert!(changes.iter().any(|change| &*change.record.rule == "not_alert"), "{grave:?} seed {seed}");
        }
    }
}

#[test]
fn patients_recover_and_are_well_most_of_the_time() {
    for seed in 0..5 {
        let day = readings(Scenario::Mixed, seed, DAY);
        assert!(ended(classic(), &day).len() > 10, "seed {seed}");
        let over = day.iter().filter(|reading| !judge(reading, Limits::default()).is_empty()).count();
        assert!(over * 4 < DAY, "seed {seed}: {over} of {DAY}");
    }
}

#[test]
fn an_alarm_lasts_several_readings_and_does_not_come_back_at_once() {
    for scenario in ALL {
        for set in [classic(), ward_rules()] {
            for seed in 0..2 {
                let mut ends = HashMap::new();
                for AlarmRecord { patient, rule, alarm, .. } in ended(set.clone(), &readings(scenario, seed, DAY)) {
                    let end = alarm.ended.expect("ended");
                    let spell = format!("{scenario:?} seed {seed}: {patient} {rule} {alarm:?}");
                    // What a rule waits for is over for as long as that before.
                    assert!(end - alarm.onset >= 3 * 20 * SECOND, "{spell}");
                    if let Some(last) = ends.insert((patient, rule), end) {
                        assert!(alarm.onset - last >= 60 * SECOND, "{spell}, and before until {last}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_episode_takes_the_same_time_whatever_the_step() {
    let median = |step: u64| {
        let mut ward = Ward::new(&Patients::default(), Scenario::Desaturation, 3, Duration::from_secs(step));
        let step = Micros::try_from(step).expect("small") * SECOND / 4;
        let readings: Vec<_> = (0..).take(20_000).map(|number: Micros| ward.next(time(number * step))).collect();
        let ended = ended(classic(), &readings);
        let mut lengths: Vec<_> =
            ended.iter().filter_map(|record| Some(record.alarm.ended? - record.alarm.onset)).collect();
        lengths.sort_unstable();
        lengths[lengths.len() / 2] / SECOND
    };
    for step in [4, 20, 30] {
        assert!((300..480).contains(&median(step)), "{step} s: {} s", median(step));
    }
}

#[test]
fn a_seed_gives_the_same_messages_again_and_another_seed_others() {
    let messages = |seed| readings(Scenario::Mixed, seed, 500).iter().map(encode).collect::<Vec<_>>();
    assert_eq!(messages(7), messages(7));
    assert_ne!(messages(7), messages(8));
}

#[test]
fn every_patient_is_measured_once_in_a_round() {
    for round in readings(Scenario::Mixed, 3, 400).chunks(4) {
        let mut ids: Vec<_> = round.iter().map(|reading| reading.patient().as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["P001", "P002", "P003", "P004"]);
    }
}

#[test]
fn patients_that_are_shared_out_live_as_they_do_together() {
    let of = |ward: &mut Ward, patient: &str, count: usize| -> Vec<_> {
        let readings = (0..count).map(|_| ward.next(time(0)));
        readings.filter(|reading| reading.patient().as_str() == patient).map(|reading| *reading.signs()).collect()
    };
    let ward = || Ward::new(&Patients::default(), Scenario::Mixed, 5, STEP);
    for begun in [0, 6] {
        let mut divided = ward();
        let mut together = ward();
        for _ in 0..begun {
            assert_eq!(divided.next(time(0)), together.next(time(0)));
        }
        let mut shares = divided.shared_out(|patient| patient.as_str() == "P002");
        assert_eq!(shares.len(), 2);
        let alone = of(shares.get_mut(&true).expect("a share"), "P002", 100);
        assert_eq!(alone, of(&mut together, "P002", 600)[..100]);
    }
}

#[test]
fn neighbouring_readings_of_a_stable_patient_differ_little() {
    let readings = readings(Scenario::Stable, 5, 4000);
    let rates: Vec<i32> = readings
        .iter()
        .filter(|reading| reading.patient().as_str() == "P001")
        .filter_map(|reading| reading.signs().heart_rate)
        .collect();
    assert!(rates.windows(2).all(|pair| (pair[0] - pair[1]).abs() <= 6));
    let spread = rates.iter().max().expect("some") - rates.iter().min().expect("some");
    assert!(spread >= 8, "the baseline drifts: {spread}");
}

#[test]
fn a_ward_of_one_has_an_ill_patient() {
    let patients: Patients = "P9".parse().expect("patients");
    let mut ward = Ward::new(&patients, Scenario::Mixed, 1, STEP);
    let readings: Vec<_> = (0..FIRST_MINUTE).map(|_| ward.next(time(0))).collect();
    assert!(!rules(&readings).is_empty());
}

#[test]
fn what_drifts_moves_stays_within_its_bound_and_comes_back() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    for step in [1, 20] {
        let pace = Pace::new(Duration::from_secs(step));
        let mut drift = Drift::default();
        let path: Vec<f64> = (0..40_000).map(|_| drift.step(pace.quick, &mut random)).collect();
        assert!(path.iter().all(|value| value.abs() <= 1.0));
        assert!(path.iter().any(|value| *value > 0.6) && path.iter().any(|value| *value < -0.6));
        assert!((path.iter().sum::<f64>() / 40_000.0).abs() < 0.05);
    }
}
