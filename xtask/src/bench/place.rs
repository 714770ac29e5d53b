//! Where the files of a run are: `target/bench`, empty at the start and gone at the end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lock::Lock;
use crate::repository;
use crate::services::folder::{make_folder, remove_folder};
use crate::signals::Interrupt;

/// The folder. Held by one run at a time: two would measure each other.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    _held: Lock,
}

impl Place {
    /// Waits for another run, and removes what a killed one has left.
    pub(super) fn make(interrupt: &Interrupt) -> Result<Self, Error> {
        let lock = repository::services_folder().join("locks").join("bench");
        let held = Lock::wait(&lock, "a benchmark", interrupt)?;
        let folder = repository::root().join("target").join("bench");
        remove_folder(&folder)?;
        make_folder(&folder)?;
        Ok(Self { folder, _held: held })
    }

    /// The path of a file or folder in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A folder in it, empty.
    pub(super) fn empty_folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path(name);
        remove_folder(&path)?;
        make_folder(&path)?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The next run removes what cannot be removed now.
        let _ = remove_folder(&self.folder);
    }
}

/// The size of a file in bytes.
pub(super) fn size_bytes(path: &Path) -> Result<u64, Error> {
    Ok(fs::metadata(path).map_err(Error::file("look at", path))?.len())
}
