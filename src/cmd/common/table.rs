//! Data as rows: each column stands beside the value that it shows.

use std::borrow::Borrow;

use crate::output::{Cell, Column, FormatArgs, Output, OutputError, Rows, Value};

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

/// What programs get of these `items`.
#[cfg(test)]
pub(in crate::cmd) fn ndjson<T>(fields: &[Field<T>], items: impl IntoIterator<Item = impl Borrow<T>>) -> String {
    let (output, memory) = Output::into_memory();
    print(&output, FormatArgs { format: Some(crate::output::Format::Ndjson) }, fields, items).unwrap();
    memory.stdout()
}
