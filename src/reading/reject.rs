//! Why a message was refused.
//!
//! A refused message goes to the dead letters with its [`Reject::code`], which is stable: programs that read dead
//! letters may match on it. Neither the code nor the text ever holds what the message said, since that may be patient
//! data.

use crate::reading::{Observation, Sign};
use crate::record::BatchFault;

/// Why a message cannot become a [`Reading`](crate::reading::Reading).
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The record has no value at all: Kafka's tombstone.
    #[error("the record has no value")]
    NullValue,
    #[error("the message has {bytes} bytes, more than the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the message is not UTF-8")]
    NotUtf8,
    #[error("the message is UTF-16, not UTF-8")]
    Utf16,
    #[error("the message is not JSON: it begins with a byte order mark")]
    ByteOrderMark,
    #[error("the message is not JSON (near line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("the message is not a JSON object")]
    NotAnObject,
    #[error("the message is nested deeper than {limit} levels")]
    TooDeep { limit: usize },
    /// An object names the same key twice, so that readers could disagree about its value.
    #[error("the message names a key twice")]
    DuplicateKey,
    #[error("patient_id is missing, or not a text of 1 to 64 bytes without control characters")]
    PatientId,
    /// `timestamp` is missing or not RFC 3339 with an offset, within the years 1 to 9999 of UTC.
    #[error("timestamp is missing, or not an RFC 3339 time with an offset")]
    Timestamp,
    /// A sign is there with a wrong type: `"95"`, `95.5` or `2.0e-400` for a whole number, `true`.
    #[error("{0} has the wrong type")]
    SignType(Sign),
    /// A sign is a number that its column cannot hold; `1e-50` is one for the temperature, since only 0 is left of it.
    #[error("{0} is a number that does not fit")]
    SignRange(Sign),
    /// An observation is there with a wrong type: `"true"` or 1 for the oxygen, `true` for the consciousness.
    #[error("{0} has the wrong type")]
    ObservationType(Observation),
    /// A text that is none of the letters; small ones are none.
    #[error("consciousness is none of A, C, V, P and U")]
    Consciousness,
    #[error("blood_pressure is not an object")]
    BloodPressure,
    #[error("the message has no vital sign and no observation")]
    NoSign,
    /// It is a reading, and the store refuses its row for good: a rule of the table's owner forbids it.
    #[error("the store refuses the row of the reading")]
    Store,
    /// It came as HL7 and was never in the topic; the letter's own headers say where it is wrong.
    #[error("the HL7 message cannot be used")]
    Hl7,
    /// The record batch could not be opened: an unknown codec, a bad checksum, a broken length.
    #[error("the record batch cannot be decoded: {0}")]
    Batch(BatchFault),
}

/// Every [code](Reject::code).
pub const CODES: [&str; 16] = [
    "null_value",
    "too_large",
    "not_utf8",
    "not_json",
    "not_an_object",
    "too_deep",
    "duplicate_key",
    "patient_id",
    "timestamp",
    "sign_type",
    "sign_range",
    "blood_pressure",
    "no_sign",
    "refused_by_store",
    "hl7",
    UNDECODABLE_BATCH,
];

/// The code of [`Reject::Batch`].
pub const UNDECODABLE_BATCH: &str = "undecodable_batch";

impl Reject {
    /// The stable code that dead letters carry in `vitals.reason`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NullValue => "null_value",
            Self::TooLarge { .. } => "too_large",
            Self::NotUtf8 | Self::Utf16 => "not_utf8",
            Self::ByteOrderMark | Self::NotJson { .. } => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep { .. } => "too_deep",
            Self::DuplicateKey => "duplicate_key",
            Self::PatientId => "patient_id",
            Self::Timestamp => "timestamp",
            Self::SignType(_) | Self::ObservationType(_) => "sign_type",
            Self::SignRange(_) | Self::Consciousness => "sign_range",
            Self::BloodPressure => "blood_pressure",
            Self::NoSign => "no_sign",
            Self::Store => "refused_by_store",
            Self::Hl7 => "hl7",
            Self::Batch(_) => UNDECODABLE_BATCH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_code_once() {
        let (sign, observation) = (Sign::HeartRate, Observation::ALL[0]);
        let rejects = [
            Reject::NullValue,
            Reject::TooLarge { bytes: 2, limit: 1 },
            Reject::NotUtf8,
            Reject::Utf16,
            Reject::ByteOrderMark,
            Reject::NotJson { line: 1, column: 1 },
            Reject::NotAnObject,
            Reject::TooDeep { limit: 1 },
            Reject::DuplicateKey,
            Reject::PatientId,
            Reject::Timestamp,
            Reject::SignType(sign),
            Reject::SignRange(sign),
            Reject::ObservationType(observation),
            Reject::Consciousness,
            Reject::BloodPressure,
            Reject::NoSign,
            Reject::Store,
            Reject::Hl7,
            Reject::Batch(BatchFault::Checksum),
        ];
        let known: std::collections::BTreeSet<_> = rejects.iter().map(Reject::code).collect();
        assert_eq!(known, CODES.into_iter().collect());
        assert_eq!(known.len(), CODES.len());
    }
}
