//! What is wrong with a file of readings: with its first line, so that nothing of it can be read, or with single lines,
//! of which the first are listed and the rest is counted. No text here shows what a line says, since that may be patient
//! data.

use std::fmt;

use crate::output::counted;
use crate::reading::bytes::is_utf16;
use crate::reading::number::NumberFlaw;
use crate::reading::{MAX_PATIENT_ID_BYTES, Observation};

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
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("{} instead of {expected}", counted(*.found, "cell"))]
    CellCount { found: usize, expected: usize },
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not a patient id of 1 to {MAX_PATIENT_ID_BYTES} bytes without control characters")]
    PatientId,
    #[error("not an RFC 3339 time with an offset")]
    Timestamp,
    #[error(transparent)]
    Number(#[from] NumberFlaw),
    #[error("neither true nor false")]
    NotTrueOrFalse,
    #[error("none of the letters A, C, V, P and U")]
    NoLetter,
    #[error("no vital sign and no observation")]
    NoSign,
    #[error("not a JSON object (character {character})")]
    NotAnObject { character: usize },
    #[error("names a value twice")]
    Twice,
    #[error("not a text")]
    NotAText,
    #[error("missing")]
    Missing,
    #[error("a row that does not end; look for a quotation mark that is not closed")]
    Endless,
}

impl Flaw {
    /// What is wrong with what is no value of this observation.
    pub fn of(observation: Observation) -> Self {
        match observation {
            Observation::SupplementalOxygen => Self::NotTrueOrFalse,
            Observation::Consciousness => Self::NoLetter,
        }
    }
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

/// What keeps a whole file from being read. It shows in the first line, and is told once instead of for every line.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirstLine {
    #[error("UTF-16, not UTF-8")]
    Utf16,
    #[error("not UTF-8")]
    NotUtf8,
    /// Something else stands between the columns, as spreadsheets write it where the comma is the decimal point.
    #[error("{0} between the columns instead of commas")]
    Separator(&'static str),
    #[error("no column {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    #[error("the column {0} is there twice")]
    Twice(&'static str),
    #[error("no names of columns, and {found} cells instead of {expected}")]
    CellCount { found: usize, expected: usize },
    #[error("not one JSON object")]
    NotAnObject,
}

impl FirstLine {
    /// How a file was saved whose first line falls into these cells, where that explains why they are not the right ones.
    pub(crate) fn saved<'a>(cells: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let cells: Vec<_> = cells.into_iter().collect();
        if cells.first().is_some_and(|cell| is_utf16(cell)) {
            return Some(Self::Utf16);
        }
        let commas = cells.len().saturating_sub(1);
        let separates = |sign: u8| cells.iter().flat_map(|cell| *cell).filter(|byte| **byte == sign).count() > commas;
        let names = [(b';', "semicolons"), (b'\t', "tabs"), (b'|', "vertical bars")];
        names.into_iter().find(|(sign, _)| separates(*sign)).map(|(_, name)| Self::Separator(name))
    }

    /// What to do; `columns` tells what the first line has to be.
    pub fn hint(&self, columns: &str) -> String {
        match self {
            Self::Utf16 | Self::NotUtf8 => "save the file as UTF-8",
            Self::Separator(_) => {
                "save it as CSV with commas between the columns and points in the numbers: P001,36.8 and not P001;36,8"
            }
            Self::NotAnObject => "write one object a line; `jq -c` does so, and `jq -c '.[]'` with a list of them",
            Self::Missing(_) | Self::Twice(_) | Self::CellCount { .. } => columns,
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(line: &str) -> Option<FirstLine> {
        FirstLine::saved(line.as_bytes().split(|byte| *byte == b','))
    }

    #[test]
    fn what_stands_between_the_columns_is_what_there_is_most_of() {
        assert_eq!(saved("patient_id;heart_rate;temperature"), Some(FirstLine::Separator("semicolons")));
        assert_eq!(saved("\"patient_id\"\t\"heart_rate\""), Some(FirstLine::Separator("tabs")));
        assert_eq!(saved("P001|95|36.8"), Some(FirstLine::Separator("vertical bars")));
        assert_eq!(saved("P001;2025-10-26T10:30:15+00:00;95;36,8"), Some(FirstLine::Separator("semicolons")));
        for line in ["", "patient_id", "patient_id,heart_rate,note;remark", "a;b,c,d"] {
            assert_eq!(saved(line), None, "{line}");
        }
    }
}
