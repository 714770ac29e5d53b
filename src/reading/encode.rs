//! A reading as the message that goes into the topic.

use serde::{Serialize, Serializer};

use super::{Reading, Timestamp};

/// A whole reading with an id of a dozen letters takes a little less.
const USUAL_BYTES: usize = 192;

/// Gives the message of `reading`: compact JSON, keys in the contract's order. Signs that were not measured are left
/// out.
pub fn encode(reading: &Reading) -> Vec<u8> {
    let signs = reading.signs();
    let pressure = Pressure { systolic: signs.systolic, diastolic: signs.diastolic };
    let message = Message {
        patient_id: reading.patient().as_str(),
        timestamp: reading.time(),
        heart_rate: signs.heart_rate,
        spo2: signs.spo2,
        blood_pressure: (signs.systolic.is_some() || signs.diastolic.is_some()).then_some(pressure),
        respiratory_rate: signs.respiratory_rate,
        temperature: signs.temperature,
    };
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    // Serialising cannot fail: the keys are texts, the numbers are finite, and a Vec takes every byte.
    let _ = serde_json::to_writer(&mut bytes, &message);
    bytes
}

#[derive(Serialize)]
struct Message<'a> {
    patient_id: &'a str,
    #[serde(serialize_with = "shown")]
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    heart_rate: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spo2: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blood_pressure: Option<Pressure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    respiratory_rate: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "this is how serde calls it")]
fn shown<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

#[derive(Serialize)]
struct Pressure {
    #[serde(skip_serializing_if = "Option::is_none")]
    systolic: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diastolic: Option<i32>,
}
