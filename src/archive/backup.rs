//! The file to read back, or standard input.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::decode::{Entry, Rows};
use super::{ArchiveError, Format};
use crate::faults::Faults;

/// How much of a file is read at once.
const READ_BYTES: usize = 256 * 1024;

const TELL_EVERY_ROWS: u64 = 10_000;

/// A file of rows, or standard input, or a pipe that has a name.
#[derive(Debug, Clone)]
pub struct Backup {
    /// `None` is standard input.
    path: Option<PathBuf>,
    format: Option<Format>,
}

impl Backup {
    /// The file at `path`, or standard input for `-`. The format is the one that is given, or the one that its name or
    /// its beginning tells.
    pub fn at(path: &Path, format: Option<Format>) -> Result<Self, ArchiveError> {
        if path == Path::new("-") {
            return Ok(Self { path: None, format });
        }
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(ArchiveError::Folder(path.to_owned())),
            Ok(_) => Ok(Self { path: Some(path.to_owned()), format: format.or_else(|| Format::of_name(path)) }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ArchiveError::Missing(path.to_owned())),
            Err(source) => Err(ArchiveError::Unreadable { from: path.display().to_string(), source }),
        }
    }

    /// Where it is, in words.
    pub fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string())
    }

    /// The file, where it can be read more than once: a pipe cannot.
    pub fn file(&self) -> Option<&Path> {
        self.path.as_deref().filter(|path| std::fs::metadata(path).is_ok_and(|found| found.is_file()))
    }

    /// Its rows, from its beginning.
    pub fn rows(&self) -> Result<Rows<BufReader<Box<dyn Read>>>, ArchiveError> {
        self.begin().map_err(|source| ArchiveError::Unreadable { from: self.name(), source })
    }

    fn begin(&self) -> io::Result<Rows<BufReader<Box<dyn Read>>>> {
        let source: Box<dyn Read> = match &self.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(io::stdin()),
        };
        let mut input = BufReader::with_capacity(READ_BYTES, source);
        let format = match self.format {
            Some(format) => format,
            None => Format::of_beginning(input.fill_buf()?),
        };
        Rows::new(input, format)
    }

    /// Looks through the whole file, and tells `progress` now and then how many further rows it has seen.
    ///
    /// # Errors
    /// The file cannot be read to its end. Lines that are no rows are no error here: the survey has them.
    pub fn check(&self, mut progress: impl FnMut(u64)) -> Result<Survey, ArchiveError> {
        let mut rows = self.rows()?;
        let (mut survey, mut told) = (Survey::default(), 0);
        loop {
            match rows.next_entry().map_err(|error| ArchiveError::from_read(self.name(), error))? {
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

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Rows in order.
    pub rows: u64,
    /// Lines that are no rows.
    pub faults: Faults,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.faults.count == 1 { "line is no row" } else { "lines are no rows" };
        write!(f, "{} {plural}, {} in order", self.faults.count, self.rows)
    }
}
