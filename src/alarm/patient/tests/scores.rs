//! Scores, against an evaluator that looks at all readings anew for each of them.

use super::plain::believed;
use super::*;
use crate::alarm::rules::Standing::{Back, Over};
use crate::reading::{Consciousness, Observed, Sign};

/// The points of chart 1 of what can be told at that time, where the reading of that time has something of it, and whether
/// something is missing.
pub(super) fn news2(readings: &BTreeMap<Micros, Signs>, now: Micros, max_age: Micros) -> Option<(f64, bool)> {
    const SCORED: [Sign; 5] = [Sign::RespiratoryRate, Sign::Spo2, Sign::Systolic, Sign::HeartRate, Sign::Temperature];
    let is_new = SCORED.into_iter().any(|sign| believed(&readings[&now], sign).is_some());
    if !is_new && readings[&now].observed == Observed::NOTHING {
        return None;
    }
    let known = || readings.range(now - max_age..=now).rev().map(|(_, signs)| signs);
    let newest = |sign| known().find_map(|signs| believed(signs, sign));
    let oxygen =
        known().find_map(|signs| signs.observed.supplemental_oxygen).map(|is_given| if is_given { 2 } else { 0 });
    let state = known().find_map(|signs| signs.observed.consciousness);
    let state = state.map(|state| if state == Consciousness::Alert { 0 } else { 3 });
    let mut points = SCORED.map(|sign| newest(sign).map(|value| points(sign, value))).to_vec();
    points.extend([oxygen, state]);
    Some((f64::from(points.iter().flatten().sum::<u32>()), points.contains(&None)))
}

/// The points of the consciousness that this reading tells.
pub(super) fn not_alert(readings: &BTreeMap<Micros, Signs>, now: Micros, _: Micros) -> Option<f64> {
    let state = readings[&now].observed.consciousness?;
    Some(if state == Consciousness::Alert { 0.0 } else { 3.0 })
}

fn points(sign: Sign, value: f64) -> u32 {
    let bands: &[(f64, u32)] = match sign {
        Sign::RespiratoryRate => &[(8.0, 3), (11.0, 1), (20.0, 0), (24.0, 2), (1e9, 3)],
        Sign::Spo2 => &[(91.0, 3), (93.0, 2), (95.0, 1), (1e9, 0)],
        Sign::Systolic => &[(90.0, 3), (100.0, 2), (110.0, 1), (219.0, 0), (1e9, 3)],
        Sign::HeartRate => &[(40.0, 3), (50.0, 1), (90.0, 0), (110.0, 1), (130.0, 2), (1e9, 3)],
        Sign::Temperature => &[(35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (1e9, 2)],
        Sign::Diastolic => panic!("it has no points"),
    };
    // To the tenth, half up: the signs here have two decimals at most.
    let value = (((value * 100.0).round() + 5.0) / 10.0).floor() / 10.0;
    bands.iter().find(|(to, _)| value <= *to).unwrap().1
}

const SCORES: &str = r#"
[[rule]]
name = "high"
score = "NEWS2"
above = 6
hysteresis = 1
delay = "60s"
priority = "high"

[[rule]]
name = "medium"
score = "NEWS2"
above = 4
hysteresis = 1
delay = "60s"
max_age = "5m"

[[rule]]
name = "at_once"
score = "NEWS2"
above = 2
max_age = "200s"
latch = true
ack_after = "120s"

[[rule]]
name = "not_alert"
score = "NEWS2"
item = "consciousness"
above = 2
delay = "60s"
"#;

/// Signs around the boundaries of chart 1; some are missing, some are not believed.
fn scored() -> impl Strategy<Value = Signs> {
    let one_of = |values: &'static [i32], missing: u32| {
        prop_oneof![
            missing => Just(None),
            6 => prop::sample::select(values).prop_map(Some),
        ]
    };
    let temperature = prop_oneof![
        6 => Just(None),
        2 => prop::sample::select(&[35.0_f32, 35.1, 36.0, 36.05, 38.04, 39.1][..]).prop_map(Some),
        1 => Just(Some(97.2)),
    ];
    let mostly_not = |all: Vec<_>| prop_oneof![5 => Just(None), 3 => prop::sample::select(all).prop_map(Some)];
    let oxygen = prop_oneof![5 => Just(None), 2 => Just(Some(false)), 1 => Just(Some(true))];
    let states = [vec![Consciousness::Alert; 3], vec![Consciousness::Confusion, Consciousness::Unresponsive]].concat();
    let observed = (oxygen, mostly_not(states));
    let observed =
        observed.prop_map(|(supplemental_oxygen, consciousness)| Observed { supplemental_oxygen, consciousness });
    let signs = (
        one_of(&[0, 40, 70, 91, 111, 131], 1),
        one_of(&[0, 91, 92, 94, 96, 99], 1),
        one_of(&[90, 91, 101, 111, 220], 4),
        one_of(&[50, 95], 4),
        one_of(&[0, 8, 9, 12, 21, 25], 2),
        temperature,
        observed,
    );
    let whole = signs.prop_map(|(heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature, observed)| {
        Signs { heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature, observed }
    });
    // One that was only looked at now and then.
    prop_oneof![7 => whole.clone(), 1 => whole.prop_map(|Signs { observed, .. }| Signs { observed, ..Signs::default() })]
}

/// Readings in order, 1 s to 10 min apart.
fn scored_in_order(most: usize) -> impl Strategy<Value = Vec<(Micros, Signs)>> {
    let step = prop_oneof![3 => 1..5_i64, 6 => 20..90_i64, 1 => 90..600_i64];
    prop::collection::vec((step, scored()), 0..most).prop_map(|readings| {
        let mut time = 0;
        let next = |(step, signs)| {
            time += step * SECOND;
            (time, signs)
        };
        readings.into_iter().map(next).collect()
    })
}

proptest! {
    #[test]
    fn scores_of_readings_in_order_give_the_alarms_of_the_plain_evaluator(readings in scored_in_order(80)) {
        let set = set(SCORES);
        prop_assert_eq!(run(&set, &readings).alarms, plain(&set, &readings));
    }

    #[test]
    fn scores_of_readings_in_any_order_change_with_what_is_sorted_in(
        readings in prop::collection::vec((0..30_i64, scored()), 0..16)
    ) {
        let readings: Vec<_> = readings.into_iter().map(|(step, signs)| (step * 20 * SECOND, signs)).collect();
        let set = set(SCORES);
        let (mut patient, mut told) = (Patient::default(), Told::default());
        for (time, signs) in &readings {
            patient.take(&set, *time, signs, &mut |change| told.hear(change));
        }
        prop_assert_eq!(told.alarms, plain_by_arrival(&set, &readings));
    }

    #[test]
    fn whoever_takes_over_goes_on_with_the_scores_of_before(
        readings in scored_in_order(80), at in prop::collection::vec(0..80_usize, 0..4)
    ) {
        let scores = SCORES.replace("priority = \"high\"", "max_age = \"4m\"");
        let rises = "[[rule]]\nname = \"rises\"\nsign = \"heart_rate\"\nchange = 20\nwithin = \"5m\"\ndelay = \"60s\"";
        for rules in [&scores, rises] {
            let set = set(rules);
            let (mut patient, mut told) = (Patient::default(), Told::default());
            for (index, (time, signs)) in readings.iter().enumerate() {
                // What comes again begins as long before the onset of what is pending.
                let since = oldest_pending(&patient).unwrap_or(*time);
                if at.contains(&index) && tells_all(&readings[..index], since, set.remembers()) {
                    patient = taken_over(&set, &told.alarms, &readings[..index], since);
                }
                patient.take(&set, *time, signs, &mut |change| told.hear(change));
            }
            patient.advance(&set, Micros::MAX, &mut |change| told.hear(change));
            prop_assert_eq!(told.alarms, plain(&set, &readings));
        }
    }
}

fn oldest_pending(patient: &Patient) -> Option<Micros> {
    let onset =
        |(_, state): &(u16, State)| if let State::Pending(pending) = state { Some(pending.onset) } else { None };
    patient.states.iter().filter_map(onset).min()
}

/// Whether those that come again go back as far as a score or a change looks, so that nobody has to wait for that.
fn tells_all(before: &[(Micros, Signs)], now: Micros, remembers: Micros) -> bool {
    let first = before.iter().find(|(time, _)| now - time <= remembers);
    first.is_some_and(|(time, _)| now - time >= 300 * SECOND)
}

const NEWS2: &str = "[[rule]]\nname = \"a\"\nscore = \"NEWS2\"\nabove = 6";

#[test]
fn a_score_takes_the_newest_believed_value_of_each_sign_and_forgets_it_after_its_age() {
    let none = Signs::default();
    let readings = [
        // Nothing but what is not believed says nothing.
        (0, Signs { heart_rate: Some(0), spo2: Some(0), ..none }),
        (10, Signs { heart_rate: Some(131), ..none }),
        (20, Signs { spo2: Some(91), ..none }),
        (30, Signs { temperature: Some(39.1), respiratory_rate: Some(21), ..none }),
        // The diastolic pressure alone is none of the chart's.
        (40, Signs { diastolic: Some(80), ..none }),
        (50, Signs { systolic: Some(90), diastolic: Some(95), ..none }),
        (60, Signs { systolic: Some(90), diastolic: Some(50), ..none }),
        // A lead that fell off, a temperature in Fahrenheit.
        (70, Signs { heart_rate: Some(0), temperature: Some(98.6), spo2: Some(92), ..none }),
        (80, Signs { heart_rate: Some(100), ..none }),
        (3630, Signs { spo2: Some(92), ..none }),
        (3631, Signs { spo2: Some(92), ..none }),
        (3680, Signs { spo2: Some(92), ..none }),
        (3681, Signs { spo2: Some(96), ..none }),
    ];
    let expected = [
        (10, 3.0),
        (20, 6.0),
        (30, 10.0),
        (60, 13.0),
        (70, 12.0),
        (80, 10.0),
        // Temperature and respiratory rate are an hour old, and then older; then the pressure, then the heart rate.
        (3630, 10.0),
        (3631, 6.0),
        (3680, 3.0),
        (3681, 0.0),
    ];
    assert_eq!(values_of(NEWS2, &readings), expected);
    let short = format!("{NEWS2}\nmax_age = 20");
    let expected = [
        (10, 3.0),
        (20, 6.0),
        (30, 10.0),
        (60, 3.0),
        (70, 5.0),
        (80, 6.0),
        (3630, 2.0),
        (3631, 2.0),
        (3680, 2.0),
        (3681, 0.0),
    ];
    assert_eq!(values_of(&short, &readings), expected);
}

const WELL: Observed = Observed { supplemental_oxygen: Some(false), consciousness: Some(Consciousness::Alert) };

#[test]
fn an_observation_counts_alone_or_with_signs_until_a_newer_one_comes_or_it_is_too_old() {
    let observed = |supplemental_oxygen, consciousness| Signs {
        observed: Observed { supplemental_oxygen, consciousness },
        ..Signs::default()
    };
    let rate = signs((Some(80), None, None));
    let mut readings = vec![
        (0, rate),
        (10, observed(Some(true), None)),
        (20, rate),
        (30, observed(None, Some(Consciousness::Voice))),
        (40, observed(Some(false), None)),
        (50, observed(None, None)),
        (60, observed(Some(true), Some(Consciousness::Alert))),
        (3630, rate),
        (3660, rate),
        (3661, rate),
    ];
    let expected =
        [(0, 0.0), (10, 2.0), (20, 2.0), (30, 5.0), (40, 3.0), (60, 2.0), (3630, 2.0), (3660, 2.0), (3661, 0.0)];
    assert_eq!(values_of(NEWS2, &readings), expected);
    assert_eq!(
        values_of("[[rule]]\nname = \"a\"\nscore = \"qSOFA\"\nabove = 1", &readings)[..2],
        [(30, 1.0), (60, 0.0)]
    );
    // More readings than are remembered.
    readings.truncate(4);
    readings.extend((31..=100).map(|second| (second, rate)));
    assert_eq!(values_of(NEWS2, &readings)[4..], (31..=100).map(|second| (second, 5.0)).collect::<Vec<_>>());
}

#[test]
fn a_reading_that_brings_nothing_but_an_observation_raises_and_ends_the_alarm_of_a_score() {
    let set = set("[[rule]]\nname = \"a\"\nscore = \"NEWS2\"\nabove = 4");
    let state = |state| Signs {
        observed: Observed { consciousness: Some(state), supplemental_oxygen: Some(true) },
        ..Signs::default()
    };
    let mut told = Told::default();
    let mut patient = Patient::default();
    let late = (5, Signs { observed: Observed { consciousness: None, ..WELL }, ..Signs::default() });
    for (second, signs) in [(0, state(Consciousness::Pain)), late, (10, state(Consciousness::Alert))] {
        patient.take(&set, second * SECOND, &signs, &mut |change| told.hear(change));
    }
    assert_eq!(times(&told, "a"), [(0, 0, Some(5))]);
}

#[test]
fn an_alarm_tells_whether_its_worst_score_was_partial() {
    let set = set("[[rule]]\nname = \"a\"\nscore = \"NEWS2\"\nabove = 4");
    let all =
        Signs { spo2: Some(90), respiratory_rate: Some(30), systolic: Some(120), temperature: Some(37.0), ..rate(80) };
    let told = |readings: &[Signs]| {
        let readings: Vec<_> = (0..).zip(readings).map(|(second, signs)| (second * SECOND, *signs)).collect();
        let told = run(&set, &readings);
        let alarm = *told.alarms.values().next().unwrap();
        set.rules[0].text(alarm.peak, alarm.is_partial)
    };
    let whole = Signs { observed: WELL, ..all };
    assert_eq!(told(&[all]), "NEWS2 PARTIAL: 6");
    assert_eq!(told(&[whole]), "NEWS2: 6");
    assert_eq!(told(&[all, whole]), "NEWS2 PARTIAL: 6", "as it was told");
    let worse = Signs { observed: WELL, ..rate(140) };
    assert_eq!(told(&[all, worse]), "NEWS2: 9", "worse, and whole");
    assert_eq!(told(&[Signs { spo2: Some(90), ..rate(140) }, whole]), "NEWS2 PARTIAL: 6");
}

fn rate(heart_rate: i32) -> Signs {
    Signs { heart_rate: Some(heart_rate), ..Signs::default() }
}

#[test]
fn a_score_remembers_what_more_readings_have_come_since_than_are_remembered() {
    let mut readings = vec![(0, Signs { temperature: Some(39.1), ..Signs::default() })];
    readings.extend((1..=100).map(|second| (second, signs((Some(131), None, None)))));
    assert_eq!(values_of(NEWS2, &readings)[1..], (1..=100).map(|second| (second, 5.0)).collect::<Vec<_>>());
}

#[test]
fn a_sign_that_comes_later_than_what_is_remembered_still_counts() {
    let set = set("[[rule]]\nname = \"a\"\nscore = \"NEWS2\"\nabove = 4");
    let (mut patient, mut told) = (Patient::default(), Told::default());
    for second in 0..100 {
        patient.take(&set, second * SECOND, &signs((Some(131), None, None)), &mut |change| told.hear(change));
    }
    assert_eq!(times(&told, "a"), []);
    for second in [-3600, 10] {
        let temperature = Signs { temperature: Some(39.1), ..Signs::default() };
        patient.take(&set, second * SECOND, &temperature, &mut |change| told.hear(change));
    }
    // From the oldest reading that is remembered on.
    let remembered = i64::try_from(crate::alarm::window::MAX_REMEMBERED).unwrap();
    assert_eq!(times(&told, "a"), [(100 - remembered, 100 - remembered, None)]);
    patient.take(&set, 100 * SECOND, &signs((Some(80), None, None)), &mut |change| told.hear(change));
    assert_eq!(times(&told, "a"), [(100 - remembered, 100 - remembered, Some(100))]);
}

#[test]
fn an_alarm_that_is_taken_over_does_not_end_because_an_input_is_not_known_yet() {
    let set = set(NEWS2);
    let ends = |readings: &[(i64, Signs)]| {
        let mut told = Told::default();
        let mut patient = Patient::default();
        let onset = -10_000 * SECOND;
        let alarm = Alarm::on(onset, crate::alarm::Priority::Medium, 7.0);
        told.alarms.insert(("a".to_owned(), onset), alarm);
        patient.restore(&set, "a", alarm);
        for (second, signs) in readings {
            patient.take(&set, second * SECOND, signs, &mut |change| told.hear(change));
        }
        told.alarms.values().next().unwrap().ended.map(|end| end / SECOND)
    };
    let heart_rate = |second| (second, Signs { heart_rate: Some(80), ..Signs::default() });
    assert_eq!(ends(&[heart_rate(0), heart_rate(3599)]), None, "a temperature of an hour ago may count");
    assert_eq!(ends(&[heart_rate(0), heart_rate(3599), heart_rate(3600)]), Some(3600));
    let measured = Signs {
        spo2: Some(97),
        systolic: Some(120),
        respiratory_rate: Some(16),
        temperature: Some(37.0),
        ..heart_rate(0).1
    };
    assert_eq!(ends(&[heart_rate(0), (60, measured)]), None, "who was confused an hour ago may still be");
    let whole = Signs { observed: WELL, ..measured };
    assert_eq!(ends(&[heart_rate(0), (60, whole)]), Some(60), "nothing older counts");
}

#[test]
fn rules_of_one_score_cover_each_other_whatever_may_be_how_old() {
    let set = set(SCORES);
    let mut covered = BTreeMap::new();
    let mut patient = Patient::default();
    let signs = Signs { heart_rate: Some(135), spo2: Some(90), respiratory_rate: Some(30), ..Signs::default() };
    for second in [0, 60] {
        patient.take(&set, second * SECOND, &signs, &mut |change| {
            covered.insert(change.rule.name.to_string(), change.is_covered);
        });
    }
    let expected = [("at_once", false), ("high", false), ("medium", true)].map(|(name, is)| (name.to_owned(), is));
    assert_eq!(covered, BTreeMap::from(expected));
}

#[test]
fn several_limits_may_be_of_scores_and_of_signs_that_came_before_what_is_remembered() {
    let set =
        set("[[rule]]\nname = \"all\"\nall = [{ score = \"NEWS2\", above = 4 }, { sign = \"systolic\", below = 101 }]");
    let mut window = Window::default();
    let pressure = Signs { systolic: Some(100), ..Signs::default() };
    window.take(&set, 0, &pressure);
    let mut standing = |second: i64, heart_rate| {
        window.take(&set, second * SECOND, &signs((Some(heart_rate), None, None)));
        window.observe(&set.rules[0], window.len() - 1, &Scored::default()).map(|seen| seen.standing)
    };
    for second in 1..=100 {
        assert_eq!(standing(second, 135), Some(Over));
    }
    assert_eq!(standing(101, 80), Some(Back));
    assert_eq!(standing(300, 135), Some(Over));
    assert_eq!(standing(301, 135), None, "the pressure is too old for a rule of several, and the score is 5");
}
