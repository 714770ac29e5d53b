//! Readings from a CSV file in the columns of the coursework producer.
//!
//! A file is read twice: [`CsvFile::check`] looks through all of it before anything is sent, [`CsvFile::rows`] streams
//! it. Both hold one row at a time, so that a file may have millions.
//!
//! Columns are found by their name in the first line, in any order and case: `patient_id`, `heart_rate`, `spo2`, `systolic`,
//! `diastolic`, `respiratory_rate`, `temperature`, and optionally `timestamp`, `supplemental_oxygen` and `consciousness`.
//! Other columns are passed over. White space around a cell is no part of it; a blank cell is a sign that was not measured.

mod columns;
mod error;
#[cfg(test)]
pub(super) mod tests;

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

pub use error::CsvError;

use self::columns::Columns;
use crate::faults::{Fault, Faults};
use crate::reading::reject::Reject;
use crate::reading::{PatientId, Reading, Signs, Timestamp};

/// The longest row: a quotation mark that is never closed makes one row of all the rest of a file. A row of the contract
/// has about 60 bytes; the rest is room for columns of others.
const MAX_ROW_BYTES: usize = 1024 * 1024;

/// One row that can be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Who was measured.
    pub patient: PatientId,
    /// When; where the file does not say it, it is the time of sending.
    pub time: Option<Timestamp>,
    /// What was measured: at least one sign or observation.
    pub signs: Signs,
}

impl Row {
    /// The reading, with `now` where the file tells no time. No error for a row that came from a file.
    pub fn into_reading(self, now: Timestamp) -> Result<Reading, Reject> {
        Reading::new(self.patient, self.time.unwrap_or(now), self.signs)
    }
}

/// What a row turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// One that can be sent.
    Row(Row),
    /// One without any sign or observation: there is nothing to send.
    WithoutSign,
    /// One that is malformed.
    Malformed(Fault),
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Rows that can be sent.
    pub rows: u64,
    /// Rows without any sign or observation.
    pub without_sign: u64,
    /// Rows that are malformed.
    pub faults: Faults,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (good, empty, bad) = (self.rows, self.without_sign, self.faults.count);
        write!(f, "{bad} malformed, {empty} without any sign, {good} in order")
    }
}

/// A CSV file whose first line was found in order.
#[derive(Debug)]
pub struct CsvFile {
    path: PathBuf,
    columns: Columns,
}

impl CsvFile {
    /// Opens the file and reads its first line.
    pub fn open(path: &Path) -> Result<Self, CsvError> {
        let mut reader = open(path)?;
        let header = reader.byte_headers().map_err(|error| CsvError::from_csv(path, error))?;
        let columns = Columns::find(header).map_err(|flaw| CsvError::FirstLine(path.to_owned(), flaw))?;
        Ok(Self { path: path.to_owned(), columns })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has a column for the time of a reading.
    pub fn has_times(&self) -> bool {
        self.columns.has_times()
    }

    /// Names of columns that are passed over.
    pub fn ignored_columns(&self) -> &[String] {
        &self.columns.ignored
    }

    /// Looks through the whole file. Malformed rows are no error here: the survey counts them.
    pub fn check(&self) -> Result<Survey, CsvError> {
        let mut survey = Survey::default();
        for entry in self.rows()? {
            match entry? {
                Entry::Row(_) => survey.rows += 1,
                Entry::WithoutSign => survey.without_sign += 1,
                Entry::Malformed(fault) => survey.faults.note(fault),
            }
        }
        Ok(survey)
    }

    /// Streams the file from its beginning, unless its first line has changed.
    pub fn rows(&self) -> Result<Rows, CsvError> {
        let mut reader = open(&self.path)?;
        let header = reader.byte_headers().map_err(|error| CsvError::from_csv(&self.path, error))?;
        if Columns::find(header).ok().as_ref() != Some(&self.columns) {
            return Err(CsvError::Changed(self.path.clone()));
        }
        Ok(Rows { path: self.path.clone(), columns: self.columns.clone(), reader, record: ByteRecord::new() })
    }
}

/// The rows of a file, one after the other. It ends at the file's end or after an error.
#[derive(Debug)]
pub struct Rows {
    path: PathBuf,
    columns: Columns,
    reader: Reader<Bounded<File>>,
    record: ByteRecord,
}

impl Iterator for Rows {
    type Item = Result<Entry, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        // What was read ahead of the new row is not counted, which is one buffer.
        self.reader.get_mut().row_bytes = 0;
        let entry = match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => self.columns.row(&self.record),
            Ok(false) => return None,
            Err(error) => return Some(Err(CsvError::from_csv(&self.path, error))),
        };
        Some(Ok(match entry {
            Ok(Some(row)) => Entry::Row(row),
            Ok(None) => Entry::WithoutSign,
            Err((column, flaw)) => Entry::Malformed(Fault { line: self.line(), column, flaw }),
        }))
    }
}

impl Rows {
    /// Who was measured by the last row, and when, where it tells both: also one without any sign says that somebody
    /// watched.
    pub fn key(&self) -> Option<(&str, Timestamp)> {
        self.columns.key(&self.record)
    }

    /// The line in which the last row begins. The record's own position is that of the blank lines in front of it, so
    /// this counts back from its end.
    pub fn line(&self) -> u64 {
        let lines = self.record.as_slice().split(|byte| *byte == b'\n').count();
        let lines = lines - usize::from(self.reader.get_ref().is_unterminated);
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        self.reader.position().line().saturating_sub(lines)
    }
}

fn open(path: &Path) -> Result<Reader<Bounded<File>>, CsvError> {
    let unreadable = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => CsvError::Missing(path.to_owned()),
        _ => CsvError::Unreadable(path.to_owned(), source),
    };
    // Asked before opening, because opening a pipe waits for its writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(CsvError::Directory(path.to_owned()));
    }
    if !metadata.is_file() {
        return Err(CsvError::NotAFile(path.to_owned()));
    }
    if metadata.len() == 0 {
        return Err(CsvError::Empty(path.to_owned()));
    }
    let file = File::open(path).map_err(unreadable)?;
    let bounded = Bounded { inner: file, row_bytes: 0, last_byte: None, is_unterminated: false };
    // A row with a missing cell is one fault among others and must not end the reading. The `\r` of a Windows line end
    // is left to its cell, which is trimmed: lines are then counted where they end.
    Ok(ReaderBuilder::new().flexible(true).terminator(Terminator::Any(b'\n')).from_reader(bounded))
}

/// The file below the CSV reader, which gives up with [`ErrorKind::FileTooLarge`] where one row takes more than
/// [`MAX_ROW_BYTES`]. No reading system call fails with that.
#[derive(Debug)]
struct Bounded<R> {
    inner: R,
    /// Read since the row began.
    row_bytes: usize,
    last_byte: Option<u8>,
    /// Whether the file's end was reached, and its last line has no line end: then the last row is in that line.
    is_unterminated: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.row_bytes > MAX_ROW_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let count = self.inner.read(buffer)?;
        self.row_bytes += count;
        match buffer.get(..count).and_then(<[u8]>::last) {
            Some(byte) => self.last_byte = Some(*byte),
            None if !buffer.is_empty() => self.is_unterminated = self.last_byte != Some(b'\n'),
            None => {}
        }
        Ok(count)
    }
}
