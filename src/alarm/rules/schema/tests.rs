//! The schema and the parser judge the same files, and judge them alike.

use super::*;
use crate::alarm::rules::{BUILT_IN, RuleSet};

/// What is wrong with `value` by a schema, as far as it uses the keywords of ours.
fn fault(schema: &Value, value: &Value) -> Option<String> {
    let schema = schema.as_object().unwrap_or_else(|| panic!("{schema}"));
    let listed = |of: &Value| of.as_array().cloned().unwrap_or_else(|| panic!("{of}"));
    let size = |of: &Value| usize::try_from(of.as_u64().unwrap()).unwrap();
    let holds = |schema: &Value| fault(schema, value).is_none();
    let has = |key: &Value| value.get(key.as_str().unwrap()).is_some();
    let has_all = |keys: &Value| !value.is_object() || listed(keys).iter().all(has);
    for (keyword, of) in schema {
        let is_well = match keyword.as_str() {
            "$schema" | "title" | "description" | "then" | "minContains" | "maxContains" => true,
            "type" => is_of_type(value, of.as_str().unwrap()),
            "enum" => listed(of).contains(value),
            "const" => of == value || of.as_f64().is_some_and(|of| value.as_f64() == Some(of)),
            "pattern" => value.as_str().is_none_or(|text| matches(of.as_str().unwrap(), text)),
            "minimum" => value.as_f64().is_none_or(|number| number >= of.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= of.as_f64().unwrap()),
            "exclusiveMaximum" => value.as_f64().is_none_or(|number| number < of.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() >= size(of)),
            "maxItems" => value.as_array().is_none_or(|items| items.len() <= size(of)),
            "required" => has_all(of),
            "dependentRequired" => {
                of.as_object().unwrap().iter().all(|(key, keys)| value.get(key).is_none() || has_all(keys))
            }
            "additionalProperties" => {
                assert_eq!(of, false);
                let known = schema["properties"].as_object().unwrap();
                value.as_object().is_none_or(|value| value.keys().all(|key| known.contains_key(key)))
            }
            "properties" => {
                let faults = of.as_object().unwrap().iter().filter_map(|(key, schema)| fault(schema, value.get(key)?));
                if let Some(fault) = faults.into_iter().next() {
                    return Some(fault);
                }
                true
            }
            "items" => {
                if let Some(fault) = value.as_array().into_iter().flatten().find_map(|item| fault(of, item)) {
                    return Some(fault);
                }
                true
            }
            "contains" => {
                let found = value.as_array().into_iter().flatten().filter(|item| fault(of, item).is_none()).count();
                value.as_array().is_none_or(|_| found <= size(&schema["maxContains"]))
            }
            "allOf" => listed(of).iter().all(holds),
            "anyOf" => listed(of).iter().any(holds),
            "oneOf" => listed(of).iter().filter(|schema| holds(schema)).count() == 1,
            "not" => !holds(of),
            "if" => !holds(of) || holds(&schema["then"]),
            other => panic!("a keyword that is not checked here: {other}"),
        };
        if !is_well {
            return Some(format!("{keyword}: {of}, in {value}"));
        }
    }
    None
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("{other}"),
    }
}

/// Whether a text is as a pattern says: sets, one choice in brackets, and how often.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern = pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$')).unwrap();
    leaves(pattern, text).contains(&"")
}

/// What may be left of the text behind a pattern.
fn leaves<'a>(pattern: &str, text: &'a str) -> Vec<&'a str> {
    let Some(first) = pattern.chars().next() else { return vec![text] };
    let end = match first {
        '[' => pattern.find(']').unwrap() + 1,
        '(' => pattern.find(')').unwrap() + 1,
        other => other.len_utf8(),
    };
    let (atom, rest) = pattern.split_at(end);
    let (least, most, rest) = match rest.chars().next() {
        Some('?') => (0, 1, &rest[1..]),
        Some('*') => (0, usize::MAX, &rest[1..]),
        Some('+') => (1, usize::MAX, &rest[1..]),
        Some('{') => {
            let (numbers, rest) = rest[1..].split_once('}').unwrap();
            let (least, most) = numbers.split_once(',').unwrap();
            (least.parse().unwrap(), most.parse().unwrap(), rest)
        }
        _ => (1, 1, rest),
    };
    let (mut now, mut left, mut times) = (vec![text], Vec::new(), 0);
    loop {
        if times >= least {
            left.extend(now.iter().flat_map(|text| leaves(rest, text)));
        }
        if times == most || now.is_empty() {
            return left;
        }
        now = now.iter().flat_map(|text| one(atom, text)).collect();
        times += 1;
    }
}

fn one<'a>(atom: &str, text: &'a str) -> Vec<&'a str> {
    if let Some(choices) = atom.strip_prefix('(') {
        return choices.trim_end_matches(')').split('|').flat_map(|choice| leaves(choice, text)).collect();
    }
    let Some(letter) = text.chars().next() else { return Vec::new() };
    let is_one = match atom.strip_prefix('[') {
        Some(set) => {
            let (set, is_not) = match set.strip_prefix('^') {
                Some(set) => (set, true),
                None => (set, false),
            };
            let set: Vec<char> = set.trim_end_matches(']').chars().collect();
            let mut found = false;
            let mut place = 0;
            while let Some(from) = set.get(place) {
                let to = set.get(place + 2).filter(|_| set.get(place + 1) == Some(&'-'));
                found |= (*from..=*to.unwrap_or(from)).contains(&letter);
                place += if to.is_some() { 3 } else { 1 };
            }
            found != is_not
        }
        None => atom.starts_with(letter),
    };
    if is_one { vec![&text[letter.len_utf8()..]] } else { Vec::new() }
}

#[test]
fn the_patterns_are_those_of_regular_expressions() {
    for (pattern, good, bad) in [
        ("^[a-z0-9_]{1,4}$", vec!["a", "a_09"], vec!["", "A", "a-b", "abcde"]),
        (
            "^ *[+]?([0-9]+[.]?[0-9]*|[.][0-9]+) *(ms|s)? *$",
            vec!["1", " +1.5 ms ", ".5", "1."],
            vec!["", ".", "1 x", "-1"],
        ),
        ("^[^1-9]*$", vec!["", "0.00s"], vec!["0.01s"]),
        ("^[nN][eE]2$", vec!["ne2", "Ne2"], vec!["ne", "ne22"]),
    ] {
        assert!(good.iter().all(|text| matches(pattern, text)), "{pattern}");
        assert!(!bad.iter().any(|text| matches(pattern, text)), "{pattern}");
    }
}

/// Lines of one rule that has a name.
fn rule(lines: &str) -> String {
    format!("[[rule]]\nname = \"a\"\n{lines}\n")
}

const TERMS: &str = "[{ sign = \"spo2\", below = 90 }, { score = \"NEWS2\", above = 4, max_age = \"2h\" }]";

fn good() -> Vec<String> {
    let mut good: Vec<String> = BUILT_IN.iter().map(|name| RuleSet::built_in_text(name).unwrap().to_owned()).collect();
    let lines = [
        "sign = \"spo2\"\nbelow = 92\nhysteresis = 2\ndelay = \"60s\"\npriority = \"low\"\nlatch = true\nack_after = 900",
        "sign = \"spo2\"\nbelow = 92.5\nearly = \"30m\"\nband = true\ntitle = \"SpO2\"",
        "sign = \"shock_index\"\nabove = 1\nhysteresis = 0\ndelay = 0",
        "sign = \"systolic\"\nchange = -30\nwithin = \" 10 m \"\nhysteresis = 5",
        "sign = \"temperature\"\nflat = \"1.5h\"\npriority = \"low\"",
        "silent = 90",
        "silent = \"+.5h\"",
        "score = \"news2\"\nabove = 19\nmax_age = 3600",
        "score = \"qSOFA\"\nabove = 1.5",
        "score = \"NEWS2\"\nitem = \"consciousness\"\nabove = 2",
        "score = \"Mews\"\nitem = \"heart_rate\"\nabove = 2.5\nmax_age = \"1d\"",
    ];
    good.extend(lines.map(rule));
    good.push(rule(&format!("all = {TERMS}\nband = true\ndelay = \"1m\"")));
    good.push(rule(&format!("any = {TERMS}")));
    good.push("[[rule]]\nname = \"no_data\"\nsilent = \"2m\"\n".to_owned());
    good
}

/// Each is a rule with one mistake.
const MISTAKES: &[&str] = &[
    "",
    "sign = \"spo2\"",
    "above = 1",
    "sign = \"weight\"\nabove = 1",
    "sign = \"spo2\"\nweight = 1\nabove = 1",
    "sign = \"spo2\"\nabove = \"1\"",
    "sign = \"spo2\"\nabove = 1\nbelow = 2",
    "sign = \"spo2\"\nscore = \"NEWS2\"\nabove = 4",
    "sign = \"spo2\"\nsilent = 60",
    "silent = 0",
    "silent = \"0.0s\"",
    "silent = \"5m\"\ndelay = \"5m\"",
    "silent = 5\npriority = \"urgent\"",
    "silent = 5\nlatch = 1",
    "silent = 86401",
    "sign = \"spo2\"\nchange = 1",
    "sign = \"spo2\"\nchange = 1\nwithin = 0",
    "sign = \"spo2\"\nbelow = 1\nwithin = 3",
    "sign = \"spo2\"\nchange = 1\nwithin = 3\nearly = 3",
    "sign = \"spo2\"\nflat = 60\ndelay = 1",
    "sign = \"spo2\"\nflat = 60\nhysteresis = 1",
    "sign = \"spo2\"\nflat = 60\nband = true",
    "sign = \"spo2\"\nflat = 0",
    "sign = \"shock_index\"\nflat = 60",
    "score = \"NEWS2\"\nflat = 60",
    "sign = \"spo2\"\nbelow = 90\nearly = 0",
    "sign = \"spo2\"\nbelow = 90\nearly = \"soon\"",
    "sign = \"spo2\"\nbelow = 90\ndelay = \"1 parsec\"",
    "sign = \"spo2\"\nbelow = 90\ndelay = -1",
    "sign = \"spo2\"\nbelow = 90\ndelay = true",
    "sign = \"spo2\"\nbelow = 90\nhysteresis = -1",
    "sign = \"spo2\"\nbelow = 90\ntitle = 1",
    "sign = \"spo2\"\nbelow = 90\nmax_age = \"1h\"",
    "sign = \"spo2\"\nbelow = 90\nitem = \"spo2\"",
    "score = \"NEWS3\"\nabove = 4",
    "score = \"NEWS2\"\nbelow = 4",
    "score = \"NEWS2\"\nchange = 3\nwithin = \"1h\"",
    "score = \"NEWS2\"\nabove = 4\nearly = \"30m\"",
    "score = \"NEWS2\"\nabove = 20",
    "score = \"news2\"\nabove = 20",
    "score = \"NEWS2\"\nabove = 4\nmax_age = 0",
    "score = \"NEWS2\"\nitem = \"weight\"\nabove = 1",
    "score = \"qSOFA\"\nitem = \"spo2\"\nabove = 1",
    "score = \"NEWS2\"\nitem = \"consciousness\"\nabove = 3",
    "item = \"consciousness\"\nabove = 2",
    "any = 1",
    "any = [{ above = 1 }, { above = 2 }]",
    "any = [{ sign = \"spo2\", below = 1 }]",
    "any = [{ sign = \"spo2\", below = 1 }, { sign = \"spo2\" }]",
    "any = [{ sign = \"spo2\", below = 1 }, { sign = \"spo2\", below = 1, above = 2 }]",
    "any = [{ sign = \"spo2\", below = 1 }, { score = \"NEWS2\", below = 1 }]",
    "any = [{ sign = \"spo2\", below = 1 }, { sign = \"spo2\", below = 1, delay = 2 }]",
];

fn bad() -> Vec<String> {
    let mut bad: Vec<String> = MISTAKES.iter().map(|lines| rule(lines)).collect();
    bad.push(rule(&format!("all = {TERMS}\nhysteresis = 2")));
    bad.push(rule(&format!("any = {TERMS}\nsign = \"spo2\"")));
    bad.push(rule(&format!("any = {TERMS}\nall = {TERMS}")));
    bad.push(rule(&format!("any = {TERMS}\nmax_age = 60")));
    let named = |name: &str| format!("[[rule]]\nname = \"{name}\"\nsign = \"spo2\"\nbelow = 92\n");
    bad.extend(["", "A", "ä", "a b", "no_data", "spo2_implausible", &"a".repeat(65)].map(named));
    bad.push(format!("{}{}", rule("silent = 5"), "[[rule]]\nname = \"b\"\nsilent = 5\n"));
    bad.push((0..=MAX_RULES).map(|number| named(&format!("a{number}"))).collect());
    bad.extend(["", "rule = []", "rule = 1", "[[rules]]\nname = \"a\"", "[[rule]]\nsilent = 5\n"].map(str::to_owned));
    bad
}

fn judged(text: &str) -> (Option<String>, Option<String>) {
    let value: Value = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    (fault(&json_schema(), &value), RuleSet::parse("test", text).err().map(|error| error.to_string()))
}

#[test]
fn the_schema_and_the_parser_judge_alike() {
    for text in good() {
        assert_eq!(judged(&text), (None, None), "{text}");
    }
    for text in bad() {
        let (by_schema, by_parser) = judged(&text);
        assert!(by_schema.is_some() && by_parser.is_some(), "{text}\nschema: {by_schema:?}\nparser: {by_parser:?}");
    }
}

#[test]
fn what_json_schema_cannot_say_the_parser_finds() {
    let twice = rule("silent = 5") + &rule("sign = \"spo2\"\nbelow = 90");
    let early = "[[rule]]\nname = \"a_early\"\nsign = \"spo2\"\nbelow = 90\n".to_owned();
    let early = early + &rule("sign = \"spo2\"\nbelow = 90\nearly = \"5m\"");
    for text in [twice, early, rule("silent = \"25h\"")] {
        let (by_schema, by_parser) = judged(&text);
        assert!(by_schema.is_none() && by_parser.is_some(), "{text}\n{by_schema:?}");
    }
}
