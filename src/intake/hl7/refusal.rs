//! Why an HL7 message is not used, and where in it.

use std::fmt;

/// A place in a message, as `OBX[3]-5`: the third OBX of the message, its fifth field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The segment's name.
    pub segment: &'static str,
    /// Which of that name it is, from 1.
    pub number: usize,
    /// Which field, from 1; 0 is the whole segment.
    pub field: usize,
}

impl Place {
    /// A field of the header.
    pub const fn header(field: usize) -> Self {
        Self { segment: "MSH", number: 1, field }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment)?;
        if matches!(self.segment, "OBX" | "OBR") || self.number > 1 {
            write!(f, "[{}]", self.number)?;
        }
        if self.field > 0 { write!(f, "-{}", self.field) } else { Ok(()) }
    }
}

/// What is wrong with a message.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Problem {
    #[error("it does not begin with MSH and its delimiters")]
    NotHl7,
    #[error("it is UTF-16; UTF-8 or what MSH-18 names is read")]
    Utf16,
    #[error("its frame has no end: another message begins in it")]
    NoEnd,
    #[error("it is a batch; messages are sent one by one")]
    Batch,
    #[error("a second message stands in its frame")]
    SecondHeader,
    #[error("a character set that is not known")]
    Charset,
    #[error("bytes that are none of its character set")]
    NotInCharset,
    #[error("another message than ORU^R01")]
    MessageType,
    #[error("a message for training or for finding faults, not of patients")]
    NotProduction,
    #[error("another version than 2")]
    Version,
    #[error("nobody is named whom it is about")]
    NoPatient,
    #[error("a bed that the table of beds does not have")]
    UnknownBed,
    #[error("no patient id of 1 to 64 bytes without control characters")]
    PatientId,
    #[error("no time is told")]
    NoTime,
    #[error("no time to the minute at least")]
    Time,
    #[error("a time without an offset, and the sender's zone is not known")]
    NoOffset,
    #[error("a value of a type that is not read here")]
    ValueType,
    #[error("not a number")]
    NotANumber,
    #[error("several values where one is expected")]
    Repeated,
    #[error("a number that does not fit")]
    Range,
    #[error("a unit that is not known for this sign")]
    Unit,
    #[error("it takes back a value, which is not done here")]
    TakenBack,
    #[error("none of its observations has a code that is known")]
    NoKnownCode,
}

/// What the sender is told, in the letters of HL7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The topic has it.
    Accept,
    /// Something in it is wrong.
    Error,
    /// It is nothing that is taken here.
    Reject,
}

impl Problem {
    /// Error or Reject.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::NotHl7
            | Self::Utf16
            | Self::Batch
            | Self::SecondHeader
            | Self::Charset
            | Self::MessageType
            | Self::NotProduction
            | Self::Version => Verdict::Reject,
            _ => Verdict::Error,
        }
    }

    /// Its number and name in HL7's table 0357.
    pub(super) fn hl7_code(self) -> &'static str {
        match self {
            Self::NotHl7 | Self::Utf16 | Self::NoEnd | Self::Batch | Self::SecondHeader => {
                "100^Segment sequence error^HL70357"
            }
            Self::NoPatient | Self::NoTime | Self::NoOffset => "101^Required field missing^HL70357",
            Self::MessageType => "200^Unsupported message type^HL70357",
            Self::NotProduction => "202^Unsupported processing id^HL70357",
            Self::Version => "203^Unsupported version id^HL70357",
            Self::UnknownBed => "204^Unknown key identifier^HL70357",
            Self::Charset | Self::Unit | Self::NoKnownCode => "103^Table value not found^HL70357",
            Self::TakenBack => "207^Application internal error^HL70357",
            _ => "102^Data type error^HL70357",
        }
    }
}

/// Why a message is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Refusal {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

impl Refusal {
    /// A problem at a place.
    pub const fn new(place: Place, problem: Problem) -> Self {
        Self { place, problem }
    }
}
