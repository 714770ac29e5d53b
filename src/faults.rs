//! What is wrong with a file of readings: with its first line, so that nothing of it can be read, or with single lines,
//! of which the first are listed and the rest is counted. No text here shows what a line says, since that may be patient
//! data.

mod first_line;

use std::fmt;

pub use first_line::FirstLine;

use crate::output::counted;
use crate::reading::MAX_PATIENT_ID_BYTES;
use crate::reading::number::NumberFlaw;

/// How many faults are listed.
pub const MAX_SHOWN: usize = 20;

/// A line that cannot be taken: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line of the file in which the row begins, from 1.
    pub line: u64,
    /// The column's name, where the flaw is in one value.
    pub column: Option<&'static str>,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The row has more or fewer cells than the first line.
    #[error("{} instead of {expected}", counted(*.found, "cell"))]
    CellCount {
        /// How many it has.
        found: usize,
        /// How many the first line has.
        expected: usize,
    },
    /// The cell is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The patient id is empty, too long, or has control characters.
    #[error("not a patient id of 1 to {MAX_PATIENT_ID_BYTES} bytes without control characters")]
    PatientId,
    /// The time is not RFC 3339 with an offset.
    #[error("not an RFC 3339 time with an offset")]
    Timestamp,
    /// A sign's number.
    #[error(transparent)]
    Number(#[from] NumberFlaw),
    /// Nothing was measured.
    #[error("no vital sign")]
    NoSign,
    /// The line is not one JSON object.
    #[error("not a JSON object (character {character})")]
    NotAnObject {
        /// Where it ends to be one, from 1.
        character: usize,
    },
    /// The object names a value twice.
    #[error("names a value twice")]
    Twice,
    /// A text is needed.
    #[error("not a text")]
    NotAText,
    /// A part of the key is missing.
    #[error("missing")]
    Missing,
    /// The row has no end.
    #[error("a row that does not end; look for a quotation mark that is not closed")]
    Endless,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "line {}, column {column}: {}", self.line, self.flaw),
            None => write!(f, "line {}: {}", self.line, self.flaw),
        }
    }
}

/// The faults of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// How many there are.
    pub count: u64,
    /// The first [`MAX_SHOWN`] of them.
    pub first: Vec<Fault>,
}

impl Faults {
    /// Counts one more.
    pub fn note(&mut self, fault: Fault) {
        self.count += 1;
        if self.first.len() < MAX_SHOWN {
            self.first.push(fault);
        }
    }

    /// The first ones, one a line, and how many more there are.
    pub fn report(&self) -> impl Iterator<Item = String> {
        let listed = u64::try_from(self.first.len()).unwrap_or(u64::MAX);
        let more = self.count.saturating_sub(listed);
        let rest = (more > 0).then(|| format!("and {more} more"));
        self.first.iter().map(ToString::to_string).chain(rest)
    }
}
