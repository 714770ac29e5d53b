//! JSON, one level at a time: an object's members and a list's items as raw text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::reading::reject::Reject;

/// An object's members in the order in which they stand.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Up to so many keys are compared in pairs, which is faster than hashing them.
const FEW_KEYS: usize = 16;

/// Takes `text` as one JSON object that names each key once.
pub(crate) fn object(text: &str) -> Result<Members<'_>, Reject> {
    let object = serde_json::from_str::<Object<'_>>(text).map_err(|error| {
        // Another kind of value is told at its first byte; whether it is JSON at all shows only at its end.
        match serde_json::from_str::<&RawValue>(text) {
            Ok(_) if error.is_data() => Reject::NotAnObject,
            Ok(_) => not_json(&error),
            Err(error) => not_json(&error),
        }
    })?;
    if are_named_once(&object.0) { Ok(object.0) } else { Err(Reject::DuplicateKey) }
}

fn are_named_once(members: &Members<'_>) -> bool {
    if members.len() <= FEW_KEYS {
        return members
            .iter()
            .enumerate()
            .all(|(at, (key, _))| members.iter().skip(at + 1).all(|(other, _)| other != key));
    }
    let mut seen = HashSet::with_capacity(members.len());
    members.iter().all(|(key, _)| seen.insert(key))
}

/// Takes `text` as one JSON value of any kind.
pub(crate) fn value(text: &str) -> Result<&RawValue, Reject> {
    serde_json::from_str(text).map_err(|error| not_json(&error))
}

pub(crate) fn list(text: &str) -> Result<Vec<&RawValue>, Reject> {
    serde_json::from_str(text).map_err(|error| not_json(&error))
}

pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = value.get();
    let between = quoted.strip_prefix('"')?.strip_suffix('"')?;
    // Without escapes it stands there as it is, and need not be read a second time.
    if between.contains('\\') {
        serde_json::from_str(quoted).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(between))
    }
}

pub(crate) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn not_json(error: &serde_json::Error) -> Reject {
    Reject::NotJson { line: error.line(), column: error.column() }
}

struct Object<'a>(Members<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // A reading has seven members.
        let mut members = Vec::with_capacity(8);
        while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            members.push((key, value));
        }
        Ok(Object(members))
    }
}

/// A text that is borrowed where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
