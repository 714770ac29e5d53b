//! The file and its tables: made by `init`, looked at by `consume`.
//!
//! All changes are made in one transaction, so that of several `init` at once one makes everything.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::SqliteStore;
use super::error::{Doing, SqliteError};
use super::file::{self, Owner};
use crate::store::{SchemaStep, SchemaVersion, TableState, TableSurvey};

/// The table that holds which migrations were applied, and when.
const RECORD: &str = "schema_migrations";

/// One file of `migrations/sqlite/`.
struct Migration {
    /// Its number: the order.
    version: i32,
    /// The table that it makes, which is also its name.
    table: &'static str,
    sql: &'static str,
    /// The columns that we use, those of the key first and in its order.
    columns: &'static [&'static str],
    /// How many columns the key has.
    key_columns: usize,
}

const READINGS: Migration = Migration {
    version: 1,
    table: "patient_vitals",
    sql: include_str!("../../../migrations/sqlite/0001_patient_vitals.sql"),
    columns: &[
        "patient_id",
        "timestamp",
        "heart_rate",
        "spo2",
        "systolic",
        "diastolic",
        "respiratory_rate",
        "temperature",
    ],
    key_columns: 2,
};

const ALERTS: Migration = Migration {
    version: 2,
    table: "patient_alerts",
    sql: include_str!("../../../migrations/sqlite/0002_patient_alerts.sql"),
    columns: &[
        "patient_id",
        "onset",
        "rule",
        "priority",
        "value",
        "limit_in_force",
        "peak",
        "ended",
        "acknowledged_by",
        "acknowledged_at",
    ],
    key_columns: 3,
};

impl SqliteStore {
    /// Makes the file and all tables; what is there is left alone. Tells each part in order.
    ///
    /// # Errors
    /// [`SqliteError::NoFolder`], [`SqliteError::Folder`], [`SqliteError::NotADatabase`] or [`SqliteError::NotOurs`]
    /// where no file of ours can be, [`SqliteError::Newer`] where it is that of a newer `vitals`: nothing is changed then.
    pub async fn init(&self) -> Result<Vec<SchemaStep>, SqliteError> {
        self.blocking(Doing::ChangeSchema, |path| migrate(&mut file::create(path)?, path)).await
    }

    /// Makes sure that readings can be stored. `patient_vitals` must be there; other tables are made. Tells each part
    /// in order.
    ///
    /// # Errors
    /// [`SqliteError::NoFile`], [`SqliteError::NoTable`], [`SqliteError::Shape`] or [`SqliteError::Newer`].
    pub async fn prepare(&self) -> Result<Vec<SchemaStep>, SqliteError> {
        self.blocking(Doing::Open, |path| migrate(&mut open_checked(path, Doing::Open)?, path)).await
    }
}

impl SqliteStore {
    /// The version of the schema; that of a file that is not there is 0.
    ///
    /// # Errors
    /// The file is not ours, or it cannot be read.
    pub async fn version(&self) -> Result<SchemaVersion, SqliteError> {
        let look = |path: &Path| match file::open(path, Doing::Read) {
            Err(SqliteError::NoFile(_)) => Ok(SchemaVersion { found: 0, known: ALERTS.version }),
            opened => version(&opened?, path),
        };
        self.blocking(Doing::Read, look).await
    }

    pub(in crate::store) async fn refuse_newer(&self) -> Result<(), SqliteError> {
        let version = self.version().await?;
        if version.is_newer() { Err(SqliteError::Newer { path: self.path.clone(), version }) } else { Ok(()) }
    }

    /// The names of columns of `patient_vitals` that are not ours.
    ///
    /// # Errors
    /// As [`SqliteStore::prepare`].
    pub async fn extra_columns(&self) -> Result<Vec<String>, SqliteError> {
        let look = |path: &Path| {
            let there = columns(&open_checked(path, Doing::Read)?, READINGS.table);
            let there = there.map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))?;
            let names = there.into_iter().map(|(name, _)| name);
            Ok(names.filter(|name| !READINGS.columns.contains(&name.as_str())).collect())
        };
        self.blocking(Doing::Read, look).await
    }
}

/// Removes our tables; the file too, where they were all that was in it.
pub(super) fn clear(path: &Path) -> Result<Vec<String>, SqliteError> {
    let mut connection = file::open(path, Doing::Remove)?;
    if file::owner(&connection, path)? == Owner::Nobody {
        return Ok(Vec::new());
    }
    refuse_newer(&connection, path)?;
    let failed = |error| SqliteError::from_driver(path, Doing::Remove, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let dropped = drop_tables(&transaction).map_err(failed)?;
    let others: i64 =
        transaction.query_row("SELECT COUNT(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    if others > 0 {
        return Ok(dropped);
    }
    drop(connection);
    file::remove(path)?;
    Ok(vec![format!("file {}", path.display())])
}

fn drop_tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut dropped = Vec::new();
    for table in [ALERTS.table, READINGS.table, RECORD] {
        if !columns(connection, table)?.is_empty() {
            connection.execute_batch(&format!("DROP TABLE {table}"))?;
            dropped.push(format!("table {table}"));
        }
    }
    Ok(dropped)
}

/// An empty database in memory, as `init` makes it.
pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    create_record(&connection)?;
    [&READINGS, &ALERTS].into_iter().try_for_each(|migration| connection.execute_batch(migration.sql))?;
    Ok(connection)
}

/// The version of the schema.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<SchemaVersion, SqliteError> {
    let failed = |error| SqliteError::from_driver(path, Doing::Open, &error);
    let is_noted = !columns(connection, RECORD).map_err(failed)?.is_empty();
    let versions = if is_noted { recorded(connection).map_err(failed)? } else { BTreeSet::new() };
    let found = versions.last().copied().unwrap_or(0);
    Ok(SchemaVersion { found, known: ALERTS.version })
}

fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), SqliteError> {
    let version = version(connection, path)?;
    if version.is_newer() { Err(SqliteError::Newer { path: path.to_owned(), version }) } else { Ok(()) }
}

/// Opens the file and makes sure that there are readings in it to look at, or a place for them.
pub(super) fn open_checked(path: &Path, doing: Doing) -> Result<Connection, SqliteError> {
    let connection = file::open(path, doing)?;
    file::owner(&connection, path)?;
    if doing != Doing::Read {
        refuse_newer(&connection, path)?;
    }
    if !check_shape(&connection, path, &READINGS)? {
        return Err(SqliteError::NoTable { path: path.to_owned(), table: READINGS.table });
    }
    Ok(connection)
}

/// Looks at each table that we need.
pub(super) fn survey(connection: &Connection, path: &Path) -> Result<Vec<TableSurvey>, SqliteError> {
    let look = |migration: &Migration| {
        let state = match check_shape(connection, path, migration) {
            Ok(true) => TableState::Fits,
            Ok(false) => TableState::Missing,
            Err(SqliteError::Shape { column, .. }) => TableState::Differs(format!("it has no {column}")),
            Err(error) => return Err(error),
        };
        Ok(TableSurvey { name: migration.table, state })
    };
    [&READINGS, &ALERTS].into_iter().map(look).collect()
}

/// Applies what was not applied yet, or whose table was dropped since.
fn migrate(connection: &mut Connection, path: &Path) -> Result<Vec<SchemaStep>, SqliteError> {
    let failed = |error| SqliteError::from_driver(path, Doing::ChangeSchema, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let is_new = file::owner(&transaction, path)? == Owner::Nobody;
    refuse_newer(&transaction, path)?;
    let mut steps = vec![
        SchemaStep { what: format!("file {}", path.display()), made: is_new },
        SchemaStep { what: format!("table {RECORD}"), made: columns(&transaction, RECORD).map_err(failed)?.is_empty() },
    ];
    file::sign(&transaction).and_then(|()| create_record(&transaction)).map_err(failed)?;
    let recorded = recorded(&transaction).map_err(failed)?;
    for migration in [&READINGS, &ALERTS] {
        let there = check_shape(&transaction, path, migration)?;
        if !there || !recorded.contains(&migration.version) {
            apply(&transaction, migration).map_err(failed)?;
        }
        steps.push(SchemaStep { what: format!("table {}", migration.table), made: !there });
    }
    transaction.commit().map_err(failed)?;
    Ok(steps)
}

fn create_record(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {RECORD} (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"
    ))
}

fn recorded(connection: &Connection) -> rusqlite::Result<BTreeSet<i32>> {
    connection.prepare(&format!("SELECT version FROM {RECORD}"))?.query_map((), |row| row.get(0))?.collect()
}

fn apply(connection: &Connection, migration: &Migration) -> rusqlite::Result<()> {
    connection.execute_batch(migration.sql)?;
    let record = format!(
        "INSERT OR REPLACE INTO {RECORD} (version, name, applied_at) \
         VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now'))"
    );
    connection.execute(&record, (migration.version, migration.table)).map(drop)
}

/// Tells whether the table is there.
fn check_shape(connection: &Connection, path: &Path, migration: &Migration) -> Result<bool, SqliteError> {
    let there =
        columns(connection, migration.table).map_err(|error| SqliteError::from_driver(path, Doing::Open, &error))?;
    if there.is_empty() {
        return Ok(false);
    }
    for (at, name) in migration.columns.iter().enumerate() {
        // In the key places count from 1; what is not in it has 0.
        let place = if at < migration.key_columns { at + 1 } else { 0 };
        if !there.iter().any(|(column, key)| column == name && usize::try_from(*key) == Ok(place)) {
            let column = match place {
                0 => format!("column `{name}`"),
                place => format!("column `{name}` as number {place} of its key"),
            };
            return Err(SqliteError::Shape { path: path.to_owned(), table: migration.table, column });
        }
    }
    Ok(true)
}

/// The columns of a table, each with its place in the key; a table that does not exist has none.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut ask = connection.prepare("SELECT name, pk FROM pragma_table_info(?)")?;
    ask.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
