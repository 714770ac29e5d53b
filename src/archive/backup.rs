//! The file to read back, or standard input, or an archive.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::decode::{self, Entry, ReadError, Rows};
use super::folder::Folder;
use super::manifest::MonthFile;
use super::merge::Merged;
use super::month::Month;
use super::{ArchiveError, Format};
use crate::faults::{Fault, Faults, Flaw};
use crate::reading::PatientId;

/// How much of a file is read at once.
const READ_BYTES: usize = 256 * 1024;

const TELL_EVERY_ROWS: u64 = 10_000;

/// A file of rows, or standard input, or a pipe that has a name; or an archive, whole or one file of it.
#[derive(Debug, Clone)]
pub struct Backup(Source);

#[derive(Debug, Clone)]
enum Source {
    Stdin(Option<Format>),
    Text {
        path: PathBuf,
        format: Option<Format>,
    },
    /// The folder, and the one file of it that is meant.
    Archive {
        path: PathBuf,
        folder: PathBuf,
        file: Option<MonthFile>,
    },
}

impl Backup {
    /// The file at `path`, or standard input for `-`. The format is the one that is given, or the one that its name or
    /// its beginning tells. A folder is an archive.
    pub fn at(path: &Path, format: Option<Format>) -> Result<Self, ArchiveError> {
        if path == Path::new("-") {
            return Ok(Self(Source::Stdin(format)));
        }
        let path_buf = path.to_owned();
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => match Folder::open(path) {
                Ok(_) => Ok(Self(Source::Archive { path: path_buf.clone(), folder: path_buf, file: None })),
                Err(ArchiveError::NoArchive(_)) => Err(ArchiveError::Folder(path_buf)),
                Err(error) => Err(error),
            },
            Ok(_) if format.is_none() && is_parquet(path) => file_of_archive(path).map(Self),
            Ok(_) => {
                let format = format.or_else(|| Format::of_name(path));
                Ok(Self(Source::Text { path: path_buf, format }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ArchiveError::Missing(path_buf)),
            Err(source) => Err(ArchiveError::Unreadable { from: path.display().to_string(), source }),
        }
    }

    /// Where it is, in words.
    pub fn name(&self) -> String {
        match &self.0 {
            Source::Stdin(_) => "standard input".to_owned(),
            Source::Text { path, .. } | Source::Archive { path, .. } => path.display().to_string(),
        }
    }

    /// The file or the folder, where it can be read more than once: a pipe cannot.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Source::Stdin(_) => None,
            Source::Text { path, .. } => {
                Some(path.as_path()).filter(|path| std::fs::metadata(path).is_ok_and(|found| found.is_file()))
            }
            Source::Archive { path, .. } => Some(path),
        }
    }

    /// Its rows, from its beginning.
    pub fn rows(&self) -> Result<Entries, ArchiveError> {
        let unreadable = |source| ArchiveError::Unreadable { from: self.name(), source };
        match &self.0 {
            Source::Stdin(format) => Entries::text(Box::new(io::stdin()), *format).map_err(unreadable),
            Source::Text { path, format } => {
                let file = File::open(path).map_err(unreadable)?;
                Entries::text(Box::new(file), *format).map_err(unreadable)
            }
            Source::Archive { folder, file: None, .. } => Ok(Entries::Archive(Archived::all(Folder::open(folder)?))),
            Source::Archive { folder, file: Some(file), .. } => {
                Ok(Entries::Archive(Archived::one(Folder::open(folder)?, file)?))
            }
        }
    }

    /// Looks through the whole file, and tells `progress` now and then how many further rows it has seen.
    ///
    /// # Errors
    /// The file cannot be read to its end; one of an archive is not the one that was written. Lines that are no rows are no
    /// error here: the survey has them.
    pub fn check(&self, mut progress: impl FnMut(u64)) -> Result<Survey, ArchiveError> {
        if let Source::Archive { folder, file, .. } = &self.0 {
            let folder = Folder::open(folder)?;
            let files = file.as_ref().map_or(folder.manifest.files.as_slice(), std::slice::from_ref);
            files.iter().try_for_each(|file| folder.check_bytes(file))?;
        }
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

fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

fn file_of_archive(path: &Path) -> Result<Source, ArchiveError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unnamed = || ArchiveError::Unnamed(path.to_owned());
    let manifest = match Folder::open(folder) {
        Err(ArchiveError::NoArchive(_)) => return Err(unnamed()),
        opened => opened?.manifest,
    };
    let file = manifest.files.into_iter().find(|file| path.file_name() == Some(file.file.as_ref()));
    let file = Some(file.ok_or_else(unnamed)?);
    Ok(Source::Archive { path: path.to_owned(), folder: folder.to_owned(), file })
}

/// The rows of a backup on their way out.
pub enum Entries {
    /// Of a text.
    Text(Rows<BufReader<Box<dyn Read>>>),
    /// Of an archive.
    Archive(Archived),
}

impl Entries {
    /// Those of a text in this format, or in the one that its beginning tells.
    pub fn text(source: Box<dyn Read>, format: Option<Format>) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(READ_BYTES, source);
        let format = match format {
            Some(format) => format,
            None => Format::of_beginning(input.fill_buf()?),
        };
        Rows::new(input, format).map(Self::Text)
    }

    /// The next row or fault; `None` at the end.
    ///
    /// # Errors
    /// [`ReadError`]; nothing can be read behind it.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        match self {
            Self::Text(rows) => rows.next_entry(),
            Self::Archive(rows) => Ok(rows.next_entry()?),
        }
    }

    /// Names that are no column of ours, as far as they were seen.
    pub fn unknown_columns(&self) -> &[String] {
        match self {
            Self::Text(rows) => rows.unknown_columns(),
            Self::Archive(_) => &[],
        }
    }
}

/// The rows of an archive, month by month.
pub struct Archived {
    folder: Folder,
    left: VecDeque<Month>,
    rows: Option<Merged>,
    /// Counted from 1.
    row: u64,
}

impl Archived {
    fn all(folder: Folder) -> Self {
        let left = folder.manifest.months().into_iter().collect();
        Self { folder, left, rows: None, row: 0 }
    }

    fn one(folder: Folder, file: &MonthFile) -> Result<Self, ArchiveError> {
        let rows = Merged::open(std::iter::once(folder.path_of(file)))?;
        Ok(Self { folder, left: VecDeque::new(), rows: Some(rows), row: 0 })
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        loop {
            if let Some(rows) = &mut self.rows
                && let Some(row) = rows.next_row()?
            {
                self.row += 1;
                if decode::takes(&row) {
                    return Ok(Some(Entry::Row(row)));
                }
                let has_id = PatientId::parse(&row.patient_id).is_ok();
                let flaw = if has_id { Flaw::NoSign } else { Flaw::PatientId };
                return Ok(Some(Entry::Fault(Fault { line: self.row, column: None, flaw })));
            }
            let Some(month) = self.left.pop_front() else { return Ok(None) };
            self.rows = Some(self.folder.rows(month)?);
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
