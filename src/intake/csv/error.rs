//! What can be wrong with a CSV file. No text here shows what a cell says, since that may be patient data.

use std::io;
use std::path::{Path, PathBuf};

use super::{MAX_ROW_BYTES, Survey};
use crate::advice::{Advice, Code};
use crate::faults::FirstLine;

/// Why a file is not sent.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// It is a directory.
    #[error("{} is a directory, not a CSV file", .0.display())]
    Directory(PathBuf),
    /// It is a pipe or a device, which cannot be read twice.
    #[error("{} is not a regular file: it is read more than once", .0.display())]
    NotAFile(PathBuf),
    /// The operating system does not give it.
    #[error("cannot read {}: {}", .0.display(), .1)]
    Unreadable(PathBuf, #[source] io::Error),
    /// It has no bytes.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    /// Its first line shows that nothing of it can be read.
    #[error("{}, line 1: {}", .0.display(), .1)]
    FirstLine(PathBuf, FirstLine),
    /// It has no row that can be sent.
    #[error("{} has no row to send: {}", .0.display(), .1)]
    NoRow(PathBuf, Survey),
    /// Rows are malformed.
    #[error("{}: {survey}; nothing was sent", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What was found.
        survey: Survey,
    },
    /// A row never ends; it begins behind a line.
    #[error("{}, after line {}: a row is longer than {MAX_ROW_BYTES} bytes", .0.display(), .1)]
    RowTooLong(PathBuf, u64),
    /// It is not the file that was checked.
    #[error("{} changed while it was read", .0.display())]
    Changed(PathBuf),
}

impl CsvError {
    pub(super) fn from_csv(path: &Path, error: csv::Error) -> Self {
        let line = error.position().map_or(1, csv::Position::line);
        let path = path.to_owned();
        match error.into_kind() {
            csv::ErrorKind::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => Self::RowTooLong(path, line),
            csv::ErrorKind::Io(source) => Self::Unreadable(path, source),
            other => Self::Unreadable(path, io::Error::other(format!("{other:?}"))),
        }
    }
}

impl Advice for CsvError {
    fn code(&self) -> Code {
        match self {
            Self::Missing(_) | Self::Directory(_) | Self::NotAFile(_) | Self::Unreadable(..) => Code::Usage,
            _ => Code::BadData,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing(_) => "check the path behind --csv",
            Self::Directory(_) => "name a file in it",
            Self::NotAFile(_) => "save the data in a file first",
            Self::Unreadable(..) => "check the file's rights",
            Self::FirstLine(_, flaw) => return Some(flaw.hint(COLUMNS_HINT)),
            Self::Empty(_) => COLUMNS_HINT,
            Self::NoRow(..) => "add rows with at least one vital sign below the first line",
            Self::Malformed { .. } => "correct the rows, or leave them out with --skip-bad",
            Self::RowTooLong(..) => "look for a quotation mark that is not closed",
            Self::Changed(_) => "take a copy that nobody writes to",
        };
        Some(hint.to_owned())
    }
}

const COLUMNS_HINT: &str = "the first line has to name the columns patient_id,heart_rate,spo2,systolic,diastolic,\
                            respiratory_rate,temperature, and may name timestamp, supplemental_oxygen and \
                            consciousness";
