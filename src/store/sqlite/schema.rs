//! The file and its tables: made by `init`, looked at by `consume`.
//!
//! All changes are made in one transaction, so that of several `init` at once one makes everything, and one that is
//! killed leaves the file as it was.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, Row, TransactionBehavior};

use super::error::{Doing, SqliteError};
use super::{SqliteStore, file};
use crate::reading::COLUMNS;
use crate::store::migrations::{Change, Migration, RECORD, SCHEMA, Schema, told};
use crate::store::tables::{ALARMS, READINGS, READINGS_AT_FIRST, Table};
use crate::store::{SchemaStep, SchemaVersion};

impl SqliteStore {
    /// Makes the file and all tables; what is there is left alone. Tells each part in order.
    pub async fn init(&self) -> Result<Vec<SchemaStep>, SqliteError> {
        self.migrate(SCHEMA).await
    }

    /// Makes the file, applies the migrations that are due, and tells each table in order, with what else was done now.
    ///
    /// # Errors
    /// [`SqliteError::NoFolder`], [`SqliteError::Folder`], [`SqliteError::NotADatabase`] or [`SqliteError::NotOurs`]
    /// where no file of ours can be, [`SqliteError::Newer`] where it is that of a newer `vitals`, [`SqliteError::Shape`]
    /// where no migration can make a table hold our rows: nothing is changed then.
    pub async fn migrate(&self, schema: Schema) -> Result<Vec<SchemaStep>, SqliteError> {
        self.blocking(Doing::ChangeSchema, move |path| migrate(&mut file::create(path)?, path, schema)).await
    }

    /// Makes sure that readings can be stored. `patient_vitals` must be there; other tables are made. Tells each part
    /// in order.
    pub async fn prepare(&self) -> Result<Vec<SchemaStep>, SqliteError> {
        self.blocking(Doing::Open, |path| migrate(&mut open_with_readings(path, Doing::Open)?.0, path, SCHEMA)).await
    }

    /// The version of the schema; that of a file that is not there is 0.
    pub async fn version(&self) -> Result<SchemaVersion, SqliteError> {
        let look = |path: &Path| match file::open(path, Doing::Read) {
            Err(SqliteError::NoFile(_)) => Ok(SCHEMA.version_of([])),
            opened => version(&opened?, path, SCHEMA),
        };
        self.blocking(Doing::Read, look).await
    }

    pub(in crate::store) async fn refuse_newer(&self) -> Result<(), SqliteError> {
        refuse(&self.path, self.version().await?)
    }

    /// The names of columns of `patient_vitals` that are not ours.
    pub async fn extra_columns(&self) -> Result<Vec<String>, SqliteError> {
        let look = |path: &Path| {
            let (_, columns) = open_checked(path, Doing::Read)?;
            let names = columns.into_iter().filter(|column| column.table == READINGS.name).map(|column| column.name);
            Ok(names.filter(|name| !READINGS.has(name)).collect())
        };
        self.blocking(Doing::Read, look).await
    }
}

/// Removes our tables; the file too, where they were all that was in it.
pub(super) fn clear(path: &Path) -> Result<Vec<String>, SqliteError> {
    let mut connection = file::open(path, Doing::Remove)?;
    if !file::is_ours(&connection, path)? {
        return Ok(Vec::new());
    }
    refuse(path, version(&connection, path, SCHEMA)?)?;
    let failed = |error| SqliteError::from_driver(path, Doing::Remove, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let there = columns(&transaction, SCHEMA).map_err(failed)?;
    let mut dropped = Vec::new();
    for table in SCHEMA.names_to_drop().filter(|table| has_table(&there, table)) {
        transaction.execute_batch(&format!("DROP TABLE {table}")).map_err(failed)?;
        dropped.push(format!("table {table}"));
    }
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

/// An empty database in memory, as `init` makes it.
pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    make_record(&connection)?;
    SCHEMA.migrations.iter().try_for_each(|migration| apply(&connection, migration, &[]))?;
    Ok(connection)
}

pub(super) fn version(connection: &Connection, path: &Path, schema: Schema) -> Result<SchemaVersion, SqliteError> {
    let recorded = columns(connection, schema)
        .and_then(|there| if has_table(&there, RECORD) { recorded(connection) } else { Ok(BTreeSet::new()) });
    Ok(schema.version_of(recorded.map_err(|error| SqliteError::from_driver(path, Doing::Open, &error))?))
}

fn refuse(path: &Path, version: SchemaVersion) -> Result<(), SqliteError> {
    if version.is_newer() { Err(SqliteError::Newer(path.to_owned(), version)) } else { Ok(()) }
}

/// Opens the file and makes sure that there are readings in it to look at. Gives the columns of all tables along: those
/// that a migration adds may be missing.
pub(super) fn open_checked(path: &Path, doing: Doing) -> Result<(Connection, Vec<FoundColumn>), SqliteError> {
    let (connection, columns) = open_with_readings(path, doing)?;
    check_shape(&READINGS_AT_FIRST, &columns, path)?;
    Ok((connection, columns))
}

/// Opens the file and makes sure that there is a place for readings in it.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, SqliteError> {
    let (connection, columns) = open_checked(path, Doing::Write)?;
    check_age(&READINGS, &columns, path).map(|()| connection)
}

/// What to ask for of a reading: its columns, and nothing for one that a migration has still to add.
pub(super) fn reading_columns(there: &[FoundColumn]) -> String {
    let is_there = |name: &str| there.iter().any(|column| column.table == READINGS.name && column.name == name);
    COLUMNS.map(|name| if is_there(name) { name } else { "NULL" }).join(", ")
}

/// Opens the file and makes sure that there are alarms in it to look at, or a place for them.
pub(super) fn open_alarms(path: &Path, doing: Doing) -> Result<Connection, SqliteError> {
    let (connection, columns) = open_checked(path, doing)?;
    if !has_table(&columns, ALARMS.name) {
        return Err(SqliteError::NoTable(path.to_owned(), ALARMS.name));
    }
    check_age(&ALARMS, &columns, path).map(|()| connection)
}

/// As [`check_shape`] of a table of ours, which lacks only what a migration adds.
fn check_age(table: &Table, found: &[FoundColumn], path: &Path) -> Result<(), SqliteError> {
    match check_shape(table, found, path) {
        Err(SqliteError::Shape { path, table, column }) => Err(SqliteError::Older { path, table, column }),
        checked => checked,
    }
}

fn open_with_readings(path: &Path, doing: Doing) -> Result<(Connection, Vec<FoundColumn>), SqliteError> {
    let connection = file::open(path, doing)?;
    file::is_ours(&connection, path)?;
    if doing != Doing::Read {
        refuse(path, version(&connection, path, SCHEMA)?)?;
    }
    let columns = columns(&connection, SCHEMA).map_err(|error| SqliteError::from_driver(path, Doing::Open, &error))?;
    if has_table(&columns, READINGS.name) {
        Ok((connection, columns))
    } else {
        Err(SqliteError::NoTable(path.to_owned(), READINGS.name))
    }
}

fn migrate(connection: &mut Connection, path: &Path, schema: Schema) -> Result<Vec<SchemaStep>, SqliteError> {
    let failed = |error| SqliteError::from_driver(path, Doing::ChangeSchema, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let is_new = !file::is_ours(&transaction, path)?;
    refuse(path, version(&transaction, path, schema)?)?;
    let before = columns(&transaction, schema).map_err(failed)?;
    let mut steps = vec![
        SchemaStep { what: format!("file {}", path.display()), made: is_new },
        SchemaStep { what: format!("table {RECORD}"), made: !has_table(&before, RECORD) },
    ];
    file::sign(&transaction).and_then(|()| make_record(&transaction)).map_err(failed)?;
    let applied = recorded(&transaction).map_err(failed)?;
    let there: Vec<_> = before.iter().map(|column| (column.table, column.name.as_str())).collect();
    let due: BTreeSet<i32> = schema.due(&applied, &there).iter().map(|migration| migration.version).collect();
    for migration in schema.migrations {
        let is_due = due.contains(&migration.version);
        if is_due {
            apply(&transaction, migration, &there).and_then(|()| record(&transaction, migration)).map_err(failed)?;
        }
        match migration.change {
            Change::Make { table, .. } => {
                steps.push(SchemaStep { what: format!("table {table}"), made: !has_table(&before, table) });
            }
            Change::Add { table, columns } if is_due => {
                let added = columns.iter().filter(|column| !there.contains(&(table, column.name)));
                steps.extend(
                    added.map(|column| SchemaStep { what: format!("column {table}.{}", column.name), made: true }),
                );
            }
            Change::Fill { table, .. } if is_due => {
                steps.push(SchemaStep { what: format!("rows of {table}"), made: true });
            }
            Change::Add { .. } | Change::Fill { .. } => {}
        }
    }
    let after = columns(&transaction, schema).map_err(failed)?;
    for table in schema.tables.iter().filter(|table| has_table(&after, table.name)) {
        check_shape(table, &after, path)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(told(steps))
}

fn apply(connection: &Connection, migration: &Migration, there: &[(&str, &str)]) -> rusqlite::Result<()> {
    match migration.change {
        Change::Make { sql, .. } => connection.execute_batch(sql),
        Change::Add { table, columns } => {
            let mut missing = columns.iter().filter(|column| !there.contains(&(table, column.name)));
            missing.try_for_each(|column| {
                connection.execute_batch(&format!("ALTER TABLE {table} ADD {} {}", column.name, column.kind.sql()))
            })
        }
        Change::Fill { sqlite, .. } => sqlite(connection),
    }
}

fn make_record(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {RECORD} (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"
    ))
}

fn recorded(connection: &Connection) -> rusqlite::Result<BTreeSet<i32>> {
    connection.prepare(&format!("SELECT version FROM {RECORD}"))?.query_map((), |row| row.get(0))?.collect()
}

fn record(connection: &Connection, migration: &Migration) -> rusqlite::Result<()> {
    let record = format!(
        "INSERT OR REPLACE INTO {RECORD} (version, name, applied_at) \
         VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now'))"
    );
    connection.execute(&record, (migration.version, migration.name)).map(drop)
}

/// A column that is there.
pub(super) struct FoundColumn {
    pub(super) table: &'static str,
    pub(super) name: String,
    /// Its type.
    pub(super) kind: String,
    /// In the key places count from 1; what is not in it has 0.
    pub(super) place: i64,
}

/// The columns of our tables; those of others are not looked at, as that can fail.
pub(super) fn columns(connection: &Connection, schema: Schema) -> rusqlite::Result<Vec<FoundColumn>> {
    let mut ask = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?)")?;
    let mut found = Vec::new();
    for table in schema.names() {
        let column =
            |row: &Row<'_>| Ok(FoundColumn { table, name: row.get(0)?, kind: row.get(1)?, place: row.get(2)? });
        for column in ask.query_map([table], column)? {
            found.push(column?);
        }
    }
    Ok(found)
}

pub(super) fn has_table(columns: &[FoundColumn], table: &str) -> bool {
    columns.iter().any(|column| column.table == table)
}

/// Compares the columns of `table` among `found` with those that it must have.
pub(super) fn check_shape(table: &Table, found: &[FoundColumn], path: &Path) -> Result<(), SqliteError> {
    for (at, wanted) in (1..).zip(table.names_in_file()) {
        let place = if at <= i64::from(table.key_columns) { at } else { 0 };
        let fits = |column: &FoundColumn| column.table == table.name && column.name == wanted && column.place == place;
        if !found.iter().any(fits) {
            let column = match place {
                0 => format!("column `{wanted}`"),
                place => format!("column `{wanted}` as number {place} of its key"),
            };
            return Err(SqliteError::Shape { path: path.to_owned(), table: table.name, column });
        }
    }
    Ok(())
}
