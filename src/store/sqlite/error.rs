//! What can go wrong with the file, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::{Error as DriverError, ErrorCode};

use super::file::BUSY_LIMIT;
use crate::advice::{Advice, Code};
use crate::pipeline::store::WriteError;
use crate::store::{NEWER_HINT, SchemaVersion};

/// What the store was doing when something went wrong: it completes "cannot …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Opening the file.
    Open,
    /// Making tables.
    ChangeSchema,
    /// Writing readings and alerts.
    Write,
    /// Reading readings and alerts.
    Read,
    /// Removing the file.
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
pub enum SqliteError {
    /// There is no file.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    /// There is no folder to make the file in.
    #[error("there is no folder to make {} in", .0.display())]
    NoFolder(PathBuf),
    /// It is a folder.
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    /// It is a file of another kind.
    #[error("{} is not an SQLite database", .0.display())]
    NotADatabase(PathBuf),
    /// It is another program's database.
    #[error("{} is the database of another program", .0.display())]
    NotOurs(PathBuf),
    /// A table is missing.
    #[error("{} has no table `{table}`", .path.display())]
    NoTable {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
    },
    /// A table has another shape.
    #[error("the table `{table}` in {} has another shape: it has no {column}", .path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// The column that it should have, with its place in the key.
        column: String,
    },
    /// A newer `vitals` has made the tables.
    #[error("nothing is written to {}: {version}", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The versions.
        version: SchemaVersion,
    },
    /// The system does not let this user do it.
    #[error("cannot {doing} {}: {reason}", .path.display())]
    NoRight {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        doing: Doing,
        /// Why not.
        reason: String,
    },
    /// Other processes had the file for too long.
    #[error("cannot {doing} {}: other processes had it for more than {} s", .path.display(), BUSY_LIMIT.as_secs())]
    Busy {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        doing: Doing,
    },
    /// The rows are at fault.
    #[error("cannot {doing} {}: {reason}", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        doing: Doing,
        /// Why not.
        reason: String,
    },
    /// Anything else: a full disk, a damaged file.
    #[error("cannot {doing} {}: {reason}", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        doing: Doing,
        /// Why not.
        reason: String,
    },
}

impl SqliteError {
    pub(super) fn failed(path: &Path, doing: Doing, reason: impl fmt::Display) -> Self {
        Self::Failed { path: path.to_owned(), doing, reason: reason.to_string() }
    }

    /// Tells by the driver's code what it was.
    pub(super) fn from_driver(path: &Path, doing: Doing, error: &DriverError) -> Self {
        let (path, reason) = (path.to_owned(), reason(error));
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase(path),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Self::NoRight { path, doing, reason }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path, doing },
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
                Self::Refused { path, doing, reason }
            }
            _ => Self::Failed { path, doing, reason },
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
            SqliteError::Refused { doing: Doing::Write, reason, .. } => Self::Never(reason),
            other => Self::Later(other.to_string()),
        }
    }
}

impl Advice for SqliteError {
    fn code(&self) -> Code {
        match self {
            Self::NoRight { .. } | Self::Busy { .. } | Self::Refused { .. } | Self::Failed { .. } => Code::Unreachable,
            _ => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoFile(_) | Self::NoTable { .. } => "run `vitals init`, or check the path in --store",
            Self::NoFolder(_) => "make the folder, or name another path in --store",
            Self::Folder(_) => "name a file in --store, as sqlite:vitals.db",
            Self::NotADatabase(_) | Self::NotOurs(_) | Self::Shape { .. } => {
                "name another file in --store: vitals changes no file that it has not made"
            }
            Self::Newer { .. } => NEWER_HINT,
            Self::NoRight { .. } => "check who may write to the file and to its folder: both are needed, also to read",
            Self::Busy { .. } => "another program holds a transaction open in this file: end it, and try again",
            Self::Refused { .. } => return None,
            Self::Failed { .. } => "check that the disk is local, has space left, and that the file is whole",
        };
        Some(hint.to_owned())
    }
}
