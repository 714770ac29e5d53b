//! What can go wrong with fuzzing: each message names it and ends with the cure. A crash of a target is no error.

use std::io;
use std::path::PathBuf;

use crate::services::log_tail::LogTail;
use crate::signals::Interrupted;
use crate::supervise::SuperviseError;

/// Why a target has no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FuzzError {
    #[error(
        "the targets do not build (cargo ended with {0})\nhint: the lines above say why; libFuzzer needs a C++ compiler"
    )]
    Build(u8),
    #[error("cannot ask cargo for this platform's name: {0}\nhint: check that cargo runs")]
    Cargo(io::Error),
    #[error("`cargo -vV` does not tell this platform's name\nhint: check that cargo is the one of a Rust toolchain")]
    NoHost,
    #[error("cannot {verb} {}: {source}\nhint: check who owns this folder and whether the disk is full", path.display())]
    File { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("the target {target} did not work: {how}\n{log}\nhint: the lines above say why")]
    Failed { target: &'static str, how: String, log: LogTail },
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
