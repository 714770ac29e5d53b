//! The JSON Schema of a file of rules, for editors that complete and check TOML by one.
//!
//! It says what the parser says, as far as JSON Schema can: not that two rules have one name, that the early warning of
//! one is called as another, nor that a span which is written as text is longer than a day.

use serde_json::{Map, Value, json};

use super::file::{KINDS, MAX_NAME, MAX_RULES, MAX_SPAN, RULE_KEYS, TERM_KEYS, WATCHING, goes_with};
use super::measure::points;
use super::{NO_DATA, Quantity, SECOND};
use crate::alarm::Priority;
use crate::alarm::plausible::Doubt;
use crate::reading::Sign;
use crate::score::{BuiltIn, Item};

/// The schema, made of the same tables that the parser reads by.
pub fn json_schema() -> Value {
    let mut rule = properties(&RULE_KEYS);
    for key in ["all", "any"] {
        rule.insert(key.to_owned(), terms(key));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vitals: a set of alarm rules",
        "type": "object",
        "additionalProperties": false,
        "required": ["rule"],
        "properties": {
            "rule": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_RULES,
                "contains": { "required": ["silent"] },
                "minContains": 0,
                "maxContains": 1,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name"],
                    "oneOf": one_of(&KINDS),
                    "dependentRequired": { "change": ["within"] },
                    "allOf": of_a_rule(),
                    "properties": rule,
                },
            },
        },
    })
}

fn properties(keys: &[&str]) -> Map<String, Value> {
    keys.iter().map(|key| ((*key).to_owned(), property(key))).collect()
}

fn one_of(keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}

/// The terms of `all` and `any`.
fn terms(key: &str) -> Value {
    let (_, description) = kind_and_description(key);
    json!({
        "description": description,
        "type": "array",
        "minItems": 2,
        "items": {
            "type": "object",
            "additionalProperties": false,
            "oneOf": one_of(&["above", "below"]),
            "anyOf": one_of(&["sign", "score"]),
            "allOf": of_a_quantity(),
            "properties": properties(&TERM_KEYS),
        },
    })
}

/// What has to be true of a rule beside the types of its keys.
fn of_a_rule() -> Vec<Value> {
    let mut all = Vec::new();
    for key in RULE_KEYS {
        if let Some(kinds) = goes_with(key) {
            all.push(json!({ "if": { "required": [key] }, "then": { "anyOf": one_of(kinds) } }));
        }
    }
    let named = json!({ "anyOf": one_of(&["sign", "score"]) });
    all.push(json!({ "if": { "anyOf": one_of(WATCHING) }, "then": named }));
    let with_own_span = one_of(&["flat", "silent"]);
    all.push(json!({ "if": { "anyOf": with_own_span }, "then": { "not": { "required": ["delay"] } } }));
    let is_measured = json!({ "properties": { "sign": { "enum": Sign::ALL.map(Sign::name) } } });
    all.push(json!({ "if": { "required": ["flat"] }, "then": is_measured }));
    let has_name = |name: &str| json!({ "required": ["name"], "properties": { "name": { "const": name } } });
    all.push(json!({ "if": has_name(NO_DATA), "then": { "required": ["silent"] } }));
    all.extend(of_a_quantity());
    all
}

/// What has to be true of what is watched: a score knows the least that it can be alone.
fn of_a_quantity() -> Vec<Value> {
    let never = ["below", "change", "early", "flat"].map(|key| json!({ "required": [key] }));
    let mut all = vec![
        json!({ "not": { "required": ["sign", "score"] } }),
        json!({ "dependentRequired": { "item": ["score"], "max_age": ["score"] } }),
        json!({ "if": { "required": ["score"] }, "then": { "not": { "anyOf": never } } }),
    ];
    for chart in BuiltIn::ALL {
        let is_it = json!({ "required": ["score"], "properties": { "score": in_any_letters(chart.name()) } });
        let items = chart.chart().items();
        let names: Vec<_> = items.iter().map(Item::name).collect();
        let below = |item: Option<u8>| json!({ "exclusiveMaximum": points(chart, item)[1] });
        let mut then = vec![json!({ "properties": { "item": { "enum": names }, "above": below(None) } })];
        for (place, name) in (0..).zip(&names) {
            let has_it = json!({ "required": ["item"], "properties": { "item": { "const": name } } });
            then.push(json!({ "if": has_it, "then": { "properties": { "above": below(Some(place)) } } }));
        }
        all.push(json!({ "if": is_it, "then": { "allOf": then } }));
    }
    all
}

/// A name in whatever letters, as a pattern.
fn in_any_letters(name: &str) -> Value {
    let letter = |letter: char| match (letter.to_ascii_lowercase(), letter.to_ascii_uppercase()) {
        (small, large) if small == large => small.to_string(),
        (small, large) => format!("[{small}{large}]"),
    };
    let letters: String = name.chars().map(letter).collect();
    json!({ "pattern": format!("^{letters}$") })
}

/// A span: text with a unit, or a number of seconds.
fn span() -> Value {
    let pattern = "^ *[+]?([0-9]+[.]?[0-9]*|[.][0-9]+) *(ms|s|m|h|d)? *$";
    let longest = MAX_SPAN / SECOND;
    json!({
        "anyOf": [
            { "type": "string", "pattern": pattern },
            { "type": "number", "minimum": 0, "maximum": longest },
        ],
    })
}

/// A span that is not nothing.
fn some_span() -> Value {
    let nothing = json!({ "anyOf": [{ "const": 0 }, { "type": "string", "pattern": "^[^1-9]*$" }] });
    json!({ "allOf": [span()], "not": nothing })
}

fn property(key: &str) -> Value {
    let (mut schema, description) = kind_and_description(key);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), description.into());
    }
    schema
}

fn kind_and_description(key: &str) -> (Value, &'static str) {
    match key {
        "name" => {
            let taken = Doubt::ALL.map(Doubt::rule_name);
            let pattern = format!("^[a-z0-9_]{{1,{MAX_NAME}}}$");
            (json!({ "type": "string", "pattern": pattern, "not": { "enum": taken } }), "its stable name")
        }
        "title" => (json!({ "type": "string" }), "what stands before the value; else it is made of sign and side"),
        "sign" => (json!({ "enum": Quantity::SIGNS.map(Quantity::name) }), "what is watched"),
        "score" => {
            let names = json!({ "enum": BuiltIn::ALL.map(BuiltIn::name) });
            let any_letters = BuiltIn::ALL.map(|chart| in_any_letters(chart.name()));
            (
                json!({ "type": "string", "anyOf": [names, { "anyOf": any_letters }] }),
                "watched in the place of a sign: its total, which is the least that it can be where inputs are missing",
            )
        }
        "item" => (json!({ "type": "string" }), "the item of the score whose points count alone, instead of the total"),
        "max_age" => (some_span(), "how old an input of the score may be; 1h where nothing is said"),
        "above" => (json!({ "type": "number" }), "larger values are over; this one is not"),
        "below" => (json!({ "type": "number" }), "smaller values are over; this one is not"),
        "change" => {
            (json!({ "type": "number" }), "over is what rises (or, if negative, falls) further within `within`")
        }
        "within" => (some_span(), "the span of a change"),
        "flat" => (some_span(), "over is a sign that does not change for so long"),
        "silent" => {
            (some_span(), "over is an admitted patient of whom nothing comes for so long; without such a rule, 5m")
        }
        "hysteresis" => (json!({ "type": "number", "minimum": 0 }), "how far a value has to come back"),
        "delay" => (span(), "how long it has to be over, in event time"),
        "priority" => (json!({ "enum": Priority::ALL.map(Priority::name) }), "how soon somebody has to act"),
        "latch" => (json!({ "type": "boolean" }), "whether an alarm stays until it is acknowledged"),
        "early" => (some_span(), "also warn when the value and its standard deviation over this span are over"),
        "band" => (json!({ "type": "boolean" }), "whether only a value that is back cancels what is pending"),
        "ack_after" => (span(), "for back-tests: after which time an alarm counts as acknowledged"),
        _ => (json!({}), "several limits at once"),
    }
}

#[cfg(test)]
mod tests;
