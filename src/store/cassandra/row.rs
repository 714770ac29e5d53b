//! The columns of a row that came back.

use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::{ByIndex, IntoRustByIndex};

use super::error::{CassandraError, Doing};

/// A row, to be taken apart by the place of its columns in the SELECT, from 0.
pub(super) struct Columns<'row> {
    row: &'row Row,
    doing: Doing,
}

impl<'row> Columns<'row> {
    pub(super) fn of(row: &'row Row, doing: Doing) -> Self {
        Self { row, doing }
    }

    /// A column that must have a value.
    pub(super) fn need<T>(&self, index: usize) -> Result<T, CassandraError>
    where
        Row: IntoRustByIndex<T>,
    {
        self.row.r_by_index(index).map_err(|error| CassandraError::from_driver(self.doing, error))
    }

    /// A column that may have none.
    pub(super) fn find<T>(&self, index: usize) -> Result<Option<T>, CassandraError>
    where
        Row: IntoRustByIndex<T>,
    {
        self.row.by_index(index).map_err(|error| CassandraError::from_driver(self.doing, error))
    }
}
