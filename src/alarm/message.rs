//! An alarm as the message that is announced, and the JSON Schema of that.

use std::io::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Alarm, AlarmRecord, Priority};
use crate::reading::Timestamp;

/// Most messages take less.
pub const USUAL_BYTES: usize = 512;

/// In the order in which an alarm comes to them.
const STATES: [&str; 3] = ["active", "returned", "ended"];

/// Writes the message of an alarm as it is since into memory: compact JSON, keys in the contract's order. What is not so,
/// or not known, is left out.
pub fn encode(record: &AlarmRecord, memory: impl Write) {
    // Serialising cannot fail: the keys are texts, and memory takes every byte.
    let _ = serde_json::to_writer(memory, &Message::of(record));
}

/// The JSON Schema of the messages. Others may come to have further properties: a reader passes over those.
pub fn json_schema() -> Value {
    let properties: Map<String, Value> = PROPERTIES.into_iter().map(property).collect();
    let required: Vec<_> =
        PROPERTIES.into_iter().filter(|(_, is_there, ..)| *is_there).map(|(name, ..)| name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vitals: an alarm as it is since",
        "type": "object",
        "required": required,
        "properties": properties,
    })
}

#[derive(Serialize)]
struct Message<'a> {
    id: String,
    patient_id: &'a str,
    rule: &'a str,
    priority: &'static str,
    state: &'static str,
    text: &'a str,
    value: f64,
    peak: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<f64>,
    onset: Option<Timestamp>,
    /// An onset in the last seconds of the year 9999 has none that can be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<&'a str>,
}

impl<'a> Message<'a> {
    fn of(record: &'a AlarmRecord) -> Self {
        let AlarmRecord { patient, rule, text, limit, rules, steps: _, alarm } = record;
        // It is the time of a reading, which can always be written.
        let onset = Timestamp::from_micros(alarm.onset);
        Self {
            id: format!("{patient}/{rule}/{}", onset.map(|onset| onset.to_string()).unwrap_or_default()),
            patient_id: patient.as_str(),
            rule,
            priority: alarm.priority.name(),
            state: state(alarm),
            text,
            value: alarm.value,
            peak: alarm.peak,
            limit: *limit,
            onset,
            started: Timestamp::from_micros(alarm.start),
            returned: alarm.returned.and_then(Timestamp::from_micros),
            ended: alarm.ended.and_then(Timestamp::from_micros),
            acknowledged_at: alarm.acknowledged.and_then(Timestamp::from_micros),
            rules: rules.as_deref(),
        }
    }
}

fn state(alarm: &Alarm) -> &'static str {
    let [active, returned, ended] = STATES;
    match (alarm.ended, alarm.returned) {
        (Some(_), _) => ended,
        (None, Some(_)) => returned,
        (None, None) => active,
    }
}

/// Each property, whether it is always there, of which kind it is, and what it means.
const PROPERTIES: [(&str, bool, Kind, &str); 15] = [
    (
        "id",
        true,
        Kind::Text,
        "what tells the alarm from all others: PATIENT/RULE/ONSET, as `vitals alarms ack` takes it",
    ),
    ("patient_id", true, Kind::Text, "whose it is; also the key of the record"),
    ("rule", true, Kind::Text, "the stable name of its rule"),
    ("priority", true, Kind::Priority, "how soon somebody has to act (IEC 60601-1-8)"),
    (
        "state",
        true,
        Kind::State,
        "active: it is on; returned: its value is back, and it waits for its acknowledgement; ended: it is over",
    ),
    ("text", true, Kind::Text, "what is shown, with the value that was worst"),
    ("value", true, Kind::Number, "the value at the onset, in the measure's unit"),
    ("peak", true, Kind::Number, "the worst value since, in the measure's unit"),
    (
        "limit",
        false,
        Kind::Number,
        "the limit in force at the start; only in a message of the start, and of no technical alarm",
    ),
    ("onset", true, Kind::Time, "the time of the first reading over the limit"),
    ("started", false, Kind::Time, "when it was raised: at the onset and the rule's delay"),
    ("returned", false, Kind::Time, "since when its value is back, where it waits for its acknowledgement"),
    ("ended", false, Kind::Time, "when it ended"),
    (
        "acknowledged_at",
        false,
        Kind::Time,
        "when it was acknowledged: in the message of that, and in later ones where the rule waits for it",
    ),
    ("rules", false, Kind::Text, "the set of rules in force at the start; only in a message of the start"),
];

/// What a property may be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Time,
    Priority,
    State,
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Number => json!({ "type": "number" }),
            Self::Time => json!({ "type": "string", "format": "date-time" }),
            Self::Priority => json!({ "enum": Priority::ALL.map(Priority::name) }),
            Self::State => json!({ "enum": STATES }),
        }
    }
}

fn property((name, _, kind, description): (&str, bool, Kind, &str)) -> (String, Value) {
    let mut schema = kind.schema();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), description.into());
    }
    (name.to_owned(), schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::RuleSet;
    use crate::alarm::{AlarmChange, KnownAlarm, Watch};
    use crate::reading::{PatientId, Reading, Signs};
    use crate::store::{AlarmId, AlarmState};

    const LATCHING: &str = "[[rule]]\nname = \"spo2_low\"\nsign = \"spo2\"\nbelow = 92\nlatch = true\ndelay = \"2s\"\n";

    fn patient() -> PatientId {
        PatientId::parse("ward/3/P1").unwrap()
    }

    fn micros(second: u32) -> i64 {
        Timestamp::parse(&format!("2025-10-26T10:30:{second:02}.5Z")).unwrap().as_micros()
    }

    /// What becomes of an alarm that somebody acknowledges, and of one about a value that nobody believes.
    fn changes() -> Vec<AlarmChange> {
        let mut watch = Watch::new(RuleSet::parse("night", LATCHING).unwrap());
        watch.restore(0, &patient(), 0, &[]);
        let mut changes = Vec::new();
        for (at, second, spo2, heart_rate) in
            [(0, 0, 85, 70), (1, 2, 85, 70), (2, 3, 80, 70), (3, 5, 97, 70), (4, 6, 97, 0)]
        {
            let signs = Signs { spo2: Some(spo2), heart_rate: Some(heart_rate), ..Signs::default() };
            let time = Timestamp::from_micros(micros(second)).unwrap();
            changes.extend(watch.take(0, at, 0, &Reading::new(patient(), time, signs).unwrap()));
        }
        let raised = changes.iter().find(|change| &*change.record.rule == "spo2_low").unwrap();
        let alarm = Alarm { acknowledged: Some(micros(9)), ..raised.record.alarm };
        let known = KnownAlarm { patient: patient(), rule: "spo2_low".to_owned(), alarm };
        changes.extend(watch.acknowledge(&[known]));
        changes
    }

    fn encoded(change: &AlarmChange) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&change.record, &mut bytes);
        bytes
    }

    fn messages() -> Vec<Value> {
        changes().iter().map(|change| serde_json::from_slice(&encoded(change)).unwrap()).collect()
    }

    #[test]
    fn a_message_is_the_alarm_as_it_is_since_under_the_id_that_ack_takes() {
        let changes = changes();
        let of_rule: Vec<_> = changes.iter().filter(|change| &*change.record.rule == "spo2_low").collect();
        let [raised, worse, returned, ended] = of_rule.as_slice() else { panic!("{of_rule:?}") };
        let text = |change: &AlarmChange| String::from_utf8(encoded(change)).unwrap();
        let onset = "2025-10-26T10:30:00.500000+00:00";
        assert_eq!(
            text(raised),
            format!(
                r#"{{"id":"ward/3/P1/spo2_low/{onset}","patient_id":"ward/3/P1","rule":"spo2_low","priority":"medium","#
            ) + &format!(
                r#""state":"active","text":"Low SpO2: 85","value":85.0,"peak":85.0,"limit":92.0,"onset":"{onset}","#
            ) + r#""started":"2025-10-26T10:30:02.500000+00:00","rules":"night"}"#
        );
        assert!(text(worse).contains(r#""text":"Low SpO2: 80","value":85.0,"peak":80.0,"onset""#), "{}", text(worse));
        assert!(text(returned).contains(r#""state":"returned""#) && text(returned).contains(r#","returned":"2025"#));
        assert!(text(ended).contains(r#""state":"ended""#) && text(ended).contains(r#""acknowledged_at":"2025"#));
        let id = AlarmId::parse(messages()[0]["id"].as_str().unwrap()).unwrap();
        assert_eq!((id.patient_id.as_str(), id.rule.as_str(), id.onset.as_str()), ("ward/3/P1", "spo2_low", onset));
    }

    #[test]
    fn the_schema_holds_for_the_messages_and_has_no_property_that_none_of_them_has() {
        let schema = json_schema();
        let properties = schema["properties"].as_object().unwrap();
        let messages = messages();
        for message in &messages {
            let message = message.as_object().unwrap();
            for name in schema["required"].as_array().unwrap() {
                assert!(message.contains_key(name.as_str().unwrap()), "{name} in {message:?}");
            }
            for (name, value) in message {
                let property = properties.get(name).unwrap_or_else(|| panic!("{name} in the schema"));
                assert!(fits(value, property), "{name}: {value} as {property}");
            }
        }
        let is_somewhere = |name: &String| messages.iter().any(|message| message.get(name).is_some());
        assert!(properties.keys().all(is_somewhere), "{messages:?}");
        let wrong = json!("none of these");
        assert!(!fits(&wrong, &properties["state"]) && !fits(&wrong, &properties["value"]));
        assert!(!fits(&wrong, &properties["onset"]) && !fits(&json!(1), &properties["text"]));
    }

    fn fits(value: &Value, property: &Value) -> bool {
        if let Some(allowed) = property["enum"].as_array() {
            return allowed.contains(value);
        }
        match (property["type"].as_str(), property["format"].as_str()) {
            (Some("number"), None) => value.is_number(),
            (Some("string"), None) => value.is_string(),
            (Some("string"), Some("date-time")) => value.as_str().is_some_and(|text| Timestamp::parse(text).is_ok()),
            other => panic!("no property is {other:?}"),
        }
    }

    #[test]
    fn states_have_the_names_that_alarms_have_in_the_store() {
        let in_store = [AlarmState::Active, AlarmState::Returned, AlarmState::Ended].map(AlarmState::name);
        assert_eq!(STATES, in_store);
    }

    #[test]
    fn a_technical_alarm_has_no_limit() {
        let doubt = messages().into_iter().find(|message| message["rule"] == "heart_rate_implausible").unwrap();
        assert!(doubt.get("limit").is_none() && doubt["rules"] == "night", "{doubt}");
        assert_eq!(doubt["text"], "Heart rate 0: asystole or lead off");
    }
}
