use super::*;
use crate::advice::{Advice as _, Code};
use crate::alarm::Limits;
use crate::alarm::rules::{SECOND, Standing, json_schema};
use crate::reading::Sign;
use crate::score::{Consciousness, Inputs, Level};

/// What is said of a rule with these lines, which begin with the second line of the file.
fn said(lines: &str) -> String {
    let text = format!("[[rule]]\n{lines}\n");
    let error = RuleSet::parse("test", &text).expect_err(lines);
    assert_eq!(error.code(), Code::BadData);
    format!("{error}; hint: {}", error.hint().unwrap())
}

fn rule(lines: &str) -> Rule {
    let set =
        RuleSet::parse("test", &format!("[[rule]]\n{lines}\n")).unwrap_or_else(|error| panic!("{lines}: {error}"));
    set.rules[0].clone()
}

#[test]
fn a_score_is_watched_in_the_place_of_a_sign() {
    let watched = |lines: &str| {
        let rule = rule(&format!("name = \"a\"\nabove = 4\n{lines}"));
        let Condition::Limit(Limit { measure, side: Side::Above, value: 4.0, hysteresis: 0.0 }) = rule.condition else {
            panic!("{rule:?}")
        };
        (measure, rule.title.clone(), rule.text(7.0, false))
    };
    let news2 = |max_age| Quantity::Score { chart: BuiltIn::News2, item: None, max_age, scale: Scale::One };
    let value = |quantity| Measure { quantity, form: Form::Value };
    let texts = ("NEWS2".to_owned(), "NEWS2: 7".to_owned());
    let hour = 3600 * super::super::SECOND;
    for (lines, max_age) in [
        ("score = \"NEWS2\"", hour),
        ("score = \"news2\"\nmax_age = \"2h\"", 2 * hour),
        ("score = \"NEWS2\"\nmax_age = 3600", hour),
        ("score = \"NEWS2\"\nmax_age = \"1d\"", 24 * hour),
    ] {
        let (measure, title, text) = watched(lines);
        assert_eq!((measure, (title, text)), (value(news2(max_age)), texts.clone()), "{lines}");
        assert_eq!(measure.looks_back(), max_age);
    }
    let qsofa = rule("name = \"a\"\nabove = 1\nscore = \"qSOFA\"\ntitle = \"Quick\"\ndelay = \"5m\"\nlatch = true");
    assert_eq!((qsofa.text(2.0, false), qsofa.delay, qsofa.latch), ("Quick: 2".to_owned(), hour / 12, true));
    let all = rule(
        "name = \"a\"\nall = [{ score = \"NEWS2\", max_age = \"2h\", above = 4 }, { sign = \"spo2\", below = 92 }]",
    );
    assert_eq!(all.condition.limits()[0].measure, value(news2(2 * hour)));
}

#[test]
fn a_score_is_only_asked_what_the_least_that_it_can_be_may_tell() {
    for (lines, expected) in [
        (
            "below = 3",
            "line 4, column 9: below of a score; hint: what is missing has no points, so that only above can be told",
        ),
        ("above = 20", "line 4, column 9: NEWS2 is never above 20; hint: it is 0 to 20"),
        (
            "change = 3\nwithin = \"1h\"",
            "line 4, column 10: change of a score; hint: a total rises too where something is measured for the first time: use above",
        ),
        (
            "above = 4\nearly = \"30m\"",
            "line 5, column 9: early of a score; hint: a total rises too where something is measured for the first time: use above",
        ),
        ("flat = \"1h\"", "line 1, column 1: flat is about a vital sign; hint: name one of the six signs"),
        (
            "above = 4\nsign = \"spo2\"",
            "line 3, column 9: a sign and a score in one limit; hint: leave one of them out",
        ),
        ("above = 4\nmax_age = 0", "line 5, column 11: max_age is 0; hint: give it a span, as in \"1h\""),
        (
            "above = 4\nmax_age = \"25h\"",
            "line 5, column 11: max_age is more than a day; hint: a rule looks back over a day at most",
        ),
        (
            "above = 4\nmax_age = true",
            "line 5, column 11: max_age is true or false; hint: it has to be text with a unit in quotes, as in \"60s\", or a number of seconds",
        ),
    ] {
        assert_eq!(said(&format!("name = \"a\"\nscore = \"NEWS2\"\n{lines}")), expected);
    }
    for (lines, expected) in [
        (
            "score = \"NEWS\"\nabove = 4",
            "line 3, column 9: there is no score named 'NEWS'; hint: there are NEWS2, MEWS, qSOFA, SIRS, shock_index",
        ),
        ("score = 2\nabove = 4", "line 3, column 9: score is a whole number; hint: it has to be text in quotes"),
        (
            "sign = \"spo2\"\nbelow = 92\nmax_age = \"1h\"",
            "line 5, column 11: max_age of a sign; hint: max_age goes with score",
        ),
        (
            "any = [{ score = \"NEWS2\", below = 4 }, { sign = \"spo2\", below = 92 }]",
            "line 3, column 35: below of a score; hint: what is missing has no points, so that only above can be told",
        ),
        (
            "score = \"NEWS2\"\nall = [{ sign = \"heart_rate\", above = 110 }, { sign = \"spo2\", below = 92 }]",
            "line 1, column 1: score in a rule with all; hint: score goes with above or below or change or flat",
        ),
    ] {
        assert_eq!(said(&format!("name = \"a\"\n{lines}")), expected);
    }
}

#[test]
fn a_mistake_in_a_name_tells_its_place_and_the_nearest_name() {
    for (lines, expected) in [
        ("naem = \"a\"", "line 2, column 1: a rule has no 'naem'; hint: did you mean name?"),
        ("name = \"a\"\nscroe = \"NEWS2\"", "line 3, column 1: a rule has no 'scroe'; hint: did you mean score?"),
        (
            "name = \"a\"\nsign = \"heartrate\"\nabove = 1",
            "line 3, column 8: there is no sign named 'heartrate'; hint: did you mean heart_rate?",
        ),
        (
            "name = \"a\"\nall = [{ sing = \"spo2\" }, {}]",
            "line 3, column 10: a term has no 'sing'; hint: did you mean sign?",
        ),
        (
            "name = \"a\"\nsign = \"spo2\"\nbelow = 1\npriority = \"urgent\"",
            "line 5, column 12: there is no priority 'urgent'; hint: high, medium or low (IEC 60601-1-8)",
        ),
        (
            "name = \"A b\"",
            "line 2, column 8: 'A b' cannot be a rule's name; hint: 1 to 64 small letters, digits and underscores",
        ),
        (
            "name = \"spo2_implausible\"",
            "line 2, column 8: spo2_implausible is a technical rule that every set has; hint: choose another name",
        ),
    ] {
        assert_eq!(said(lines), expected);
    }
    let named = |letters| format!("name = \"{}\"\nsign = \"spo2\"\nbelow = 92", "a".repeat(letters));
    assert_eq!(rule(&named(64)).name.len(), 64);
    assert!([0, 65].into_iter().all(|letters| said(&named(letters)).contains("cannot be a rule's name")));
    let far = said("name = \"a\"\nsign = \"weight\"\nabove = 1");
    assert!(far.contains("hint: there are heart_rate, spo2, ") && far.ends_with(", shock_index"), "{far}");
    let far = said("name = \"a\"\nweight = 1");
    assert!(far.contains("a rule has no 'weight'; hint: it may have name, title, sign, score"), "{far}");
    let other = RuleSet::parse("test", "[[rules]]\nname = \"a\"").unwrap_err();
    assert_eq!(other.to_string(), "line 1, column 3: a file of rules has no 'rules'");
}

#[test]
fn what_is_missing_or_too_much_is_told() {
    let sign = "name = \"a\"\nsign = \"spo2\"\n";
    for (lines, expected) in [
        (String::new(), "a rule without a name; hint: add name = \"heart_rate_high\""),
        (
            sign.to_owned(),
            "a rule without a limit; hint: a rule has one of above, below, change, all, any, flat and silent",
        ),
        (
            format!("{sign}above = 1\nbelow = 2"),
            "above and below in one rule; hint: a rule has one of above, below, change, all, any, flat and silent",
        ),
        (
            format!("{sign}silent = 60"),
            "sign in a rule with silent; hint: sign goes with above or below or change or flat",
        ),
        ("name = \"a\"\nsilent = 0".to_owned(), "silent for no time; hint: write a span, as in silent = \"10m\""),
        (format!("{sign}change = 1"), "a change without a span; hint: add within = \"10m\""),
        (format!("{sign}change = 1\nwithin = 0"), "a change without a span; hint: add within = \"10m\""),
        (format!("{sign}below = 1\nwithin = 3"), "within in a rule with below; hint: within goes with change"),
        (
            format!("{sign}change = 1\nwithin = 3\nearly = 3"),
            "early in a rule with change; hint: early goes with above or below",
        ),
        (
            format!("{sign}flat = 60\ndelay = 1"),
            "flat and silent have their own span, and no delay; hint: leave delay out",
        ),
        (
            format!("{sign}flat = 60\nhysteresis = 1"),
            "hysteresis in a rule with flat; hint: hysteresis goes with above or below or change",
        ),
    ] {
        assert_eq!(said(&lines), format!("line 1, column 1: {expected}"), "{lines}");
    }
    assert!(
        said("name = \"a\"\nabove = 1")
            .starts_with("line 1, column 1: a rule without a sign; hint: sign is one of heart_rate, spo2, ")
    );
    assert!(said("name = \"a\"\nany = [{ above = 1 }, { above = 2 }]").contains("column 8: a term without a sign"));
    assert!(said("name = \"a\"\nany = [{ above = 1 }]").contains("any of fewer than two; hint: one alone is a rule"));
    assert!(said("name = \"a\"\nany = 1").contains("any is a whole number; hint: it has to be a list of tables"));
    assert!(
        said(&format!("{sign}below = 1\n[[rule]]\n{sign}below = 2"))
            .contains("line 5, column 1: a second rule named a")
    );
    assert!(said(&format!("{sign}below = 1\nhysteresis = -1")).contains("line 5, column 14: a negative hysteresis"));
    for (text, expected) in
        [("", "there is no rule"), ("rule = []", "there is no rule"), ("rule = 1", "rule is a whole number")]
    {
        let error = RuleSet::parse("test", text).unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
        assert_eq!(error.hint().as_deref(), Some("each rule begins with a line [[rule]]"));
    }
    let many = |count| -> String {
        let rule = |n| format!("[[rule]]\nname = \"a{n}\"\nsign = \"spo2\"\nbelow = 1\n");
        (0..count).map(rule).collect()
    };
    assert!(RuleSet::parse("test", &many(MAX_RULES)).is_ok());
    let error = RuleSet::parse("test", &many(MAX_RULES + 1)).unwrap_err();
    assert!(error.to_string().ends_with("more than 200 rules"), "{error}");
}

#[test]
fn the_built_in_sets_are_read_and_ward_has_the_limits_of_news2() {
    for name in crate::alarm::rules::BUILT_IN {
        let text = RuleSet::built_in_text(name).unwrap();
        RuleSet::parse(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let ward = RuleSet::built_in("ward").unwrap();
    for (name, limit, priority) in [("news2_high", 6.0, Priority::High), ("news2_medium", 4.0, Priority::Medium)] {
        let rule = ward.rule(name).unwrap();
        assert_eq!(
            (rule.limit(), rule.priority, rule.text(7.0, true), rule.text(7.0, false)),
            (Some(limit), priority, "NEWS2 PARTIAL: 7".to_owned(), "NEWS2: 7".to_owned())
        );
    }
    assert!(ward.is_forgetful(), "a score looks at the newest values alone");
    assert_eq!(ward.remembers(), 3900 * super::super::SECOND, "what is pending has looked back from when it began");
}

#[test]
fn ward_alarms_on_each_band_of_news2_and_on_each_item_with_three_points() {
    let (ward, chart) = (RuleSet::built_in("ward").unwrap(), BuiltIn::News2.chart());
    let well = Inputs {
        heart_rate: Some(70.0),
        spo2: Some(97.0),
        systolic: Some(120.0),
        diastolic: Some(80.0),
        respiratory_rate: Some(16.0),
        temperature: Some(36.8),
        supplemental_oxygen: Some(false),
        consciousness: Some(Consciousness::Alert),
        spo2_scale: Scale::One,
    };
    let is_over = |rule: &Rule, inputs: &Inputs| {
        let [limit] = rule.condition.limits() else { panic!("{rule:?}") };
        let score = chart.score(inputs);
        let value = match limit.measure.quantity {
            Quantity::Sign(sign) => chart.items().iter().find(|item| item.name() == sign.name()).unwrap().value(inputs),
            Quantity::Score { item: Some(item), .. } => score.parts[usize::from(item)].map(f64::from),
            _ => Some(f64::from(score.total)),
        };
        limit.standing(value.unwrap()) == Standing::Over
    };
    for heart_rate in [30.0, 40.0, 41.0, 110.0, 130.0, 131.0, 150.0] {
        for respiratory_rate in [8.0, 9.0, 16.0, 24.0, 25.0] {
            for spo2 in [83.0, 91.0, 92.0, 97.0] {
                for consciousness in [Some(Consciousness::Alert), Some(Consciousness::Voice)] {
                    let heart_rate = Some(heart_rate);
                    let (respiratory_rate, spo2) = (Some(respiratory_rate), Some(spo2));
                    let inputs = Inputs { heart_rate, spo2, respiratory_rate, consciousness, ..well };
                    let score = chart.score(&inputs);
                    for (name, level) in [("news2_medium", Level::Medium), ("news2_high", Level::High)] {
                        assert_eq!(is_over(ward.rule(name).unwrap(), &inputs), score.level >= level, "{inputs:?}");
                    }
                    let on =
                        ward.own().filter(|rule| !rule.name.starts_with("news2")).any(|rule| is_over(rule, &inputs));
                    assert_eq!(on, score.parts.contains(&Some(3)), "{inputs:?}");
                }
            }
        }
    }
}

#[test]
fn one_item_of_a_score_is_watched_by_its_points() {
    let watched = rule("name = \"a\"\nscore = \"NEWS2\"\nitem = \"consciousness\"\nabove = 2");
    assert_eq!(watched.text(3.0, false), "consciousness in NEWS2: 3");
    let of = |lines: &str| said(&format!("name = \"a\"\n{lines}"));
    assert_eq!(
        of("score = \"NEWS2\"\nitem = \"counsciousness\"\nabove = 2"),
        "line 4, column 8: NEWS2 has no item 'counsciousness'; hint: did you mean consciousness?"
    );
    assert_eq!(
        of("score = \"NEWS2\"\nitem = \"consciousness\"\nabove = 3"),
        "line 5, column 9: consciousness in NEWS2 is never above 3; hint: it is 0 to 3"
    );
    assert_eq!(
        of("sign = \"spo2\"\nitem = \"consciousness\"\nabove = 2"),
        "line 4, column 8: item of a sign; hint: item goes with score"
    );
}

#[test]
fn the_schema_has_every_key_and_every_chart() {
    let schema = json_schema();
    let rule = &schema["properties"]["rule"]["items"];
    let of = |properties: &serde_json::Value| -> BTreeSet<String> {
        properties.as_object().unwrap().keys().cloned().collect()
    };
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(of(&rule["properties"]), keys(&RULE_KEYS));
    assert_eq!(of(&rule["properties"]["all"]["items"]["properties"]), keys(&TERM_KEYS));
    let score = &rule["properties"]["score"]["anyOf"][0];
    assert_eq!(score["enum"], serde_json::json!(BuiltIn::ALL.map(BuiltIn::name)));
    for key in RULE_KEYS {
        let property = &rule["properties"][key];
        let is_told = |what: &str| property.get(what).is_some();
        assert!(["type", "enum", "anyOf", "allOf"].into_iter().any(is_told), "what {key} may be");
    }
}

#[test]
fn a_key_that_says_nothing_in_its_rule_is_a_mistake() {
    let terms = "[{ sign = \"spo2\", below = 90 }, { sign = \"heart_rate\", above = 110 }]";
    for (lines, told) in [
        (format!("all = {terms}\nhysteresis = 2"), "hysteresis in a rule with all"),
        (format!("any = {terms}\nsign = \"spo2\""), "sign in a rule with any"),
        ("sign = \"spo2\"\nflat = \"10m\"\nband = true".to_owned(), "band in a rule with flat"),
        ("sign = \"spo2\"\nflat = 0".to_owned(), "flat for no time"),
        ("sign = \"spo2\"\nbelow = 90\nearly = 0".to_owned(), "early over no time"),
    ] {
        let said = said(&format!("name = \"a\"\n{lines}"));
        assert!(said.contains(&format!(": {told}; hint: ")), "{said}");
    }
}

#[test]
fn a_span_is_text_with_a_unit_or_a_decimal_number_of_seconds() {
    let delay = |typed: &str| {
        rule(&format!("name = \"a\"\nsign = \"spo2\"\nbelow = 92\nhysteresis = 0\ndelay = {typed}")).delay
    };
    assert_eq!(["\"90s\"", "90", "1.5"].map(delay), [90 * SECOND, 90 * SECOND, 3 * SECOND / 2]);
    assert!(said("name = \"a\"\nsign = \"spo2\"\nbelow = 92\ndelay = 0x10").contains("it has to be text with a unit"));
}

#[test]
fn an_alarms_text_has_its_value_to_the_third_decimal_or_how_long_nothing_came() {
    let shock = rule("name = \"a\"\nsign = \"shock_index\"\nabove = 1");
    assert_eq!(shock.text(120.0 / 89.0, false), "High shock index: 1.348");
    let silence = |span: &str| rule(&format!("name = \"a\"\nsilent = \"{span}\"")).text(0.0, false);
    assert_eq!(["90s", "2m", "1h"].map(silence), ["No data for 90 s", "No data for 2 min", "No data for 60 min"]);
}

#[test]
fn a_change_that_is_not_negative_is_a_rise() {
    let title = |change: &str| rule(&format!("name = \"a\"\nsign = \"spo2\"\nchange = {change}\nwithin = 60")).title;
    assert_eq!(["-1", "0", "1"].map(title), ["Fall of SpO2", "Rise of SpO2", "Rise of SpO2"]);
}

#[test]
fn an_early_warning_is_titled_after_its_rule_and_never_latches_and_a_flat_line_after_its_sign() {
    let early = "[[rule]]\nname = \"a\"\nsign = \"spo2\"\nbelow = 92\nlatch = true\nearly = \"30m\"";
    let set = RuleSet::parse("test", early).unwrap();
    let early = set.rule("a_early").unwrap();
    assert_eq!((early.title.as_str(), early.latch), ("Low SpO2, soon", false));
    assert_eq!(rule("name = \"a\"\nsign = \"spo2\"\nflat = 60").title, "No change of SpO2");
}

#[test]
fn a_rule_concerns_the_signs_that_it_is_made_of() {
    let concerned =
        |rule: &Rule| Sign::ALL.into_iter().filter(|sign| rule.concerns(*sign)).map(Sign::name).collect::<Vec<_>>();
    for (lines, signs) in [
        ("sign = \"spo2\"\nbelow = 92", &["spo2"][..]),
        ("sign = \"spo2\"\nflat = 60", &["spo2"]),
        ("sign = \"shock_index\"\nabove = 1", &["heart_rate", "systolic"]),
        ("all = [{ sign = \"spo2\", below = 92 }, { sign = \"heart_rate\", above = 110 }]", &["heart_rate", "spo2"]),
        ("score = \"NEWS2\"\nabove = 4", &[]),
        ("silent = 60", &[]),
    ] {
        assert_eq!(concerned(&rule(&format!("name = \"a\"\n{lines}"))), signs, "{lines}");
    }
    let classic = RuleSet::classic(Limits::default());
    assert_eq!(concerned(classic.rule("blood_pressure_implausible").unwrap()), ["systolic", "diastolic"]);
}

#[test]
fn the_limits_of_the_classic_set_can_be_set_and_its_silence_is_of_medium_priority() {
    let set = RuleSet::classic(Limits { heart_rate_high: 120, spo2_low: 88 });
    let limits = ["heart_rate_high", "spo2_low"].map(|name| set.rule(name).unwrap().limit());
    assert_eq!(limits, [Some(120.0), Some(88.0)]);
    assert_eq!(set.silence().map(|(_, rule)| rule.priority), Some(Priority::Medium));
}

#[test]
fn every_set_has_one_rule_about_patients_of_whom_nothing_comes_and_may_write_it_itself() {
    let silence = |text: &str| {
        let set = RuleSet::parse("test", text).unwrap();
        let of_silence = |rule: &&Rule| rule.condition == Condition::Silence;
        let found: Vec<_> =
            set.rules.iter().filter(of_silence).map(|rule| (rule.name.to_string(), rule.delay)).collect();
        assert_eq!(set.own().filter(of_silence).count(), text.matches("silent").count());
        found
    };
    let other = "[[rule]]\nname = \"a\"\nsign = \"spo2\"\nbelow = 92\n";
    assert_eq!(silence(other), [("no_data".to_owned(), 300 * SECOND)]);
    let own = |name: &str| format!("{other}[[rule]]\nname = \"{name}\"\nsilent = \"90s\"\n");
    assert_eq!(silence(&own("no_data")), [("no_data".to_owned(), 90 * SECOND)]);
    assert_eq!(silence(&own("quiet")), [("quiet".to_owned(), 90 * SECOND)]);
    let two = RuleSet::parse("test", &format!("{}[[rule]]\nname = \"b\"\nsilent = 5\n", own("quiet"))).unwrap_err();
    assert_eq!(two.to_string(), "line 8, column 1: a second rule with silent");
    let taken = RuleSet::parse("test", &other.replace("\"a\"", "\"no_data\"")).unwrap_err();
    assert!(taken.to_string().contains("no_data is a technical rule that every set has"), "{taken}");
}
