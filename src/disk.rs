//! Whether a folder can be written to, and that what is in it stays there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// So much has to fit: what a few thousand readings take.
pub const TRIAL_BYTES: usize = 1024 * 1024;

/// Writes [`TRIAL_BYTES`] into a file of its own in `folder`, brings them to the disk, and removes the file. Nothing
/// else tells both rights and room for sure. It may block.
///
/// # Errors
/// What the system says to any of it; the file is gone all the same.
pub fn try_out(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".vitals-trial-{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(&vec![0; TRIAL_BYTES])?;
        file.sync_data()
    };
    let outcome = write();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => outcome.and(Err(error)),
        _ => outcome,
    }
}

/// Brings the names in `folder` to the disk, where the system can do that: a file that is made, renamed or removed may
/// come back as it was when the power goes. It may block.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    match fs::File::open(folder)?.sync_all() {
        // A file system that knows of no such thing.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {}
        outcome => outcome?,
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_room_is_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        try_out(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = try_out(&folder.path().join("none")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
