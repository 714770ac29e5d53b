//! Rows that are kept elsewhere go, and all that is known of a patient.
//!
//! One range of a partition is one tombstone, however many rows it covers. It is given the moment at which it was asked
//! what there is: what is written after that stays, wherever it lies.

use cdrs_tokio::statement::StatementParamsBuilder;
use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;

use super::CassandraStore;
use super::error::{CassandraError, Doing, Refusal};
use super::read::Columns;
use super::schema::LOOK_LIMIT;
use super::write::WRITE_LIMIT;
use crate::pipeline::store::Entry;
use crate::store::Erased;
use crate::store::journal::{JOURNAL_SCOPE, Journal};
use crate::store::tables::MINUTES;
use crate::store::tables::{PATIENT_TABLES, PatientTable};

impl CassandraStore {
    /// Begins to delete rows that are kept elsewhere.
    pub async fn removal(&self) -> Result<RangeRemoval<'_>, CassandraError> {
        let cql = "SELECT toUnixTimestamp(now()) FROM system.local";
        let rows = self.look(Doing::ReadSettings, LOOK_LIMIT, cql, Vec::new()).await?;
        let no_row = || CassandraError::Broken(Doing::ReadSettings, "an answer without rows".to_owned());
        let millis: i64 = Columns::of(rows.first().ok_or_else(no_row)?, Doing::ReadSettings).need(0)?;
        Ok(RangeRemoval { store: self, before: millis.saturating_mul(1000) })
    }

    /// Deletes all that the tables hold of a patient, and empties the entries of the journal of patients.
    pub async fn erase(&self, patient: &str, emptied: &Entry) -> Result<Vec<Erased>, CassandraError> {
        let mut erased = Vec::new();
        let months = self.minute_months().await?.remove(patient).unwrap_or_default();
        'tables: for PatientTable { name: table, .. } in &PATIENT_TABLES {
            let partitions: Vec<_> = if *table == MINUTES.name {
                months.iter().map(|month| vec![patient, month]).collect()
            } else {
                vec![vec![patient]]
            };
            let mut rows = Some(0_u64);
            for partition in partitions {
                let counted = match self.count_of(table, &partition).await {
                    // A table that is not there has none.
                    Err(error) if error.refusal() == Some(Refusal::Missing) => continue 'tables,
                    // Too many to be counted in time.
                    counted => counted.ok(),
                };
                rows = rows.zip(counted).map(|(rows, counted)| rows.saturating_add(counted));
                let cql = format!("DELETE FROM {} WHERE {}", self.keyspace.table(table), key_of(&partition));
                self.write_one(&cql, partition.into_iter().map(Value::new).collect()).await?;
            }
            erased.push(Erased { table, rows });
        }
        let rows = Some(self.empty_entries(patient, emptied).await?);
        erased.push(Erased { table: Journal::Patients.table(), rows });
        Ok(erased)
    }

    async fn count_of(&self, table: &str, partition: &[&str]) -> Result<u64, CassandraError> {
        let cql = format!("SELECT COUNT(*) FROM {} WHERE {}", self.keyspace.table(table), key_of(partition));
        let key = partition.iter().map(|part| Value::new(*part)).collect();
        let page = Row::from_body(self.page(&cql, key, 1, None).await?);
        let rows: i64 = page.first().map_or(Ok(0), |row| Columns::of(row, Doing::Read).need(0))?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }

    /// All entries of a patient but the newest one, which says that the patient was erased.
    async fn empty_entries(&self, patient: &str, emptied: &Entry) -> Result<u64, CassandraError> {
        let cql = format!(
            "UPDATE {} SET content = ?, reason = ? WHERE scope = ? AND version = ? IF patient_id = ?",
            self.keyspace.table(Journal::Patients.table())
        );
        let (mut behind, mut emptied_entries) = (0, 0);
        loop {
            let entries = self.entries_behind(Journal::Patients, behind, u16::MAX).await?;
            let Some(last) = entries.last() else { return Ok(emptied_entries) };
            behind = last.version;
            let own = entries.iter().filter(|entry| entry.name == patient && entry.version < emptied.version);
            for entry in own {
                let texts = [&emptied.content, &emptied.reason].map(|text| Value::new(text.as_str()));
                let key = [Value::new(JOURNAL_SCOPE), Value::new(entry.version), Value::new(patient)];
                self.write_one(&cql, texts.into_iter().chain(key).collect()).await?;
                emptied_entries += 1;
            }
        }
    }

    async fn write_one(&self, cql: &str, values: Vec<Value>) -> Result<(), CassandraError> {
        let params = StatementParamsBuilder::new()
            .with_consistency(self.consistency.for_writes())
            .with_serial_consistency(self.consistency.for_conditions())
            .with_values(values.into())
            .build();
        self.ask(Doing::Write, WRITE_LIMIT, cql, params).await.map(drop)
    }
}

/// The condition that names a partition: a patient, or a month of one.
pub(super) fn key_of<T>(partition: &[T]) -> &'static str {
    if partition.len() == 1 { "patient_id = ?" } else { "patient_id = ? AND month = ?" }
}

/// Rows that are kept elsewhere on their way out.
#[derive(Debug)]
pub struct RangeRemoval<'store> {
    store: &'store CassandraStore,
    /// When it began, in microseconds since 1970, by the clock of the server.
    before: i64,
}

impl<'store> RangeRemoval<'store> {
    /// Deletes what was written up to this moment, in microseconds since 1970.
    pub(super) fn before(store: &'store CassandraStore, before: i64) -> Self {
        Self { store, before }
    }

    /// Deletes the rows of a patient from one moment to another, both included, as far as they were written before this
    /// began.
    pub async fn remove(&self, patient: &str, oldest: &str, newest: &str) -> Result<(), CassandraError> {
        let cql = format!(
            "DELETE FROM {} USING TIMESTAMP ? WHERE patient_id = ? AND timestamp >= ? AND timestamp <= ?",
            self.store.keyspace.table("patient_vitals")
        );
        let texts = [patient, oldest, newest].map(Value::new);
        self.store.write_one(&cql, [Value::new(self.before)].into_iter().chain(texts).collect()).await
    }
}
