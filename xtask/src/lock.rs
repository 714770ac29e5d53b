//! One at a time: a file that a single process holds. The system lets go of it when that process ends, however it ends.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};
use crate::{say, signals};

/// How often a waiting process looks again: short against a fetch of several seconds, cheap for the machine.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until no other process holds `path`; `what` names it for the line that says so.
    pub(crate) fn wait(path: &Path, what: &str) -> Result<Self> {
        let file = open(path).map_err(Error::file("use the lock file", path))?;
        let mut told = false;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            if !told {
                say::talk(&format!("another xtask is at work on {what}; waiting for it"));
                told = true;
            }
            signals::check()?;
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
