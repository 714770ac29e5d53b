//! The keyspace and its tables: made by `init`, looked at by `consume`.
//!
//! Every change says IF NOT EXISTS and can be made again, so two `init` at once do no harm. On a cluster that is not
//! quite enough: two nodes can create one table at the same time, each under an id of its own, and one of them then
//! answers with an error (a mismatch of ids). So before and after every change it is waited until the nodes agree, and
//! a change that fails for such a reason is made again.

mod describe;
mod migration;
mod shape;

use std::collections::BTreeSet;
use std::time::Duration;

use cdrs_tokio::frame::message_response::ResponseBody;
use cdrs_tokio::frame::message_result::ResResultBody;
use cdrs_tokio::statement::{StatementParams, StatementParamsBuilder};
use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;
use tokio::time::{Instant, sleep};

use self::migration::{MIGRATIONS, Migration};
use self::shape::{Column, Contract};
use super::error::{Doing, Refusal};
use super::row::Columns;
use super::{CassandraError, CassandraStore, Replication};
use crate::store::{SchemaStep, SchemaVersion, TableState, TableSurvey};

/// How long a change of the schema may take. It is slow on a server that has just started.
pub const CHANGE_LIMIT: Duration = Duration::from_secs(30);
/// How long a look at the schema may take.
pub const LOOK_LIMIT: Duration = Duration::from_secs(10);
/// How long it is waited for all nodes to have the same schema. A node that is down never agrees, and must not keep the
/// others from being used: so this ends without an error.
pub const AGREEMENT_LIMIT: Duration = Duration::from_secs(10);

const AGREEMENT_PAUSE: Duration = Duration::from_millis(200);
const ATTEMPTS: u32 = 5;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(500);

/// The table that holds which migrations were applied, and when.
const RECORD: &str = "schema_migrations";

impl CassandraStore {
    /// Makes the keyspace and all tables; what is there is left alone. Tells each part in order.
    ///
    /// # Errors
    /// [`CassandraError::Shape`] where a table is there that cannot hold our rows: nothing is made then but the
    /// keyspace. [`CassandraError::Newer`] where a newer `vitals` has made them: nothing is made then.
    pub async fn init(&self, replication: &Replication) -> Result<Vec<SchemaStep>, CassandraError> {
        self.agree().await?;
        self.refuse_newer().await?;
        let keyspace = self.create_keyspace(replication).await?;
        self.check_shapes().await?;
        let mut steps = vec![keyspace];
        steps.extend(self.migrate().await?);
        self.check_shapes().await?;
        Ok(steps)
    }

    /// Drops the keyspace with everything in it, and without a snapshot where the server can do that: for a keyspace that
    /// was made for a while.
    ///
    /// # Errors
    /// The node cannot be reached or refuses.
    pub async fn drop_keyspace(&self) -> Result<(), CassandraError> {
        for table in [shape::ALERTS.table, shape::READINGS.table, RECORD] {
            let no_snapshot = "WITH allow_auto_snapshot = false";
            // Cassandra 4.0 does not know it, and keeps one where `auto_snapshot` says so.
            let _ = self.change(&format!("ALTER TABLE {} {no_snapshot}", self.keyspace.table(table))).await;
        }
        self.change(&format!("DROP KEYSPACE IF EXISTS {}", self.keyspace.quoted())).await.map(|_| ())
    }

    /// Drops our tables with everything in them, and tells which were there. The keyspace and what else is in it stay.
    ///
    /// # Errors
    /// [`CassandraError::Newer`]; the node cannot be reached or refuses.
    pub async fn drop_tables(&self) -> Result<Vec<String>, CassandraError> {
        self.refuse_newer().await?;
        let mut dropped = Vec::new();
        for table in [shape::ALERTS.table, shape::READINGS.table, RECORD] {
            if self.change(&format!("DROP TABLE IF EXISTS {}", self.keyspace.table(table))).await? {
                dropped.push(format!("table {}", self.name_of(table)));
            }
        }
        Ok(dropped)
    }

    /// Makes sure that readings can be stored. The keyspace and `patient_vitals` must be there; tables that only
    /// `vitals` needs are made, so that a schema made by hand will do. Tells each part in order.
    ///
    /// # Errors
    /// [`CassandraError::NoKeyspace`], [`CassandraError::NoTable`], [`CassandraError::Shape`] or
    /// [`CassandraError::Newer`].
    pub async fn prepare(&self) -> Result<Vec<SchemaStep>, CassandraError> {
        self.refuse_newer().await?;
        self.check_readings().await?;
        self.check_shapes().await?;
        self.migrate().await
    }

    /// Makes sure that there are readings to look at.
    ///
    /// # Errors
    /// As [`CassandraStore::prepare`].
    pub async fn check_readings(&self) -> Result<(), CassandraError> {
        if !self.has_keyspace().await? {
            return Err(CassandraError::NoKeyspace(self.keyspace.to_string()));
        }
        let readings = &shape::READINGS;
        let columns = self.columns(readings.table).await?;
        if columns.is_empty() {
            return Err(CassandraError::NoTable(self.name_of(readings.table)));
        }
        self.check_shape(readings, &columns)
    }

    /// The version of the schema; 0 where there is no keyspace, or none is noted in it.
    ///
    /// # Errors
    /// The node cannot be reached or refuses.
    pub async fn version(&self) -> Result<SchemaVersion, CassandraError> {
        let is_noted = !self.columns(RECORD).await?.is_empty();
        let versions = if is_noted { self.recorded().await? } else { BTreeSet::new() };
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        Ok(SchemaVersion { found: versions.last().copied().unwrap_or(0), known })
    }

    pub(in crate::store) async fn refuse_newer(&self) -> Result<(), CassandraError> {
        let version = self.version().await?;
        let keyspace = self.keyspace.to_string();
        if version.is_newer() { Err(CassandraError::Newer { keyspace, version }) } else { Ok(()) }
    }

    /// The names of columns of `patient_vitals` that are not ours.
    ///
    /// # Errors
    /// The node cannot be reached or refuses.
    pub async fn extra_columns(&self) -> Result<Vec<String>, CassandraError> {
        let columns = self.columns(shape::READINGS.table).await?;
        Ok(columns.into_iter().map(|column| column.name).filter(|name| !shape::READINGS.has(name)).collect())
    }

    /// Looks at each table that we need.
    pub(super) async fn survey_tables(&self) -> Result<Vec<TableSurvey>, CassandraError> {
        let mut tables = Vec::new();
        for contract in [&shape::READINGS, &shape::ALERTS] {
            let columns = self.columns(contract.table).await?;
            let state = match contract.check(&columns) {
                _ if columns.is_empty() => TableState::Missing,
                Ok(()) => TableState::Fits,
                Err(fault) => TableState::Differs(fault.to_string()),
            };
            tables.push(TableSurvey { name: contract.table, state });
        }
        Ok(tables)
    }

    async fn create_keyspace(&self, replication: &Replication) -> Result<SchemaStep, CassandraError> {
        let (name, map) = (self.keyspace.quoted(), replication.cql());
        let made = self.change(&format!("CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {map}")).await?;
        Ok(SchemaStep { what: format!("keyspace {}", self.keyspace), made })
    }

    /// Applies what was not applied yet, or whose table was dropped since.
    async fn migrate(&self) -> Result<Vec<SchemaStep>, CassandraError> {
        let mut steps = vec![self.create_record().await?];
        let recorded = self.recorded().await?;
        for migration in &MIGRATIONS {
            let there = !self.columns(migration.table).await?.is_empty();
            let made =
                if there && recorded.contains(&migration.version) { false } else { self.apply(migration).await? };
            steps.push(SchemaStep { what: format!("table {}", self.name_of(migration.table)), made });
        }
        Ok(steps)
    }

    async fn create_record(&self) -> Result<SchemaStep, CassandraError> {
        let table = self.keyspace.table(RECORD);
        let columns = "(version INT PRIMARY KEY, name TEXT, applied_at TIMESTAMP)";
        // Who may not create tables can still use those that are there.
        let there = !self.columns(RECORD).await?.is_empty();
        let made = !there && self.change(&format!("CREATE TABLE IF NOT EXISTS {table} {columns}")).await?;
        Ok(SchemaStep { what: format!("table {}", self.name_of(RECORD)), made })
    }

    async fn recorded(&self) -> Result<BTreeSet<i32>, CassandraError> {
        let cql = format!("SELECT version FROM {}", self.keyspace.table(RECORD));
        let params = StatementParamsBuilder::new().with_consistency(self.consistency.for_reads());
        let body = self.insist(Doing::ReadSchema, &cql, &params.idempotent(true).build()).await?;
        let rows = body.into_rows().unwrap_or_default();
        rows.iter().map(|row| Columns::of(row, Doing::ReadSchema).need(0)).collect()
    }

    /// Tells whether something was made.
    async fn apply(&self, migration: &Migration) -> Result<bool, CassandraError> {
        let made = self.change(&migration.statement(&self.keyspace)).await?;
        self.record(migration).await?;
        Ok(made)
    }

    /// The time is the server's, as that of every row.
    async fn record(&self, migration: &Migration) -> Result<(), CassandraError> {
        let table = self.keyspace.table(RECORD);
        let cql = format!("INSERT INTO {table} (version, name, applied_at) VALUES (?, ?, toTimestamp(now()))");
        let params = StatementParamsBuilder::new()
            .with_consistency(self.consistency.for_writes())
            .with_values(vec![Value::new(migration.version), Value::new(migration.name)].into())
            .idempotent(true)
            .build();
        self.insist(Doing::ChangeSchema, &cql, &params).await.map(drop)
    }

    async fn check_shapes(&self) -> Result<(), CassandraError> {
        for contract in [&shape::READINGS, &shape::ALERTS] {
            let columns = self.columns(contract.table).await?;
            if !columns.is_empty() {
                self.check_shape(contract, &columns)?;
            }
        }
        Ok(())
    }

    fn check_shape(&self, contract: &Contract, columns: &[Column]) -> Result<(), CassandraError> {
        let table = self.name_of(contract.table);
        contract.check(columns).map_err(|fault| CassandraError::Shape { table, fault })
    }

    async fn has_keyspace(&self) -> Result<bool, CassandraError> {
        let cql = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let rows = self.look(cql, bind(vec![Value::new(self.keyspace.as_str())])).await?;
        Ok(!rows.is_empty())
    }

    /// The columns of a table; a table that does not exist has none.
    async fn columns(&self, table: &str) -> Result<Vec<Column>, CassandraError> {
        let cql = "SELECT column_name, kind, position, type, clustering_order FROM system_schema.columns \
                   WHERE keyspace_name = ? AND table_name = ?";
        let rows = self.look(cql, bind(vec![Value::new(self.keyspace.as_str()), Value::new(table)])).await?;
        rows.iter().map(column).collect()
    }

    /// Makes a change and tells whether it changed something.
    async fn change(&self, cql: &str) -> Result<bool, CassandraError> {
        let body = self.insist(Doing::ChangeSchema, cql, &bind(Vec::new())).await?;
        self.agree().await?;
        Ok(matches!(body, ResponseBody::Result(ResResultBody::SchemaChange(_))))
    }

    /// Asks again where it can help, as far as [`ATTEMPTS`] go.
    async fn insist(&self, doing: Doing, cql: &str, params: &StatementParams) -> Result<ResponseBody, CassandraError> {
        let mut attempt = 1;
        loop {
            match self.ask(doing, CHANGE_LIMIT, cql, params.clone()).await {
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => attempt += 1,
                answer => return answer,
            }
            sleep(ATTEMPT_PAUSE).await;
            self.agree().await?;
        }
    }

    /// Waits until all nodes that can be asked have the same schema, but not longer than [`AGREEMENT_LIMIT`].
    async fn agree(&self) -> Result<(), CassandraError> {
        let end = Instant::now() + AGREEMENT_LIMIT;
        while self.schema_versions().await?.len() > 1 && Instant::now() < end {
            sleep(AGREEMENT_PAUSE).await;
        }
        Ok(())
    }

    pub(super) async fn schema_versions(&self) -> Result<BTreeSet<String>, CassandraError> {
        let mut versions = BTreeSet::new();
        for table in ["system.local", "system.peers"] {
            let cql = format!("SELECT CAST(schema_version AS TEXT) FROM {table}");
            for row in self.look(&cql, bind(Vec::new())).await? {
                let version: Option<String> = Columns::of(&row, Doing::ReadSchema).find(0)?;
                versions.extend(version);
            }
        }
        Ok(versions)
    }

    pub(super) async fn look(&self, cql: &str, params: StatementParams) -> Result<Vec<Row>, CassandraError> {
        let body = self.ask(Doing::ReadSchema, LOOK_LIMIT, cql, params).await?;
        Ok(body.into_rows().unwrap_or_default())
    }

    fn name_of(&self, table: &str) -> String {
        format!("{}.{table}", self.keyspace)
    }
}

pub(super) fn bind(values: Vec<Value>) -> StatementParams {
    StatementParamsBuilder::new().with_values(values.into()).idempotent(true).build()
}

fn column(row: &Row) -> Result<Column, CassandraError> {
    let columns = Columns::of(row, Doing::ReadSchema);
    Ok(Column {
        name: columns.need(0)?,
        kind: columns.need(1)?,
        position: columns.need(2)?,
        kind_of_value: columns.need(3)?,
        order: columns.need(4)?,
    })
}

/// What may work when it is asked again: two made a change at once, or the connection broke. A table that another one
/// has just made is in the system tables a moment before it can be used.
fn may_pass(error: &CassandraError) -> bool {
    matches!(error.refusal(), Some(Refusal::Temporary | Refusal::Missing))
        || matches!(error, CassandraError::Broken { .. })
}
