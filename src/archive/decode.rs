//! Text into rows.

use std::io::{self, BufRead, Read as _};

use super::csv::{Record, Records};
use super::fault::MAX_KEY_BYTES;
use super::json::{At, Object};
use super::value::{decimal, whole};
use super::{COLUMNS, Fault, Flaw, Format};
use crate::intake::csv as cells;
use crate::reading::Signs;
use crate::store::StoredReading;

/// How many names of columns that are not ours are kept to be told.
const MAX_UNKNOWN: usize = 20;

/// Reads rows out of text, one by one. It ends at the text's end, or where reading failed.
pub struct Rows<R> {
    lines: Lines<R>,
    unknown: Vec<String>,
}

enum Lines<R> {
    Csv { records: Records<R>, layout: Option<Layout> },
    Ndjson { input: R, line: u64, text: Vec<u8> },
}

/// What a line turned out to be.
#[derive(Debug, PartialEq)]
pub enum Entry {
    /// A row.
    Row(StoredReading),
    /// None of them.
    Fault(Fault),
}

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system does not give more.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The first line names columns, but not these.
    #[error("line 1 names no column {}", .0.join(", "))]
    MissingColumns(Vec<&'static str>),
}

impl<R: BufRead> Rows<R> {
    /// Reads `input` as this format. A byte order mark before it is passed over.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn new(mut input: R, format: Format) -> io::Result<Self> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        if input.fill_buf()?.starts_with(MARK) {
            input.consume(MARK.len());
        }
        let lines = match format {
            Format::Csv => Lines::Csv { records: Records::new(input), layout: None },
            Format::Ndjson => Lines::Ndjson { input, line: 0, text: Vec::new() },
        };
        Ok(Self { lines, unknown: Vec::new() })
    }

    /// Names that are no column of ours, as far as they were seen.
    #[must_use]
    pub fn unknown_columns(&self) -> &[String] {
        &self.unknown
    }

    /// The next row or fault; `None` at the end.
    ///
    /// # Errors
    /// [`ReadError`]; nothing can be read behind it.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        let (line, outcome) = match &mut self.lines {
            Lines::Csv { records, layout } => {
                let line = match begin(records, layout, &mut self.unknown)? {
                    Record::Cells(line) => line,
                    Record::Endless(line) => return Ok(Some(Entry::fault(line, (None, Flaw::Endless)))),
                    Record::End => return Ok(None),
                };
                (line, layout.get_or_insert_default().row(records.cells()))
            }
            Lines::Ndjson { input, line, text } => {
                if !next_line(input, line, text)? {
                    return Ok(None);
                }
                (*line, json_row(text, &mut self.unknown))
            }
        };
        Ok(Some(outcome.map_or_else(|at| Entry::fault(line, at), Entry::Row)))
    }
}

impl Entry {
    fn fault(line: u64, (column, flaw): At) -> Self {
        Self::Fault(Fault { line, column, flaw })
    }
}

/// Reads a record; where it is the first and names columns, the one behind it.
fn begin<R: BufRead>(
    records: &mut Records<R>,
    layout: &mut Option<Layout>,
    unknown: &mut Vec<String>,
) -> Result<Record, ReadError> {
    let record = records.next()?;
    if layout.is_none() && matches!(record, Record::Cells(_)) {
        if let Some(named) = Layout::of_names(records.cells(), unknown)? {
            *layout = Some(named);
            return Ok(records.next()?);
        }
        *layout = Some(Layout::default());
    }
    Ok(record)
}

/// Where the columns stand in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Layout {
    places: [usize; COLUMNS.len()],
    count: usize,
}

/// The table's own order, which a file without names has.
impl Default for Layout {
    fn default() -> Self {
        Self { places: std::array::from_fn(|place| place), count: COLUMNS.len() }
    }
}

impl Layout {
    /// Takes the cells as names, if they are: no row has both parts of the key called so.
    fn of_names(cells: &[Vec<u8>], unknown: &mut Vec<String>) -> Result<Option<Self>, ReadError> {
        let place = |name: &str| cells.iter().position(|cell| cell.trim_ascii() == name.as_bytes());
        if place("patient_id").is_none() || place("timestamp").is_none() {
            return Ok(None);
        }
        let missing: Vec<_> = COLUMNS.into_iter().filter(|name| place(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(ReadError::MissingColumns(missing));
        }
        let others = cells.iter().map(|cell| String::from_utf8_lossy(cell.trim_ascii()).into_owned());
        unknown.extend(others.filter(|name| !COLUMNS.contains(&name.as_str())).take(MAX_UNKNOWN));
        Ok(Some(Self { places: COLUMNS.map(|name| place(name).unwrap_or_default()), count: cells.len() }))
    }

    fn row(&self, cells: &[Vec<u8>]) -> Result<StoredReading, At> {
        if cells.len() != self.count {
            let flaw = cells::Flaw::CellCount { found: cells.len(), expected: self.count };
            return Err((None, flaw.into()));
        }
        let text = |column: usize| {
            let cell = self.places.get(column).and_then(|place| cells.get(*place)).map(Vec::as_slice);
            std::str::from_utf8(cell.unwrap_or_default()).map_err(|_| Flaw::from(cells::Flaw::NotUtf8))
        };
        assemble(
            |column| text(column).map(str::to_owned),
            |column| whole(text(column)?),
            |column| decimal(text(column)?),
        )
    }
}

fn json_row(line: &[u8], unknown: &mut Vec<String>) -> Result<StoredReading, At> {
    let line = std::str::from_utf8(line).map_err(|_| (None, cells::Flaw::NotUtf8.into()))?;
    let object = Object::parse(line, |name| {
        if unknown.len() < MAX_UNKNOWN && !unknown.iter().any(|known| known == name) {
            unknown.push(name.to_owned());
        }
    })?;
    assemble(|column| object.text(column), |column| object.whole(column), |column| object.decimal(column))
}

/// Puts a row together; each function gives the value of a column by its place in [`COLUMNS`].
fn assemble(
    text: impl Fn(usize) -> Result<String, Flaw>,
    whole: impl Fn(usize) -> Result<Option<i32>, Flaw>,
    decimal: impl Fn(usize) -> Result<Option<f32>, Flaw>,
) -> Result<StoredReading, At> {
    let at = |column: usize| move |flaw| (COLUMNS.get(column).copied(), flaw);
    let key = |column: usize| text(column).and_then(fits_a_key).map_err(at(column));
    let patient_id = key(0)?;
    if patient_id.is_empty() {
        return Err(at(0)(Flaw::Missing));
    }
    let whole = |column: usize| whole(column).map_err(at(column));
    Ok(StoredReading {
        patient_id,
        timestamp: key(1)?,
        signs: Signs {
            heart_rate: whole(2)?,
            spo2: whole(3)?,
            systolic: whole(4)?,
            diastolic: whole(5)?,
            respiratory_rate: whole(6)?,
            temperature: decimal(7).map_err(at(7))?,
        },
    })
}

fn fits_a_key(text: String) -> Result<String, Flaw> {
    if text.len() <= MAX_KEY_BYTES { Ok(text) } else { Err(Flaw::TooLong) }
}

/// The longest line of JSON: a key can be written with six bytes for each of its own.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

/// Reads the next line that is not blank, without its end. `false` where there is none.
fn next_line<R: BufRead>(input: &mut R, line: &mut u64, text: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        text.clear();
        let mut limited = input.take(MAX_LINE_BYTES);
        if limited.read_until(b'\n', text)? == 0 {
            return Ok(false);
        }
        *line += 1;
        if limited.limit() == 0 && text.last() != Some(&b'\n') {
            // The rest of it is passed over; what is kept is no whole object.
            skip_line(input)?;
        }
        let trimmed = text.trim_ascii_end().len();
        text.truncate(trimmed);
        if !text.is_empty() {
            return Ok(true);
        }
    }
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let read = end.map_or(buffer.len(), |at| at + 1);
        let done = end.is_some() || buffer.is_empty();
        input.consume(read);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
