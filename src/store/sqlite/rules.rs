//! The sets of rules that were applied.

use std::path::Path;

use rusqlite::Row;

use super::error::{Doing, SqliteError};
use super::{SqliteStore, schema};
use crate::pipeline::store::AppliedRules;
use crate::store::stored::RULES_SCOPE;

impl SqliteStore {
    /// The sets of rules that were applied, the newest first, at most `limit` of them.
    pub async fn applied_rules(&self, limit: u16) -> Result<Vec<AppliedRules>, SqliteError> {
        let read = move |path: &Path| {
            let (connection, _) = schema::open_checked(path, Doing::Read)?;
            let sql = "SELECT version, name, author, reason, applied_at, content FROM alarm_rules WHERE scope = ? \
                       ORDER BY version DESC LIMIT ?";
            let rows = || -> rusqlite::Result<Vec<_>> {
                connection.prepare(sql)?.query_map((RULES_SCOPE, limit), applied)?.collect()
            };
            rows().map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        self.blocking(Doing::Read, read).await
    }

    /// Puts a set of rules in force; `false` where somebody else has applied that version meanwhile.
    pub async fn apply_rules(&self, rules: &AppliedRules) -> Result<bool, SqliteError> {
        let AppliedRules { version, name, author, reason, applied_at, content } = rules.clone();
        let write = move |path: &Path| {
            let (connection, _) = schema::open_checked(path, Doing::Write)?;
            let sql = "INSERT OR IGNORE INTO alarm_rules (scope, version, name, author, reason, applied_at, content) \
                       VALUES (?, ?, ?, ?, ?, ?, ?)";
            let values = (RULES_SCOPE, version, name, author, reason, applied_at, content);
            let written = connection.execute(sql, values);
            written.map(|rows| rows > 0).map_err(|error| SqliteError::from_driver(path, Doing::Write, &error))
        };
        self.blocking(Doing::Write, write).await
    }
}

fn applied(row: &Row<'_>) -> rusqlite::Result<AppliedRules> {
    let text = |index| Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(index)?.unwrap_or_default());
    Ok(AppliedRules {
        version: row.get(0)?,
        name: text(1)?,
        author: text(2)?,
        reason: text(3)?,
        applied_at: text(4)?,
        content: text(5)?,
    })
}
