//! Text into rows. What `consume` would take as a message is a row, with its time in the one form of the table.

use std::borrow::Cow;
use std::io::{self, BufRead, Read as _};

use serde_json::value::RawValue;

use super::csv::{Record, Records};
use super::{ArchiveError, Format};
use crate::faults::{Fault, FirstLine, Flaw};
use crate::reading::bytes::{BYTE_ORDER_MARK, is_utf16};
use crate::reading::reject::Reject;
use crate::reading::{COLUMNS, FIRST_COLUMNS, Observation, PatientId, Reading, Sign, Signs, Timestamp, json};
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

/// Whether an import takes `row` as it is. What other programs wrote into the table it may refuse, or write in another
/// form.
pub fn takes(row: &StoredReading) -> bool {
    moment(row).is_some()
}

/// The moment of a row that an import takes as it is.
pub fn moment(row: &StoredReading) -> Option<Timestamp> {
    let (id, time) = (PatientId::parse(&row.patient_id).ok()?, Timestamp::parse(&row.timestamp).ok()?);
    (time.to_string() == row.timestamp && Reading::new(id, time, row.signs).is_ok()).then_some(time)
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
    /// The first line shows that nothing can be read.
    #[error("line 1: {0}")]
    FirstLine(#[from] FirstLine),
    /// An archive does not give more.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl<R: BufRead> Rows<R> {
    /// Reads `input` as this format. A byte order mark before it is passed over.
    pub fn new(mut input: R, format: Format) -> io::Result<Self> {
        if input.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            input.consume(BYTE_ORDER_MARK.len());
        }
        let lines = match format {
            Format::Csv => Lines::Csv { records: Records::new(input), layout: None },
            Format::Ndjson => Lines::Ndjson { input, line: 0, text: Vec::new() },
        };
        Ok(Self { lines, unknown: Vec::new() })
    }

    /// Names that are no column of ours, as far as they were seen.
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
                let is_first = *line == 0;
                if !next_line(input, line, text)? {
                    return Ok(None);
                }
                if is_first {
                    begins_with_an_object(text)?;
                }
                (*line, json_row(text, &mut self.unknown))
            }
        };
        Ok(Some(outcome.map_or_else(|at| Entry::fault(line, at), Entry::Row)))
    }
}

/// What is wrong, and with the value of which column.
type At = (Option<&'static str>, Flaw);

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
        if let Some(named) = Layout::of_first_line(records.cells(), unknown)? {
            *layout = Some(named);
            return Ok(records.next()?);
        }
        *layout = Some(Layout::without_names(records.cells().len()));
    }
    Ok(record)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Layout {
    /// Only of the first columns a file must have all.
    places: [Option<usize>; COLUMNS.len()],
    count: usize,
}

/// The table's own order, which a file without names has.
impl Default for Layout {
    fn default() -> Self {
        Self::without_names(COLUMNS.len())
    }
}

impl Layout {
    /// That of a file without names whose rows have so many cells: an earlier `vitals` knew no observations.
    fn without_names(count: usize) -> Self {
        Self { places: std::array::from_fn(|place| Some(place).filter(|place| *place < count)), count }
    }

    /// Takes the cells as names, if they are.
    fn of_first_line(cells: &[Vec<u8>], unknown: &mut Vec<String>) -> Result<Option<Self>, FirstLine> {
        let is = |cell: &[u8], name: &str| cell.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        let places =
            |name: &'static str| (0..).zip(cells).filter(move |(_, cell)| is(cell, name)).map(|(place, _)| place);
        let saved = || FirstLine::saved(cells.iter().map(Vec::as_slice));
        let first = COLUMNS.into_iter().take(FIRST_COLUMNS);
        let missing: Vec<_> = first.filter(|name| places(name).next().is_none()).collect();
        // In a row the id could be called like a column, and nothing else.
        if FIRST_COLUMNS - missing.len() < 2 {
            let (found, expected) = (cells.len(), FIRST_COLUMNS);
            let is_whole = found == expected || found == COLUMNS.len();
            let is_row = is_whole && !cells.first().is_some_and(|cell| is_utf16(cell));
            let flaw = || saved().unwrap_or(FirstLine::CellCount { found, expected });
            return if is_row { Ok(None) } else { Err(flaw()) };
        }
        if !missing.is_empty() {
            return Err(saved().unwrap_or(FirstLine::Missing(missing)));
        }
        if let Some(name) = COLUMNS.into_iter().find(|name| places(name).count() > 1) {
            return Err(FirstLine::Twice(name));
        }
        let others = cells.iter().filter(|cell| !COLUMNS.iter().any(|name| is(cell, name)));
        unknown.extend(others.map(|cell| String::from_utf8_lossy(cell.trim_ascii()).into_owned()).take(MAX_UNKNOWN));
        Ok(Some(Self { places: COLUMNS.map(|name| places(name).next()), count: cells.len() }))
    }

    fn row(&self, cells: &[Vec<u8>]) -> Result<StoredReading, At> {
        if cells.len() != self.count {
            return Err((None, Flaw::CellCount { found: cells.len(), expected: self.count }));
        }
        let text = |column: usize| {
            let cell = self.places.get(column).copied().flatten().and_then(|place| cells.get(place)).map(Vec::as_slice);
            std::str::from_utf8(cell.unwrap_or_default()).map_err(|_| Flaw::NotUtf8)
        };
        assemble(
            |column| text(column).map(Cow::Borrowed),
            |column| text(column).map(|cell| Some(cell).filter(|cell| !cell.is_empty())),
            |column| text(column).map(|cell| Some(Cow::Borrowed(cell)).filter(|cell| !cell.is_empty())),
        )
    }
}

/// A list and an object over several lines are told once, and not for each of their lines.
fn begins_with_an_object(line: &[u8]) -> Result<(), FirstLine> {
    match line.trim_ascii() {
        _ if is_utf16(line) => Err(FirstLine::Utf16),
        [b'{', _, ..] => Ok(()),
        _ => Err(FirstLine::NotAnObject),
    }
}

fn json_row(line: &[u8], unknown: &mut Vec<String>) -> Result<StoredReading, At> {
    let line = std::str::from_utf8(line).map_err(|_| (None, Flaw::NotUtf8))?;
    let object = Object::parse(line, |name| {
        if unknown.len() < MAX_UNKNOWN && !unknown.iter().any(|known| known == name) {
            unknown.push(name.to_owned());
        }
    })?;
    assemble(|column| object.text(column), |column| Ok(object.number(column)), |column| object.observation(column))
}

/// The values of a row, as JSON text; `None` for what is not there.
#[derive(Debug, Default)]
struct Object<'a> {
    values: [Option<&'a RawValue>; COLUMNS.len()],
}

impl<'a> Object<'a> {
    /// Takes a line apart. Names that are no column of ours go to `unknown`.
    fn parse(line: &'a str, mut unknown: impl FnMut(&str)) -> Result<Self, At> {
        let members = json::object(line).map_err(|reject| match reject {
            Reject::DuplicateKey => (None, Flaw::Twice),
            Reject::NotJson { column, .. } => (None, Flaw::NotAnObject { character: column }),
            _ => (None, Flaw::NotAnObject { character: 1 }),
        })?;
        let mut object = Self::default();
        for (name, value) in members {
            let columns = COLUMNS.into_iter().zip(&mut object.values);
            match columns.into_iter().find(|(column, _)| *column == name) {
                Some((_, place)) => *place = Some(value),
                None => unknown(&name),
            }
        }
        Ok(object)
    }

    fn text(&self, column: usize) -> Result<Cow<'a, str>, Flaw> {
        json::text(self.raw(column).ok_or(Flaw::Missing)?).ok_or(Flaw::NotAText)
    }

    /// A number as it stands there, if it is one; what is null was not measured.
    fn number(&self, column: usize) -> Option<&'a str> {
        self.raw(column).map(RawValue::get)
    }

    /// An observation as a cell has it: without the quotes that a letter stands in, and a word without.
    fn observation(&self, column: usize) -> Result<Option<Cow<'a, str>>, Flaw> {
        let Some(raw) = self.raw(column) else { return Ok(None) };
        let is_letter = COLUMNS.get(column) == Some(&Observation::Consciousness.name());
        let text = if is_letter { json::text(raw) } else { Some(Cow::Borrowed(raw.get())) };
        text.map(Some).ok_or(Flaw::NotAText)
    }

    fn raw(&self, column: usize) -> Option<&'a RawValue> {
        self.values.get(column).copied().flatten().filter(|value| !json::is_null(value))
    }
}

/// Puts a row together; each function gives the text of a column by its place in [`COLUMNS`], that of a number or an
/// observation only where there is one.
fn assemble<'a>(
    text: impl Fn(usize) -> Result<Cow<'a, str>, Flaw>,
    number: impl Fn(usize) -> Result<Option<&'a str>, Flaw>,
    observation: impl Fn(usize) -> Result<Option<Cow<'a, str>>, Flaw>,
) -> Result<StoredReading, At> {
    let at = |column: usize| move |flaw| (COLUMNS.get(column).copied(), flaw);
    let patient = text(0).and_then(|id| PatientId::parse(&id).map_err(|_| Flaw::PatientId)).map_err(at(0))?;
    let time = text(1).and_then(|time| Timestamp::parse(&time).map_err(|_| Flaw::Timestamp)).map_err(at(1))?;
    let mut signs = Signs::default();
    for (column, sign) in (2..).zip(Sign::ALL) {
        if let Some(text) = number(column).map_err(at(column))? {
            signs.parse(sign, text).map_err(|flaw| at(column)(flaw.into()))?;
        }
    }
    for (column, of) in (FIRST_COLUMNS..).zip(Observation::ALL) {
        if let Some(text) = observation(column).map_err(at(column))? {
            signs.observed.parse(of, &text).ok_or(Flaw::of(of)).map_err(at(column))?;
        }
    }
    // Nothing else can be wrong with signs that were read here.
    let reading = Reading::new(patient, time, signs).map_err(|_| (None, Flaw::NoSign))?;
    Ok(StoredReading { patient_id: reading.patient().to_string(), timestamp: reading.time().to_string(), signs })
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
