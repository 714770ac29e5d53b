//! A reading as the message that goes into the topic.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::sign::BLOOD_PRESSURE;
use super::{Observation, Reading, Sign, Signs};

/// A whole reading with an id of a dozen letters takes a little less.
const USUAL_BYTES: usize = 192;

/// Gives the message of `reading`: compact JSON, keys in the contract's order. What was not measured or observed is left
/// out.
pub fn encode(reading: &Reading) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    // Serialising cannot fail: the keys are texts, the numbers are finite, and a Vec takes every byte.
    let _ = serde_json::to_writer(&mut bytes, &Message(reading));
    bytes
}

struct Message<'a>(&'a Reading);

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Reading { patient, time, signs } = self.0;
        let mut message = serializer.serialize_map(None)?;
        message.serialize_entry("patient_id", patient.as_str())?;
        message.serialize_entry("timestamp", time)?;
        let mut has_pressure = false;
        for sign in Sign::ALL {
            match (sign.is_pressure(), signs.number(sign)) {
                (false, Some(number)) => message.serialize_entry(sign.name(), &number)?,
                (true, Some(_)) if !has_pressure => {
                    message.serialize_entry(BLOOD_PRESSURE, &Pressure(signs))?;
                    has_pressure = true;
                }
                _ => {}
            }
        }
        if let Some(is_given) = signs.observed.supplemental_oxygen {
            message.serialize_entry(Observation::SupplementalOxygen.name(), &is_given)?;
        }
        if let Some(state) = signs.observed.consciousness {
            message.serialize_entry(Observation::Consciousness.name(), state.name())?;
        }
        message.end()
    }
}

struct Pressure<'a>(&'a Signs);

impl Serialize for Pressure<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let measured = Sign::ALL.into_iter().filter(|sign| sign.is_pressure());
        serializer.collect_map(measured.filter_map(|sign| Some((sign.name(), self.0.number(sign)?))))
    }
}
