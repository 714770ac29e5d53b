//! Reads the records of a CSV file, in the quoting of cqlsh and in that of everybody else. [`encode`](super::encode)
//! writes them.
//!
//! cqlsh writes a backslash before a quotation mark and before a backslash, within quotes and without; others write a
//! quotation mark twice. The `csv` crate reads the one or the other, and no backslash outside of quotes; this reads all
//! of it.

use std::io::{self, BufRead, ErrorKind};

/// The longest record. One of the table has about 70 bytes; a key can have twice 64 KiB.
const MAX_RECORD_BYTES: usize = 1024 * 1024;

pub(super) struct Records<R> {
    input: R,
    cells: Cells,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// A record that begins in this line; [`Records::cells`] has its cells.
    Cells(u64),
    /// What begins in this line has no end within the file, or within [`MAX_RECORD_BYTES`]: nothing is read behind it.
    Endless(u64),
    /// There is no more.
    End,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, cells: Cells { line: 1, ..Cells::default() }, ended: false }
    }

    pub(super) fn cells(&self) -> &[Vec<u8>] {
        self.cells.texts.get(..self.cells.used).unwrap_or_default()
    }

    /// Reads the next record. Lines without anything are passed over.
    pub(super) fn next(&mut self) -> io::Result<Record> {
        while !self.ended {
            let line = self.cells.line;
            let whole = self.read()?;
            if !whole {
                self.ended = true;
                return Ok(Record::Endless(line));
            }
            if !matches!(self.cells(), [only] if only.is_empty()) {
                return Ok(Record::Cells(line));
            }
        }
        Ok(Record::End)
    }

    /// Tells whether the record is whole.
    fn read(&mut self) -> io::Result<bool> {
        self.cells.begin_record();
        let mut taken = 0;
        while taken <= MAX_RECORD_BYTES {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            };
            if buffer.is_empty() {
                self.ended = true;
                return Ok(self.cells.end_file());
            }
            let end = buffer.iter().position(|byte| self.cells.take(*byte));
            let read = end.map_or(buffer.len(), |at| at + 1);
            self.input.consume(read);
            if end.is_some() {
                return Ok(true);
            }
            taken += read;
        }
        Ok(false)
    }
}

/// The cells of a record while it comes in, byte by byte. Their memory is used again.
#[derive(Default)]
struct Cells {
    texts: Vec<Vec<u8>>,
    used: usize,
    state: InCell,
    escaped: bool,
    /// A carriage return waits: it may be a part of the line's end.
    return_waits: bool,
    /// The line that the next byte is in, from 1.
    line: u64,
}

/// Where in a cell the next byte stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum InCell {
    #[default]
    Begin,
    Plain,
    Quoted,
    /// Behind a quotation mark within quotes: it ends them, or is the first of two.
    AfterQuote,
}

impl Cells {
    fn begin_record(&mut self) {
        self.used = 0;
        self.begin_cell();
    }

    fn begin_cell(&mut self) {
        match self.texts.get_mut(self.used) {
            Some(cell) => cell.clear(),
            None => self.texts.push(Vec::new()),
        }
        self.used += 1;
        self.state = InCell::Begin;
    }

    fn push(&mut self, byte: u8) {
        if let Some(cell) = self.texts.get_mut(self.used.saturating_sub(1)) {
            cell.push(byte);
        }
    }

    /// Takes a byte, and tells whether the record ends with it.
    fn take(&mut self, byte: u8) -> bool {
        self.line += u64::from(byte == b'\n');
        if self.escaped {
            self.escaped = false;
            self.push(byte);
            return false;
        }
        if std::mem::take(&mut self.return_waits) && byte != b'\n' {
            self.push(b'\r');
            self.state = InCell::Plain;
        }
        match (self.state, byte) {
            (InCell::AfterQuote, b'"') => {
                self.push(byte);
                self.state = InCell::Quoted;
            }
            (InCell::Quoted, b'"') => self.state = InCell::AfterQuote,
            (InCell::Begin, b'"') => self.state = InCell::Quoted,
            (state, b'\\') => {
                self.escaped = true;
                self.state = if state == InCell::Quoted { state } else { InCell::Plain };
            }
            (InCell::Quoted, _) => self.push(byte),
            (_, b',') => self.begin_cell(),
            (_, b'\n') => return true,
            (_, b'\r') => self.return_waits = true,
            _ => {
                self.push(byte);
                self.state = InCell::Plain;
            }
        }
        false
    }

    /// Tells whether the record is whole although no line's end is behind it.
    fn end_file(&mut self) -> bool {
        if std::mem::take(&mut self.escaped) {
            self.push(b'\\');
        }
        self.return_waits = false;
        self.state != InCell::Quoted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, Vec<String>)> {
        // A buffer of three bytes ends in the middle of everything.
        let mut records = Records::new(io::BufReader::with_capacity(3, text.as_bytes()));
        let mut all = Vec::new();
        loop {
            match records.next().unwrap() {
                Record::Cells(line) => {
                    let cells = records.cells().iter().map(|cell| String::from_utf8(cell.clone()).unwrap());
                    all.push((line, cells.collect()));
                }
                Record::Endless(line) => all.push((line, vec!["endless".to_owned()])),
                Record::End => return all,
            }
        }
    }

    fn cells(text: &str) -> Vec<String> {
        let all = read(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap().1
    }

    #[test]
    fn cells_end_at_commas_and_records_at_line_ends_of_both_kinds() {
        let all = read("a,b,\r\n\n,1\n\r\nlast");
        let expected = [(1, vec!["a", "b", ""]), (3, vec!["", "1"]), (5, vec!["last"])];
        let expected = expected.map(|(line, cells)| (line, cells.into_iter().map(str::to_owned).collect()));
        assert_eq!(all, expected);
    }

    #[test]
    fn quotes_of_cqlsh_and_of_others_are_both_read() {
        assert_eq!(cells(r#""a\"b\\c",x\"y\\z"#), [r#"a"b\c"#, r#"x"y\z"#]);
        assert_eq!(cells(r#""a""b","","""""#), [r#"a"b"#, "", r#"""#]);
        assert_eq!(cells(r#"a"b,"c"d"#), [r#"a"b"#, "cd"]);
    }

    #[test]
    fn a_cell_in_quotes_may_hold_commas_and_line_ends_and_later_lines_are_counted() {
        let all = read("\"a,\r\nb\",\"\n\"\nc\n");
        assert_eq!(all[0], (1, vec!["a,\r\nb".to_owned(), "\n".to_owned()]));
        assert_eq!(all[1], (4, vec!["c".to_owned()]));
    }

    #[test]
    fn a_carriage_return_within_a_line_is_a_part_of_its_cell() {
        assert_eq!(cells("a\rb,\r,c\r\r\n"), ["a\rb", "\r", "c\r"]);
    }

    #[test]
    fn a_quotation_mark_that_is_not_closed_has_no_end() {
        assert_eq!(read("a\n\"b\nc\n").last(), Some(&(2, vec!["endless".to_owned()])));
        let long = format!("a\n\"{}\nb\n", "x".repeat(MAX_RECORD_BYTES + 10));
        assert_eq!(read(&long).last(), Some(&(2, vec!["endless".to_owned()])));
    }

    #[test]
    fn a_backslash_at_the_end_is_one() {
        assert_eq!(cells("a,b\\"), ["a", "b\\"]);
    }
}
