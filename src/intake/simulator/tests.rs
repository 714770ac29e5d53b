//! What the ward promises, over many seeds.

use super::patient::RandomWalk;
use super::*;
use crate::alarm::{Limits, Rule, implausible, judge};
use crate::reading::encode;

/// The first minute of the old defaults: four patients, one message a second.
const FIRST_MINUTE: usize = 60;
const SEEDS: u64 = 2000;

fn time(step: usize) -> Timestamp {
    let micros = 1_761_474_600_000_000 + i64::try_from(step).expect("small") * 1_000_000;
    Timestamp::from_utc(chrono::DateTime::from_timestamp_micros(micros).expect("moment")).expect("time")
}

fn readings(scenario: Scenario, seed: u64, count: usize) -> Vec<Reading> {
    let mut ward = Ward::new(&Patients::default(), scenario, seed);
    (0..count).map(|step| ward.next(time(step))).collect()
}

fn rules(readings: &[Reading]) -> Vec<Rule> {
    readings.iter().flat_map(|reading| judge(reading, Limits::default())).map(|alert| alert.rule).collect()
}

const ALL: [Scenario; 5] =
    [Scenario::Stable, Scenario::Tachycardia, Scenario::Desaturation, Scenario::Sepsis, Scenario::Mixed];

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
        assert_eq!(rules(&readings(Scenario::Stable, seed, 2000)), [], "seed {seed}");
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
fn each_scenario_raises_the_alert_it_is_named_for() {
    for seed in 0..50 {
        assert!(rules(&readings(Scenario::Tachycardia, seed, 400)).contains(&Rule::HighHeartRate));
        assert!(rules(&readings(Scenario::Desaturation, seed, 400)).contains(&Rule::LowSpo2));
        let septic = readings(Scenario::Sepsis, seed, 400);
        assert!(rules(&septic).contains(&Rule::HighHeartRate));
        assert!(septic.iter().any(|reading| reading.signs().temperature > Some(38.0)));
        assert!(septic.iter().any(|reading| reading.signs().systolic < Some(110)));
    }
}

#[test]
fn patients_recover() {
    for seed in 0..50 {
        let later = readings(Scenario::Tachycardia, seed, 4 * 60).split_off(4 * 30);
        assert!(later.iter().any(|reading| judge(reading, Limits::default()).is_empty()), "seed {seed}");
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
    let mut ward = Ward::new(&patients, Scenario::Mixed, 1);
    let readings: Vec<_> = (0..FIRST_MINUTE).map(|step| ward.next(time(step))).collect();
    assert!(!rules(&readings).is_empty());
}

#[test]
fn a_walk_moves_stays_within_its_bound_and_comes_back() {
    let mut random = StdRng::seed_from_u64(1);
    let mut walk = RandomWalk::within(10.0);
    let path: Vec<f64> = (0..10_000).map(|_| walk.step(&mut random)).collect();
    assert!(path.iter().all(|value| value.abs() <= 10.0));
    assert!(path.iter().any(|value| *value > 2.0) && path.iter().any(|value| *value < -2.0));
    assert!((path.iter().sum::<f64>() / 10_000.0).abs() < 0.2);
}
