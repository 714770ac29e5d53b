//! Readings from a CSV file in the columns of the coursework producer.
//!
//! A file is read twice: [`CsvFile::check`] looks through all of it before anything is sent, [`CsvFile::rows`] streams
//! it. Both hold one row at a time, so that a file may have millions.
//!
//! Columns are found by their name in the first line, in any order and case: `patient_id`, `heart_rate`, `spo2`, `systolic`,
//! `diastolic`, `respiratory_rate`, `temperature`, and optionally `timestamp`. Other columns are passed over. White space
//! around a cell is no part of it; a blank cell is a sign that was not measured.

mod bounded;
mod columns;
mod error;
mod survey;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

pub use error::CsvError;
pub use survey::Survey;

use self::bounded::{Bounded, RowLimit};
use self::columns::Columns;
use crate::faults::Fault;
use crate::reading::reject::Reject;
use crate::reading::{PatientId, Reading, Signs, Timestamp};

/// One row that can be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Who was measured.
    pub patient: PatientId,
    /// When; where the file does not say it, it is the time of sending.
    pub time: Option<Timestamp>,
    /// What was measured: at least one sign.
    pub signs: Signs,
}

impl Row {
    /// The reading, with `now` where the file tells no time.
    ///
    /// # Errors
    /// As [`Reading::new`]; not for a row that came from a file.
    pub fn into_reading(self, now: Timestamp) -> Result<Reading, Reject> {
        Reading::new(self.patient, self.time.unwrap_or(now), self.signs)
    }
}

/// What a row turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// One that can be sent.
    Row(Row),
    /// One without any sign: there is nothing to send.
    WithoutSign,
    /// One that is malformed.
    Malformed(Fault),
}

/// A CSV file whose first line was found in order.
#[derive(Debug)]
pub struct CsvFile {
    path: PathBuf,
    columns: Columns,
}

impl CsvFile {
    /// Opens the file and reads its first line.
    ///
    /// # Errors
    /// Where the file cannot be read, is none that can be read twice, or lacks a column.
    pub fn open(path: &Path) -> Result<Self, CsvError> {
        let mut reader = open(path)?;
        let header = reader.reader.byte_headers().map_err(|error| CsvError::from_csv(path, error))?;
        let columns = Columns::find(header).map_err(|flaw| CsvError::FirstLine { path: path.to_owned(), flaw })?;
        Ok(Self { path: path.to_owned(), columns })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of columns that are passed over.
    #[must_use]
    pub fn ignored_columns(&self) -> &[String] {
        self.columns.ignored()
    }

    /// Looks through the whole file.
    ///
    /// # Errors
    /// Where the file cannot be read to its end. Malformed rows are no error here: the survey counts them.
    pub fn check(&self) -> Result<Survey, CsvError> {
        let mut survey = Survey::default();
        for entry in self.rows()? {
            survey.note(entry?);
        }
        Ok(survey)
    }

    /// Streams the file from its beginning.
    ///
    /// # Errors
    /// Where it cannot be opened any more, or its first line has changed.
    pub fn rows(&self) -> Result<Rows, CsvError> {
        let mut reader = open(&self.path)?;
        let header = reader.reader.byte_headers().map_err(|error| CsvError::from_csv(&self.path, error))?;
        if Columns::find(header).ok().as_ref() != Some(&self.columns) {
            return Err(CsvError::Changed { path: self.path.clone() });
        }
        Ok(Rows { path: self.path.clone(), columns: self.columns.clone(), reader, record: ByteRecord::new() })
    }
}

/// The rows of a file, one after the other. It ends at the file's end or after an error.
#[derive(Debug)]
pub struct Rows {
    path: PathBuf,
    columns: Columns,
    reader: LimitedReader,
    record: ByteRecord,
}

impl Iterator for Rows {
    type Item = Result<Entry, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.limit.begin_row();
        match self.reader.reader.read_byte_record(&mut self.record) {
            Ok(true) => Some(Ok(self.entry())),
            Ok(false) => None,
            Err(error) => Some(Err(CsvError::from_csv(&self.path, error))),
        }
    }
}

impl Rows {
    fn entry(&self) -> Entry {
        match self.columns.row(&self.record) {
            Ok(Some(row)) => Entry::Row(row),
            Ok(None) => Entry::WithoutSign,
            Err((column, flaw)) => Entry::Malformed(Fault { line: self.first_line(), column, flaw }),
        }
    }

    /// The line in which the last row begins. The record's own position is that of the blank lines in front of it, so
    /// this counts back from its end.
    fn first_line(&self) -> u64 {
        let lines = self.record.as_slice().split(|byte| *byte == b'\n').count();
        let lines = lines - usize::from(self.reader.limit.ends_without_terminator());
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        self.reader.reader.position().line().saturating_sub(lines)
    }
}

#[derive(Debug)]
struct LimitedReader {
    reader: Reader<Bounded<File>>,
    limit: RowLimit,
}

fn open(path: &Path) -> Result<LimitedReader, CsvError> {
    let unreadable = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => CsvError::Missing { path: path.to_owned() },
        _ => CsvError::Unreadable { path: path.to_owned(), source },
    };
    // Asked before opening, because opening a pipe waits for its writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(CsvError::Directory { path: path.to_owned() });
    }
    if !metadata.is_file() {
        return Err(CsvError::NotAFile { path: path.to_owned() });
    }
    if metadata.len() == 0 {
        return Err(CsvError::Empty { path: path.to_owned() });
    }
    let (bounded, limit) = Bounded::new(File::open(path).map_err(unreadable)?);
    // A row with a missing cell is one fault among others and must not end the reading. The `\r` of a Windows line end
    // is left to its cell, which is trimmed: lines are then counted where they end.
    let reader = ReaderBuilder::new().flexible(true).terminator(Terminator::Any(b'\n')).from_reader(bounded);
    Ok(LimitedReader { reader, limit })
}
