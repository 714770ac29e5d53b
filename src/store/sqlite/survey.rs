//! A look at the file and its tables.

use std::path::Path;

use super::error::{Doing, SqliteError};
use super::{SqliteStore, file, schema};
use crate::store::FileSurvey;

impl SqliteStore {
    /// Looks at the file and its tables. Changes nothing.
    ///
    /// # Errors
    /// There is no file, it is not ours, or it cannot be read.
    pub async fn survey(&self) -> Result<FileSurvey, SqliteError> {
        self.blocking(Doing::Open, survey).await
    }
}

fn survey(path: &Path) -> Result<FileSurvey, SqliteError> {
    let connection = file::open(path, Doing::Open)?;
    file::owner(&connection, path)?;
    let mode = connection.query_row("PRAGMA journal_mode", (), |row| row.get(0));
    Ok(FileSurvey {
        path: path.to_owned(),
        size_bytes: file::size_bytes(path),
        journal_mode: mode.map_err(|error| SqliteError::from_driver(path, Doing::Open, &error))?,
        version: schema::version(&connection, path)?,
        tables: schema::survey(&connection, path)?,
    })
}
