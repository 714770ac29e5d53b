//! What is told of each segment to who asks what a message means.

use std::fmt;

use crate::reading::{Number, PatientId, Sign, Timestamp};

/// What was made of a segment. Its text may hold patient data: it is for who asks what a message means.
#[derive(Debug, Clone, PartialEq)]
pub enum Remark {
    /// Whom the message is about.
    Patient(PatientId),
    /// A value of a reading: which sign, what, and when.
    Taken(Sign, Number, Timestamp),
    /// The same, with what the device's clock showed.
    TakenAtReceipt(Sign, Number, Timestamp),
    /// A code of a sign, without a value.
    NotMeasured(Sign),
    /// The device says itself that it is none, by this flag.
    Flagged(Sign, String),
    /// The state of the value is none that is taken.
    NotTaken(Sign, String),
    /// A code that comes before it has a value for the same time.
    Overruled(Sign),
    /// A code that is not known.
    UnknownCode,
    /// What a segment of no value is read for.
    Read(&'static str),
    /// A segment that is not looked at.
    PassedOver,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patient(patient) => write!(f, "patient {patient}"),
            Self::Taken(sign, number, time) => write!(f, "{sign} {number} at {time}"),
            Self::TakenAtReceipt(sign, number, time) => {
                write!(f, "{sign} {number}; the clock shows {time}, so the time of receipt is taken")
            }
            Self::NotMeasured(sign) => write!(f, "{sign}, not measured"),
            Self::Flagged(sign, flag) => write!(f, "{sign}, passed over: OBX-8 says {flag}"),
            Self::NotTaken(sign, status) => write!(f, "{sign}, passed over: its status (OBX-11) is {status}"),
            Self::Overruled(sign) => write!(f, "{sign}, passed over: another code comes before it"),
            Self::UnknownCode => f.write_str("passed over: its code is not known"),
            Self::Read(what) => write!(f, "read for {what}"),
            Self::PassedOver => f.write_str("passed over"),
        }
    }
}
