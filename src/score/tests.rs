use super::*;

fn chart(name: &str) -> &'static Chart {
    BuiltIn::named(name).unwrap().chart()
}

fn with(sign: Sign, value: f64) -> Inputs {
    let mut inputs = Inputs::default();
    *match sign {
        Sign::HeartRate => &mut inputs.heart_rate,
        Sign::Spo2 => &mut inputs.spo2,
        Sign::Systolic => &mut inputs.systolic,
        Sign::Diastolic => &mut inputs.diastolic,
        Sign::RespiratoryRate => &mut inputs.respiratory_rate,
        Sign::Temperature => &mut inputs.temperature,
    } = Some(value);
    inputs
}

/// The points of the item of this name.
fn part(chart: &Chart, item: &str, inputs: &Inputs) -> Option<u8> {
    let at = chart.items().iter().position(|of| of.name() == item).unwrap();
    chart.score(inputs).parts[at]
}

fn sign_part(chart: &Chart, sign: Sign, value: f64) -> Option<u8> {
    part(chart, sign.name(), &with(sign, value))
}

fn spo2(value: f64, supplemental_oxygen: Option<bool>, spo2_scale: Scale) -> Inputs {
    Inputs { supplemental_oxygen, spo2_scale, ..with(Sign::Spo2, value) }
}

/// Each band as (points, first value, last value): both sides of every boundary.
fn assert_bands(chart: &Chart, sign: Sign, bands: &[(u8, f64, f64)]) {
    for (points, first, last) in bands {
        for value in [first, last] {
            assert_eq!(sign_part(chart, sign, *value), Some(*points), "{} {sign} {value}", chart.name());
        }
    }
}

const EVERYTHING_WELL: Inputs = Inputs {
    heart_rate: Some(70.0),
    spo2: Some(98.0),
    systolic: Some(120.0),
    diastolic: Some(80.0),
    respiratory_rate: Some(16.0),
    temperature: Some(36.8),
    supplemental_oxygen: Some(false),
    consciousness: Some(Consciousness::Alert),
    spo2_scale: Scale::One,
};

/// NEWS2, chart 1, once more and in other words than the file.
mod chart_1 {
    pub(super) fn respiratory_rate(per_minute: u16) -> u8 {
        match per_minute {
            0..=8 | 25.. => 3,
            21..=24 => 2,
            9..=11 => 1,
            12..=20 => 0,
        }
    }

    pub(super) fn spo2(percent: u16) -> u8 {
        match percent {
            96.. => 0,
            94..=95 => 1,
            92..=93 => 2,
            0..=91 => 3,
        }
    }

    pub(super) fn spo2_scale_2(percent: u16, oxygen: Option<bool>) -> Option<u8> {
        let low = match percent {
            0..=83 => 3,
            84..=85 => 2,
            86..=87 => 1,
            88.. => 0,
        };
        let high_on_oxygen = match percent {
            0..=92 => 0,
            93..=94 => 1,
            95..=96 => 2,
            97.. => 3,
        };
        match oxygen {
            Some(true) => Some(low + high_on_oxygen),
            Some(false) => Some(low),
            None => (percent <= 92).then_some(low),
        }
    }

    pub(super) fn systolic(mmhg: u16) -> u8 {
        match mmhg {
            0..=90 | 220.. => 3,
            91..=100 => 2,
            101..=110 => 1,
            111..=219 => 0,
        }
    }

    pub(super) fn pulse(per_minute: u16) -> u8 {
        match per_minute {
            0..=40 | 131.. => 3,
            111..=130 => 2,
            41..=50 | 91..=110 => 1,
            51..=90 => 0,
        }
    }

    pub(super) fn temperature(hundredths: u16) -> u8 {
        match (hundredths + 5) / 10 {
            0..=350 => 3,
            351..=360 | 381..=390 => 1,
            361..=380 => 0,
            391.. => 2,
        }
    }
}

#[test]
fn every_chart_that_is_built_in_can_be_read() {
    let known = BuiltIn::ALL.map(|of| {
        let chart = Chart::parse(of.text()).unwrap_or_else(|error| panic!("{}: {error}", of.name()));
        assert!(!chart.source().is_empty() && !chart.population().is_empty(), "{}", of.name());
        assert_eq!((of.chart(), BuiltIn::named(&of.name().to_lowercase())), (&chart, Some(of)));
        (chart.name().to_owned(), chart.range(), chart.items().len(), chart.note().is_some())
    });
    let known: Vec<_> = known.iter().map(|(name, range, items, note)| (name.as_str(), *range, *items, *note)).collect();
    assert_eq!(
        known,
        [
            ("NEWS2", [0, 20], 7, false),
            ("MEWS", [0, 14], 5, true),
            ("qSOFA", [0, 3], 3, true),
            ("SIRS (vital signs)", [0, 3], 3, true),
            ("shock index", [0, 2], 1, true),
        ]
    );
    assert_eq!(BuiltIn::named("bedside_pews"), None);
}

#[test]
fn news2_has_the_items_of_its_chart_in_their_order() {
    let chart = chart("news2");
    let items: Vec<_> = chart.items().iter().map(Item::name).collect();
    let printed = "respiratory_rate spo2 supplemental_oxygen systolic heart_rate consciousness temperature";
    assert_eq!(items.join(" "), printed);
    let signs = |name| self::chart(name).signs().map(Sign::name).collect::<Vec<_>>().join(" ");
    assert_eq!(signs("news2"), "respiratory_rate spo2 systolic heart_rate temperature");
    assert_eq!(signs("shock_index"), "heart_rate systolic");
}

#[test]
fn news2_has_the_points_of_chart_1_on_both_sides_of_every_boundary() {
    let chart = chart("news2");
    let rate = [(3, 0.0, 8.0), (1, 9.0, 11.0), (0, 12.0, 20.0), (2, 21.0, 24.0), (3, 25.0, 120.0)];
    assert_bands(chart, Sign::RespiratoryRate, &rate);
    assert_bands(chart, Sign::Spo2, &[(3, 1.0, 91.0), (2, 92.0, 93.0), (1, 94.0, 95.0), (0, 96.0, 100.0)]);
    let systolic = [(3, 20.0, 90.0), (2, 91.0, 100.0), (1, 101.0, 110.0), (0, 111.0, 219.0), (3, 220.0, 350.0)];
    assert_bands(chart, Sign::Systolic, &systolic);
    let low_pulse = [(3, 1.0, 40.0), (1, 41.0, 50.0), (0, 51.0, 90.0)];
    let high_pulse = [(1, 91.0, 110.0), (2, 111.0, 130.0), (3, 131.0, 350.0)];
    assert_bands(chart, Sign::HeartRate, &[low_pulse, high_pulse].concat());
    let temperature = [(3, 20.0, 35.0), (1, 35.1, 36.0), (0, 36.1, 38.0), (1, 38.1, 39.0), (2, 39.1, 46.0)];
    assert_bands(chart, Sign::Temperature, &temperature);
    // A guide in print gives this one point.
    assert_eq!(sign_part(chart, Sign::Temperature, 37.5), Some(0));
}

#[test]
fn news2_counts_oxygen_and_consciousness_as_chart_1_does() {
    let chart = chart("news2");
    for (supplemental_oxygen, points) in [(Some(false), Some(0)), (Some(true), Some(2)), (None, None)] {
        let inputs = Inputs { supplemental_oxygen, ..Inputs::default() };
        assert_eq!(part(chart, "supplemental_oxygen", &inputs), points);
    }
    for (letter, points) in [("A", 0), ("C", 3), ("V", 3), ("P", 3), ("U", 3)] {
        let inputs = Inputs { consciousness: Consciousness::parse(letter), ..Inputs::default() };
        assert_eq!(part(chart, "consciousness", &inputs), Some(points), "{letter}");
    }
    assert_eq!(part(chart, "consciousness", &Inputs::default()), None);
}

#[test]
fn news2_on_scale_2_tells_air_from_oxygen_above_92() {
    let chart = chart("news2");
    let points = |oxygen| {
        [83, 84, 85, 86, 87, 88, 92, 93, 94, 95, 96, 97, 100]
            .map(|percent| part(chart, "spo2", &spo2(f64::from(percent), oxygen, Scale::Two)))
    };
    assert_eq!(points(Some(false)), [3, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0].map(Some));
    assert_eq!(points(Some(true)), [3, 2, 2, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3].map(Some));
    // Where nobody knows, what is the same either way can be told, and nothing else.
    assert_eq!(points(None)[..7], [3, 2, 2, 1, 1, 0, 0].map(Some));
    assert_eq!(points(None)[7..], [None; 6]);
}

#[test]
fn news2_is_chart_1_on_every_whole_number() {
    let chart = chart("news2");
    for whole in 0..=350 {
        let points = |sign| sign_part(chart, sign, f64::from(whole));
        assert_eq!(points(Sign::RespiratoryRate), Some(chart_1::respiratory_rate(whole)), "{whole}");
        assert_eq!(points(Sign::Systolic), Some(chart_1::systolic(whole)), "{whole}");
        assert_eq!(points(Sign::HeartRate), Some(chart_1::pulse(whole)), "{whole}");
        for oxygen in [None, Some(false), Some(true)] {
            let points = |scale| part(chart, "spo2", &spo2(f64::from(whole), oxygen, scale));
            assert_eq!(points(Scale::One), Some(chart_1::spo2(whole)), "{whole}");
            assert_eq!(points(Scale::Two), chart_1::spo2_scale_2(whole, oxygen), "{whole} {oxygen:?}");
        }
    }
}

#[test]
fn news2_is_chart_1_on_every_twentieth_of_a_degree_however_it_was_sent() {
    let chart = chart("news2");
    for hundredths in (3000..=4500).step_by(5) {
        let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        let expected = Some(chart_1::temperature(hundredths));
        assert_eq!(sign_part(chart, Sign::Temperature, text.parse().unwrap()), expected, "{text}");
        let narrow: f32 = text.parse().unwrap();
        assert_eq!(sign_part(chart, Sign::Temperature, narrow.into()), expected, "{text} through 32 bits");
    }
}

#[test]
fn temperatures_are_rounded_half_up_on_their_decimal_value() {
    let chart = chart("news2");
    for (degrees, points) in
        [(36.05, 0), (36.0499, 1), (36.04, 1), (38.04, 0), (38.0499, 0), (38.05, 1), (35.05, 1), (35.04, 3), (39.05, 2)]
    {
        assert_eq!(sign_part(chart, Sign::Temperature, degrees), Some(points), "{degrees}");
    }
}

#[test]
fn a_score_is_partial_as_soon_as_one_of_the_inputs_is_missing_and_adds_up_the_others() {
    let chart = chart("news2");
    let whole = Inputs {
        heart_rate: Some(125.0),
        spo2: Some(95.0),
        systolic: Some(95.0),
        respiratory_rate: Some(22.0),
        temperature: Some(38.5),
        supplemental_oxygen: Some(true),
        consciousness: Some(Consciousness::Confusion),
        ..Inputs::default()
    };
    for missing in 0..1 << 7 {
        let has = |place: u8| missing & (1 << place) == 0;
        let inputs = Inputs {
            respiratory_rate: whole.respiratory_rate.filter(|_| has(0)),
            spo2: whole.spo2.filter(|_| has(1)),
            supplemental_oxygen: whole.supplemental_oxygen.filter(|_| has(2)),
            systolic: whole.systolic.filter(|_| has(3)),
            heart_rate: whole.heart_rate.filter(|_| has(4)),
            consciousness: whole.consciousness.filter(|_| has(5)),
            temperature: whole.temperature.filter(|_| has(6)),
            ..whole
        };
        let score = chart.score(&inputs);
        let expected: Vec<_> = (0..7).zip([2, 1, 2, 2, 2, 3, 1]).map(|(place, n)| has(place).then_some(n)).collect();
        assert_eq!(score.parts[..7], expected);
        assert_eq!(score.parts[7], None);
        assert_eq!((score.total, score.is_partial), (expected.iter().flatten().sum(), missing != 0));
    }
}

#[test]
fn a_sign_that_the_chart_does_not_have_is_not_missed() {
    let score = chart("news2").score(&Inputs { diastolic: None, ..EVERYTHING_WELL });
    assert_eq!((score.total, score.is_partial, score.level), (0, false, Level::Low));
}

#[test]
fn what_is_no_number_is_missing() {
    let chart = chart("news2");
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(sign_part(chart, Sign::HeartRate, value), None);
    }
    for (value, points) in [(f64::MAX, 3), (-f64::MAX, 3), (-1.0, 3), (1e-300, 3)] {
        assert_eq!(sign_part(chart, Sign::HeartRate, value), Some(points), "{value}");
    }
    assert_eq!(sign_part(chart, Sign::Temperature, f64::MAX), Some(2));
}

#[test]
fn news2_levels_and_responses_begin_at_1_5_and_7() {
    let chart = chart("news2");
    let levels: Vec<_> = (0..=20).map(|total| chart.verdict(total, &[]).level).collect();
    assert_eq!(levels, [vec![Level::Low; 5], vec![Level::Medium; 2], vec![Level::High; 14]].concat());
    let response = |total| chart.verdict(total, &[]).response.clone().unwrap();
    let changes: Vec<_> = (1..=20).filter(|total| response(*total) != response(total - 1)).collect();
    assert_eq!(changes, [1, 5, 7]);
}

#[test]
fn three_points_of_a_single_sign_raise_news2_to_low_medium_and_never_lower_it() {
    let chart = chart("news2");
    let score = |inputs: Inputs| {
        let score = chart.score(&inputs);
        (score.total, score.level, chart.response(&score).and_then(|text| text.split([';', ':']).next()))
    };
    let asleep = Inputs { consciousness: Some(Consciousness::Pain), ..EVERYTHING_WELL };
    let hourly = Some("observe every hour or more often");
    assert_eq!(score(asleep), (3, Level::LowMedium, hourly));
    assert_eq!(score(Inputs { temperature: Some(38.5), ..asleep }), (4, Level::LowMedium, hourly));
    assert_eq!(score(Inputs { temperature: Some(39.5), ..asleep }), (5, Level::Medium, Some("urgent")));
    assert_eq!(score(Inputs { systolic: Some(90.0), heart_rate: Some(95.0), ..asleep }).1, Level::High);
    let three_of_two = Inputs { temperature: Some(39.5), heart_rate: Some(95.0), ..EVERYTHING_WELL };
    assert_eq!(score(three_of_two), (3, Level::Low, Some("observe again within 4 to 6 hours")));
    assert_eq!(score(Inputs { heart_rate: Some(135.0), ..Inputs::default() }), (3, Level::LowMedium, hourly));
}

#[test]
fn a_partial_score_is_not_told_to_be_well() {
    let chart = chart("news2");
    let response = |inputs: Inputs| chart.response(&chart.score(&inputs)).and_then(|text| text.split(';').next());
    assert_eq!(response(EVERYTHING_WELL), Some("observe again within 12 hours"));
    assert_eq!(response(Inputs::default()), None);
    assert_eq!(response(Inputs { consciousness: None, ..EVERYTHING_WELL }), None);
    let one = Inputs { heart_rate: Some(95.0), ..Inputs::default() };
    assert_eq!(response(one), Some("observe again within 4 to 6 hours"));
}

#[test]
fn an_item_has_its_value_where_that_is_a_number() {
    let of = |name: &str, inputs: &Inputs| {
        let items = chart(name).items().iter();
        items.map(|item| item.value(inputs)).collect::<Vec<_>>()
    };
    assert_eq!(
        of("news2", &Inputs { consciousness: None, ..EVERYTHING_WELL }),
        [Some(16.0), Some(98.0), None, Some(120.0), Some(70.0), None, Some(36.8),]
    );
    let inputs = Inputs { heart_rate: Some(90.0), ..EVERYTHING_WELL };
    assert_eq!((of("shock_index", &inputs), of("shock_index", &Inputs::default())), (vec![Some(0.75)], vec![None]));
}

#[test]
fn mews_has_the_points_of_its_paper_on_both_sides_of_every_boundary() {
    let chart = chart("mews");
    let systolic = [(3, 20.0, 70.0), (2, 71.0, 80.0), (1, 81.0, 100.0), (0, 101.0, 199.0), (2, 200.0, 350.0)];
    assert_bands(chart, Sign::Systolic, &systolic);
    let low_pulse = [(2, 1.0, 40.0), (1, 41.0, 50.0), (0, 51.0, 100.0)];
    let high_pulse = [(1, 101.0, 110.0), (2, 111.0, 129.0), (3, 130.0, 350.0)];
    assert_bands(chart, Sign::HeartRate, &[low_pulse, high_pulse].concat());
    let rate = [(2, 1.0, 8.0), (0, 9.0, 14.0), (1, 15.0, 20.0), (2, 21.0, 29.0), (3, 30.0, 120.0)];
    assert_bands(chart, Sign::RespiratoryRate, &rate);
    assert_bands(chart, Sign::Temperature, &[(2, 20.0, 34.94), (0, 34.95, 38.44), (2, 38.45, 46.0)]);
    for (letter, points) in [("A", Some(0)), ("C", None), ("V", Some(1)), ("P", Some(2)), ("U", Some(3))] {
        let inputs = Inputs { consciousness: Consciousness::parse(letter), ..EVERYTHING_WELL };
        assert_eq!(part(chart, "consciousness", &inputs), points, "{letter}");
        assert_eq!(chart.score(&inputs).is_partial, letter == "C");
    }
    let levels = [0, 4, 5, 14].map(|total| chart.verdict(total, &[Some(3)]).level);
    assert_eq!(levels, [Level::Low, Level::Low, Level::High, Level::High]);
}

#[test]
fn qsofa_has_the_points_of_its_paper_on_both_sides_of_every_boundary() {
    let chart = chart("qsofa");
    assert_bands(chart, Sign::RespiratoryRate, &[(0, 1.0, 21.0), (1, 22.0, 120.0)]);
    assert_bands(chart, Sign::Systolic, &[(1, 20.0, 100.0), (0, 101.0, 350.0)]);
    for state in Consciousness::ALL {
        let inputs = Inputs { consciousness: Some(state), ..Inputs::default() };
        assert_eq!(part(chart, "consciousness", &inputs), Some(u8::from(state != Consciousness::Alert)));
    }
    assert_eq!([1, 2].map(|total| chart.verdict(total, &[]).level), [Level::Low, Level::High]);
}

#[test]
fn sirs_has_the_points_of_its_paper_on_both_sides_of_every_boundary() {
    let chart = chart("sirs");
    assert_bands(chart, Sign::HeartRate, &[(0, 1.0, 90.0), (1, 91.0, 350.0)]);
    assert_bands(chart, Sign::RespiratoryRate, &[(0, 1.0, 20.0), (1, 21.0, 120.0)]);
    assert_bands(chart, Sign::Temperature, &[(1, 20.0, 35.9), (0, 36.0, 38.0), (1, 38.1, 46.0)]);
    assert_eq!([1, 2].map(|total| chart.verdict(total, &[]).level), [Level::Low, Level::Medium]);
}

#[test]
fn the_shock_index_is_heart_rate_by_systolic_pressure() {
    let chart = chart("shock_index");
    for (rate, pressure) in (0..=350_u32).flat_map(|rate| (1..=350_u32).map(move |pressure| (rate, pressure))) {
        let (heart_rate, systolic) = (Some(f64::from(rate)), Some(f64::from(pressure)));
        let score = chart.score(&Inputs { heart_rate, systolic, ..Inputs::default() });
        let (total, level) = match (10 * rate).cmp(&(9 * pressure)) {
            std::cmp::Ordering::Greater => (2, Level::High),
            _ if 10 * rate > 7 * pressure => (1, Level::Medium),
            _ => (0, Level::Low),
        };
        assert_eq!((score.total, score.level, score.is_partial), (total, level, false), "{rate}/{pressure}");
    }
    for inputs in [with(Sign::HeartRate, 80.0), Inputs { systolic: Some(0.0), ..EVERYTHING_WELL }] {
        assert!(chart.score(&inputs).is_partial);
    }
}

#[test]
fn letters_have_one_form() {
    assert_eq!(Consciousness::ALL.map(Consciousness::name).concat(), "ACVPU");
    for text in ["a", "", "AV", " A", "Alert"] {
        assert_eq!(Consciousness::parse(text), None, "{text:?}");
    }
}
