//! The rules of one patient, case by case, and against a plain evaluator.

mod plain;
mod remembered;
mod scores;

use std::collections::BTreeMap;

use proptest::prelude::*;

use self::plain::{plain, plain_by_arrival};
use super::*;
use crate::alarm::rules::SECOND;
use crate::alarm::window::MAX_REMEMBERED;

/// Alarms by rule and onset.
type Alarms = BTreeMap<(String, Micros), Alarm>;

const RULES: &str = r#"
[[rule]]
name = "at_once"
sign = "heart_rate"
above = 110
hysteresis = 5

[[rule]]
name = "delayed"
sign = "heart_rate"
above = 110
hysteresis = 5
delay = "60s"

[[rule]]
name = "falls"
sign = "spo2"
below = 92
hysteresis = 2
delay = 45

[[rule]]
name = "band"
sign = "spo2"
below = 92
hysteresis = 2
delay = "60s"
band = true

[[rule]]
name = "latched"
sign = "spo2"
below = 92
hysteresis = 2
delay = "30s"
latch = true
ack_after = "200s"

[[rule]]
name = "warm"
sign = "temperature"
above = 38.4
hysteresis = 0.3
delay = "2m"
"#;

fn set(text: &str) -> RuleSet {
    RuleSet::parse("test", text).unwrap_or_else(|error| panic!("{error}"))
}

/// One patient with its alarms, as they were told.
#[derive(Default)]
struct Told {
    alarms: Alarms,
    steps: Vec<(String, Step)>,
}

impl Told {
    fn hear(&mut self, change: Change<'_>) {
        if change.rule.is_technical() {
            return;
        }
        let key = (change.rule.name.to_string(), change.alarm.onset);
        let is_new = self.alarms.insert(key, *change.alarm).is_none();
        assert_eq!(is_new, change.step == Step::Raised, "{:?} of {}", change.step, change.rule.name);
        self.steps.push((change.rule.name.to_string(), change.step));
    }
}

fn signs((heart_rate, spo2, tenths): (Option<i32>, Option<i32>, Option<i32>)) -> Signs {
    let temperature = tenths.map(|tenths| format!("{}.{}", tenths / 10, tenths % 10).parse().unwrap());
    Signs { heart_rate, spo2, temperature, ..Signs::default() }
}

fn run(set: &RuleSet, readings: &[(Micros, Signs)]) -> Told {
    let (mut patient, mut told) = (Patient::default(), Told::default());
    for (time, signs) in readings {
        patient.take(set, *time, signs, &mut |change| told.hear(change));
    }
    patient.advance(set, Micros::MAX, &mut |change| told.hear(change));
    told
}

fn reading() -> impl Strategy<Value = Signs> {
    let near = |low: i32, high: i32| prop_oneof![1 => Just(None), 4 => (low..=high).prop_map(Some)];
    (near(103, 113), near(89, 96), near(379, 386)).prop_map(signs)
}

/// Readings in order, 5 s to 3 min apart.
fn in_order(most: usize) -> impl Strategy<Value = Vec<(Micros, Signs)>> {
    let step = prop_oneof![6 => 5..60_i64, 2 => 60..180_i64];
    prop::collection::vec((step, reading()), 0..most).prop_map(|readings| {
        let mut time = 0;
        let next = |(step, signs)| {
            time += step * SECOND;
            (time, signs)
        };
        readings.into_iter().map(next).collect()
    })
}

/// At most as many as are remembered, over a span that is, in any order, some of them twice.
fn in_any_order() -> impl Strategy<Value = Vec<(Micros, Signs)>> {
    prop::collection::vec((0..30_i64, reading()), 0..=MAX_REMEMBERED)
        .prop_map(|readings| readings.into_iter().map(|(step, signs)| (step * 10 * SECOND, signs)).collect())
}

proptest! {
    #[test]
    fn readings_in_order_give_the_alarms_of_the_plain_evaluator(readings in in_order(60)) {
        let set = set(RULES);
        prop_assert_eq!(run(&set, &readings).alarms, plain(&set, &readings));
    }

    #[test]
    fn readings_in_any_order_are_sorted_in_and_what_was_raised_stays(readings in in_any_order()) {
        let set = set(RULES);
        let (mut patient, mut told) = (Patient::default(), Told::default());
        for (time, signs) in &readings {
            patient.take(&set, *time, signs, &mut |change| told.hear(change));
        }
        prop_assert_eq!(told.alarms, plain_by_arrival(&set, &readings));
    }

    #[test]
    fn readings_that_come_again_change_nothing(readings in in_order(18), from in 0..18_usize) {
        let set = set(RULES);
        let (mut patient, mut told) = (Patient::default(), Told::default());
        let again = readings.get(from.min(readings.len())..).unwrap();
        let remembered = |time: Micros| readings.last().is_some_and(|(last, _)| last - time <= set.remembers());
        for (time, signs) in readings.iter().chain(again.iter().filter(|(time, _)| remembered(*time))) {
            patient.take(&set, *time, signs, &mut |change| told.hear(change));
        }
        patient.advance(&set, Micros::MAX, &mut |change| told.hear(change));
        // Of one time, the last one counts either way; a sign that only an earlier one had stays.
        prop_assert_eq!(told.alarms, plain(&set, &readings));
    }

    #[test]
    fn whoever_takes_over_goes_on_from_the_alarms_and_the_last_readings(
        readings in in_order(60), at in prop::collection::vec(0..60_usize, 0..4)
    ) {
        let set = set(RULES);
        let (mut patient, mut told) = (Patient::default(), Told::default());
        for (index, (time, signs)) in readings.iter().enumerate() {
            if at.contains(&index) {
                patient = taken_over(&set, &told.alarms, &readings[..index], *time);
            }
            patient.take(&set, *time, signs, &mut |change| told.hear(change));
        }
        patient.advance(&set, Micros::MAX, &mut |change| told.hear(change));
        prop_assert_eq!(told.alarms, plain(&set, &readings));
    }

    #[test]
    fn a_memory_that_is_full_still_gives_the_alarms_of_readings_in_order(readings in dense(200)) {
        let set = set(RULES);
        prop_assert_eq!(run(&set, &readings).alarms, plain(&set, &readings));
    }
}

/// One a second: more than are remembered within a delay.
fn dense(most: usize) -> impl Strategy<Value = Vec<(Micros, Signs)>> {
    let value = prop_oneof![12 => Just((Some(112), Some(90), Some(385))), 1 => Just((Some(104), Some(95), Some(380)))];
    prop::collection::vec(value, 0..most)
        .prop_map(|values| (0..).zip(values).map(|(second, value)| (second * SECOND, signs(value))).collect())
}

/// As it is done where a partition changes hands: the last alarm of each rule is known, and the last readings come again.
fn taken_over(set: &RuleSet, alarms: &Alarms, before: &[(Micros, Signs)], now: Micros) -> Patient {
    let mut patient = Patient::default();
    for ((rule, _), alarm) in alarms {
        // In the order of their onsets: the last one stays.
        patient.restore(set, rule, *alarm);
    }
    for (time, signs) in before.iter().filter(|(time, _)| now - time <= set.remembers()) {
        patient.take(set, *time, signs, &mut |change| {
            let key = (change.rule.name.to_string(), change.alarm.onset);
            assert!(change.rule.is_technical() || alarms.contains_key(&key), "{:?} {key:?}", change.step);
        });
    }
    patient
}

fn times(told: &Told, rule: &str) -> Vec<(Micros, Micros, Option<Micros>)> {
    let of_rule = told.alarms.iter().filter(|((name, _), _)| name == rule);
    of_rule
        .map(|(_, alarm)| (alarm.onset / SECOND, alarm.start / SECOND, alarm.ended.map(|end| end / SECOND)))
        .collect()
}

fn heart_rates(values: &[(i64, i32)]) -> Vec<(Micros, Signs)> {
    values.iter().map(|(second, value)| (second * SECOND, signs((Some(*value), None, None)))).collect()
}

#[test]
fn a_lone_reading_over_the_limit_alarms_when_its_delay_has_run_out() {
    let told = run(&set(RULES), &heart_rates(&[(0, 115)]));
    assert_eq!(times(&told, "delayed"), [(0, 60, None)]);
    let set = set(RULES);
    let mut patient = Patient::default();
    patient.take(&set, 0, &signs((Some(115), None, None)), &mut |_| {});
    assert_eq!(patient.due(&set), Some(60 * SECOND));
    let mut steps = 0;
    patient.advance(&set, 60 * SECOND, &mut |_| steps += 1);
    assert_eq!(steps, 0, "a reading of that very moment could still cancel it");
    patient.advance(&set, 60 * SECOND + 1, &mut |_| steps += 1);
    assert_eq!((steps, patient.due(&set)), (1, None));
}

#[test]
fn the_first_reading_that_is_no_longer_over_cancels_what_is_pending_and_one_at_the_last_moment_does() {
    for (values, expected) in [
        (vec![(0, 115), (30, 110), (70, 115)], vec![(70, 130, None)]),
        (vec![(0, 115), (60, 110)], vec![]),
        (vec![(0, 115), (60, 111)], vec![(0, 60, None)]),
        (vec![(0, 115), (61, 90)], vec![(0, 60, Some(61))]),
        (vec![(0, 115), (60, 111), (70, 106), (80, 105)], vec![(0, 60, Some(80))]),
    ] {
        assert_eq!(times(&run(&set(RULES), &heart_rates(&values)), "delayed"), expected, "{values:?}");
    }
}

#[test]
fn a_sensor_that_fell_off_changes_and_ends_nothing() {
    let set = set(RULES);
    let mut readings = heart_rates(&[(0, 115), (90, 0), (95, 0)]);
    readings.push((100 * SECOND, signs((None, Some(97), None))));
    assert_eq!(times(&run(&set, &readings), "delayed"), [(0, 60, None)]);
}

#[test]
fn a_technical_alarm_lasts_until_a_value_is_believed_again_and_rises_with_its_value() {
    let set = set(RULES);
    let mut steps = Vec::new();
    let mut patient = Patient::default();
    for (time, signs) in heart_rates(&[(0, 400), (1, 500), (2, 0), (3, 0), (4, 80), (5, 80)]) {
        patient.take(&set, time, &signs, &mut |change| {
            steps.push((change.rule.name.to_string(), time / SECOND, change.step, change.alarm.priority.name()));
        });
    }
    let name = "heart_rate_implausible".to_owned();
    assert_eq!(
        steps,
        [(name.clone(), 0, Step::Raised, "low"), (name.clone(), 2, Step::Rose, "high"), (name, 4, Step::Ended, "high"),]
    );
}

#[test]
fn a_technical_alarm_ends_with_a_value_of_its_sign_and_that_of_a_pressure_with_both() {
    let (set, mut patient) = (set(RULES), Patient::default());
    let pressure = |systolic, diastolic| Signs { systolic, diastolic, ..Signs::default() };
    let mut ends = Vec::new();
    for (second, signs) in (0..).zip([
        Signs { heart_rate: Some(400), ..pressure(Some(90), Some(95)) },
        signs((None, Some(97), None)),
        pressure(Some(120), None),
        signs((Some(80), None, None)),
        pressure(Some(120), Some(60)),
    ]) {
        patient.take(&set, second * SECOND, &signs, &mut |change| {
            if change.step == Step::Ended {
                ends.push((second, change.rule.name.to_string()));
            }
        });
    }
    let expected = [(3, "heart_rate_implausible"), (4, "blood_pressure_implausible")];
    assert_eq!(ends, expected.map(|(second, rule)| (second, rule.to_owned())));
}

#[test]
fn a_reading_is_doubted_where_a_value_of_its_own_is() {
    let mut window = Window::default();
    for (time, signs) in heart_rates(&[(0, 400), (1, 80)]) {
        window.take(&set(RULES), time, &signs);
    }
    assert_eq!([0, 1].map(|at| window.is_doubted(at)), [true, false]);
}

#[test]
fn an_alarm_that_latches_stays_until_it_is_acknowledged() {
    use Step::{Again, Ended, Raised, Returned};
    let set = set("[[rule]]\nname = \"a\"\nsign = \"heart_rate\"\nabove = 110\nlatch = true");
    let steps_of = |acknowledged: i64| {
        let (mut patient, mut told) = (Patient::default(), Told::default());
        let acknowledge = |patient: &mut Patient, told: &mut Told| {
            let Some(onset) = patient.active().map(|(_, alarm)| alarm.onset).next() else { return };
            patient.acknowledge(&set, "a", (onset, acknowledged * SECOND), &mut |change| told.hear(change));
        };
        for (time, signs) in heart_rates(&[(0, 115), (10, 100), (20, 120), (30, 100)]) {
            if time > acknowledged * SECOND && acknowledged > time / SECOND - 10 {
                acknowledge(&mut patient, &mut told);
            }
            patient.take(&set, time, &signs, &mut |change| told.hear(change));
        }
        acknowledge(&mut patient, &mut told);
        let steps: Vec<_> = told.steps.iter().map(|(_, step)| *step).collect();
        (times(&told, "a"), steps)
    };
    assert_eq!(steps_of(40), (vec![(0, 0, Some(40))], vec![Raised, Returned, Again, Returned, Ended]));
    assert_eq!(steps_of(5), (vec![(0, 0, Some(10)), (20, 20, Some(30))], vec![Raised, Ended, Raised, Returned, Ended]));
    assert_eq!(steps_of(25), (vec![(0, 0, Some(30))], vec![Raised, Returned, Again, Ended]));
}

#[test]
fn a_rule_of_higher_priority_about_the_same_sign_and_side_covers_the_lower_one() {
    let set = set("[[rule]]\nname = \"worse\"\nsign = \"spo2\"\nbelow = 84\npriority = \"high\"\n\
         [[rule]]\nname = \"low\"\nsign = \"spo2\"\nbelow = 92\npriority = \"low\"\n\
         [[rule]]\nname = \"other\"\nsign = \"heart_rate\"\nbelow = 50\npriority = \"low\"\n\
         [[rule]]\nname = \"as_low\"\nsign = \"heart_rate\"\nbelow = 45\npriority = \"low\"");
    let mut covered = BTreeMap::new();
    let mut patient = Patient::default();
    let signs = Signs { spo2: Some(80), heart_rate: Some(40), ..Signs::default() };
    patient.take(&set, 0, &signs, &mut |change| {
        covered.insert(change.rule.name.to_string(), change.is_covered);
    });
    let expected =
        [("as_low", false), ("low", true), ("other", false), ("worse", false)].map(|(name, is)| (name.to_owned(), is));
    assert_eq!(covered, BTreeMap::from(expected));
}

fn values_of(rule: &str, readings: &[(i64, Signs)]) -> Vec<(i64, f64)> {
    let set = set(rule);
    let mut window = Window::default();
    let mut values = Vec::new();
    for (second, signs) in readings {
        assert_eq!(window.take(&set, second * SECOND, signs), Taken::InOrder);
        let last = window.len() - 1;
        values.extend(window.observe(&set.rules[0], last, &Scored::default()).map(|seen| (*second, seen.value)));
    }
    values
}

#[test]
fn derived_values_take_the_other_sign_from_the_last_five_minutes() {
    let pressure = |systolic, diastolic| Signs { systolic, diastolic, ..Signs::default() };
    let rate = |heart_rate| Signs { heart_rate: Some(heart_rate), ..Signs::default() };
    let readings = [
        (0, rate(90)),
        (10, pressure(Some(120), Some(60))),
        (310, rate(100)),
        (311, rate(120)),
        (320, pressure(None, Some(150))),
        (330, pressure(Some(100), None)),
        (335, pressure(None, Some(100))),
        (340, pressure(Some(90), Some(90))),
    ];
    let rule = |sign: &str| format!("[[rule]]\nname = \"a\"\nsign = \"{sign}\"\nabove = 1");
    assert_eq!(values_of(&rule("mean_arterial_pressure"), &readings), [(10, 80.0)]);
    assert_eq!(values_of(&rule("pulse_pressure"), &readings), [(10, 60.0)]);
    assert_eq!(values_of(&rule("shock_index"), &readings), [(10, 0.75), (310, 100.0 / 120.0), (330, 1.2)]);
}

#[test]
fn a_change_is_measured_from_the_lowest_or_the_highest_value_of_its_span() {
    let rates = |values: &[(i64, i32)]| -> Vec<(i64, Signs)> {
        values.iter().map(|(second, value)| (*second, signs((Some(*value), None, None)))).collect()
    };
    let readings = rates(&[(0, 80), (60, 70), (120, 95), (660, 90), (661, 60)]);
    let rule = |change: i32| {
        format!("[[rule]]\nname = \"a\"\nsign = \"heart_rate\"\nchange = {change}\nwithin = \"10m\"\nhysteresis = 5")
    };
    assert_eq!(values_of(&rule(20), &readings), [(0, 0.0), (60, 0.0), (120, 25.0), (660, 20.0), (661, 0.0)]);
    assert_eq!(values_of(&rule(-20), &readings), [(0, 0.0), (60, -10.0), (120, 0.0), (660, -5.0), (661, -35.0)]);
    let dense: Vec<_> = [(0, 70)].into_iter().chain((1..=300).map(|second| (second, 95))).collect();
    assert_eq!(values_of(&rule(20), &rates(&dense)).last(), Some(&(300, 25.0)), "however many there are within it");
}

#[test]
fn an_early_warning_adds_the_deviation_and_is_a_rule_of_its_own() {
    let set = set("[[rule]]\nname = \"a\"\nsign = \"heart_rate\"\nabove = 110\nearly = \"30m\"\npriority = \"high\"");
    let early = set.rule("a_early").unwrap();
    assert_eq!((early.priority, set.rule("a").unwrap().priority.name()), (crate::alarm::Priority::Low, "high"));
    let mut window = Window::default();
    for (second, signs) in heart_rates(&[(0, 100), (1000, 108)]) {
        window.take(&set, second, &signs);
    }
    assert_eq!(window.observe(early, 1, &Scored::default()).map(|seen| seen.value), Some(112.0));
    let below = "[[rule]]\nname = \"a\"\nsign = \"heart_rate\"\nbelow = 50\nearly = \"30m\"";
    let below = RuleSet::parse("test", below).unwrap();
    assert_eq!(
        window.observe(below.rule("a_early").unwrap(), 1, &Scored::default()).map(|seen| seen.value),
        Some(104.0)
    );
}

#[test]
fn several_limits_stand_together_and_what_is_not_known_decides_nothing() {
    use crate::alarm::rules::Standing::{Back, Between, Over};
    let set = set(
        "[[rule]]\nname = \"all\"\nall = [{ sign = \"heart_rate\", above = 110, hysteresis = 5 }, { sign = \"spo2\", below = 92 }]\n\
         [[rule]]\nname = \"any\"\nany = [{ sign = \"heart_rate\", above = 110, hysteresis = 5 }, { sign = \"spo2\", below = 92 }]",
    );
    let seen = |readings: &[(i64, Option<i32>, Option<i32>)]| {
        let mut window = Window::default();
        for (second, heart_rate, spo2) in readings {
            window.take(&set, second * SECOND, &signs((*heart_rate, *spo2, None)));
        }
        let last = window.len() - 1;
        [0, 1].map(|rule| window.observe(&set.rules[rule], last, &Scored::default()).map(|seen| seen.standing))
    };
    assert_eq!(seen(&[(0, Some(115), Some(90))]), [Some(Over), Some(Over)]);
    assert_eq!(seen(&[(0, Some(115), Some(95))]), [Some(Back), Some(Over)]);
    assert_eq!(seen(&[(0, Some(107), Some(95))]), [Some(Back), Some(Between)]);
    assert_eq!(seen(&[(0, Some(107), Some(90))]), [Some(Between), Some(Over)]);
    assert_eq!(seen(&[(0, Some(100), Some(95))]), [Some(Back), Some(Back)]);
    assert_eq!(seen(&[(0, Some(115), None)]), [None, Some(Over)]);
    assert_eq!(seen(&[(0, Some(100), None)]), [Some(Back), None]);
    assert_eq!(seen(&[(0, Some(115), None), (300, None, Some(90))]), [Some(Over), Some(Over)]);
    assert_eq!(seen(&[(0, Some(115), None), (301, None, Some(90))]), [None, Some(Over)]);
    assert_eq!(seen(&[(0, Some(115), Some(90)), (10, None, None)]), [None, None]);
    let mut window = Window::default();
    window.take(&set, 0, &signs((Some(100), Some(90), None)));
    assert_eq!(
        window.observe(&set.rules[1], 0, &Scored::default()).map(|seen| seen.value),
        Some(90.0),
        "of the first that is over"
    );
}

#[test]
fn a_sign_that_does_not_change_at_all_alarms_after_its_span() {
    let set = set("[[rule]]\nname = \"hangs\"\nsign = \"heart_rate\"\nflat = \"10m\"");
    let flat = |until: i64, then: i32| {
        let mut values: Vec<_> = (0..=until).map(|minute| (minute * 60, 80)).collect();
        values.push(((until + 1) * 60, then));
        let mut steps = Vec::new();
        let mut patient = Patient::default();
        for (time, signs) in heart_rates(&values) {
            patient.take(&set, time, &signs, &mut |change| steps.push((time / SECOND / 60, change.step)));
        }
        steps
    };
    assert_eq!(flat(10, 81), []);
    assert_eq!(flat(11, 81), [(11, Step::Raised), (12, Step::Ended)]);
}

#[test]
fn a_temperature_meets_its_limit_as_the_decimal_that_was_sent() {
    let set = set(
        "[[rule]]\nname = \"cold\"\nsign = \"temperature\"\nbelow = 36.05\n[[rule]]\nname = \"hot\"\nsign = \"temperature\"\nabove = 36.05",
    );
    let told = run(&set, &[(0, Signs { temperature: Some("36.05".parse().unwrap()), ..Signs::default() })]);
    assert_eq!(told.alarms, Alarms::new());
}
