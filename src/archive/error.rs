//! What can go wrong with a file of rows, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::Survey;
use super::decode::ReadError;
use crate::advice::{Advice, Code};
use crate::faults::{Fault, FirstLine, Flaw};
use crate::output::counted;

/// What went wrong with a file of rows. No text of it holds patient data.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    #[error("cannot read {from}: {source}")]
    Unreadable { from: String, source: io::Error },
    #[error("{from}, line 1: {flaw}; nothing was written")]
    FirstLine { from: String, flaw: FirstLine },
    #[error("{}: {survey}; nothing was written", path.display())]
    Malformed { path: PathBuf, survey: Survey },
    #[error("{from}, {fault}; of the rows before it {written} were written")]
    MalformedAfter { from: String, fault: Fault, written: u64 },
    #[error("{} changed while it was read; {} written", path.display(), counted(*.written, "row"))]
    Changed { path: PathBuf, written: u64 },
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{} is not a file that can be replaced", .0.display())]
    NotAFile(PathBuf),
    #[error("{} is there: another export writes it, or one was killed", .0.display())]
    PartialExists(PathBuf),
    #[error("there is no folder to write {} in", .0.display())]
    NoFolder(PathBuf),
    #[error("cannot write {}, and what was written of it is removed: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("there is no archive in {}: it has no manifest.json", .0.display())]
    NoArchive(PathBuf),
    #[error("{} cannot be used: {why}", path.display())]
    Manifest { path: PathBuf, why: String },
    #[error("another vitals writes into {} just now", .0.display())]
    Busy(PathBuf),
    #[error("{} is there, and the manifest does not name it", .0.display())]
    Stranger(PathBuf),
    #[error("{} is not as the manifest says: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{} goes up to the last minutes, of which readings may still come; nothing was deleted", .0.display())]
    TooNew(PathBuf),
    #[error("{} is in no archive: no manifest.json beside it names it", .0.display())]
    Unnamed(PathBuf),
}

impl ArchiveError {
    /// What a reader of `from` ended with.
    pub fn from_read(from: impl Into<String>, error: ReadError) -> Self {
        match error {
            ReadError::Io(source) => Self::Unreadable { from: from.into(), source },
            ReadError::FirstLine(flaw) => Self::FirstLine { from: from.into(), flaw },
            ReadError::Archive(error) => error,
        }
    }
}

impl Advice for ArchiveError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed { .. }
            | Self::MalformedAfter { .. }
            | Self::FirstLine { .. }
            | Self::Changed { .. }
            | Self::Manifest { .. }
            | Self::Damaged { .. } => Code::BadData,
            Self::Write { .. } => Code::Unreachable,
            _ => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing(_) | Self::Folder(_) => "check the path of the file",
            Self::Unreadable { .. } => "check the file's rights",
            Self::FirstLine { flaw, .. } => return Some(flaw.hint(COLUMNS_HINT)),
            Self::Malformed { survey, .. } if survey.faults.first.iter().any(is_time) => TIME_HINT,
            Self::MalformedAfter { fault, .. } if is_time(fault) => TIME_HINT,
            Self::Malformed { .. } => "correct these lines, or leave them out, and import the file again",
            Self::MalformedAfter { .. } => "correct the line and import all of it again: that is safe",
            Self::Changed { .. } => "import a copy that nobody writes to: what was written does no harm",
            Self::Exists(_) => "add --force to replace it, or name another file",
            Self::NotAFile(_) => "name another file, or write to standard output with -",
            Self::PartialExists(_) => "remove it when no other export runs, or add --force",
            Self::NoFolder(_) => "make the folder first",
            Self::Write { .. } => "check that the disk has space and that you may write there",
            Self::NoArchive(_) => "name the folder that `vitals archive --before TIME FOLDER` wrote",
            Self::Manifest { .. } => {
                "bring manifest.json back from a copy of the archive, or use the vitals that made it"
            }
            Self::Busy(_) => "wait until it has ended, or name another folder",
            Self::Stranger(_) => {
                "where an archive was cut off by a power cut or a kill, remove the file and begin again; else move it away"
            }
            Self::Damaged { .. } => "bring the file back from a copy of the archive",
            Self::TooNew(_) => "archive up to an earlier time into a folder of its own, or wait five minutes",
            Self::Unnamed(_) => "import the folder of the archive, or copy its manifest.json beside the file",
        };
        Some(hint.to_owned())
    }
}

const COLUMNS_HINT: &str = "export all columns, or leave the line of names out: then they are patient_id, timestamp, \
                            heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature, and behind them none \
                            or supplemental_oxygen, consciousness";

/// A time that is none is mostly a spreadsheet's.
const TIME_HINT: &str = "correct this and import all of it again, which is safe; a time is written with its offset, as \
                         2025-10-26T10:30:15+00:00 (a spreadsheet rewrites it)";

fn is_time(fault: &Fault) -> bool {
    fault.flaw == Flaw::Timestamp
}
