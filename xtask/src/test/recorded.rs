//! Recorded readings of patients. They are no part of this repository: who has them says where they are.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The recording that the tests know the readings of.
const FILE: &str = "mimic4demo_complete.csv";

/// What the tests over recorded readings begin with; without `--recorded` they are left out.
pub(super) const TESTS: &str = "recorded::recorded_readings";

/// The folder has no recording.
#[derive(Debug, thiserror::Error)]
#[error(
    "the recorded readings are not in {}: no {FILE} there ({source})\nhint: --recorded DIR names the folder that holds it; without this option all other tests run",
    folder.display()
)]
pub(crate) struct NoRecording {
    folder: PathBuf,
    source: io::Error,
}

/// A folder with recorded readings.
#[derive(Debug)]
pub(crate) struct Recorded {
    file: PathBuf,
}

impl Recorded {
    /// Looks into the folder; a relative one is one of the caller's.
    pub(crate) fn find(folder: &Path) -> Result<Self, NoRecording> {
        let found = folder.join(FILE).canonicalize();
        found.map(|file| Self { file }).map_err(|source| NoRecording { folder: folder.to_owned(), source })
    }

    /// The folder, from wherever it is looked at.
    pub(crate) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(&self.file)
    }

    /// What tells the tests of it.
    pub(super) fn variable(&self) -> (String, OsString) {
        ("VITALS_TEST_RECORDED".to_owned(), self.file.clone().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_recording_is_refused_with_a_hint() {
        for folder in ["src", "nowhere"] {
            let told = Recorded::find(Path::new(folder)).unwrap_err().to_string();
            assert!(told.contains(folder) && told.contains(FILE) && told.contains("hint: --recorded DIR"), "{told}");
        }
    }
}
