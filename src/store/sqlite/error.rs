//! What can go wrong with the file, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::{Error as DriverError, ErrorCode};

use super::file::BUSY_LIMIT;
use crate::advice::{Advice, Code};
use crate::pipeline::store::WriteError;
use crate::store::{NEWER_HINT, OLDER_HINT, SchemaVersion};

/// What the store was doing when something went wrong: it completes "cannot …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each has its text")]
pub enum Doing {
    Open,
    ChangeSchema,
    Write,
    Read,
    Remove,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::ChangeSchema => "make tables in",
            Self::Write => "write to",
            Self::Read => "read from",
            Self::Remove => "remove",
        })
    }
}

/// What went wrong with the file. No text of it holds patient data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each has its text")]
pub enum SqliteError {
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    #[error("there is no folder to make {} in", .0.display())]
    NoFolder(PathBuf),
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    #[error("{} is not an SQLite database", .0.display())]
    NotADatabase(PathBuf),
    #[error("{} is the database of another program", .0.display())]
    NotOurs(PathBuf),
    #[error("{} has no table `{}`", .0.display(), .1)]
    NoTable(PathBuf, &'static str),
    #[error("the table `{table}` in {} has another shape: it has no {column}", .path.display())]
    Shape {
        path: PathBuf,
        table: &'static str,
        /// The column that it should have, with its place in the key.
        column: String,
    },
    #[error("the table `{table}` in {} is that of an earlier vitals: it has no {column}", .path.display())]
    Older { path: PathBuf, table: &'static str, column: String },
    #[error("nothing is written to {}: {}", .0.display(), .1)]
    Newer(PathBuf, SchemaVersion),
    #[error("{0}")]
    NoRight(Failure),
    #[error("cannot {} {}: other processes had it for more than {} s", .1, .0.display(), BUSY_LIMIT.as_secs())]
    Busy(PathBuf, Doing),
    /// The rows are at fault.
    #[error("{0}")]
    Refused(Failure),
    /// Anything else: a full disk, a damaged file.
    #[error("{0}")]
    Failed(Failure),
}

/// What could not be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing} {}: {reason}", .path.display())]
pub struct Failure {
    path: PathBuf,
    doing: Doing,
    reason: String,
}

impl Failure {
    pub(super) fn new(path: &Path, doing: Doing, reason: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), doing, reason: reason.to_string() }
    }
}

impl SqliteError {
    pub(super) fn failed(path: &Path, doing: Doing, reason: impl fmt::Display) -> Self {
        Self::Failed(Failure::new(path, doing, reason))
    }

    /// Tells by the driver's code what it was.
    pub(super) fn from_driver(path: &Path, doing: Doing, error: &DriverError) -> Self {
        let failure = Failure::new(path, doing, reason(error));
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase(failure.path),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => Self::NoRight(failure),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(failure.path, doing),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
                Self::Refused(failure)
            }
            _ => Self::Failed(failure),
        }
    }
}

/// The driver's words, without the value that a row held.
fn reason(error: &DriverError) -> String {
    match error {
        DriverError::SqliteFailure(_, Some(text)) => text.clone(),
        DriverError::InvalidColumnType(_, column, kind) => format!("a row's `{column}` is of the type {kind}"),
        DriverError::IntegralValueOutOfRange(column, _) => format!("a row's column {column} is out of range"),
        DriverError::FromSqlConversionFailure(column, ..) => format!("a row's column {column} cannot be read"),
        other => other.to_string(),
    }
}

/// Only the rows themselves are a final reason: everything else can be mended.
impl From<SqliteError> for WriteError {
    fn from(error: SqliteError) -> Self {
        match error {
            SqliteError::Refused(Failure { doing: Doing::Write, reason, .. }) => Self::Never(reason),
            other => Self::Later(other.to_string()),
        }
    }
}

impl Advice for SqliteError {
    fn code(&self) -> Code {
        match self {
            Self::NoRight(_) | Self::Busy(..) | Self::Refused(_) | Self::Failed(_) => Code::Unreachable,
            _ => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoFile(_) | Self::NoTable(..) => "run `vitals init`, or check the path in --store",
            Self::NoFolder(_) => "make the folder, or name another path in --store",
            Self::Folder(_) => "name a file in --store, as sqlite:vitals.db",
            Self::NotADatabase(_) | Self::NotOurs(_) | Self::Shape { .. } => {
                "name another file in --store: vitals changes no file that it has not made"
            }
            Self::Older { .. } => OLDER_HINT,
            Self::Newer(..) => NEWER_HINT,
            Self::NoRight(_) => "check who may write to the file and to its folder: both are needed, also to read",
            Self::Busy(..) => "another program holds a transaction open in this file: end it, and try again",
            Self::Refused(_) => return None,
            Self::Failed(_) => "check that the disk is local, has space left, and that the file is whole",
        };
        Some(hint.to_owned())
    }
}
