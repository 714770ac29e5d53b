//! A look at a broker's folder from outside.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use super::{FORMAT, FolderError, LOCK_FILE, failed};

/// A broker's folder, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderState {
    /// There is none yet: the first `vitals up` makes it.
    Missing,
    /// It is there, and no broker runs on it.
    Free,
    /// A broker runs on it.
    InUse {
        /// Its process, as far as it says.
        pid: String,
    },
}

/// Looks at the folder at `path`. Changes nothing.
///
/// # Errors
/// A newer version has written it, or it cannot be read.
pub fn inspect(path: &Path) -> Result<FolderState, FolderError> {
    let lock = path.join(LOCK_FILE);
    let file = match File::open(&lock) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FolderState::Missing),
        Err(error) => return Err(failed(&lock)(error)),
    };
    if let Ok(format) = fs::read_to_string(path.join("format"))
        && format.trim() != FORMAT
    {
        return Err(FolderError::Format { folder: path.to_owned(), found: format.trim().to_owned() });
    }
    // Shared, so that two who look do not meet; it is given back at once.
    match file.try_lock_shared() {
        Ok(()) => Ok(FolderState::Free),
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&lock).unwrap_or_default();
            Ok(FolderState::InUse { pid: pid.trim().to_owned() })
        }
        Err(TryLockError::Error(source)) => Err(failed(&lock)(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::folder::Folder;

    #[test]
    fn a_folder_is_missing_then_in_use_then_free() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("broker");
        assert_eq!(inspect(&path).unwrap(), FolderState::Missing);
        let folder = Folder::open(&path).unwrap();
        let pid = std::process::id().to_string();
        assert_eq!(inspect(&path).unwrap(), FolderState::InUse { pid });
        drop(folder);
        assert_eq!(inspect(&path).unwrap(), FolderState::Free);
    }

    #[test]
    fn a_folder_of_a_newer_version_is_told() {
        let parent = tempfile::tempdir().unwrap();
        drop(Folder::open(parent.path()).unwrap());
        fs::write(parent.path().join("format"), "99").unwrap();
        assert!(matches!(inspect(parent.path()), Err(FolderError::Format { found, .. }) if found == "99"));
    }
}
