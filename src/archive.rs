//! Rows of the table as a file, and back.
//!
//! Two formats: CSV as cqlsh's COPY writes and reads it, and one JSON object a line. What goes out comes back as it
//! was, to the bit: texts as they are, the shortest number that means the same, nothing for what was not measured. Back
//! comes only what `consume` would have stored: other programs write into the table too, and their rows are told.
//!
//! - [`Format`]: which of the two
//! - [`encode`]: rows into text
//! - [`decode`]: text into rows, or the [`Fault`](crate::faults::Fault) in a line
//! - [`backup`]: the file or the archive to read back, opened as often as it is needed
//! - `csv`: records out of a CSV file
//! - [`partial`]: the file to write, which is not there before it is whole
//! - [`error`]: what can go wrong with either
//!
//! And the months of years, put away:
//!
//! - [`folder`]: a folder with a file for each [`month`], and the [`manifest`] that says what they hold
//! - [`parquet`]: such a file
//! - [`merge`]: the rows of a month out of all its files, beside those of the table

pub mod backup;
mod csv;
pub mod decode;
pub mod encode;
pub mod error;
pub mod folder;
pub mod manifest;
pub mod merge;
pub mod month;
pub mod parquet;
pub mod partial;

pub use backup::Survey;
pub use error::ArchiveError;

use std::ffi::OsStr;
use std::path::Path;

use crate::reading::bytes::BYTE_ORDER_MARK;

/// How the rows of a table stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// As cqlsh's COPY has it: a comma between, nothing for what was not measured, `\` before `"` and `\` in quotes.
    Csv,
    /// One object a line; what was not measured is null.
    Ndjson,
}

impl Format {
    /// The format that the ending of the file's name tells, if it tells one.
    pub fn of_name(path: &Path) -> Option<Self> {
        let ending = path.extension().and_then(OsStr::to_str)?.to_ascii_lowercase();
        match ending.as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }

    /// The format that the beginning of the text tells: an object begins with a brace, and a list is no CSV either.
    pub fn of_beginning(text: &[u8]) -> Self {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'[')) { Self::Ndjson } else { Self::Csv }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_the_format() {
        let of = |name: &str| Format::of_name(Path::new(name));
        assert_eq!(of("a/vitals.csv"), Some(Format::Csv));
        assert_eq!(of("vitals.2025.NDJSON"), Some(Format::Ndjson));
        assert_eq!(of("vitals.jsonl"), Some(Format::Ndjson));
        assert_eq!((of("vitals"), of("vitals.txt"), of(".csv")), (None, None, None));
    }

    #[test]
    fn an_object_begins_with_a_brace() {
        assert_eq!(Format::of_beginning(b"\n  {\"patient_id\""), Format::Ndjson);
        assert_eq!(Format::of_beginning("\u{feff}{\"patient_id\"".as_bytes()), Format::Ndjson);
        assert_eq!(Format::of_beginning(b"patient_id,timestamp"), Format::Csv);
        assert_eq!(Format::of_beginning(b""), Format::Csv);
    }
}
