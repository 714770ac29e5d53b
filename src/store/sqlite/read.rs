//! Readings and alerts out.
//!
//! Readings come page by page, each found by the last row of the one before. Nothing is held open between two pages,
//! so a slow reader keeps nobody from writing; rows that come meanwhile may be seen or not. As with Cassandra, times
//! are compared as text.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::error::{Doing, SqliteError};
use super::{SqliteStore, schema};
use crate::reading::{Consciousness, Observed, Signs};
use crate::store::stored_alarm::ALARM_COLUMNS;
use crate::store::{Order, Selection, StoredAlarm, StoredReading};

/// Rows on a page: some 200 KiB in memory.
const PAGE_ROWS: u32 = 1000;

impl SqliteStore {
    /// The readings of `selection`, at most `limit` of them.
    pub fn readings(&self, selection: &Selection, limit: u32) -> Readings<'_> {
        Readings { store: self, selection: selection.clone(), left: limit.into(), last: None, table: None }
    }

    /// All readings, in the order of the key: patients by their ids, each one's rows newest first.
    pub fn scan(&self) -> Readings<'_> {
        Readings { store: self, selection: Selection::Any, left: u64::MAX, last: None, table: None }
    }

    /// Everyone who has readings.
    pub async fn patients(&self) -> Result<Vec<String>, SqliteError> {
        let read = |path: &Path| patients(&open(path)?.connection).map_err(|error| unread(path, &error));
        self.blocking(Doing::Read, read).await
    }

    /// The last alarms of each of these patients, at most `limit` of one, each one's newest first.
    pub async fn alarms_of(&self, patients: &[&str], limit: u16) -> Result<Vec<StoredAlarm>, SqliteError> {
        let patients: Vec<_> = patients.iter().map(|patient| (*patient).to_owned()).collect();
        let read = move |path: &Path| {
            let connection = schema::open_alarms(path, Doing::Read)?;
            let of = |patient: &String| alarms_of(&connection, patient, limit);
            let found: rusqlite::Result<Vec<_>> = patients.iter().map(of).collect();
            found.map(|alarms| alarms.into_iter().flatten().collect()).map_err(|error| unread(path, &error))
        };
        self.blocking(Doing::Read, read).await
    }

    /// The alarms of this patient that were raised and have not ended, the newest first.
    pub async fn open_alarms(&self, patient: &str) -> Result<Vec<StoredAlarm>, SqliteError> {
        let patient = patient.to_owned();
        let read = move |path: &Path| {
            let connection = schema::open_alarms(path, Doing::Read)?;
            open_alarms(&connection, &patient).map_err(|error| unread(path, &error))
        };
        self.blocking(Doing::Read, read).await
    }
}

/// Readings on their way out of the store, page by page.
#[derive(Debug)]
pub struct Readings<'store> {
    store: &'store SqliteStore,
    selection: Selection,
    left: u64,
    last: Option<StoredReading>,
    table: Option<OpenTable>,
}

/// The table of readings, and what to ask for of each.
#[derive(Debug)]
struct OpenTable {
    connection: Connection,
    columns: String,
}

impl Readings<'_> {
    /// Those of another selection, over the same connection.
    #[must_use]
    pub fn again(self, selection: &Selection, limit: u32) -> Self {
        Self { table: self.table, ..self.store.readings(selection, limit) }
    }

    /// The next page: up to a thousand readings, or `None` when there are no more. After an error it can be asked for
    /// again.
    ///
    /// # Errors
    /// [`SqliteError::NoFile`], [`SqliteError::NoTable`], [`SqliteError::Shape`] or [`SqliteError::NotOurs`] where there
    /// is nothing to read from; else why it cannot be read.
    pub async fn next_page(&mut self) -> Result<Option<Vec<StoredReading>>, SqliteError> {
        if self.left == 0 {
            return Ok(None);
        }
        let rows = u32::try_from(self.left).map_or(PAGE_ROWS, |left| left.min(PAGE_ROWS));
        let (selection, last, table) = (self.selection.clone(), self.last.clone(), self.table.take());
        let read = move |path: &Path| {
            let table = table.map_or_else(|| open(path), Ok)?;
            let page = page(&table, &selection, last.as_ref(), rows).map_err(|error| unread(path, &error))?;
            Ok((table, page))
        };
        let (table, page) = self.store.blocking(Doing::Read, read).await?;
        self.table = Some(table);
        let found = u32::try_from(page.len()).unwrap_or(u32::MAX);
        self.left = if found < rows { 0 } else { self.left.saturating_sub(found.into()) };
        self.last = page.last().cloned();
        Ok(Some(page))
    }
}

fn open(path: &Path) -> Result<OpenTable, SqliteError> {
    let (connection, there) = schema::open_checked(path, Doing::Read)?;
    connection.pragma_update(None, "query_only", true).map_err(|error| unread(path, &error))?;
    Ok(OpenTable { connection, columns: schema::reading_columns(&there) })
}

fn unread(path: &Path, error: &rusqlite::Error) -> SqliteError {
    SqliteError::from_driver(path, Doing::Read, error)
}

/// The rows behind `last`.
fn page(
    table: &OpenTable,
    selection: &Selection,
    last: Option<&StoredReading>,
    rows: u32,
) -> rusqlite::Result<Vec<StoredReading>> {
    match (selection, last) {
        (Selection::Patient { id, since, until, order }, _) => {
            let mut from = since.map(|since| ("timestamp >= ?", since.to_string()));
            let mut to = until.map(|until| ("timestamp < ?", until.to_string()));
            // The last row takes the place of the bound on its side: of two, SQLite may seek by the one that is farther
            // away, and go through all rows between them again for every page.
            let order = match order {
                Order::NewestFirst => {
                    to = last.map(|last| ("timestamp < ?", last.timestamp.clone())).or(to);
                    "timestamp DESC"
                }
                Order::OldestFirst => {
                    from = last.map(|last| ("timestamp > ?", last.timestamp.clone())).or(from);
                    "timestamp"
                }
            };
            let patient = ("patient_id = ?", id.clone());
            select(table, [patient].into_iter().chain(from).chain(to).collect(), order, rows)
        }
        (Selection::Any, None) => select(table, Vec::new(), TABLE_ORDER, rows),
        (Selection::Any, Some(last)) => {
            // In two steps, each a range of the key: the rest of this patient's rows, then the patients behind.
            let same = vec![("patient_id = ?", last.patient_id.clone()), ("timestamp < ?", last.timestamp.clone())];
            let mut page = select(table, same, TABLE_ORDER, rows)?;
            let left = rows.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
            let behind = vec![("patient_id > ?", last.patient_id.clone())];
            page.extend(select(table, behind, TABLE_ORDER, left)?);
            Ok(page)
        }
    }
}

/// The order that the table keeps its rows in.
const TABLE_ORDER: &str = "patient_id, timestamp DESC";

fn select(
    OpenTable { connection, columns }: &OpenTable,
    conditions: Vec<(&str, String)>,
    order: &str,
    rows: u32,
) -> rusqlite::Result<Vec<StoredReading>> {
    let mut sql = format!("SELECT {columns} FROM patient_vitals");
    let mut values = Vec::new();
    for (condition, value) in conditions {
        sql.push_str(if values.is_empty() { " WHERE " } else { " AND " });
        sql.push_str(condition);
        values.push(Value::Text(value));
    }
    sql.extend([" ORDER BY ", order, " LIMIT ?"]);
    values.push(Value::Integer(rows.into()));
    connection.prepare_cached(&sql)?.query_map(params_from_iter(values), stored_reading)?.collect()
}

/// From each patient to the next one by the key: to go through all readings would take as long as there are many.
fn patients(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "WITH RECURSIVE patients (id) AS (
                   SELECT min(patient_id) FROM patient_vitals
                   UNION ALL
                   SELECT (SELECT min(patient_id) FROM patient_vitals WHERE patient_id > id)
                   FROM patients WHERE id IS NOT NULL
               )
               SELECT id FROM patients WHERE id IS NOT NULL";
    connection.prepare(sql)?.query_map((), |row| row.get(0))?.collect()
}

fn alarms_of(connection: &Connection, patient_id: &str, limit: u16) -> rusqlite::Result<Vec<StoredAlarm>> {
    let sql = format!(
        "SELECT {ALARM_COLUMNS} FROM patient_alerts WHERE patient_id = ? ORDER BY onset DESC, rule LIMIT {limit}"
    );
    connection.prepare_cached(&sql)?.query_map([patient_id], stored_alarm)?.collect()
}

fn open_alarms(connection: &Connection, patient_id: &str) -> rusqlite::Result<Vec<StoredAlarm>> {
    let sql = format!(
        "SELECT {ALARM_COLUMNS} FROM patient_alerts WHERE patient_id = ? AND ended = '' ORDER BY onset DESC, rule"
    );
    connection.prepare_cached(&sql)?.query_map([patient_id], stored_alarm)?.collect()
}

pub(super) fn stored_reading(row: &Row<'_>) -> rusqlite::Result<StoredReading> {
    Ok(StoredReading {
        patient_id: row.get(0)?,
        timestamp: row.get(1)?,
        signs: Signs {
            heart_rate: row.get(2)?,
            spo2: row.get(3)?,
            systolic: row.get(4)?,
            diastolic: row.get(5)?,
            respiratory_rate: row.get(6)?,
            temperature: row.get(7)?,
            observed: Observed {
                supplemental_oxygen: row.get(8)?,
                consciousness: row.get::<_, Option<String>>(9)?.and_then(|letter| Consciousness::parse(&letter)),
            },
        },
    })
}

pub(super) fn stored_alarm(row: &Row<'_>) -> rusqlite::Result<StoredAlarm> {
    let alarm = StoredAlarm {
        patient_id: row.get(0)?,
        onset: row.get(1)?,
        rule: row.get(2)?,
        priority: row.get(3)?,
        value: row.get(4)?,
        limit: row.get(5)?,
        peak: row.get(6)?,
        started: row.get(7)?,
        returned: row.get(8)?,
        ended: row.get(9)?,
        acknowledged_by: row.get(10)?,
        acknowledged_at: row.get(11)?,
        message: row.get(12)?,
        rules: row.get(13)?,
    };
    Ok(alarm.filled())
}
