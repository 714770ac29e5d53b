//! A message's bytes into a reading, or the reason why not.
//!
//! Every value is first taken as raw JSON text, so that the type and the range of a sign are judged here and not by
//! a general parser: `1e999` is valid JSON and "a number that does not fit", not a syntax error.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::json::{self, Members};
use super::{PatientId, Reading, Sign, Signs, Timestamp};
use crate::reject::Reject;

/// The longest message that is read. A reading has about 200 bytes; the rest is room for fields of other programs.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// How deep objects and lists may be nested. A reading needs two levels.
pub const MAX_DEPTH: usize = 32;

/// Up to so many keys are compared in pairs, which is faster than hashing them.
const FEW_KEYS: usize = 16;

/// Reads one message.
///
/// Keys that are not ours are passed over, but they have to be well-formed too: within the depth, and named once.
///
/// # Errors
/// The reason why the message is refused as a whole.
pub fn decode(message: &[u8]) -> Result<Reading, Reject> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(Reject::TooLarge { bytes: message.len(), limit: MAX_MESSAGE_BYTES });
    }
    let text = std::str::from_utf8(message).map_err(|_| Reject::NotUtf8)?;
    let members = json::object(text)?;
    named_once(&members)?;
    let mut fields = Fields::default();
    for (key, value) in members {
        fields.take(&key, value)?;
    }
    fields.into_reading()
}

/// What the message says under the keys that are ours.
#[derive(Default)]
struct Fields<'a> {
    patient: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
    signs: Signs,
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: &str, value: &'a RawValue) -> Result<(), Reject> {
        match key {
            "patient_id" => self.patient = json::text(value),
            "timestamp" => self.time = json::text(value),
            "heart_rate" => self.signs.heart_rate = whole(Sign::HeartRate, value)?,
            "spo2" => self.signs.spo2 = whole(Sign::Spo2, value)?,
            "respiratory_rate" => self.signs.respiratory_rate = whole(Sign::RespiratoryRate, value)?,
            "temperature" => self.signs.temperature = decimal(Sign::Temperature, value)?,
            "blood_pressure" => self.take_pressure(value)?,
            _ => well_formed(value, 1)?,
        }
        Ok(())
    }

    fn take_pressure(&mut self, value: &'a RawValue) -> Result<(), Reject> {
        if json::is_null(value) {
            return Ok(());
        }
        let members = json::object(value.get()).map_err(|_| Reject::BloodPressure)?;
        named_once(&members)?;
        for (key, value) in members {
            match &*key {
                "systolic" => self.signs.systolic = whole(Sign::Systolic, value)?,
                "diastolic" => self.signs.diastolic = whole(Sign::Diastolic, value)?,
                _ => well_formed(value, 2)?,
            }
        }
        Ok(())
    }

    fn into_reading(self) -> Result<Reading, Reject> {
        let patient = PatientId::parse(&self.patient.ok_or(Reject::PatientId)?)?;
        let time = Timestamp::parse(&self.time.ok_or(Reject::Timestamp)?)?;
        Reading::new(patient, time, self.signs)
    }
}

/// Takes a whole number; `95.0` is one, null is a sign that was not measured.
fn whole(sign: Sign, value: &RawValue) -> Result<Option<i32>, Reject> {
    if json::is_null(value) {
        return Ok(None);
    }
    if let Ok(number) = value.get().parse::<i32>() {
        return Ok(Some(number));
    }
    let number = number(sign, value)?;
    if number.fract() != 0.0 {
        return Err(Reject::SignType(sign));
    }
    if number < f64::from(i32::MIN) || number > f64::from(i32::MAX) {
        return Err(Reject::SignRange(sign));
    }
    #[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole and in range: checked above")]
    Ok(Some(number as i32))
}

/// Takes a number in the width of the FLOAT column; null is a sign that was not measured.
fn decimal(sign: Sign, value: &RawValue) -> Result<Option<f32>, Reject> {
    if json::is_null(value) {
        return Ok(None);
    }
    let wide = number(sign, value)?;
    // By way of f64, so that it rounds as in the programs that read the number as a double first.
    #[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the column's width; checked below")]
    let narrow = wide as f32;
    if narrow.is_finite() { Ok(Some(narrow)) } else { Err(Reject::SignRange(sign)) }
}

/// The number that `value` writes, which may be infinite only where it does not fit a double.
fn number(sign: Sign, value: &RawValue) -> Result<f64, Reject> {
    let text = value.get();
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Err(Reject::SignType(sign));
    }
    let number = text.parse::<f64>().map_err(|_| Reject::SignType(sign))?;
    if number.is_finite() { Ok(number) } else { Err(Reject::SignRange(sign)) }
}

/// Looks through a value that is not ours, `depth` levels below the message's outside.
fn well_formed(value: &RawValue, depth: usize) -> Result<(), Reject> {
    let text = value.get();
    let nested = text.starts_with(['{', '[']);
    if nested && depth >= MAX_DEPTH {
        return Err(Reject::TooDeep { limit: MAX_DEPTH });
    }
    if text.starts_with('{') {
        let members = json::object(text)?;
        named_once(&members)?;
        return members.iter().try_for_each(|(_, value)| well_formed(value, depth + 1));
    }
    if text.starts_with('[') {
        return json::list(text)?.iter().try_for_each(|value| well_formed(value, depth + 1));
    }
    Ok(())
}

fn named_once(members: &Members<'_>) -> Result<(), Reject> {
    let once = if members.len() <= FEW_KEYS {
        members.iter().enumerate().all(|(at, (key, _))| members.iter().skip(at + 1).all(|(other, _)| other != key))
    } else {
        let mut seen = HashSet::with_capacity(members.len());
        members.iter().all(|(key, _)| seen.insert(key))
    };
    if once { Ok(()) } else { Err(Reject::DuplicateKey) }
}
