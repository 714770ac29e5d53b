use super::*;
use crate::alarm::rules::SECOND;
use crate::cmd::common::parsed;
use crate::output::Format;
use crate::reading::{Consciousness, Observed, Signs};

const MINUTE: Micros = 60 * SECOND;
/// 2025-10-26T10:00:00Z.
const NOW: Micros = 1_761_472_800 * SECOND;

fn reading(ago: Micros, signs: Signs) -> StoredReading {
    let timestamp = Timestamp::from_micros(NOW - ago).unwrap().to_string();
    StoredReading { patient_id: "P1".to_owned(), timestamp, signs }
}

const WELL: Signs = Signs {
    heart_rate: Some(70),
    spo2: Some(98),
    systolic: Some(120),
    diastolic: Some(80),
    respiratory_rate: Some(16),
    temperature: Some(36.8),
    observed: Observed::NOTHING,
};
/// 2, 2, 1, 2 and 1 points.
const ILL: Signs = Signs {
    heart_rate: Some(115),
    spo2: Some(92),
    systolic: Some(105),
    diastolic: Some(60),
    respiratory_rate: Some(22),
    temperature: Some(38.4),
    observed: Observed::NOTHING,
};
const NONE: Signs = Signs {
    heart_rate: None,
    spo2: None,
    systolic: None,
    diastolic: None,
    respiratory_rate: None,
    temperature: None,
    observed: Observed::NOTHING,
};
/// 2 and 3 points.
const DROWSY: Observed = Observed { supplemental_oxygen: Some(true), consciousness: Some(Consciousness::Voice) };

fn scored_by(by: BuiltIn, patient: &str, readings: &[StoredReading]) -> Scored {
    Scored::of(by, (patient.to_owned(), None), readings, NOW).unwrap()
}

fn scored(patient: &str, readings: &[StoredReading]) -> Scored {
    scored_by(BuiltIn::News2, patient, readings)
}

/// The item, the points, the value and how old it is in minutes, of each part that has a number.
fn parts(scored: &Scored) -> Vec<(&str, u8, f64, i64)> {
    let parts = scored.current.iter().flat_map(|current| &current.parts);
    let of = |part: &scored::Part| {
        let Some(scored::PartValue::Number(value)) = part.value else { return None };
        Some((part.item.name(), part.points?, value, part.measured?.1 / MINUTE))
    };
    parts.filter_map(of).collect()
}

#[test]
fn a_sign_counts_with_its_newest_believed_value_no_older_than_an_hour_before_the_newest_reading() {
    let readings = [
        reading(5 * MINUTE, Signs { heart_rate: Some(115), spo2: Some(0), ..NONE }),
        reading(10 * MINUTE, Signs { spo2: Some(92), temperature: Some(98.6), ..NONE }),
        reading(64 * MINUTE, Signs { temperature: Some(38.4), systolic: Some(105), diastolic: Some(60), ..NONE }),
        reading(65 * MINUTE, Signs { respiratory_rate: Some(22), ..NONE }),
        reading(66 * MINUTE, ILL),
    ];
    let scored = scored("P1", &readings);
    let expected = [
        ("respiratory_rate", 2, 22.0, 65),
        ("spo2", 2, 92.0, 10),
        ("systolic", 1, 105.0, 64),
        ("heart_rate", 2, 115.0, 5),
        ("temperature", 1, 38.4, 64),
    ];
    assert_eq!(parts(&scored), expected);
    assert_eq!((scored.total(), scored.is_stale()), (Some(8), false));
    let older = scored_by(BuiltIn::News2, "P1", &[readings[0].clone(), reading(66 * MINUTE, ILL)]);
    assert_eq!(parts(&older), [("heart_rate", 2, 115.0, 5)], "more than an hour before it");
}

#[test]
fn an_observation_counts_as_a_sign_does_and_with_all_seven_the_score_is_whole() {
    let observed = |observed| Signs { observed, ..NONE };
    let readings = [
        reading(5 * MINUTE, ILL),
        reading(10 * MINUTE, observed(Observed { consciousness: None, ..DROWSY })),
        reading(65 * MINUTE, observed(DROWSY)),
        reading(66 * MINUTE, observed(Observed { supplemental_oxygen: Some(false), ..Observed::NOTHING })),
    ];
    let whole = scored("P1", &readings);
    let current = whole.current.as_ref().unwrap();
    assert_eq!((whole.total(), current.score.is_partial, current.score.level.name()), (Some(13), false, "high"));
    let part = |item: &str| {
        let part = current.parts.iter().find(|part| part.item.name() == item).unwrap();
        (part.points, part.value.map(|value| value.to_string()), part.measured.map(|(_, age)| age / MINUTE))
    };
    assert_eq!(part("supplemental_oxygen"), (Some(2), Some("yes".to_owned()), Some(10)));
    assert_eq!(part("consciousness"), (Some(3), Some("V".to_owned()), Some(65)));
    assert!((whole.smoothed().unwrap() - 2.155).abs() < 1e-9, "each of them has a say: 0, 5, 5, 13");
    let (list, told) = printed(Format::Table, BuiltIn::News2, std::slice::from_ref(&whole), true);
    assert!(list.contains("P1          13 ") && !told.contains("PARTIAL"), "{list}{told}");
    assert!(list.contains("\nsupplemental_oxygen       2    yes  10m\n"), "{list}");
    assert!(list.contains("\nconsciousness             3      V   1h\n"), "{list}");
    let (json, _) = printed(Format::Ndjson, BuiltIn::News2, &[whole], true);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["parts"][2]["value"], &json["parts"][5]["value"]), (&true.into(), &"V".into()));
    let older = scored("P1", &[readings[0].clone(), reading(66 * MINUTE, observed(DROWSY))]);
    assert_eq!(
        (older.total(), older.current.unwrap().score.is_partial),
        (Some(8), true),
        "more than an hour before it"
    );
}

#[test]
fn a_ratio_is_as_old_as_the_older_of_its_signs() {
    let readings = [
        reading(5 * MINUTE, Signs { heart_rate: Some(90), ..NONE }),
        reading(20 * MINUTE, Signs { systolic: Some(120), ..NONE }),
    ];
    let scored = scored_by(BuiltIn::ShockIndex, "P1", &readings);
    assert_eq!(parts(&scored), [("shock_index", 1, 0.75, 20)]);
    assert!(!scored.current.unwrap().score.is_partial);
}

#[test]
fn a_score_is_smoothed_over_the_newest_readings_in_the_order_of_their_times() {
    let smoothed = |readings: &[StoredReading]| scored("P1", readings).smoothed().unwrap();
    let [well, ill] = [WELL, ILL].map(|signs| move |minutes: i64| reading(minutes * MINUTE, signs));
    assert!((smoothed(&[well(1)]) - 0.0).abs() < 1e-9);
    assert!((smoothed(&[ill(1)]) - 8.0).abs() < 1e-9);
    assert!((smoothed(&[ill(1), well(2)]) - 0.8).abs() < 1e-9);
    assert!((smoothed(&[well(3), ill(1), ill(2)]) - 1.52).abs() < 1e-9, "in whatever order they come");
    let silent = reading(MINUTE, Signs { diastolic: Some(80), heart_rate: Some(0), ..NONE });
    assert!((smoothed(&[silent, ill(2), well(3)]) - 0.8).abs() < 1e-9, "what has no sign of the score says nothing");
    let last = i64::from(SMOOTHED);
    let mut readings: Vec<_> = (1..=last).map(well).collect();
    readings.push(ill(last + 1));
    assert!(smoothed(&readings).abs() < 1e-9, "one before the last {SMOOTHED} has no say");
}

#[test]
fn who_has_no_reading_of_the_last_hour_is_stale_and_a_time_that_is_none_does_not_count() {
    assert!(!scored("P1", &[reading(60 * MINUTE, WELL)]).is_stale());
    assert!(scored("P1", &[reading(60 * MINUTE + 1, WELL)]).is_stale());
    assert!(!scored("P1", &[reading(-5 * MINUTE, WELL)]).is_stale(), "a clock that is ahead");
    let unclear = StoredReading { timestamp: "yesterday".to_owned(), ..reading(0, ILL) };
    assert_eq!(Scored::of(BuiltIn::News2, ("P1".to_owned(), None), std::slice::from_ref(&unclear), NOW), None);
    assert_eq!(scored("P1", &[unclear, reading(MINUTE, WELL)]).total(), Some(0));
    let nothing = scored("P1", &[reading(MINUTE, Signs { heart_rate: Some(0), ..NONE })]);
    assert_eq!((nothing.current, nothing.newest), (None, NOW - MINUTE));
}

fn ward() -> Vec<Scored> {
    let mut ward = vec![
        scored("stale", &[reading(180 * MINUTE, Signs { spo2: Some(80), ..ILL })]),
        scored("nothing", &[reading(MINUTE, Signs { diastolic: Some(80), ..NONE })]),
        scored("well-b", &[reading(MINUTE, WELL)]),
        scored("well-a", &[reading(MINUTE, WELL)]),
        scored("getting-worse", &[reading(MINUTE, ILL), reading(2 * MINUTE, WELL)]),
        scored("ill", &[reading(MINUTE, Signs { temperature: None, ..ILL }), reading(50 * MINUTE, ILL)]),
    ];
    rank(&mut ward);
    ward
}

#[test]
fn the_highest_smoothed_score_comes_first_and_who_is_stale_last() {
    let ward = ward();
    let names: Vec<_> = ward.iter().map(|scored| scored.patient.as_str()).collect();
    assert_eq!(names, ["ill", "getting-worse", "well-a", "well-b", "nothing", "stale"]);
}

fn printed(format: Format, score: BuiltIn, patients: &[Scored], with_parts: bool) -> (String, String) {
    let (output, memory) = Output::into_memory();
    let format = FormatArgs { format: Some(format) };
    let shown: Vec<_> = patients.iter().collect();
    table::print(&output, format, score, &shown, with_parts).unwrap();
    table::explain(&output, format, score, &shown, 9);
    (memory.stdout(), memory.stderr())
}

#[test]
fn people_get_eighty_columns_and_what_they_mean() {
    let (list, told) = printed(Format::Table, BuiltIn::News2, &ward(), false);
    let expected = "\
PATIENT   NEWS2  EWMA  LEVEL  AGE         RR  SPO2    SYS     HR    TEMP
ill          ≥8   8.0  high   1m        2:22  2:92  1:105  2:115  1:38.4
getting…     ≥8   0.8  high   1m        2:22  2:92  1:105  2:115  1:38.4
well-a       ≥0   0.0  low    1m        0:16  0:98  0:120   0:70  0:36.8
well-b       ≥0   0.0  low    1m        0:16  0:98  0:120   0:70  0:36.8
nothing       -     -  -      1m           -     -      -      -       -
stale        ≥9   9.0  high   stale 3h  2:22  3:80  1:105  2:115  1:38.4
";
    assert_eq!(list, expected);
    for part in [
        "6 of 9 patients; 1 stale, without a reading of the last hour\n",
        "≥ is PARTIAL, the least that",
        "high, at least: emergency: ",
        "made for: 16 years\n  and older, not pregnant\n",
        "a list to look at first, never an alarm",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("low, at least"), "nobody is told to be well: {told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
}

#[test]
fn the_widest_rows_fit_eighty_columns() {
    let low_medium = Signs { heart_rate: Some(131), spo2: Some(100), ..WELL };
    let readings = [reading(9 * 60 * MINUTE, low_medium)];
    let patients = [scored("a-patient-of-a-long-name", &readings), scored("P", &[reading(MINUTE, ILL)])];
    let (list, _) = printed(Format::Table, BuiltIn::News2, &patients, false);
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    assert!(list.contains("a-patie…     ≥3   3.0  low-medium  stale 9h  0:16  0:100  0:120  3:131  0:36.8"), "{list}");
}

#[test]
fn one_patient_is_shown_with_each_value_and_its_age() {
    let readings = [reading(5 * MINUTE, Signs { heart_rate: Some(115), ..NONE }), reading(50 * MINUTE, ILL)];
    let (shown, _) = printed(Format::Table, BuiltIn::News2, &[scored("P1", &readings)], true);
    let expected = "
ITEM                 POINTS  VALUE  AGE
respiratory_rate          2     22  50m
spo2                      2     92  50m
supplemental_oxygen       -      -    -
systolic                  1    105  50m
heart_rate                2    115   5m
consciousness             -      -    -
temperature               1   38.4  50m
";
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn programs_get_everything() {
    let readings = [
        reading(5 * MINUTE, Signs { heart_rate: Some(131), ..NONE }),
        reading(5 * MINUTE + 1, Signs { temperature: Some(36.05), ..NONE }),
    ];
    let (json, told) = printed(Format::Ndjson, BuiltIn::News2, &[scored("P1", &readings)], true);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let chart = BuiltIn::News2.chart();
    let missing = |item: &str| serde_json::json!({ "item": item, "points": null, "value": null, "timestamp": null, "age_seconds": null });
    let expected = serde_json::json!({
        "patient_id": "P1",
        "score": "NEWS2",
        "total": 3,
        "partial": true,
        "smoothed": 0.3,
        "level": "low-medium",
        "response": chart.response(&chart.score(&crate::score::Inputs { heart_rate: Some(131.0), ..Default::default() })),
        "timestamp": "2025-10-26T09:55:00+00:00",
        "age_seconds": 300,
        "stale": false,
        "parts": [
            missing("respiratory_rate"),
            missing("spo2"),
            missing("supplemental_oxygen"),
            missing("systolic"),
            { "item": "heart_rate", "points": 3, "value": 131, "timestamp": "2025-10-26T09:55:00+00:00", "age_seconds": 300 },
            missing("consciousness"),
            { "item": "temperature", "points": 0, "value": 36.05, "timestamp": "2025-10-26T09:54:59.999999+00:00", "age_seconds": 300 },
        ],
        "name": null,
        "ward": null,
        "bed": null,
        "spo2_scale": 1,
        "population": "16 years and older, not pregnant",
    });
    assert_eq!(json, expected);
    assert_eq!(told, "1 of 9 patients\n");
    let (csv, _) = printed(
        Format::Csv,
        BuiltIn::News2,
        &[scored("P1", &[reading(0, Signs { diastolic: Some(80), ..NONE })])],
        false,
    );
    assert!(csv.contains("P1,NEWS2,,,,,,2025-10-26T10:00:00+00:00,0,false,,"), "{csv}");
}

#[test]
fn the_score_is_news2_unless_another_one_is_named() {
    let args = |line: &str| parsed::<Args>(line);
    assert_eq!(args("").unwrap().score, BuiltIn::News2);
    for (name, score) in [("qsofa", BuiltIn::Qsofa), ("NEWS2", BuiltIn::News2), ("SIRS", BuiltIn::Sirs)] {
        assert_eq!(args(&format!("--score {name}")).unwrap().score, score);
    }
    for line in ["--score news", "--score", "--limit 0", "--patient", "--watch=0"] {
        assert!(args(line).is_err(), "{line}");
    }
}

#[test]
fn the_help_and_the_guide_have_the_same_figures_and_say_what_the_list_is_not() {
    let command = <crate::cmd::CommandLine as clap::CommandFactory>::command();
    let help = command.find_subcommand("scores").unwrap().get_after_help().unwrap().to_string();
    let page = crate::guide::PAGES.iter().find(|page| page.name == "operators").unwrap().text;
    for text in [&help, page] {
        let figures =
            ["19,777", "919", ".653", "2.63", ".692", "2.22", ".719", "2.47", ".730", "1.99", "1 to 5 of 100"];
        for part in figures.into_iter().chain(["never an alarm", "under 16 nor in pregnancy"]) {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}
