//! Rows as text, in each format.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::MARK;
use super::cell::{Cell, Column, Value};
use super::visible::{for_cell, visible};

/// As wide as a mark and the space before it.
const NO_MARK: &str = "  ";

/// The row as one JSON object, without a line break.
pub(super) fn json_object(columns: &[Column], row: &[Cell]) -> String {
    let fields: Vec<_> = columns
        .iter()
        .zip(row)
        .map(|(column, cell)| format!("{}:{}", json_text(column.name), json_value(&cell.value)))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn json_value(value: &Value) -> String {
    match value {
        Value::Missing => "null".to_owned(),
        Value::Text(text) => json_text(text),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) if number.is_finite() => decimal(*number),
        // JSON has no such number; as text it is at least not lost.
        Value::Decimal(number) => json_text(&number.to_string()),
        Value::Flag(flag) => flag.to_string(),
        Value::List(texts) => {
            let items: Vec<_> = texts.iter().map(|text| json_text(text)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Nested(nested) => nested.to_string(),
    }
}

/// The shortest text that means the number, with at least one decimal: 37 degrees are 37.0, as Python prints them.
fn decimal(number: f64) -> String {
    format!("{number:?}")
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The line of names above the rows of a CSV file, with its line break.
pub(super) fn csv_header(columns: &[Column]) -> String {
    csv_line(columns.iter().map(|column| column.name.to_owned()))
}

/// The row as a line of CSV, with its line break.
pub(super) fn csv_row(row: &[Cell]) -> String {
    csv_line(row.iter().map(|cell| plain(&cell.value, "")))
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
        Value::Decimal(number) => decimal(*number),
        Value::Flag(flag) => flag.to_string(),
        Value::List(texts) => texts.join(" "),
        Value::Nested(nested) => nested.to_string(),
    }
}

/// The rows as a table that fits into `width` columns of the terminal, or takes what it needs; with a line break at
/// the end.
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let shown: Vec<_> = (0..).zip(columns).filter(|(_, column)| column.in_table).collect();
    let marked: Vec<_> = shown.iter().map(|(place, _)| is_marked(rows, *place)).collect();
    table.set_header(shown.iter().zip(&marked).map(|((_, column), marked)| heading(column, *marked)));
    for row in rows {
        let cells = columns.iter().zip(row).filter(|(column, _)| column.in_table);
        table.add_row(
            cells.zip(&marked).map(|((column, cell), marked)| table_cell(column, cell, *marked, width.is_some())),
        );
    }
    for ((_, column), layout) in shown.iter().zip(table.column_iter_mut()) {
        layout.set_padding((0, 2));
        layout.set_cell_alignment(if column.numbers { CellAlignment::Right } else { CellAlignment::Left });
    }
    format!("{}\n", table.trim_fmt())
}

fn is_marked(rows: &[Vec<Cell>], place: usize) -> bool {
    rows.iter().filter_map(|row| row.get(place)).any(|cell| cell.marked)
}

/// In a column that has marks, everything else keeps their place free, so that numbers stand under each other.
fn heading(column: &Column, marked: bool) -> String {
    if marked { format!("{}{NO_MARK}", column.heading) } else { column.heading.to_owned() }
}

fn table_cell(column: &Column, cell: &Cell, marked: bool, is_on_terminal: bool) -> String {
    let text = match cell.value {
        Value::Flag(flag) => if flag { "yes" } else { "no" }.to_owned(),
        ref value if is_on_terminal => for_cell(&plain(value, "-")).into_owned(),
        ref value => visible(&plain(value, "-")),
    };
    let text = match column.longest {
        Some(longest) if text.chars().count() > longest => {
            text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
        }
        _ => text,
    };
    match (cell.marked, marked) {
        (true, _) => format!("{text} {MARK}"),
        (false, true) => format!("{text}{NO_MARK}"),
        (false, false) => text,
    }
}
