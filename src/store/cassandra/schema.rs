//! The keyspace and its tables: made by `init`, looked at by `consume`.
//!
//! Every change can be made again, so two `init` at once do no harm. On a cluster that is not quite enough: two nodes can
//! create one table at the same time, each under an id of its own, and one of them then answers with an error (a mismatch
//! of ids). So before and after every change it is waited until the nodes agree, and a change that fails for such a
//! reason is made again.

mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cdrs_tokio::frame::message_response::ResponseBody;
use cdrs_tokio::frame::message_result::ResResultBody;
use cdrs_tokio::statement::{StatementParams, StatementParamsBuilder};
use cdrs_tokio::types::CBytes;
use cdrs_tokio::types::value::Value;
use futures::future::try_join_all;
use tokio::time::{Instant, sleep};

use self::shape::FoundColumn;
use super::error::{Doing, Refusal};
use super::read::Columns;
use super::{CassandraError, CassandraStore, Replication};
use crate::store::migrations::{Change, KEYSPACE_MARK, Migration, RECORD, SCHEMA, Schema, told};
use crate::store::tables::{ALARMS, Column, READINGS};
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

/// Rows that [`CassandraStore::copy`] reads at once, and that it writes at the same time.
#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "no step of today needs it; tests have steps that do"))]
const COPIED_ROWS: i32 = 1000;
#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "no step of today needs it; tests have steps that do"))]
const COPIES_AT_ONCE: usize = 32;

/// The versions that are recorded, each with whether its migration was finished.
type Recorded = BTreeMap<i32, bool>;

impl CassandraStore {
    /// Makes the keyspace and all tables; what is there is left alone. Tells each part in order.
    ///
    /// # Errors
    /// As [`CassandraStore::migrate`]; where that would change nothing, only the keyspace is made.
    pub async fn init(&self, replication: &Replication) -> Result<Vec<SchemaStep>, CassandraError> {
        self.agree().await?;
        self.refuse_newer().await?;
        let (name, map) = (self.keyspace.quoted(), replication.cql());
        // Where it is there, whoever may not make keyspaces may use it all the same.
        let made = !self.has_keyspace().await?
            && self.change(&format!("CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {map}")).await?;
        let mut steps = vec![SchemaStep { what: format!("keyspace {}", self.keyspace), made }];
        steps.extend(self.migrate(SCHEMA).await?);
        Ok(steps)
    }

    /// Makes sure that readings can be stored. The keyspace and `patient_vitals` must be there; tables that only
    /// `vitals` needs are made, so that a schema made by hand will do. Tells each part in order.
    pub async fn prepare(&self) -> Result<Vec<SchemaStep>, CassandraError> {
        self.refuse_newer().await?;
        self.readings_columns().await?;
        self.migrate(SCHEMA).await
    }

    /// Applies the migrations that are due, and tells each table in order, with what else was done now.
    ///
    /// Each is recorded when it is finished. One that is to fill again is marked as not finished before anything is
    /// changed, so that after a crash the next program still sees that it is due.
    ///
    /// # Errors
    /// [`CassandraError::Newer`] where a newer `vitals` has made the tables, [`CassandraError::Shape`] where no migration
    /// can make a table hold our rows: nothing is changed then.
    pub async fn migrate(&self, schema: Schema) -> Result<Vec<SchemaStep>, CassandraError> {
        let columns = self.columns().await?;
        let recorded = self.recorded(&columns).await?;
        self.refuse(schema.version_of(recorded.keys().copied()))?;
        let finished: BTreeSet<i32> = recorded.iter().filter(|(_, done)| **done).map(|(version, _)| *version).collect();
        let there: Vec<_> = columns.iter().map(|column| (column.table.as_str(), column.name.as_str())).collect();
        let due = schema.due(&finished, &there);
        self.check_shapes(schema, &shape::with_added(columns.clone(), &due))?;

        let mut steps = vec![self.make_record(&columns).await?];
        // What is there tells whether the others are due.
        let fills = due.iter().filter(|migration| matches!(migration.change, Change::Fill { .. }));
        for again in fills.filter(|migration| finished.contains(&migration.version)) {
            self.record(again, "null").await?;
        }
        for migration in schema.migrations {
            if due.iter().any(|due| due.version == migration.version) {
                steps.extend(self.apply(migration).await?);
                self.record(migration, "toTimestamp(now())").await?;
            } else if let Change::Make { table, .. } = migration.change {
                steps.push(SchemaStep { what: format!("table {}", self.name_of(table)), made: false });
            }
        }
        self.check_shapes(schema, &self.columns().await?)?;
        Ok(told(steps))
    }

    async fn apply(&self, migration: &Migration) -> Result<Vec<SchemaStep>, CassandraError> {
        match migration.change {
            Change::Make { table, cql, .. } => {
                let made = self.change(&cql.replace(KEYSPACE_MARK, &self.keyspace.quoted())).await?;
                Ok(vec![SchemaStep { what: format!("table {}", self.name_of(table)), made }])
            }
            Change::Add { table, columns } => {
                let added = self.add(table, columns).await?;
                let step = |column: Column| SchemaStep {
                    what: format!("column {}.{}", self.name_of(table), column.name),
                    made: true,
                };
                Ok(added.into_iter().map(step).collect())
            }
            Change::Fill { table, cassandra, .. } => {
                let mut attempts = 1;
                // A server may not know a column yet that another program has just added.
                while let Err(error) = cassandra(self).await {
                    if attempts == ATTEMPTS || error.refusal() != Some(Refusal::Request) {
                        return Err(error);
                    }
                    attempts += 1;
                    sleep(ATTEMPT_PAUSE).await;
                }
                Ok(vec![SchemaStep { what: format!("rows of {}", self.name_of(table)), made: true }])
            }
        }
    }

    /// Adds the columns that are missing, and tells which. Together: all nodes have to agree on each change of the schema,
    /// which takes longer than anything else at a start. Cassandra 4.0 has no IF NOT EXISTS here.
    async fn add(&self, table: &str, columns: &[Column]) -> Result<Vec<Column>, CassandraError> {
        let mut missing = self.missing(table, columns).await?;
        while !missing.is_empty() {
            let added: Vec<_> = missing.iter().map(|Column { name, kind }| format!("{name} {}", kind.cql())).collect();
            let cql = format!("ALTER TABLE {} ADD ({})", self.keyspace.table(table), added.join(", "));
            let Err(error) = self.change(&cql).await else { break };
            let left = self.missing(table, columns).await?;
            // Where there are fewer, another program has added some meanwhile.
            if left.len() == missing.len() {
                return Err(error);
            }
            missing = left;
        }
        Ok(missing)
    }

    async fn missing(&self, table: &str, columns: &[Column]) -> Result<Vec<Column>, CassandraError> {
        let there = self.columns().await?;
        let is_there = |column: &Column| there.iter().any(|found| found.table == table && found.name == column.name);
        Ok(columns.iter().filter(|column| !is_there(column)).copied().collect())
    }

    /// Reads rows, and binds the columns of each, in their order, to the markers of a statement that writes it: for
    /// migrations that fill. A column without a value leaves what is there alone. The keyspace's mark is replaced in
    /// both.
    #[cfg_attr(
        not(feature = "testing"),
        allow(dead_code, reason = "no step of today needs it; tests have steps that do")
    )]
    pub async fn copy(&self, select: &str, write: &str) -> Result<(), CassandraError> {
        let [select, write] = [select, write].map(|cql| cql.replace(KEYSPACE_MARK, &self.keyspace.quoted()));
        let mut mark = None;
        loop {
            let page = self.page_insisted(&select, Vec::new(), COPIED_ROWS, mark).await?;
            mark = page.metadata.paging_state;
            let mut rows = page.rows_content.into_iter().peekable();
            while rows.peek().is_some() {
                let writes: Vec<_> = rows.by_ref().take(COPIES_AT_ONCE).map(|row| self.copy_row(&write, row)).collect();
                try_join_all(writes).await?;
            }
            if mark.is_none() {
                return Ok(());
            }
        }
    }

    #[cfg_attr(
        not(feature = "testing"),
        allow(dead_code, reason = "no step of today needs it; tests have steps that do")
    )]
    async fn copy_row(&self, write: &str, row: Vec<CBytes>) -> Result<(), CassandraError> {
        let values = row.into_iter().map(|value| value.into_bytes().map_or(Value::NotSet, Value::Some)).collect();
        self.write_insisted(write, values).await
    }

    /// Drops the keyspace with everything in it, and without a snapshot where the server can do that: for a keyspace that
    /// was made for a while.
    pub async fn drop_keyspace(&self) -> Result<(), CassandraError> {
        for table in SCHEMA.names_to_drop() {
            let no_snapshot = "WITH allow_auto_snapshot = false";
            // Cassandra 4.0 does not know it, and keeps one where `auto_snapshot` says so.
            let _ = self.change(&format!("ALTER TABLE {} {no_snapshot}", self.keyspace.table(table))).await;
        }
        self.change(&format!("DROP KEYSPACE IF EXISTS {}", self.keyspace.quoted())).await.map(|_| ())
    }

    /// Drops our tables with everything in them, and tells which were there. The keyspace and what else is in it stay.
    pub async fn drop_tables(&self) -> Result<Vec<String>, CassandraError> {
        self.refuse_newer().await?;
        let mut dropped = Vec::new();
        for table in SCHEMA.names_to_drop() {
            if self.change(&format!("DROP TABLE IF EXISTS {}", self.keyspace.table(table))).await? {
                dropped.push(format!("table {}", self.name_of(table)));
            }
        }
        Ok(dropped)
    }

    /// Makes sure that there are readings to look at.
    ///
    /// # Errors
    /// [`CassandraError::NoKeyspace`], [`CassandraError::NoTable`] or [`CassandraError::Shape`].
    pub async fn check_readings(&self) -> Result<(), CassandraError> {
        self.columns_to_read().await.map(drop)
    }

    /// The columns of `patient_vitals`, which can be read from: those that a migration adds may be missing.
    pub(super) async fn columns_to_read(&self) -> Result<Vec<String>, CassandraError> {
        let there = self.readings_columns().await?;
        let once_added = shape::with_added(there.clone(), SCHEMA.migrations);
        self.check_shapes(Schema { tables: &[READINGS], ..SCHEMA }, &once_added)?;
        let own = there.into_iter().filter(|column| column.table == READINGS.name);
        Ok(own.map(|column| column.name).collect())
    }

    /// Makes sure that there are alarms to look at.
    ///
    /// # Errors
    /// As [`CassandraStore::check_readings`], and [`CassandraError::Older`].
    pub(super) async fn check_alarms(&self) -> Result<(), CassandraError> {
        let columns = self.readings_columns().await?;
        let name = self.name_of(ALARMS.name);
        if !shape::has_table(&columns, ALARMS.name) {
            return Err(CassandraError::NoTable(name));
        }
        shape::check(&ALARMS, &columns).map_err(|fault| {
            if fault.found.is_none() { CassandraError::Older(name, fault) } else { CassandraError::Shape(name, fault) }
        })
    }

    /// The columns of all tables, `patient_vitals` among them.
    async fn readings_columns(&self) -> Result<Vec<FoundColumn>, CassandraError> {
        if !self.has_keyspace().await? {
            return Err(CassandraError::NoKeyspace(self.keyspace.to_string()));
        }
        let columns = self.columns().await?;
        if shape::has_table(&columns, READINGS.name) {
            Ok(columns)
        } else {
            Err(CassandraError::NoTable(self.name_of(READINGS.name)))
        }
    }

    /// The version of the schema; 0 where there is no keyspace, or none is noted in it.
    pub async fn version(&self) -> Result<SchemaVersion, CassandraError> {
        Ok(SCHEMA.version_of(self.recorded(&self.columns().await?).await?.into_keys()))
    }

    pub(in crate::store) async fn refuse_newer(&self) -> Result<(), CassandraError> {
        self.refuse(self.version().await?)
    }

    fn refuse(&self, version: SchemaVersion) -> Result<(), CassandraError> {
        let keyspace = self.keyspace.to_string();
        if version.is_newer() { Err(CassandraError::Newer(keyspace, version)) } else { Ok(()) }
    }

    /// The names of columns of `patient_vitals` that are not ours.
    pub async fn extra_columns(&self) -> Result<Vec<String>, CassandraError> {
        let columns = self.columns().await?.into_iter().filter(|column| column.table == READINGS.name);
        Ok(columns.map(|column| column.name).filter(|name| !READINGS.has(name)).collect())
    }

    /// Looks at each table that we need.
    pub(super) async fn survey_tables(&self) -> Result<Vec<TableSurvey>, CassandraError> {
        let columns = self.columns().await?;
        let survey = SCHEMA.tables.iter().map(|table| {
            let state = match shape::check(table, &columns) {
                _ if !shape::has_table(&columns, table.name) => TableState::Missing,
                Ok(()) => TableState::Fits,
                Err(fault) => TableState::Differs(fault.to_string()),
            };
            TableSurvey { name: table.name, state }
        });
        Ok(survey.collect())
    }

    async fn make_record(&self, columns: &[FoundColumn]) -> Result<SchemaStep, CassandraError> {
        let (table, what) = (self.keyspace.table(RECORD), format!("table {}", self.name_of(RECORD)));
        let definition = "(version INT PRIMARY KEY, name TEXT, applied_at TIMESTAMP)";
        // Who may not create tables can still use those that are there.
        let made = !shape::has_table(columns, RECORD)
            && self.change(&format!("CREATE TABLE IF NOT EXISTS {table} {definition}")).await?;
        Ok(SchemaStep { what, made })
    }

    async fn recorded(&self, columns: &[FoundColumn]) -> Result<Recorded, CassandraError> {
        if !shape::has_table(columns, RECORD) {
            return Ok(Recorded::new());
        }
        let cql = format!("SELECT version, CAST(applied_at AS TEXT) FROM {}", self.keyspace.table(RECORD));
        let params = StatementParamsBuilder::new().with_consistency(self.consistency.for_reads());
        let body = self.insist(Doing::ReadSchema, &cql, &params.idempotent(true).build()).await?;
        let mut recorded = Recorded::new();
        for row in body.into_rows().unwrap_or_default() {
            let row = Columns::of(&row, Doing::ReadSchema);
            recorded.insert(row.need(0)?, row.find::<String>(1)?.is_some());
        }
        Ok(recorded)
    }

    /// The time is the server's, as that of every row.
    async fn record(&self, migration: &Migration, applied_at: &str) -> Result<(), CassandraError> {
        let table = self.keyspace.table(RECORD);
        let cql = format!("INSERT INTO {table} (version, name, applied_at) VALUES (?, ?, {applied_at})");
        self.write_insisted(&cql, vec![Value::new(migration.version), Value::new(migration.name)]).await
    }

    async fn write_insisted(&self, cql: &str, values: Vec<Value>) -> Result<(), CassandraError> {
        let params = StatementParamsBuilder::new()
            .with_consistency(self.consistency.for_writes())
            .with_values(values.into())
            .idempotent(true)
            .build();
        self.insist(Doing::ChangeSchema, cql, &params).await.map(drop)
    }

    /// Compares the tables that are there with those of `schema`.
    fn check_shapes(&self, schema: Schema, columns: &[FoundColumn]) -> Result<(), CassandraError> {
        for table in schema.tables.iter().filter(|table| shape::has_table(columns, table.name)) {
            shape::check(table, columns).map_err(|fault| CassandraError::Shape(self.name_of(table.name), fault))?;
        }
        Ok(())
    }

    async fn has_keyspace(&self) -> Result<bool, CassandraError> {
        Ok(self.replication(Doing::ReadSchema, LOOK_LIMIT).await?.is_some())
    }

    /// How the keyspace is replicated, as it is set; `None` where there is none.
    pub(super) async fn replication(
        &self,
        doing: Doing,
        limit: Duration,
    ) -> Result<Option<BTreeMap<String, String>>, CassandraError> {
        let cql = "SELECT toJson(replication) FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let rows = self.look(doing, limit, cql, vec![Value::new(self.keyspace.as_str())]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let json: String = Columns::of(row, doing).need(0)?;
        Ok(Some(serde_json::from_str(&json).unwrap_or_default()))
    }

    /// The columns of all tables.
    async fn columns(&self) -> Result<Vec<FoundColumn>, CassandraError> {
        let cql = "SELECT table_name, column_name, kind, position, type, clustering_order FROM system_schema.columns \
                   WHERE keyspace_name = ?";
        let keyspace = vec![Value::new(self.keyspace.as_str())];
        self.look(Doing::ReadSchema, LOOK_LIMIT, cql, keyspace).await?.iter().map(FoundColumn::of).collect()
    }

    /// Makes a change and tells whether it changed something.
    async fn change(&self, cql: &str) -> Result<bool, CassandraError> {
        let params = StatementParamsBuilder::new().idempotent(true).build();
        let body = self.insist(Doing::ChangeSchema, cql, &params).await?;
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
            for row in self.look(Doing::ReadSchema, LOOK_LIMIT, &cql, Vec::new()).await? {
                versions.extend(Columns::of(&row, Doing::ReadSchema).find::<String>(0)?);
            }
        }
        Ok(versions)
    }

    fn name_of(&self, table: &str) -> String {
        format!("{}.{table}", self.keyspace)
    }
}

/// What may work when it is asked again: two made a change at once, or the connection broke. A table that another one
/// has just made is in the system tables a moment before it can be used.
fn may_pass(error: &CassandraError) -> bool {
    matches!(error.refusal(), Some(Refusal::Temporary | Refusal::Missing))
        || matches!(error, CassandraError::Broken(..))
}
