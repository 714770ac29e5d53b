//! What is wrong with a line. No text here shows what the line says, since that may be patient data.

use crate::intake::csv;

/// The longest id or time that Cassandra takes as a part of a key, in bytes.
pub(super) const MAX_KEY_BYTES: usize = 0xffff;

/// A line that is no row: where, and why.
pub type Fault = crate::faults::Fault<Flaw>;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// What can be wrong with the cell of any CSV file.
    #[error(transparent)]
    Cell(#[from] csv::Flaw),
    /// The line is not one JSON object.
    #[error("not a JSON object (character {character})")]
    NotAnObject {
        /// Where it ends to be one, from 1.
        character: usize,
    },
    /// It names a value twice.
    #[error("named twice")]
    Twice,
    /// A text is needed.
    #[error("not a text")]
    NotAText,
    /// A part of the key is missing or empty.
    #[error("missing")]
    Missing,
    /// A part of the key is too long.
    #[error("longer than {MAX_KEY_BYTES} bytes")]
    TooLong,
    /// The row has no end.
    #[error("a row that does not end; look for a quotation mark that is not closed")]
    Endless,
}
