//! Data in rows, streamed in the format that was asked for.

use super::cell::{Cell, Column};
use super::error::OutputError;
use super::format::Format;
use super::visible::Escape;
use super::{MARK, Output, Text, Tone, render};

/// A table needs to know all its rows to find the widths of its columns. Past this many it is printed in blocks, each
/// with its own headings, so that memory stays bounded.
const TABLE_BLOCK_ROWS: usize = 1000;

/// Prints rows one by one. What was pushed is sure to be printed only after [`Rows::finish`]; without it a JSON array
/// stays open, which tells a reader that it is not whole.
#[derive(Debug)]
pub struct Rows<'a> {
    output: &'a Output,
    columns: &'a [Column],
    format: Format,
    waiting: Vec<Vec<Cell>>,
    any: bool,
    any_marked: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(output: &'a Output, format: Format, columns: &'a [Column]) -> Self {
        Self { output, columns, format, waiting: Vec::new(), any: false, any_marked: false }
    }

    /// Prints a row: one cell for each column, in their order.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<(), OutputError> {
        debug_assert_eq!(row.len(), self.columns.len());
        let first = !std::mem::replace(&mut self.any, true);
        match self.format {
            Format::Table => self.push_to_table(row),
            Format::Json => {
                let before = if first { "[\n" } else { ",\n" };
                self.output.data(&format!("{before}{}", render::json_object(self.columns, &row)), Escape::Json)
            }
            Format::Ndjson => self.output.data(&format!("{}\n", render::json_object(self.columns, &row)), Escape::Json),
            Format::Csv => {
                let header = if first { render::csv_header(self.columns) } else { String::new() };
                self.output.data(&format!("{header}{}", render::csv_row(&row)), Escape::Text)
            }
        }
    }

    /// Makes what was pushed be seen now, for rows that come over time. Of a table this prints a block.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        self.print_block()?;
        self.output.flush()
    }

    /// Prints what is still waiting, and the end of the format.
    pub fn finish(mut self) -> Result<(), OutputError> {
        match self.format {
            Format::Table => {
                self.print_block()?;
                self.explain_marks();
            }
            Format::Json => self.output.data(if self.any { "\n]\n" } else { "[]\n" }, Escape::Json)?,
            Format::Ndjson => {}
            Format::Csv if self.any => {}
            Format::Csv => self.output.data(&render::csv_header(self.columns), Escape::Text)?,
        }
        self.output.flush()
    }

    fn push_to_table(&mut self, row: Vec<Cell>) -> Result<(), OutputError> {
        self.any_marked |= row.iter().any(|cell| cell.marked);
        self.waiting.push(row);
        if self.waiting.len() < TABLE_BLOCK_ROWS { Ok(()) } else { self.print_block() }
    }

    fn explain_marks(&self) {
        if self.any_marked {
            self.output.note(format_args!("{MARK} marks a value that is not believed; it is shown as it was sent"));
        }
    }

    fn print_block(&mut self) -> Result<(), OutputError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        let table = render::table(self.columns, &rows, self.output.width());
        let (heading, rest) = table.split_at(table.find('\n').unwrap_or(0));
        self.output.buffer(&Text::default().toned(Tone::Heading, heading).plain(rest))
    }
}
