//! Rows of the table as a file, and back.
//!
//! Two formats: CSV as cqlsh's COPY writes and reads it, and one JSON object a line. What goes out comes back as it
//! was, to the bit: texts as they are, the shortest number that means the same, nothing for what was not measured. Back
//! comes only what `consume` would have stored: other programs write into the table too, and their rows are told.
//!
//! - [`Format`]: which of the two
//! - [`encode`]: rows into text
//! - [`decode`]: text into rows, or the [`Fault`](crate::faults::Fault) in a line
//! - [`backup`]: the file to read back, opened as often as it is needed
//! - `csv`, `json`: records out of the two formats
//! - [`partial`]: the file to write, which is not there before it is whole
//! - [`error`]: what can go wrong with either

pub mod backup;
mod csv;
pub mod decode;
pub mod encode;
pub mod error;
mod format;
mod json;
pub mod partial;
mod survey;

pub use error::ArchiveError;
pub use format::Format;
pub use survey::Survey;

/// The columns of the table, in the order of the file.
pub const COLUMNS: [&str; 8] =
    ["patient_id", "timestamp", "heart_rate", "spo2", "systolic", "diastolic", "respiratory_rate", "temperature"];
