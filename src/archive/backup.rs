//! The file to read back, opened as often as it is needed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use super::decode::{Entry, Rows};
use super::{ArchiveError, Format, Survey};

/// How much of a file is read at once.
pub const READ_BYTES: usize = 256 * 1024;

/// How often progress is told.
const TELL_EVERY_ROWS: u64 = 10_000;

/// A file of rows.
#[derive(Debug, Clone)]
pub struct Backup {
    path: PathBuf,
    format: Option<Format>,
}

impl Backup {
    /// The file at `path`. The format is the one that is given, or the one that its name or its beginning tells.
    pub fn at(path: &Path, format: Option<Format>) -> Result<Self, ArchiveError> {
        match std::fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(ArchiveError::Folder(path.to_owned())),
            Ok(_) => Ok(Self { path: path.to_owned(), format: format.or_else(|| Format::of_name(path)) }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ArchiveError::Missing(path.to_owned())),
            Err(source) => Err(ArchiveError::Unreadable { from: path.display().to_string(), source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it can be read more than once: a pipe cannot.
    pub fn can_be_read_again(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|there| there.is_file())
    }

    /// Its rows, from its beginning.
    pub fn rows(&self) -> Result<Rows<BufReader<File>>, ArchiveError> {
        let begin = || {
            let mut input = BufReader::with_capacity(READ_BYTES, File::open(&self.path)?);
            let format = match self.format {
                Some(format) => format,
                None => Format::of_beginning(input.fill_buf()?),
            };
            Rows::new(input, format)
        };
        begin().map_err(|source| ArchiveError::Unreadable { from: self.path.display().to_string(), source })
    }

    /// Looks through the whole file, and tells `progress` now and then how many further rows it has seen.
    ///
    /// # Errors
    /// The file cannot be read to its end. Lines that are no rows are no error here: the survey has them.
    pub fn check(&self, mut progress: impl FnMut(u64)) -> Result<Survey, ArchiveError> {
        let mut rows = self.rows()?;
        let (mut survey, mut told) = (Survey::default(), 0);
        loop {
            match rows.next_entry().map_err(|error| ArchiveError::from_read(self.path.display().to_string(), error))? {
                Some(Entry::Row(_)) => survey.rows += 1,
                Some(Entry::Fault(fault)) => survey.faults.note(fault),
                None => return Ok(survey),
            }
            if survey.rows - told >= TELL_EVERY_ROWS {
                progress(survey.rows - told);
                told = survey.rows;
            }
        }
    }
}
