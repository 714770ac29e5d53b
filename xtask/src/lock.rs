//! One at a time: a file that a single process holds. The system lets go of it when that process ends, however it ends.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::say;
use crate::signals::{Interrupt, Interrupted};

/// How often a waiting process looks again: short against a fetch of several seconds, cheap for the machine.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("cannot use the lock file {}: {source}\nhint: check who owns this folder and whether the disk is full", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Lock {
    /// Waits until no other process holds `path`; `what` names it for the line that says so.
    pub(crate) fn wait(path: &Path, what: &str, interrupt: &Interrupt) -> Result<Self, LockError> {
        let file = open(path).map_err(|source| LockError::File { path: path.to_owned(), source })?;
        let mut told = false;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            if !told {
                say::talk(&format!("another xtask is at work on {what}; waiting for it"));
                told = true;
            }
            interrupt.check()?;
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}
