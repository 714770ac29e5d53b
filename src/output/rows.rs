//! Data in rows, streamed in the format that was asked for.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::visible::{Escape, for_cell, visible};
use super::{MARK, Output, OutputError, Text, Tone};

/// A table needs to know all its rows to find the widths of its columns. Past this many it is printed in blocks, each
/// with its own headings, so that memory stays bounded.
const TABLE_BLOCK_ROWS: usize = 1000;

/// Prints rows one by one. What was pushed is sure to be printed only after [`Rows::finish`]; without it a JSON array
/// stays open, which tells a reader that it is not whole.
#[derive(Debug)]
pub struct Rows<'a> {
    output: &'a Output,
    columns: Vec<Column>,
    format: Format,
    waiting: Vec<Vec<Cell>>,
    any: bool,
    any_marked: bool,
}

impl Output {
    /// Begins rows of data on standard output, with these `columns`.
    pub fn rows(&self, format: FormatArgs, columns: &[Column]) -> Rows<'_> {
        let format = format.choose(self.stdout_is_terminal());
        Rows { output: self, columns: columns.to_vec(), format, waiting: Vec::new(), any: false, any_marked: false }
    }
}

impl Rows<'_> {
    /// Prints a row: one cell for each column, in their order.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<(), OutputError> {
        debug_assert_eq!(row.len(), self.columns.len());
        let is_first = !std::mem::replace(&mut self.any, true);
        match self.format {
            Format::Table => {
                self.any_marked |= row.iter().any(|cell| cell.marked);
                self.waiting.push(row);
                if self.waiting.len() < TABLE_BLOCK_ROWS { Ok(()) } else { self.print_block() }
            }
            Format::Json => {
                let before = if is_first { "[\n" } else { ",\n" };
                self.output.data(&format!("{before}{}", json_object(&self.columns, &row)), Escape::Json)
            }
            Format::Ndjson => self.output.data(&format!("{}\n", json_object(&self.columns, &row)), Escape::Json),
            Format::Csv => {
                let header = if is_first { csv_header(&self.columns) } else { String::new() };
                let line = csv_row(&row);
                self.output.data(&format!("{header}{line}"), Escape::Text)
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
                if self.any_marked {
                    let what = "marks a value that is not believed; it is shown as it was sent";
                    self.output.note(format_args!("{MARK} {what}"));
                }
            }
            Format::Json => self.output.data(if self.any { "\n]\n" } else { "[]\n" }, Escape::Json)?,
            Format::Ndjson => {}
            Format::Csv if self.any => {}
            Format::Csv => self.output.data(&csv_header(&self.columns), Escape::Text)?,
        }
        self.output.flush()
    }

    fn print_block(&mut self) -> Result<(), OutputError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        let table = table(&self.columns, &rows, self.output.width());
        let (heading, rest) = table.split_at(table.find('\n').unwrap_or(0));
        self.output.buffer(&Text::default().toned(Tone::Heading, heading).plain(rest))
    }
}

/// How a command shows its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns for people; a missing value is `-`.
    Table,
    /// One array of objects; a missing value is null.
    Json,
    /// One object a line; a missing value is null.
    Ndjson,
    /// A line of names, then one line a row; a missing value is empty, the items of a list stand apart by spaces.
    Csv,
}

/// The option `-o`, for every command that shows data.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct FormatArgs {
    /// How to show the data [default: table on a terminal, ndjson elsewhere]
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
}

impl FormatArgs {
    /// The format that was asked for, or the one that suits where standard output goes.
    pub fn choose(self, stdout_is_terminal: bool) -> Format {
        self.format.unwrap_or(if stdout_is_terminal { Format::Table } else { Format::Ndjson })
    }
}

/// The formats in which a command shows one object: there are no rows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ObjectFormat {
    /// One screen, for people
    Table,
    /// One object, over several lines
    Json,
    /// One object on one line
    Ndjson,
}

/// The option `-o` of a command that shows one object.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct ObjectFormatArgs {
    /// How to show it [default: table on a terminal, ndjson elsewhere]
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum)]
    pub format: Option<ObjectFormat>,
}

impl ObjectFormatArgs {
    /// The format that was asked for, or the one that suits where standard output goes.
    pub fn choose(self, stdout_is_terminal: bool) -> ObjectFormat {
        let suitable = if stdout_is_terminal { ObjectFormat::Table } else { ObjectFormat::Ndjson };
        self.format.unwrap_or(suitable)
    }
}

const NO_MARK: &str = "  ";

/// The row as an object of JSON, on one line.
pub fn json_object(columns: &[Column], row: &[Cell]) -> String {
    let fields: Vec<_> = columns
        .iter()
        .zip(row)
        .map(|(column, cell)| format!("{}:{}", json_text(column.name), json_value(&cell.value)))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// The line of a CSV file that names the columns.
pub fn csv_head(columns: &[Column]) -> String {
    csv_header(columns)
}

/// The row as a line of a CSV file.
pub fn csv_row(row: &[Cell]) -> String {
    csv_line(row.iter().map(|cell| plain(&cell.value, "")))
}

fn json_value(value: &Value) -> String {
    match value {
        Value::Text(text) => json_text(text),
        // JSON has no such number; as text it is at least not lost.
        Value::Decimal(number) if !number.is_finite() => json_text(&number.to_string()),
        Value::List(texts) => serde_json::Value::from(texts.clone()).to_string(),
        value => plain(value, "null"),
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn csv_header(columns: &[Column]) -> String {
    csv_line(columns.iter().map(|column| column.name.to_owned()))
}

fn csv_line(fields: impl Iterator<Item = String>) -> String {
    let mut writer = csv::WriterBuilder::new().buffer_capacity(256).from_writer(Vec::new());
    // Writing to memory cannot fail, and every line of a writer of its own has "the same" number of fields.
    let _ = writer.write_record(fields);
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn plain(value: &Value, missing: &str) -> String {
    match value {
        Value::Missing => missing.to_owned(),
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        // The shortest text that means it, with at least one decimal: 37 degrees are 37.0, as Python prints them.
        Value::Decimal(number) => format!("{number:?}"),
        Value::Flag(flag) => flag.to_string(),
        Value::List(texts) => texts.join(" "),
        Value::Nested(nested) => nested.to_string(),
    }
}

/// The rows as a table that fits into `width` columns of the terminal, or takes what it needs; with a line break at
/// the end. In a column that has marks, everything else keeps their place free, so that numbers stand under each other.
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let has_value =
        |place: usize| rows.iter().filter_map(|row| row.get(place)).any(|cell| cell.value != Value::Missing);
    let is_shown = |(place, column): &(usize, &Column)| column.in_table && (!column.where_known || has_value(*place));
    let shown: Vec<_> = (0..).zip(columns).filter(is_shown).collect();
    let has_marks = |place: usize| rows.iter().filter_map(|row| row.get(place)).any(|cell| cell.marked);
    let no_mark: Vec<_> = shown.iter().map(|(place, _)| if has_marks(*place) { NO_MARK } else { "" }).collect();
    table.set_header(shown.iter().zip(&no_mark).map(|((_, column), no_mark)| format!("{}{no_mark}", column.heading)));
    for row in rows {
        let cells = shown.iter().filter_map(|(place, column)| Some((column, row.get(*place)?))).zip(&no_mark);
        table.add_row(cells.map(|((column, cell), no_mark)| {
            let text = table_text(column, &cell.value, width.is_some());
            if cell.marked { format!("{text} {MARK}") } else { format!("{text}{no_mark}") }
        }));
    }
    for ((_, column), layout) in shown.iter().zip(table.column_iter_mut()) {
        layout.set_padding((0, 2));
        layout.set_cell_alignment(if column.numbers { CellAlignment::Right } else { CellAlignment::Left });
    }
    format!("{}\n", table.trim_fmt())
}

fn table_text(column: &Column, value: &Value, is_on_terminal: bool) -> String {
    let text = match value {
        Value::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        value if is_on_terminal => for_cell(&plain(value, "-")).into_owned(),
        value => visible(&plain(value, "-")),
    };
    match column.longest {
        Some(longest) if text.chars().count() > longest => {
            text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
        }
        _ => text,
    }
}

/// A column: its name for programs, which never changes, and its heading for people.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    name: &'static str,
    heading: &'static str,
    numbers: bool,
    in_table: bool,
    where_known: bool,
    longest: Option<usize>,
}

impl Column {
    /// A column of text.
    pub const fn text(name: &'static str, heading: &'static str) -> Self {
        Self { name, heading, numbers: false, in_table: true, where_known: false, longest: None }
    }

    /// A column of numbers: they stand on the right.
    pub const fn number(name: &'static str, heading: &'static str) -> Self {
        Self { numbers: true, ..Self::text(name, heading) }
    }

    /// A column that only programs get; a table says the same in another way, such as marks.
    pub const fn for_programs(name: &'static str) -> Self {
        Self { in_table: false, ..Self::text(name, name) }
    }

    /// Leaves it out of a table in which no row has a value of it.
    #[must_use]
    pub const fn where_known(mut self) -> Self {
        self.where_known = true;
        self
    }

    /// Cuts longer texts to so many characters in a table; programs get them whole.
    #[must_use]
    pub const fn shortened(mut self, characters: usize) -> Self {
        self.longest = Some(characters);
        self
    }
}

/// A value with its type, which JSON keeps.
#[allow(missing_docs, reason = "the types say it")]
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing was measured, or nothing is known.
    Missing,
    Text(String),
    Integer(i64),
    Decimal(f64),
    /// `yes` or `no` to people.
    Flag(bool),
    List(Vec<String>),
    /// A list or an object of JSON; elsewhere it is shown as JSON too.
    Nested(serde_json::Value),
}

/// One cell of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    value: Value,
    marked: bool,
}

impl Cell {
    /// Marks the cell with [`MARK`] in a table, if `marked`. The other formats leave the mark out.
    #[must_use]
    pub fn marked(mut self, marked: bool) -> Self {
        self.marked = marked;
        self
    }
}

impl<T: Into<Value>> From<T> for Cell {
    fn from(value: T) -> Self {
        Self { value: value.into(), marked: false }
    }
}

macro_rules! value_from {
    ($($from:ty: $given:ident => $value:expr,)+) => {$(
        impl From<$from> for Value {
            fn from($given: $from) -> Self {
                $value
            }
        }
    )+};
}

value_from! {
    String: text => Self::Text(text),
    &str: text => Self::Text(text.to_owned()),
    i32: number => Self::Integer(number.into()),
    i64: number => Self::Integer(number),
    // A count; beyond what fits it stays at the largest.
    u64: count => Self::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
    usize: count => Self::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
    f64: number => Self::Decimal(number),
    // Through the shortest text, so that 36.8 stays 36.8 and does not become 36.79999923706055.
    f32: number => Self::Decimal(number.to_string().parse().unwrap_or_else(|_| number.into())),
    bool: flag => Self::Flag(flag),
    Vec<String>: texts => Self::List(texts),
    serde_json::Value: nested => Self::Nested(nested),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}
