//! The JSON Schema of a file of rules, for editors that complete and check TOML by one.

use serde_json::{Value, json};

use super::Quantity;
use super::file::{KINDS, RULE_KEYS, TERM_KEYS};
use crate::alarm::Priority;
use crate::score::BuiltIn;

/// The schema, made of the same tables that the parser reads by.
pub fn json_schema() -> Value {
    let properties = |keys: &[&str]| -> serde_json::Map<String, Value> {
        keys.iter().map(|key| ((*key).to_owned(), property(key))).collect()
    };
    let mut rule = properties(&RULE_KEYS);
    let terms = json!({
        "type": "array",
        "minItems": 2,
        "items": {
            "type": "object",
            "additionalProperties": false,
            "oneOf": [{ "required": ["sign"] }, { "required": ["score"] }],
            "dependentRequired": { "max_age": ["score"] },
            "not": { "required": ["score", "below"] },
            "properties": properties(&TERM_KEYS),
        },
    });
    for key in ["all", "any"] {
        rule.insert(key.to_owned(), terms.clone());
    }
    let kinds: Vec<_> = KINDS.into_iter().map(|kind| json!({ "required": [kind] })).collect();
    let not_of_a_score = ["sign", "below", "change", "early", "flat"];
    let not_of_a_score: Vec<_> = not_of_a_score.iter().map(|key| json!({ "required": ["score", key] })).collect();
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
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name"],
                    "oneOf": kinds,
                    "dependentRequired": { "max_age": ["score"] },
                    "not": { "anyOf": not_of_a_score },
                    "properties": rule,
                },
            },
        },
    })
}

fn property(key: &str) -> Value {
    let span = json!({
        "anyOf": [{ "type": "string", "pattern": "^[0-9.]+(ms|s|m|h|d)?$" }, { "type": "number", "minimum": 0 }],
    });
    let (mut schema, description) = match key {
        "name" => (json!({ "type": "string", "pattern": "^[a-z0-9_]{1,64}$" }), "its stable name"),
        "title" => (json!({ "type": "string" }), "what stands before the value; else it is made of sign and side"),
        "sign" => (json!({ "enum": Quantity::SIGNS.map(Quantity::name) }), "what is watched"),
        "score" => (
            json!({ "enum": BuiltIn::ALL.map(BuiltIn::name) }),
            "watched in the place of a sign: its total, which is the least that it can be where inputs are missing",
        ),
        "item" => (json!({ "type": "string" }), "the item of the score whose points count alone, instead of the total"),
        "max_age" => (span, "how old an input of the score may be; 1h where nothing is said"),
        "above" => (json!({ "type": "number" }), "larger values are over; this one is not"),
        "below" => (json!({ "type": "number" }), "smaller values are over; this one is not"),
        "change" => {
            (json!({ "type": "number" }), "over is what rises (or, if negative, falls) further within `within`")
        }
        "within" => (span, "the span of a change"),
        "flat" => (span, "over is a sign that does not change for so long"),
        "silent" => (span, "over is an admitted patient of whom nothing comes for so long; without such a rule, 5m"),
        "hysteresis" => (json!({ "type": "number", "minimum": 0 }), "how far a value has to come back"),
        "delay" => (span, "how long it has to be over, in event time"),
        "priority" => (json!({ "enum": Priority::ALL.map(Priority::name) }), "how soon somebody has to act"),
        "latch" => (json!({ "type": "boolean" }), "whether an alarm stays until it is acknowledged"),
        "early" => (span, "also warn when the value and its standard deviation over this span are over"),
        "band" => (json!({ "type": "boolean" }), "whether only a value that is back cancels what is pending"),
        "ack_after" => (span, "for back-tests: after which time an alarm counts as acknowledged"),
        _ => (json!({}), "several limits at once"),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), description.into());
    }
    schema
}
