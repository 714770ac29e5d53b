//! What is remembered of a patient's readings, and what comes late.

use super::*;
use crate::reading::Observed;

#[test]
fn what_is_older_than_what_is_remembered_is_left_to_the_store() {
    let set = set(RULES);
    let (mut patient, mut told) = (Patient::default(), Told::default());
    for (time, signs) in heart_rates(&[(0, 100), (1000, 100), (699, 120), (700, 120)]) {
        patient.take(&set, time, &signs, &mut |change| told.hear(change));
    }
    assert_eq!(times(&told, "at_once"), [(700, 700, Some(1000))]);
}

#[test]
fn a_reading_that_comes_again_changes_nothing_unless_it_brings_something_new() {
    let set = set("[[rule]]\nname = \"a\"\nscore = \"NEWS2\"\nabove = 4");
    let mut window = Window::default();
    let known = Signs { heart_rate: Some(70), temperature: Some(37.5), ..Signs::default() };
    let observed = Observed { supplemental_oxygen: Some(true), ..Observed::NOTHING };
    let oxygen = Signs { observed, ..Signs::default() };
    let mut taken = |second: i64, signs: Signs| window.take(&set, second * SECOND, &signs);
    assert_eq!(taken(0, known), Taken::InOrder);
    assert_eq!([taken(0, known), taken(0, oxygen), taken(0, oxygen)], [Taken::Nothing, Taken::Late, Taken::Nothing]);
    for second in 1..=40 {
        taken(second, Signs { heart_rate: Some(70), ..known });
    }
    let spo2 = Signs { spo2: Some(97), ..Signs::default() };
    assert_eq!([taken(2, oxygen), taken(2, oxygen)], [Taken::Late, Taken::Nothing], "newer than any before");
    assert_eq!([taken(2, spo2), taken(1, spo2)], [Taken::Late, Taken::Nothing]);
    assert_eq!([taken(3, spo2), taken(3, spo2), taken(-3700, spo2)], [Taken::Late, Taken::Nothing, Taken::Nothing]);
    assert_eq!([taken(3, oxygen), taken(3, oxygen)], [Taken::Late, Taken::Nothing]);
}

#[test]
fn a_late_reading_among_those_that_are_remembered_counts_however_many_they_are() {
    let set = set(RULES);
    let (mut patient, mut told) = (Patient::default(), Told::default());
    let readings: Vec<_> = (0..40).map(|second| (2 * second, 100)).chain([(75, 120)]).collect();
    for (time, signs) in heart_rates(&readings) {
        patient.take(&set, time, &signs, &mut |change| told.hear(change));
    }
    assert_eq!(times(&told, "at_once"), [(75, 75, Some(76))]);
}

#[test]
fn newest_values_take_room_only_where_a_rule_looks_at_other_readings_than_the_one_that_comes() {
    let size = |rules: &str| {
        let (set, mut window) = (set(rules), Window::default());
        for (time, signs) in heart_rates(&[(0, 100), (1, 100)]) {
            window.take(&set, time, &signs);
        }
        window.size_bytes()
    };
    let looks_around = "[[rule]]\nname = \"a\"\nsign = \"shock_index\"\nabove = 1";
    assert_eq!(size(looks_around) - size(RULES), size_of::<crate::alarm::Newest>());
}

#[test]
fn a_patient_takes_little_room() {
    assert!(size_of::<(u16, State)>() <= 120, "{}", size_of::<(u16, State)>());
    assert_eq!(size_of::<crate::alarm::sample::Sample>(), 36);
}
