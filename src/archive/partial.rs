//! A file that is not there before it is whole.
//!
//! What is written goes into a file with `.partial` behind its name, in the same folder. At the end it is synced to the
//! disk and takes its name. Whatever keeps it from its end removes it: a full disk, an error, Ctrl+C.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::ArchiveError;

/// A file on its way.
#[derive(Debug)]
pub struct Partial {
    target: PathBuf,
    path: PathBuf,
    file: File,
    bytes: u64,
    replace: bool,
    done: bool,
}

impl Partial {
    /// Begins the file at `target`; one that is there is replaced at the end, if `replace` says so.
    ///
    /// # Errors
    /// [`ArchiveError::Exists`] and others where it cannot be begun: nothing is changed then.
    pub fn begin(target: &Path, replace: bool) -> Result<Self, ArchiveError> {
        let target = look_at(target, replace)?;
        let mut name = OsString::from(&target);
        name.push(".partial");
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true);
        let opened = if replace { options.create(true).truncate(true) } else { options.create_new(true) }.open(&path);
        match opened {
            Ok(file) => Ok(Self { target, path, file, bytes: 0, replace, done: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(ArchiveError::PartialExists(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ArchiveError::NoFolder(target)),
            Err(source) => Err(ArchiveError::Write { path: target, source }),
        }
    }

    /// Begins a file that is not there yet, for who alone writes in the folder: what an earlier attempt has left behind is
    /// begun anew.
    ///
    /// # Errors
    /// As [`Partial::begin`].
    pub fn anew(target: &Path) -> Result<Self, ArchiveError> {
        look_at(target, false)?;
        let mut partial = Self::begin(target, true)?;
        partial.replace = false;
        Ok(partial)
    }

    /// Adds to it. The caller brings much at once.
    pub fn write(&mut self, text: &str) -> Result<(), ArchiveError> {
        self.write_bytes(text.as_bytes()).map_err(|source| self.failed(source))
    }

    /// Adds bytes to it.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Gives it its name, and tells its size in bytes.
    ///
    /// # Errors
    /// [`ArchiveError::Write`]; [`ArchiveError::Exists`] where somebody else made a file of this name meanwhile.
    pub fn finish(mut self) -> Result<u64, ArchiveError> {
        self.file.sync_all().map_err(|source| self.failed(source))?;
        look_at(&self.target, self.replace)?;
        fs::rename(&self.path, &self.target).map_err(|source| self.failed(source))?;
        self.done = true;
        Ok(self.bytes)
    }

    fn failed(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Write { path: self.target.clone(), source }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.done {
            // Where this fails too there is nobody to tell, and the name says what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Tells where the file really is: a link stays one.
fn look_at(target: &Path, replace: bool) -> Result<PathBuf, ArchiveError> {
    let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
    match target.metadata() {
        Ok(there) if !there.is_file() => Err(ArchiveError::NotAFile(target)),
        Ok(_) if !replace => Err(ArchiveError::Exists(target)),
        _ => Ok(target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_has_its_name_only_when_it_is_whole_and_is_removed_where_it_does_not_come_to_its_end() {
        let folder = folder();
        let target = folder.path().join("vitals.csv");
        let mut partial = Partial::begin(&target, false).unwrap();
        partial.write("abc\n").unwrap();
        drop(partial);
        assert!(names(folder.path()).is_empty());
        let mut partial = Partial::begin(&target, false).unwrap();
        partial.write("abc\n").unwrap();
        assert_eq!(names(folder.path()), ["vitals.csv.partial"]);
        assert_eq!(partial.finish().unwrap(), 4);
        assert_eq!(names(folder.path()), ["vitals.csv"]);
        assert_eq!(fs::read_to_string(target).unwrap(), "abc\n");
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_when_asked_and_only_at_the_end() {
        let folder = folder();
        let target = folder.path().join("vitals.csv");
        fs::write(&target, "old").unwrap();
        assert!(matches!(Partial::begin(&target, false), Err(ArchiveError::Exists(_))));
        let mut partial = Partial::begin(&target, true).unwrap();
        partial.write("new").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        partial.finish().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }

    #[test]
    fn a_file_that_somebody_made_meanwhile_is_left_alone() {
        let folder = folder();
        let target = folder.path().join("vitals.csv");
        let partial = Partial::begin(&target, false).unwrap();
        fs::write(&target, "theirs").unwrap();
        assert!(matches!(partial.finish(), Err(ArchiveError::Exists(_))));
        assert_eq!(names(folder.path()), ["vitals.csv"]);
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
    }

    #[test]
    fn what_cannot_be_replaced_is_told_and_left_as_it_is() {
        let folder = folder();
        assert!(matches!(Partial::begin(folder.path(), true), Err(ArchiveError::NotAFile(_))));
        let nowhere = folder.path().join("no/vitals.csv");
        assert!(matches!(Partial::begin(&nowhere, false), Err(ArchiveError::NoFolder(_))));
        let target = folder.path().join("vitals.csv");
        fs::write(folder.path().join("vitals.csv.partial"), "of another").unwrap();
        assert!(matches!(Partial::begin(&target, false), Err(ArchiveError::PartialExists(_))));
        assert_eq!(names(folder.path()), ["vitals.csv.partial"]);
    }
}
