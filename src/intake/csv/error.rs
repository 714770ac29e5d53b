//! What can be wrong with a CSV file. No text here shows what a cell says, since that may be patient data.

use std::path::{Path, PathBuf};

use super::bounded::{MAX_ROW_BYTES, RowTooLong};
use super::survey::Survey;
use crate::advice::{Advice, Code};
use crate::faults::FirstLine;

/// Why a file is not sent.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// There is no such file.
    #[error("there is no file {}", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// It is a directory.
    #[error("{} is a directory, not a CSV file", path.display())]
    Directory {
        /// Which file.
        path: PathBuf,
    },
    /// It is a pipe or a device, which cannot be read twice.
    #[error("{} is not a regular file: it is read twice, once to check it and once to send it", path.display())]
    NotAFile {
        /// Which file.
        path: PathBuf,
    },
    /// The operating system does not give it.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It has no bytes.
    #[error("{} is empty", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// Its first line shows that nothing of it can be read.
    #[error("{}, line 1: {flaw}", path.display())]
    FirstLine {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        flaw: FirstLine,
    },
    /// It has no row that can be sent.
    #[error("{} has no row to send: {survey}", path.display())]
    NoRow {
        /// Which file.
        path: PathBuf,
        /// What was found.
        survey: Survey,
    },
    /// Rows are malformed.
    #[error("{}: {survey}; nothing was sent", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What was found.
        survey: Survey,
    },
    /// A row never ends.
    #[error("{}, after line {line}: a row is longer than {MAX_ROW_BYTES} bytes", path.display())]
    RowTooLong {
        /// Which file.
        path: PathBuf,
        /// Where the row begins.
        line: u64,
    },
    /// It is not the file that was checked.
    #[error("{} changed while it was sent", path.display())]
    Changed {
        /// Which file.
        path: PathBuf,
    },
}

impl CsvError {
    pub(super) fn from_csv(path: &Path, error: csv::Error) -> Self {
        let line = error.position().map_or(1, csv::Position::line);
        let path = path.to_owned();
        match error.into_kind() {
            csv::ErrorKind::Io(source) if is_too_long(&source) => Self::RowTooLong { path, line },
            csv::ErrorKind::Io(source) => Self::Unreadable { path, source },
            other => Self::Unreadable { path, source: std::io::Error::other(format!("{other:?}")) },
        }
    }
}

fn is_too_long(error: &std::io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<RowTooLong>()).is_some()
}

impl Advice for CsvError {
    fn code(&self) -> Code {
        match self {
            Self::Missing { .. } | Self::Directory { .. } | Self::NotAFile { .. } | Self::Unreadable { .. } => {
                Code::Usage
            }
            _ => Code::BadData,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { .. } => "check the path behind --csv",
            Self::Directory { .. } => "name a file in it",
            Self::NotAFile { .. } => "save the data in a file first",
            Self::Unreadable { .. } => "check the file's rights",
            Self::FirstLine { flaw, .. } => return Some(flaw.hint(COLUMNS_HINT)),
            Self::Empty { .. } => COLUMNS_HINT,
            Self::NoRow { .. } => "add rows with at least one vital sign below the first line",
            Self::Malformed { .. } => "correct the rows, or leave them out with --skip-bad",
            Self::RowTooLong { .. } => "look for a quotation mark that is not closed",
            Self::Changed { .. } => "send a copy that nobody writes to",
        };
        Some(hint.to_owned())
    }
}

const COLUMNS_HINT: &str = "the first line has to name the columns patient_id,heart_rate,spo2,systolic,diastolic,\
                            respiratory_rate,temperature, and may name timestamp";
