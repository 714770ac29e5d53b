//! What can go wrong while measuring: each message names it and ends with the cure.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::job::JobError;
use crate::lock::LockError;
use crate::services::error::ServiceError;
use crate::services::log_tail::{LogTail, SHOWN_WITH_ERRORS};
use crate::signals::Interrupted;
use crate::supervise::SuperviseError;
use crate::venv::PythonError;

/// Why a figure could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("the profile `dist` does not build (cargo ended with {0})\nhint: the lines above say why")]
    Build(u8),
    #[error("cannot start {what}: {source}\nhint: check that it is installed and may be run")]
    Start { what: &'static str, source: io::Error },
    #[error("{what} ended with {status}\n{log}\nhint: the lines above say why")]
    Failed { what: &'static str, status: ExitStatus, log: LogTail },
    #[error(
        "{what} was not done after {} s\n{log}\nhint: the machine may be too busy; start again when it is calmer",
        limit.as_secs()
    )]
    TooLong { what: &'static str, limit: Duration, log: LogTail },
    #[error(
        "{what} did not say what was expected: {missing}\n{log}\nhint: the lines above are what it said; if it has changed, xtask/src/bench has to follow"
    )]
    Unclear { what: &'static str, missing: &'static str, log: LogTail },
    #[error(
        "the reference program {name} does not build: {how}\n{log}\nhint: the lines above say why; its first build needs the network"
    )]
    Reference { name: &'static str, how: JobError, log: LogTail },
    #[error(
        "the reference programs are not in {}: {source}\nhint: --peers DIR names the folder that holds fill.py, measure.py, go and benthos",
        folder.display()
    )]
    NoReferences { folder: PathBuf, source: io::Error },
    #[error("the servers of this run are gone\nhint: look who ended them, then start again")]
    NoServer,
    #[error("cannot {verb} {}: {source}\nhint: check who owns this folder and whether the disk is full", path.display())]
    File { verb: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl BenchError {
    /// A reference program does not build.
    pub(super) fn reference(name: &'static str, how: JobError, log: &Path) -> Self {
        match how {
            JobError::Interrupted(interrupted) => interrupted.into(),
            how => Self::Reference { name, how, log: LogTail::read(log, SHOWN_WITH_ERRORS) },
        }
    }

    /// The output of `what`, in `log`, lacks what was looked for.
    pub(super) fn unclear(what: &'static str, missing: &'static str, log: &Path) -> Self {
        Self::Unclear { what, missing, log: LogTail::read(log, SHOWN_WITH_ERRORS) }
    }
}

/// For `map_err`: an operation on a file failed.
pub(super) fn file_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BenchError {
    let path = path.to_owned();
    move |source| BenchError::File { verb, path, source }
}
