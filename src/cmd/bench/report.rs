//! The result as one file for a browser: it needs nothing else, and asks nobody.

mod axis;
mod page;
mod plot;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::error::BenchError;
use super::outcome::Outcome;

/// Where the report goes.
#[derive(Debug)]
pub(super) struct ReportFile(PathBuf);

impl ReportFile {
    /// Makes sure that the file can be written, before a run is spent on it. What is in it stays until the end.
    ///
    /// # Errors
    /// It cannot.
    pub(super) fn at(path: &Path) -> Result<Self, BenchError> {
        let failed = |source| BenchError::Report { path: path.to_owned(), source };
        let is_new = !path.exists();
        OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        if is_new {
            fs::remove_file(path).map_err(failed)?;
        }
        Ok(Self(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, outcome: &Outcome) -> Result<(), BenchError> {
        let page = page::html(outcome);
        fs::write(&self.0, page).map_err(|source| BenchError::Report { path: self.0.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_found_before_the_run_and_no_file_is_left_by_looking() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(ReportFile::at(&folder.path().join("nowhere/x.html")).is_err());
        let path = folder.path().join("x.html");
        ReportFile::at(&path).expect("can be written");
        assert!(!path.exists());
        fs::write(&path, "old").expect("written");
        ReportFile::at(&path).expect("can be written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "old");
    }
}
