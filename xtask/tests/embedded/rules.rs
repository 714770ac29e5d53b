//! `vitals rules`: sets and files of rules, and back-tests on files and on the store, each a process of its own.

use std::fmt::Write as _;

use super::home::{Home, behind_head, unread};
use crate::program::Program as _;

const HEADER: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

/// One reading a minute from midnight on: a heart rate, or nothing.
fn minutes(patient: &str, heart_rates: &[Option<i32>]) -> String {
    let mut rows = String::new();
    for (minute, value) in (0..).zip(heart_rates) {
        let value = value.map_or_else(String::new, |value| value.to_string());
        let (hour, minute) = (minute / 60, minute % 60);
        writeln!(rows, "{patient},2026-01-01T{hour:02}:{minute:02}:00Z,{value},,,,,").unwrap();
    }
    rows
}

/// Two patients; the first one's rows come in the wrong order, one of them twice, one without a sign.
fn ward() -> String {
    let first = minutes("P1", &[100, 111, 112, 100, 900, 118].map(Some));
    let mut first: Vec<_> = first.lines().collect();
    first.reverse();
    let again = "P1,2026-01-01T00:05:00Z,117,91,,,,36.05";
    let second = minutes("P2", &[Some(80), None, Some(80)]);
    format!("{HEADER}{}\n{again}\n{second}", first.join("\n"))
}

const EVENTS: [&str; 4] = [
    "patient_id,rule,onset,start,end,peak,limit",
    "P1,heart_rate_high,2026-01-01T00:01:00Z,2026-01-01T00:01:00Z,2026-01-01T00:03:00Z,112,110",
    "P1,heart_rate_high,2026-01-01T00:05:00Z,2026-01-01T00:05:00Z,,117,110",
    "P1,spo2_low,2026-01-01T00:05:00Z,2026-01-01T00:05:00Z,,91,92",
];

#[test]
fn sets_are_listed_shown_and_printed_as_files_that_pass_the_check() {
    let home = Home::new();
    let listed = home.bare("rules list -o csv").well();
    assert_eq!(listed.stdout, ["name,rules,high,medium,low,default", "classic,2,1,1,0,true", "ward,13,4,6,3,false"]);
    let shown = home.bare("rules show classic -o csv").well();
    assert_eq!(shown.stdout[1], "heart_rate_high,heart rate above 110,5,0,medium,false,false,,High heart rate");
    let text = home.bare("rules show ward --toml").well();
    assert_eq!((text.output().as_str(), text.talk().as_str()), (include_str!("../../../src/alarm/sets/ward.toml"), ""));
    home.file("mine.toml", text.output());
    let checked = home.bare("rules check mine.toml").well();
    assert_eq!((checked.output().as_str(), checked.talk().as_str()), ("", "mine.toml: 13 rules in order\n"));
    let schema = home.bare("rules schema").well().json();
    assert!(schema["properties"]["rule"]["items"]["properties"]["hysteresis"].is_object(), "{schema}");
}

#[test]
fn rules_of_every_kind_are_shown_in_words() {
    let home = Home::new();
    home.file(
        "mine.toml",
        "[[rule]]\nname = \"a\"\nsign = \"spo2\"\nbelow = 92\nhysteresis = 2\nearly = \"30m\"\n\
         [[rule]]\nname = \"b\"\nsign = \"heart_rate\"\nchange = -20\nwithin = \"10m\"\nlatch = true\nack_after = \"5m\"\n\
         [[rule]]\nname = \"c\"\nsign = \"temperature\"\nflat = \"1h\"\n\
         [[rule]]\nname = \"d\"\npriority = \"high\"\n\
         all = [{ sign = \"shock_index\", above = 0.9, hysteresis = 0.1 }, { sign = \"systolic\", below = 90 }]\n",
    );
    let shown = home.bare("rules show mine.toml -o csv").well();
    let expected = [
        "rule,over,hysteresis,delay_s,priority,latch,band,ack_after_s,title",
        "a,SpO2 below 92,2,0,medium,false,false,,Low SpO2",
        "a_early,SpO2 less its deviation over 1800s below 92,2,0,low,false,false,,\"Low SpO2, soon\"",
        "b,heart rate down by more than 20 within 600s,0,0,medium,true,false,300,Fall of heart rate",
        "c,temperature does not change,,3600,medium,false,false,,No change of temperature",
        "d,shock index above 0.9 (hysteresis 0.1) and systolic below 90,,0,high,false,false,,D",
    ];
    assert_eq!(shown.stdout, expected);
}

#[test]
fn a_mistake_in_a_file_of_rules_is_bad_data_with_its_place_and_a_name_that_is_none_a_usage_error() {
    let home = Home::new();
    home.file("bad.toml", "[[rule]]\nname = \"a\"\nsign = \"spo2\"\nbelov = 92\n");
    for words in ["rules check bad.toml", "rules show bad.toml --toml", "rules test bad.toml --csv none.csv"] {
        let told = home.bare(words).with_code(3);
        assert_eq!(
            told.stderr,
            ["error: bad.toml, line 4, column 1: a rule has no 'belov'", "hint: did you mean below?"]
        );
    }
    home.bare("rules check none.toml").with_code(2).tells(&["error: there is no file none.toml", "hint: "]);
    home.bare("rules show wrad").with_code(2).tells(&["there is no set of rules named 'wrad'", "did you mean ward?"]);
    home.bare("rules test ward --against clasic --csv none.csv").with_code(2).tells(&["did you mean classic?"]);
    home.bare("rules test ward").with_code(2).tells(&["--csv"]);
    home.bare("rules show ward --toml -o csv").with_code(2).tells(&["cannot be used with"]);
}

#[test]
fn a_back_test_lists_every_alarm_in_whatever_order_the_rows_come() {
    let home = Home::new();
    home.file("ward.csv", ward());
    let events = home.bare("rules test classic --csv ward.csv --events -o csv").well();
    assert_eq!((events.stdout.as_slice(), events.talk().as_str()), (&EVENTS.map(str::to_owned)[..], ""));
    let as_json = home.bare("rules test classic --csv ward.csv --events").well().rows();
    assert!(as_json[1]["end"].is_null() && as_json[1]["peak"] == 117, "{as_json:?}");
}

#[test]
fn a_back_test_counts_alarms_by_rule_and_holds_two_sets_against_each_other() {
    let home = Home::new();
    home.file("ward.csv", ward());
    let counted = home.bare("rules test classic --csv ward.csv").well();
    assert_eq!(counted.talk(), "9 readings of 2 patients, 0.0 patient-days\n");
    let rows = counted.rows();
    let of_rule = |rule: &str, key: &str| rows.iter().find(|row| row["rule"] == rule).unwrap()[key].clone();
    assert_eq!(of_rule("heart_rate_high", "alarms"), 2);
    assert_eq!((of_rule("heart_rate_high", "episodes"), of_rule("heart_rate_high", "lines")), (1.into(), 3.into()));
    // Five and two minutes were watched.
    assert_eq!(of_rule("all", "per_day"), 617.143);
    assert!(of_rule("all", "per_day_low").is_number() && of_rule("all", "noisiest_tenth_percent") == 100.0);
    let beside = home.bare("rules test ward --against classic --csv ward.csv -o csv").well();
    assert_eq!(beside.stdout.len(), 1 + 14 + 3);
    assert!(beside.stdout[0].starts_with("set,rule,") && beside.stdout[0].ends_with(",only_here"));
    assert!(beside.stdout[15].starts_with("classic,heart_rate_high,2,") && beside.stdout[15].ends_with(",2"));
    home.bare("rules test ward --csv ward.csv -o table").well().shows(&["RULE ", " A DAY ", "\nall "]);
}

#[test]
fn a_file_that_cannot_be_tried_is_told_and_no_text_shows_what_it_holds() {
    let home = Home::new();
    home.file("empty.csv", "");
    home.file("head.csv", HEADER);
    home.file(
        "timeless.csv",
        "patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\nP1,80,,,,,\n",
    );
    home.file("bad.csv", format!("{}PSECRET,2026-01-01T00:00:00Z,secret,,,,,\nPSECRET,,80,,,,,\n", ward()));
    for (file, code, told) in [
        ("none.csv", 2, "there is no file none.csv"),
        ("empty.csv", 3, "empty.csv is empty"),
        ("head.csv", 3, "there is no reading to try the rules on"),
        ("timeless.csv", 3, "timeless.csv has no column timestamp"),
        ("bad.csv", 3, "bad.csv: 2 rows malformed; nothing was tried"),
    ] {
        let ended = home.bare(&format!("rules test classic --csv {file} --events")).with_code(code);
        assert_eq!(ended.output(), "");
        let ended = ended.tells(&[told, "hint: "]);
        assert!(!ended.talk().to_lowercase().contains("secret"), "{}", ended.talk());
    }
    let skipped = home.bare("rules test classic --csv bad.csv --skip-bad --events -o csv").well();
    assert_eq!((skipped.stdout.len(), skipped.talk().as_str()), (4, "note: 2 malformed rows of bad.csv left out\n"));
}

#[test]
fn what_is_stored_gives_the_same_alarms_as_the_file_that_it_came_from() {
    let home = Home::with_tables();
    // A store has no rows without a sign, and one row for a patient and time.
    let rows: Vec<_> = ward().lines().map(str::to_owned).filter(|line| !line.ends_with(",,,,,,")).collect();
    home.file("ward.csv", rows.join("\n"));
    home.done("import ward.csv");
    let stored = |options: &str| home.run(&format!("rules test classic --since {options} --events -o csv")).well();
    for options in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z --patient P1"] {
        assert_eq!(stored(options).stdout, EVENTS, "{options}");
    }
    assert_eq!(stored("2026-01-01T00:03:00Z --until 2026-01-01T00:05:00Z").stdout, EVENTS[..1]);
    assert_eq!(stored("2026-01-01T00:01:00Z --until 2026-01-01T00:02:00Z").stdout.len(), 2);
    for options in ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z --patient P9"] {
        let none = home.run(&format!("rules test classic --since {options}")).well();
        none.tells(&["there are no readings in that time", "0 readings of 0 patients"]).shows(&[r#""per_day":null"#]);
    }
    let reversed = "--since 2026-01-02T00:00:00Z --until 2026-01-01T00:00:00Z";
    home.refused(&format!("rules test classic {reversed}"), 2).tells(&["no time lies between"]);
    home.run("rules test classic --csv ward.csv --since -1h").with_code(2);
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_enough_is_no_error() {
    let home = Home::new();
    let up_and_down: Vec<_> = (0..24 * 60).map(|minute| Some(if minute % 2 == 0 { 100 } else { 120 })).collect();
    home.file("ward.csv", format!("{HEADER}{}", minutes("P1", &up_and_down)));
    let ended = behind_head(unread(home.vitals("rules test classic --csv ward.csv --events"))).well();
    assert_eq!(ended.talk(), "");
}
