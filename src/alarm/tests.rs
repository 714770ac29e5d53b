//! The two rules of the coursework consumer, and the technical alerts.

use super::*;
use crate::reading::{Consciousness, Observation, Observed, Signs};

fn alerts(signs: Signs) -> Vec<Alert> {
    let time = Timestamp::parse("2025-10-26T10:30:15Z").expect("time");
    let reading = Reading::new(PatientId::parse("P1").expect("id"), time, signs).expect("reading");
    judge(&reading, Limits::default())
}

fn texts(signs: Signs) -> Vec<String> {
    alerts(signs).iter().map(ToString::to_string).collect()
}

#[test]
fn both_limits_are_exclusive() {
    let at_the_limits = Signs { heart_rate: Some(110), spo2: Some(92), ..Signs::default() };
    assert_eq!(texts(at_the_limits), Vec::<String>::new());
    let beyond = Signs { heart_rate: Some(111), spo2: Some(91), ..Signs::default() };
    assert_eq!(texts(beyond), ["High heart rate: 111", "Low SpO2: 91"]);
}

#[test]
fn alerts_stand_in_one_line_below_their_reading() {
    let alerts = alerts(Signs { heart_rate: Some(115), spo2: Some(85), ..Signs::default() });
    assert_eq!(line_of(&alerts), "  >>> ALERT: High heart rate: 115; Low SpO2: 85");
}

#[test]
fn an_alert_keeps_the_limit_in_force_and_the_value() {
    let alert = alerts(Signs { heart_rate: Some(115), ..Signs::default() }).remove(0);
    assert_eq!((alert.value, alert.limit), (115.0, Some(110.0)));
    assert_eq!((alert.rule.name(), alert.priority), ("heart_rate_high", Priority::Medium));
}

#[test]
fn a_heart_rate_or_breathing_of_zero_is_a_technical_alert_of_high_priority() {
    for signs in
        [Signs { heart_rate: Some(0), ..Signs::default() }, Signs { respiratory_rate: Some(0), ..Signs::default() }]
    {
        let alerts = alerts(signs);
        assert_eq!(alerts.len(), 1);
        assert!(line_of(&alerts).ends_with(" off"), "{}", line_of(&alerts));
        assert_eq!(alerts[0].priority, Priority::High);
        assert!(alerts[0].rule.name().ends_with("_rate_implausible"));
    }
}

#[test]
fn an_implausible_sign_feeds_no_physiological_rule_and_the_rest_counts() {
    let signs = Signs { heart_rate: Some(900), spo2: Some(90), ..Signs::default() };
    assert_eq!(texts(signs), ["Low SpO2: 90", "Implausible heart_rate: 900"]);
    assert_eq!(texts(Signs { spo2: Some(0), ..Signs::default() }), ["Implausible spo2: 0"]);
    assert_eq!(texts(Signs { respiratory_rate: Some(121), ..Signs::default() }), ["Implausible respiratory_rate: 121"]);
}

#[test]
fn a_diastolic_pressure_not_below_the_systolic_one_is_marked_once() {
    let pressure =
        |systolic, diastolic| Signs { systolic: Some(systolic), diastolic: Some(diastolic), ..Signs::default() };
    assert_eq!(texts(pressure(90, 95)), ["Implausible blood pressure: 90/95"]);
    assert_eq!(texts(pressure(90, 90)), ["Implausible blood pressure: 90/90"]);
    assert_eq!(texts(pressure(91, 90)), Vec::<String>::new());
    assert_eq!(texts(pressure(10, 95)), ["Implausible systolic: 10"]);
}

#[test]
fn a_temperature_in_fahrenheit_is_named_as_such_and_printed_as_sent() {
    let temperature = |degrees| Signs { temperature: Some(degrees), ..Signs::default() };
    assert_eq!(texts(temperature(97.2)), ["Implausible temperature: 97.2 (Fahrenheit?)"]);
    assert_eq!(alerts(temperature(97.2))[0].value.to_string(), "97.2");
    assert_eq!(texts(temperature(19.9)), ["Implausible temperature: 19.9"]);
    assert_eq!(texts(temperature(46.0)), Vec::<String>::new());
}

#[test]
fn every_range_is_inclusive_on_both_ends() {
    for sign in Sign::ALL {
        let (low, high) = plausible::range(sign);
        for (value, believed) in [(low, true), (high, true), (low - 1.0, false), (high + 1.0, false)] {
            let whole = Some(value.to_string().parse().expect("whole"));
            let mut signs = Signs::default();
            match sign {
                Sign::HeartRate => signs.heart_rate = whole,
                Sign::Spo2 => signs.spo2 = whole,
                Sign::Systolic => signs.systolic = whole,
                Sign::Diastolic => signs.diastolic = whole,
                Sign::RespiratoryRate => signs.respiratory_rate = whole,
                Sign::Temperature => signs.temperature = Some(value.to_string().parse().expect("a number")),
            }
            assert_eq!(implausible(&signs).is_empty(), believed, "{sign} {value}");
            assert_eq!(sample::Sample::new(0, &signs).is_doubted(), !believed, "{sign} {value}");
        }
    }
}

#[test]
fn of_each_sign_and_observation_the_newest_is_known_with_its_time() {
    let observed = |supplemental_oxygen, consciousness| Observed { supplemental_oxygen, consciousness };
    let spo2 = |spo2| Signs { spo2: Some(spo2), ..Signs::default() };
    let mut newest = Newest::default();
    let first = observed(Some(true), None);
    newest.take(10, &Signs { heart_rate: Some(70), diastolic: Some(80), observed: first, ..Signs::default() });
    newest.take(20, &Signs { heart_rate: Some(0), ..spo2(97) });
    newest.take(15, &spo2(90));
    newest.take(20, &Signs { observed: observed(None, Some(Consciousness::Alert)), ..spo2(96) });
    newest.take(5, &Signs { observed: observed(Some(false), None), ..Signs::default() });
    let values = |newest: &Newest| [Sign::HeartRate, Sign::Spo2, Sign::Systolic].map(|sign| newest.get(sign));
    let times = |newest: &Newest| Observation::ALL.map(|observation| newest.observed_at(observation));
    assert_eq!(values(&newest), [Some((10, 70.0)), Some((20, 96.0)), None]);
    assert_eq!(times(&newest), [Some(10), Some(20)]);
    let inputs = |oldest| {
        let inputs = newest.inputs_since(oldest);
        (inputs.heart_rate, inputs.spo2, inputs.supplemental_oxygen, inputs.consciousness)
    };
    assert_eq!(inputs(10), (Some(70.0), Some(96.0), Some(true), Some(Consciousness::Alert)));
    assert_eq!(newest.inputs_since(10).diastolic, Some(80.0));
    assert_eq!(inputs(11), (None, Some(96.0), None, Some(Consciousness::Alert)));
    newest.forget_past(20);
    assert_eq!((values(&newest)[1], times(&newest)), (Some((20, 96.0)), [Some(10), Some(20)]));
    newest.forget_past(19);
    assert_eq!((values(&newest), times(&newest)), ([Some((10, 70.0)), None, None], [Some(10), None]));
    newest.take(12, &Signs { observed: observed(None, Some(Consciousness::Voice)), ..spo2(95) });
    assert_eq!((values(&newest)[1], times(&newest)[1]), (Some((12, 95.0)), Some(12)), "nothing newer is known");
}

#[test]
fn what_is_believed_is_what_nothing_is_wrong_with_and_the_decimal_that_was_sent() {
    let signs = Signs {
        heart_rate: Some(900),
        spo2: Some(90),
        systolic: Some(80),
        diastolic: Some(80),
        respiratory_rate: None,
        temperature: Some(36.05),
        ..Signs::default()
    };
    assert_eq!(believed(&signs), [None, Some(90.0), None, None, None, Some(36.05)]);
    let fine = Signs { temperature: Some(36.12345), ..Signs::default() };
    assert_eq!(believed(&fine).last(), Some(&Some(36.12345)));
    let doubts = implausible(&signs);
    for (sign, value) in Sign::ALL.into_iter().zip(believed(&signs)) {
        let is_doubted = doubts.iter().any(|doubt| doubt.concerns(sign));
        assert_eq!(value.is_some(), signs.get(sign).is_some() && !is_doubted, "{sign}");
    }
}
