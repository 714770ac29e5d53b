//! What can go wrong with a campaign: each message names it and ends with the cure. A broken promise is no error.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::fuzz::error::FuzzError;
use crate::job::JobError;
use crate::services::error::ServiceError;
use crate::services::log_tail::{LogTail, SHOWN_WITH_ERRORS};
use crate::signals::Interrupted;
use crate::supervise::SuperviseError;
use crate::venv::PythonError;

/// Why a campaign has no verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChaosError {
    #[error("`vitals` does not build (cargo ended with {0})\nhint: the lines above say why")]
    Build(u8),
    #[error("cannot start {what}: {source}\nhint: check that it is installed and may be run")]
    Start { what: &'static str, source: io::Error },
    #[error("{what} ended by itself with {status}\n{log}\nhint: the lines above say why")]
    Ended { what: &'static str, status: ExitStatus, log: LogTail },
    #[error("{what} failed: {how}\n{log}\nhint: the lines above say why")]
    Failed { what: &'static str, how: String, log: LogTail },
    #[error("{what} was not done after {} s\n{log}\nhint: the machine may be too busy; start again when it is calmer", limit.as_secs())]
    TooLong { what: &'static str, limit: Duration, log: LogTail },
    #[error("{what} printed no counts, but: {said}\nhint: if it has changed, xtask/src/chaos has to follow")]
    Unclear { what: &'static str, said: String },
    #[error("this stack has no {0}\nhint: this is a mistake in xtask/src/chaos")]
    NoServer(&'static str),
    #[error("cannot {verb} {}: {source}\nhint: check who owns this folder and whether the disk is full", path.display())]
    File { verb: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Fuzz(FuzzError),
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<FuzzError> for ChaosError {
    fn from(error: FuzzError) -> Self {
        match error {
            FuzzError::Interrupted(interrupted) => interrupted.into(),
            error => Self::Fuzz(error),
        }
    }
}

impl ChaosError {
    /// A program that was run to its end did not come to a good one.
    pub(super) fn of_job(what: &'static str, log: &Path, error: JobError) -> Self {
        let tail = LogTail::read(log, SHOWN_WITH_ERRORS);
        match error {
            JobError::Interrupted(interrupted) => interrupted.into(),
            JobError::TooLong(limit) => Self::TooLong { what, limit, log: tail },
            error => Self::Failed { what, how: error.to_string(), log: tail },
        }
    }
}

/// For `map_err`: an operation on a file failed.
pub(super) fn file_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ChaosError {
    let path = path.to_owned();
    move |source| ChaosError::File { verb, path, source }
}
