//! Data as rows: each column stands beside the value that it shows.

use std::borrow::Borrow;

use serde_json::value::RawValue;

use crate::output::{Cell, Column, FormatArgs, Output, OutputError, Rows, Value, json_object};

/// A column, and its value for a `T`.
pub(in crate::cmd) type Field<T> = (Column, fn(&T) -> Value);

/// A row for each item that is pushed, in the format that was asked for.
pub(in crate::cmd) struct Table<'a, T> {
    rows: Rows<'a>,
    fields: &'a [Field<T>],
}

impl<'a, T> Table<'a, T> {
    pub(in crate::cmd) fn new(output: &'a Output, format: FormatArgs, fields: &'a [Field<T>]) -> Self {
        let columns: Vec<Column> = fields.iter().map(|(column, _)| *column).collect();
        Self { rows: output.rows(format, &columns), fields }
    }

    pub(in crate::cmd) fn push(&mut self, item: &T) -> Result<(), OutputError> {
        self.rows.push(self.fields.iter().map(|(_, value)| Cell::from(value(item))).collect())
    }

    pub(in crate::cmd) fn flush(&mut self) -> Result<(), OutputError> {
        self.rows.flush()
    }

    pub(in crate::cmd) fn finish(self) -> Result<(), OutputError> {
        self.rows.finish()
    }
}

pub(in crate::cmd) fn print<T>(
    output: &Output,
    format: FormatArgs,
    fields: &[Field<T>],
    items: impl IntoIterator<Item = impl Borrow<T>>,
) -> Result<(), OutputError> {
    let mut table = Table::new(output, format, fields);
    items.into_iter().try_for_each(|item| table.push(item.borrow()))?;
    table.finish()
}

/// An object of JSON for each item, for a document that holds more than these.
pub(in crate::cmd) fn objects<T>(
    fields: &[Field<T>],
    items: impl IntoIterator<Item = impl Borrow<T>>,
) -> Result<Vec<Box<RawValue>>, serde_json::Error> {
    let columns: Vec<Column> = fields.iter().map(|(column, _)| *column).collect();
    let object = |item: &T| {
        let cells: Vec<Cell> = fields.iter().map(|(_, value)| Cell::from(value(item))).collect();
        RawValue::from_string(json_object(&columns, &cells))
    };
    items.into_iter().map(|item| object(item.borrow())).collect()
}

/// What programs get of these `items`.
#[cfg(test)]
pub(in crate::cmd) fn ndjson<T>(fields: &[Field<T>], items: impl IntoIterator<Item = impl Borrow<T>>) -> String {
    let (output, memory) = Output::into_memory();
    print(&output, FormatArgs { format: Some(crate::output::Format::Ndjson) }, fields, items).unwrap();
    memory.stdout()
}
