//! Readings and alerts in.
//!
//! Rows of one patient go out together, as unlogged batches of one partition: they cost the server a third of single
//! inserts. A sign that was not measured is bound UNSET, which leaves an earlier value alone; a null would erase it.
//!
//! No row carries a time of ours: the table must not depend on the clock of a bedside machine. So of two writes of one
//! key the one that the server sees later wins, and the caller never has two of them in flight. A request that timed out
//! can still be in flight, so the limit here is longer than a server holds a request.

use std::sync::Arc;
use std::time::Duration;

use cdrs_tokio::frame::message_batch::{BatchQuery, BatchQuerySubj, BatchType};
use cdrs_tokio::query::{BatchQueryBuilder, PreparedQuery, QueryValues};
use cdrs_tokio::statement::StatementParamsBuilder;
use cdrs_tokio::types::value::Value;
use futures::future::join_all;

use super::error::{CassandraError, Doing, Refusal};
use super::session::{Connected, PREPARE_LIMIT};
use super::{CassandraStore, Keyspace};
use crate::alarm::Alert;
use crate::reading::{Reading, Signs};
use crate::store::{Batch, Epoch, Store, StoredReading, WriteError};

/// How long a write may take. A server throws away what it could not begin within 12 s (`native_transport_timeout`) and
/// what it could not finish within 2 s more (`write_request_timeout`): after this limit nothing comes late.
pub const WRITE_LIMIT: Duration = Duration::from_secs(15);

/// More rows in a batch save the server nothing.
const MAX_BATCH_ROWS: usize = 60;
/// Cassandra's own advice (`batch_size_warn_threshold`).
const MAX_BATCH_BYTES: usize = 5 * 1024;

/// What a row in a batch takes beside its values: a kind, a statement's id with its length, a count.
const ROW_OVERHEAD_BYTES: usize = 1 + 2 + 16 + 2;
/// What a value takes beside its bytes: its length.
const VALUE_OVERHEAD_BYTES: usize = 4;

impl Store for CassandraStore {
    fn batch_rows(&self) -> usize {
        MAX_BATCH_ROWS
    }

    async fn epoch(&self) -> Result<Epoch, WriteError> {
        Ok(self.read_epoch().await?)
    }

    /// Alerts and readings go out at once, in as many requests as [`MAX_BATCH_ROWS`] and [`MAX_BATCH_BYTES`] ask for.
    /// All of them have ended when this returns.
    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        let connected = self.link.connected().await?;
        let mut requests = Vec::new();
        if !batch.alerts.is_empty() {
            let prepare = || self.prepare_statement(&connected, insert_alert(&self.keyspace));
            let insert = connected.insert_alert.get_or_try_init(prepare).await?;
            let groups = split(batch.alerts.iter().map(alert_values));
            requests.extend(groups.into_iter().map(|rows| self.insert(&connected, insert, rows)));
        }
        if !batch.readings.is_empty() {
            let prepare = || self.prepare_statement(&connected, insert_reading(&self.keyspace));
            let insert = connected.insert_reading.get_or_try_init(prepare).await?;
            let groups = split(batch.readings.iter().map(reading_values));
            requests.extend(groups.into_iter().map(|rows| self.insert(&connected, insert, rows)));
        }
        match join_all(requests).await.into_iter().collect::<Result<(), _>>().map_err(WriteError::from) {
            Err(WriteError::Never(reason)) => Err(self.doubt(reason).await),
            outcome => outcome,
        }
    }
}

impl CassandraStore {
    /// Rows can only be at fault where the tables are as they must be.
    async fn doubt(&self, reason: String) -> WriteError {
        match self.prepare().await {
            Ok(_) => WriteError::Never(reason),
            Err(error) => WriteError::Later(error.to_string()),
        }
    }

    /// Writes rows back as they once came out: their texts and values are taken as they are. A column without a value
    /// leaves an earlier one alone. No two of the rows may have the same key.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn restore(&self, rows: &[StoredReading]) -> Result<(), WriteError> {
        let connected = self.link.connected().await?;
        let prepare = || self.prepare_statement(&connected, insert_reading(&self.keyspace));
        let insert = connected.insert_reading.get_or_try_init(prepare).await?;
        let groups = split(rows.iter().map(|row| row_values(&row.patient_id, &row.timestamp, &row.signs)));
        let requests = groups.into_iter().map(|rows| self.insert(&connected, insert, rows));
        join_all(requests).await.into_iter().collect::<Result<(), _>>().map_err(WriteError::from)
    }

    async fn insert(
        &self,
        connected: &Arc<Connected>,
        insert: &PreparedQuery,
        mut rows: Vec<Vec<Value>>,
    ) -> Result<(), CassandraError> {
        let outcome = match (rows.pop(), rows.is_empty()) {
            (None, _) => Ok(()),
            (Some(row), true) => self.insert_one(connected, insert, row).await,
            (Some(row), false) => {
                rows.push(row);
                self.insert_batch(connected, insert, rows).await
            }
        };
        match outcome {
            Err(error) if error.refusal() == Some(Refusal::Unprepared) => {
                // The driver has prepared it again and failed. Why it did, it does not tell.
                self.link.forget(connected);
                Err(self.prepare_statement(connected, insert.query.clone()).await.err().unwrap_or(error))
            }
            outcome => outcome,
        }
    }

    async fn insert_one(
        &self,
        connected: &Arc<Connected>,
        insert: &PreparedQuery,
        row: Vec<Value>,
    ) -> Result<(), CassandraError> {
        let params = StatementParamsBuilder::new()
            .with_consistency(self.consistency.for_writes())
            .with_values(QueryValues::SimpleValues(row))
            .idempotent(true)
            .build();
        let request = connected.session.exec_with_params(insert, &params);
        self.link.within(connected, Doing::Write, WRITE_LIMIT, request).await.map(drop)
    }

    async fn insert_batch(
        &self,
        connected: &Arc<Connected>,
        insert: &PreparedQuery,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), CassandraError> {
        // The driver's builder keeps the statement's text once for every row: so it only makes the first.
        let mut rows = rows.into_iter().map(QueryValues::SimpleValues);
        let Some(first) = rows.next() else { return Ok(()) };
        let mut batch = BatchQueryBuilder::new()
            .with_batch_type(BatchType::Unlogged)
            .with_consistency(self.consistency.for_writes())
            .add_query_prepared(insert, first)
            .build()
            .map_err(|error| CassandraError::from_driver(Doing::Write, error))?;
        let subject = || BatchQuerySubj::PreparedId(insert.id.clone());
        batch.request.queries.extend(rows.map(|values| BatchQuery { subject: subject(), values }));
        let params = StatementParamsBuilder::new().idempotent(true).build();
        let request = connected.session.batch_with_params(batch, &params);
        self.link.within(connected, Doing::Write, WRITE_LIMIT, request).await.map(drop)
    }

    async fn prepare_statement(
        &self,
        connected: &Arc<Connected>,
        cql: String,
    ) -> Result<PreparedQuery, CassandraError> {
        self.link.within(connected, Doing::Prepare, PREPARE_LIMIT, connected.session.prepare(cql)).await
    }
}

fn insert_reading(keyspace: &Keyspace) -> String {
    format!(
        "INSERT INTO {} (patient_id, timestamp, heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        keyspace.table("patient_vitals")
    )
}

fn reading_values(reading: &Reading) -> Vec<Value> {
    row_values(reading.patient().as_str(), &reading.time().to_string(), reading.signs())
}

fn row_values(patient_id: &str, timestamp: &str, signs: &Signs) -> Vec<Value> {
    vec![
        Value::new(patient_id),
        Value::new(timestamp),
        set(signs.heart_rate),
        set(signs.spo2),
        set(signs.systolic),
        set(signs.diastolic),
        set(signs.respiratory_rate),
        set(signs.temperature),
    ]
}

/// What comes to be known of an alert later (its peak, its end, who acknowledged it) is not written here, so that a
/// repeat of the reading does not erase it.
fn insert_alert(keyspace: &Keyspace) -> String {
    format!(
        "INSERT INTO {} (patient_id, onset, rule, priority, value, limit_in_force) VALUES (?, ?, ?, ?, ?, ?)",
        keyspace.table("patient_alerts")
    )
}

fn alert_values(alert: &Alert) -> Vec<Value> {
    vec![
        Value::new(alert.patient.as_str()),
        Value::new(alert.onset.to_string()),
        Value::new(alert.rule.name()),
        Value::new(alert.priority.name()),
        Value::new(alert.value),
        set(alert.limit),
    ]
}

fn set<T>(value: Option<T>) -> Value
where
    Value: From<T>,
{
    value.map_or(Value::NotSet, Value::from)
}

/// Puts rows together until one more would go past a limit. A row that is past it alone goes alone.
fn split(rows: impl Iterator<Item = Vec<Value>>) -> Vec<Vec<Vec<Value>>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut group_bytes = 0;
    for row in rows {
        let row_bytes = row_bytes(&row);
        let full = group.len() == MAX_BATCH_ROWS || group_bytes + row_bytes >= MAX_BATCH_BYTES;
        if full && !group.is_empty() {
            groups.push(std::mem::take(&mut group));
            group_bytes = 0;
        }
        group_bytes += row_bytes;
        group.push(row);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

fn row_bytes(row: &[Value]) -> usize {
    let value_bytes = |value: &Value| match value {
        Value::Some(bytes) => VALUE_OVERHEAD_BYTES + bytes.len(),
        Value::Null | Value::NotSet => VALUE_OVERHEAD_BYTES,
    };
    ROW_OVERHEAD_BYTES + row.iter().map(value_bytes).sum::<usize>()
}

#[cfg(test)]
mod tests;
