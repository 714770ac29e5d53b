//! The journals of changes: see [`Journal`].

use std::path::Path;

use rusqlite::{Connection, Params, Row};

use super::error::{Doing, SqliteError};
use super::{SqliteStore, schema};
use crate::pipeline::store::Entry;
use crate::store::journal::{ENTRIES_AT_ONCE, JOURNAL_SCOPE, Journal};
use crate::store::retention::Retention;

impl SqliteStore {
    /// The newest entries, the newest first, at most `limit` of them.
    pub async fn newest_entries(&self, journal: Journal, limit: u16) -> Result<Vec<Entry>, SqliteError> {
        self.entries(journal, "ORDER BY version DESC LIMIT ?", (JOURNAL_SCOPE, limit)).await
    }

    /// The entries behind a version, in their order, at most `limit` of them.
    pub async fn entries_behind(&self, journal: Journal, version: i32, limit: u16) -> Result<Vec<Entry>, SqliteError> {
        self.entries(journal, "AND version > ? ORDER BY version LIMIT ?", (JOURNAL_SCOPE, version, limit)).await
    }

    async fn entries<P: Params + Send + 'static>(
        &self,
        journal: Journal,
        which: &'static str,
        values: P,
    ) -> Result<Vec<Entry>, SqliteError> {
        let read = move |path: &Path| {
            let (connection, columns) = schema::open_checked(path, Doing::Read)?;
            if !schema::has_table(&columns, journal.table()) {
                return Ok(Vec::new());
            }
            let sql = format!("SELECT {} FROM {} WHERE scope = ? {which}", journal.columns(), journal.table());
            let rows = || -> rusqlite::Result<Vec<_>> { connection.prepare(&sql)?.query_map(values, entry)?.collect() };
            rows().map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        self.blocking(Doing::Read, read).await
    }

    /// Adds an entry; `false` where somebody else has added that version meanwhile.
    pub async fn add_entry(&self, journal: Journal, entry: &Entry) -> Result<bool, SqliteError> {
        let Entry { version, name, author, reason, at, content } = entry.clone();
        let write = move |path: &Path| {
            let (connection, _) = schema::open_checked(path, Doing::Write)?;
            let (table, columns) = (journal.table(), journal.columns());
            let sql = format!("INSERT OR IGNORE INTO {table} (scope, {columns}) VALUES (?, ?, ?, ?, ?, ?, ?)");
            let written = connection.execute(&sql, (JOURNAL_SCOPE, version, name, author, reason, at, content));
            written.map(|rows| rows > 0).map_err(|error| SqliteError::from_driver(path, Doing::Write, &error))
        };
        self.blocking(Doing::Write, write).await
    }
}

/// How long rows are kept, as the file says that is open; for ever where an earlier `vitals` has made it.
pub(super) fn retention(connection: &Connection) -> rusqlite::Result<Retention> {
    let (table, columns) = (Journal::Retention.table(), Journal::Retention.columns());
    if !connection.table_exists(None, table)? {
        return Ok(Retention::default());
    }
    let sql = format!("SELECT {columns} FROM {table} WHERE scope = ? ORDER BY version DESC LIMIT ?");
    let mut select = connection.prepare_cached(&sql)?;
    let entries = select.query_map((JOURNAL_SCOPE, ENTRIES_AT_ONCE), entry)?.collect::<rusqlite::Result<_>>()?;
    Ok(Retention::of(entries))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let text = |index| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(index)?.unwrap_or_default());
    Ok(Entry {
        version: row.get(0)?,
        name: text(1)?,
        author: text(2)?,
        reason: text(3)?,
        at: text(4)?,
        content: text(5)?,
    })
}
