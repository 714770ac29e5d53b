//! One reading: what a bedside device measured, or somebody observed, of one patient at one moment.
//!
//! A [`Reading`] cannot hold a malformed one: its parts can only be made by parsing. [`decode`] takes a message's
//! bytes, [`encode`] gives them back; the message's shape is the contract with the other programs on the topic.
//! [`document`] cuts what comes as several messages at once.

pub(crate) mod bytes;
mod decode;
pub mod document;
mod encode;
pub(crate) mod json;
pub mod number;
mod observation;
pub mod reject;
mod sign;
mod timestamp;

#[cfg(feature = "testing")]
pub use decode::{MAX_DEPTH, MAX_MESSAGE_BYTES};
pub use decode::{decode, patient_of};
pub use encode::encode;
pub use observation::{Consciousness, Observation, Observed};
pub use sign::{COLUMNS, FIRST_COLUMNS, Number, Sign, Signs};
pub use timestamp::Timestamp;

use std::sync::Arc;

use crate::reading::reject::Reject;

/// The longest patient id, in bytes of UTF-8.
pub const MAX_PATIENT_ID_BYTES: usize = 64;

/// Who was measured: 1 to 64 bytes of UTF-8 without control characters. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PatientId(Arc<str>);

impl PatientId {
    /// Takes `text` as a patient id.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        let fits = !text.is_empty() && text.len() <= MAX_PATIENT_ID_BYTES;
        if fits && !text.chars().any(char::is_control) { Ok(Self(text.into())) } else { Err(Reject::PatientId) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PatientId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was measured of one patient at one moment: at least one sign or observation.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    patient: PatientId,
    time: Timestamp,
    signs: Signs,
}

impl Reading {
    /// Puts a reading together.
    ///
    /// # Errors
    /// [`Reject::NoSign`] where `signs` is empty, [`Reject::SignRange`] where the temperature is not a finite number.
    pub fn new(patient: PatientId, time: Timestamp, signs: Signs) -> Result<Self, Reject> {
        if signs.is_empty() {
            return Err(Reject::NoSign);
        }
        if signs.temperature.is_some_and(|degrees| !degrees.is_finite()) {
            return Err(Reject::SignRange(Sign::Temperature));
        }
        Ok(Self { patient, time, signs })
    }

    /// Who was measured.
    pub fn patient(&self) -> &PatientId {
        &self.patient
    }

    /// When it was measured.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// What was measured and observed.
    pub fn signs(&self) -> &Signs {
        &self.signs
    }

    /// Takes the signs of a `later` reading of the same patient and time over these, sign by sign: what the later
    /// one does not carry stays.
    pub fn overlay(&mut self, later: &Self) {
        debug_assert_eq!((&self.patient, self.time), (&later.patient, later.time));
        self.signs.overlay(&later.signs);
    }
}

#[cfg(test)]
mod tests;
