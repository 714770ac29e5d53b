//! The file and its tables as they are. What the tables should be is asked of an empty database in memory that `init` has
//! made.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::error::{Doing, SqliteError};
use super::schema::FoundColumn;
use super::{SqliteStore, file, schema};
use crate::store::migrations::SCHEMA;
use crate::store::{ActiveAlarms, FileSurvey, SchemaPart, TableState, TableSurvey};

impl SqliteStore {
    /// All tables of the file, and what is missing of what [`SqliteStore::init`] makes.
    pub async fn schema(&self) -> Result<Vec<SchemaPart>, SqliteError> {
        let look = |path: &Path| {
            let connection = file::open(path, Doing::Read)?;
            file::is_ours(&connection, path)?;
            describe(&connection).map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        self.blocking(Doing::Read, look).await
    }

    /// Looks at the file and its tables. Changes nothing.
    pub(crate) async fn survey(&self) -> Result<FileSurvey, SqliteError> {
        self.blocking(Doing::Open, survey).await
    }

    /// How many alarms are on.
    pub async fn active_alarms(&self) -> Result<ActiveAlarms, SqliteError> {
        let look = |path: &Path| {
            let connection = schema::open_alarms(path, Doing::Read)?;
            active_alarms(&connection).map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        self.blocking(Doing::Read, look).await
    }
}

fn survey(path: &Path) -> Result<FileSurvey, SqliteError> {
    let failed = |error| SqliteError::from_driver(path, Doing::Open, &error);
    let connection = file::open(path, Doing::Open)?;
    file::is_ours(&connection, path)?;
    let columns = schema::columns(&connection, SCHEMA).map_err(failed)?;
    let mut tables = Vec::new();
    for table in SCHEMA.tables {
        let state = match schema::check_shape(table, &columns, path) {
            _ if !schema::has_table(&columns, table.name) => TableState::Missing,
            Ok(()) => TableState::Fits,
            Err(SqliteError::Shape { column, .. }) => TableState::Differs(format!("it has no {column}")),
            Err(error) => return Err(error),
        };
        tables.push(TableSurvey { name: table.name, state });
    }
    Ok(FileSurvey {
        path: path.to_owned(),
        size_bytes: file::size_bytes(path),
        journal_mode: connection.query_row("PRAGMA journal_mode", (), |row| row.get(0)).map_err(failed)?,
        version: schema::version(&connection, path, SCHEMA)?,
        tables,
    })
}

/// The whole table is looked through, which takes as long as many alarms as there have ever been: a hundred patients have
/// some 300,000 in a year. One without a start was raised at its onset, as in `StoredAlarm::filled`. An end that is but that
/// of an acknowledgement does not count where the value is over again.
fn active_alarms(connection: &Connection) -> rusqlite::Result<ActiveAlarms> {
    let sql = "SELECT priority, COUNT(*) FROM patient_alerts WHERE COALESCE(started, ended) IS NOT NULL AND (COALESCE(ended, '') = '' \
               OR ended = acknowledged_at AND COALESCE(returned, '') = '') GROUP BY priority";
    let mut found = ActiveAlarms::default();
    let mut ask = connection.prepare(sql)?;
    let mut rows = ask.query(())?;
    while let Some(row) = rows.next()? {
        let (priority, count): (Option<String>, u32) = (row.get(0)?, row.get(1)?);
        found.add(priority.as_deref(), count);
    }
    Ok(found)
}

fn describe(connection: &Connection) -> rusqlite::Result<Vec<SchemaPart>> {
    let made = schema::in_memory()?;
    let ours = statements(&made)?;
    let mut parts = Vec::new();
    for (name, statement) in statements(connection)? {
        let differences = match ours.iter().find(|(made, _)| *made == name) {
            None => None,
            Some((_, same)) if words(same) == words(&statement) => Some(Vec::new()),
            Some(_) => Some(differences(&made, connection, &name)?),
        };
        parts.push(SchemaPart::there(format!("table {name}"), differences, Some(format!("{statement};"))));
    }
    for (name, _) in ours {
        let what = format!("table {name}");
        if !parts.iter().any(|part| part.what == what) {
            parts.push(SchemaPart::missing(what));
        }
    }
    Ok(parts)
}

/// The tables with the statements that made them, in the order in which they were made.
fn statements(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               ORDER BY rowid";
    connection.prepare(sql)?.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// A statement without its comments and line breaks.
fn words(statement: &str) -> String {
    let lines = statement.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    lines.flat_map(str::split_whitespace).collect()
}

fn differences(made: &Connection, found: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let [made_columns, found_columns] = [schema::columns(made, SCHEMA)?, schema::columns(found, SCHEMA)?]
        .map(|columns| columns.into_iter().filter(|column| column.table == table).collect::<Vec<_>>());
    let mut differences = Vec::new();
    for FoundColumn { name, kind, place, .. } in &made_columns {
        match found_columns.iter().find(|found| found.name == *name) {
            None => differences.push(format!("has no column {name} {kind}")),
            Some(is) if is.kind != *kind => {
                differences.push(format!("has its column {name} as {}, not {kind}", is.kind));
            }
            Some(is) if is.place != *place => {
                differences.push(format!("has its column {name} in another place of its key"));
            }
            Some(_) => {}
        }
    }
    let further = found_columns.iter().filter(|column| !made_columns.iter().any(|made| made.name == column.name));
    differences.extend(further.map(|column| format!("has the further column {} {}", column.name, column.kind)));
    if order(made, table)? != order(found, table)? {
        differences.push("keeps its rows in another order".to_owned());
    }
    if differences.is_empty() {
        differences.push("was made by another statement".to_owned());
    }
    Ok(differences)
}

/// For each column of the key, whether the larger comes first.
fn order(connection: &Connection, table: &str) -> rusqlite::Result<Vec<bool>> {
    let index = "SELECT name FROM pragma_index_list(?) WHERE origin = 'pk'";
    let Some(index) = connection.query_row(index, [table], |row| row.get::<_, String>(0)).optional()? else {
        return Ok(Vec::new());
    };
    let mut ask = connection.prepare("SELECT desc FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno")?;
    ask.query_map([index], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SchemaState;

    fn described(change: &str) -> Vec<(String, SchemaState, Vec<String>)> {
        let connection = schema::in_memory().unwrap();
        connection.execute_batch(change).unwrap();
        describe(&connection).unwrap().into_iter().map(|part| (part.what, part.state, part.differences)).collect()
    }

    fn of<'a>(parts: &'a [(String, SchemaState, Vec<String>)], what: &str) -> &'a (String, SchemaState, Vec<String>) {
        parts.iter().find(|part| part.0 == what).unwrap()
    }

    #[test]
    fn alarms_count_while_they_are_on_and_rows_of_an_earlier_vitals_do_not() {
        let connection = schema::in_memory().unwrap();
        let row = |onset: u32, started: &str, rest: &str| {
            format!(
                "('P1', '{onset}', 'r', '{}', {started}, {rest})",
                if onset.is_multiple_of(2) { "low" } else { "high" }
            )
        };
        let rows = [
            row(1, "'1'", "'', NULL, NULL"),
            row(2, "'1'", "'', '', NULL"),
            row(3, "'1'", "'', '2', NULL"),
            row(4, "'1'", "'2', '3', '3'"),
            row(5, "NULL", "NULL, NULL, NULL"),
            // Acknowledged while its value was back, and over again since.
            row(7, "'1'", "'', '3', '3'"),
        ];
        let columns = "patient_id, onset, rule, priority, started, returned, ended, acknowledged_at";
        let sql = format!("INSERT INTO patient_alerts ({columns}) VALUES {}", rows.join(", "));
        connection.execute(&sql, ()).unwrap();
        assert_eq!(active_alarms(&connection), Ok(ActiveAlarms { high: 2, medium: 0, low: 1 }));
    }

    #[test]
    fn what_init_makes_is_as_made() {
        let parts = described("");
        assert_eq!(parts.len(), 8);
        assert!(parts.iter().all(|part| part.1 == SchemaState::AsMade && part.2.is_empty()), "{parts:?}");
    }

    #[test]
    fn a_further_column_a_missing_table_and_one_of_others_are_told() {
        let parts = described(
            "ALTER TABLE patient_vitals ADD ward TEXT; DROP TABLE patient_alerts; CREATE TABLE beds (id INTEGER)",
        );
        let expected = vec!["has the further column ward TEXT".to_owned()];
        assert_eq!(
            of(&parts, "table patient_vitals"),
            &("table patient_vitals".to_owned(), SchemaState::Differs, expected)
        );
        assert_eq!(of(&parts, "table patient_alerts").1, SchemaState::Missing);
        assert_eq!(of(&parts, "table beds").1, SchemaState::NotOurs);
    }

    #[test]
    fn another_type_and_another_order_are_told() {
        let parts = described(
            "DROP TABLE patient_alerts; CREATE TABLE patient_alerts (patient_id TEXT, onset TEXT, rule TEXT, \
             priority TEXT, value TEXT, limit_in_force REAL, peak REAL, ended TEXT, acknowledged_by TEXT, \
             acknowledged_at TEXT, started TEXT, returned TEXT, message TEXT, rules TEXT, PRIMARY KEY (patient_id, onset, rule)) WITHOUT ROWID",
        );
        let differences = &of(&parts, "table patient_alerts").2;
        assert_eq!(differences, &["has its column value as TEXT, not REAL", "keeps its rows in another order"]);
    }
}
