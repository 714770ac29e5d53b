//! A message's bytes into a reading, or the reason why not.
//!
//! Every value is first taken as raw JSON text, so that the type and the range of a sign are judged here and not by
//! a general parser: `1e999` is valid JSON and "a number that does not fit", not a syntax error.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::bytes::{BYTE_ORDER_MARK, is_utf16};
use super::number::NumberFlaw;
use super::sign::BLOOD_PRESSURE;
use super::{Consciousness, Observation, PatientId, Reading, Sign, Signs, Timestamp, json};
use crate::reading::reject::Reject;

/// The longest message that is read. A reading has about 200 bytes; the rest is room for fields of other programs.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// How deep objects and lists may be nested. A reading needs two levels.
pub const MAX_DEPTH: usize = 32;

const PATIENT: &str = "patient_id";

/// Reads one message.
///
/// Keys that are not ours are passed over, but they have to be well-formed too: within the depth, and named once.
pub fn decode(message: &[u8]) -> Result<Reading, Reject> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(Reject::TooLarge { bytes: message.len(), limit: MAX_MESSAGE_BYTES });
    }
    let text = std::str::from_utf8(message).map_err(|_| by_its_beginning(message, Reject::NotUtf8))?;
    let members = json::object(text).map_err(|reject| by_its_beginning(message, reject))?;
    let mut fields = Fields::default();
    for (key, value) in members {
        fields.take(&key, value)?;
    }
    fields.into_reading()
}

/// Whom a message is about that need not be a reading, where it tells.
pub fn patient_of(message: &[u8]) -> Option<PatientId> {
    let members = json::object(std::str::from_utf8(message).ok()?).ok()?;
    let (_, value) = members.iter().find(|(key, _)| key == PATIENT)?;
    PatientId::parse(&json::text(value)?).ok()
}

/// Why the message is no JSON text: what it begins with tells more than where its first fault is.
pub(super) fn by_its_beginning(message: &[u8], reject: Reject) -> Reject {
    match reject {
        Reject::NotUtf8 | Reject::NotJson { .. } if is_utf16(message) => Reject::Utf16,
        Reject::NotJson { .. } if message.starts_with(BYTE_ORDER_MARK) => Reject::ByteOrderMark,
        _ => reject,
    }
}

#[derive(Default)]
struct Fields<'a> {
    patient: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
    signs: Signs,
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: &str, value: &'a RawValue) -> Result<(), Reject> {
        match key {
            PATIENT => self.patient = json::text(value),
            "timestamp" => self.time = json::text(value),
            BLOOD_PRESSURE => self.take_pressure(value)?,
            key => match Sign::named(key).filter(|sign| !sign.is_pressure()) {
                Some(sign) => self.measure(sign, value)?,
                None => match Observation::named(key) {
                    Some(observation) => self.observe(observation, value)?,
                    None => well_formed(value, 1)?,
                },
            },
        }
        Ok(())
    }

    fn take_pressure(&mut self, value: &'a RawValue) -> Result<(), Reject> {
        if json::is_null(value) {
            return Ok(());
        }
        let members = json::object(value.get()).map_err(|reject| match reject {
            Reject::NotAnObject => Reject::BloodPressure,
            _ => reject,
        })?;
        for (key, value) in members {
            match Sign::named(&key).filter(|sign| sign.is_pressure()) {
                Some(sign) => self.measure(sign, value)?,
                None => well_formed(value, 2)?,
            }
        }
        Ok(())
    }

    /// Null is a sign that was not measured.
    fn measure(&mut self, sign: Sign, value: &RawValue) -> Result<(), Reject> {
        if json::is_null(value) {
            return Ok(());
        }
        self.signs.parse(sign, value.get()).map_err(|flaw| match flaw {
            NumberFlaw::NotANumber | NumberFlaw::NotWhole => Reject::SignType(sign),
            NumberFlaw::DoesNotFit => Reject::SignRange(sign),
        })
    }

    /// Null is what nobody has observed.
    fn observe(&mut self, observation: Observation, value: &'a RawValue) -> Result<(), Reject> {
        if json::is_null(value) {
            return Ok(());
        }
        let wrong_type = || Reject::ObservationType(observation);
        let observed = &mut self.signs.observed;
        match observation {
            Observation::SupplementalOxygen => {
                observed.supplemental_oxygen = Some(value.get().parse().map_err(|_| wrong_type())?);
            }
            Observation::Consciousness => {
                let letter = json::text(value).ok_or_else(wrong_type)?;
                observed.consciousness = Some(Consciousness::parse(&letter).ok_or(Reject::Consciousness)?);
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

/// Looks through a value that is not ours, `depth` levels below the message's outside.
fn well_formed(value: &RawValue, depth: usize) -> Result<(), Reject> {
    let text = value.get();
    let nested = text.starts_with(['{', '[']);
    if nested && depth >= MAX_DEPTH {
        return Err(Reject::TooDeep { limit: MAX_DEPTH });
    }
    if text.starts_with('{') {
        return json::object(text)?.iter().try_for_each(|(_, value)| well_formed(value, depth + 1));
    }
    if text.starts_with('[') {
        return json::list(text)?.iter().try_for_each(|value| well_formed(value, depth + 1));
    }
    Ok(())
}
