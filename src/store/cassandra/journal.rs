//! The journals of changes: see [`Journal`].
//!
//! They are read and written as consistently as readings: who reads behind a version must not miss an entry for good.

use cdrs_tokio::statement::StatementParamsBuilder;
use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;

use super::CassandraStore;
use super::error::{CassandraError, Doing, Refusal};
use super::read::Columns;
use super::write::WRITE_LIMIT;
use crate::pipeline::store::Entry;
use crate::store::TableState;
use crate::store::journal::{JOURNAL_SCOPE, Journal};

impl CassandraStore {
    /// The newest entries, the newest first, at most `limit` of them.
    pub async fn newest_entries(&self, journal: Journal, limit: u16) -> Result<Vec<Entry>, CassandraError> {
        self.entries(journal, &format!("ORDER BY version DESC LIMIT {limit}"), None).await
    }

    /// The entries behind a version, in their order, at most `limit` of them.
    pub async fn entries_behind(
        &self,
        journal: Journal,
        version: i32,
        limit: u16,
    ) -> Result<Vec<Entry>, CassandraError> {
        self.entries(journal, &format!("AND version > ? ORDER BY version ASC LIMIT {limit}"), Some(version)).await
    }

    async fn entries(&self, journal: Journal, which: &str, behind: Option<i32>) -> Result<Vec<Entry>, CassandraError> {
        let (table, columns) = (self.keyspace.table(journal.table()), journal.columns());
        let cql = format!("SELECT {columns} FROM {table} WHERE scope = ? {which}");
        let values = [Value::new(JOURNAL_SCOPE)].into_iter().chain(behind.map(Value::new)).collect();
        match self.page(&cql, values, i32::from(u16::MAX), None).await {
            Err(error) if error.refusal() == Some(Refusal::Missing) && self.is_not_made(journal).await? => {
                Ok(Vec::new())
            }
            page => Row::from_body(page?).iter().map(entry).collect(),
        }
    }

    /// Whether the tables are those of an earlier `vitals`, which had no such journal.
    async fn is_not_made(&self, journal: Journal) -> Result<bool, CassandraError> {
        let tables = self.survey_tables().await?;
        let is_missing = |name| tables.iter().any(|table| table.name == name && table.state == TableState::Missing);
        Ok(is_missing(journal.table()) && !is_missing("patient_vitals"))
    }

    /// Adds an entry; `false` where somebody else has added that version meanwhile.
    pub async fn add_entry(&self, journal: Journal, entry: &Entry) -> Result<bool, CassandraError> {
        let (table, columns) = (self.keyspace.table(journal.table()), journal.columns());
        let cql = format!("INSERT INTO {table} (scope, {columns}) VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS");
        let Entry { version, name, author, reason, at, content } = entry;
        let texts = [name, author, reason, at, content].map(|text| Value::new(text.as_str()));
        let values: Vec<_> = [Value::new(JOURNAL_SCOPE), Value::new(*version)].into_iter().chain(texts).collect();
        let params = StatementParamsBuilder::new()
            .with_consistency(self.consistency.for_writes())
            .with_serial_consistency(self.consistency.for_conditions())
            .with_values(values.into())
            .build();
        let answer = self.ask(Doing::Write, WRITE_LIMIT, &cql, params).await?.into_rows().unwrap_or_default();
        // The first column of the answer is whether it was added.
        answer.first().map_or(Ok(true), |row| Columns::of(row, Doing::Write).need(0))
    }
}

fn entry(row: &Row) -> Result<Entry, CassandraError> {
    let columns = Columns::of(row, Doing::Read);
    let text = |index| Ok::<_, CassandraError>(columns.find::<String>(index)?.unwrap_or_default());
    Ok(Entry {
        version: columns.need(0)?,
        name: text(1)?,
        author: text(2)?,
        reason: text(3)?,
        at: text(4)?,
        content: text(5)?,
    })
}
