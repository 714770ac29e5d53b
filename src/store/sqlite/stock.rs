//! What the tables hold, as far as that can be told within a second.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _};

use super::error::{Doing, SqliteError};
use super::{SqliteStore, schema};
use crate::reading::Timestamp;
use crate::store::Kept;
use crate::store::stock::{FileRoom, Largest, Stock, TableStock, keeps};
use crate::store::tables::{PATIENT_TABLES, PatientTable};

/// How long each table is looked at; of the patients behind that it is told what those before them have.
const LIMIT: Duration = Duration::from_secs(1);

/// How long it is looked for the largest.
const LARGEST_LIMIT: Duration = Duration::from_millis(250);

/// The rows of a patient that are counted at once, before the time is looked at again.
const ROWS_AT_ONCE: u32 = 50_000;

impl SqliteStore {
    /// What the tables hold, and how many of their rows would not be kept so.
    pub(crate) async fn stock(&self, kept: Kept, now: i64) -> Result<Stock, SqliteError> {
        let look = move |path: &Path| {
            let (connection, columns) = schema::open_checked(path, Doing::Read)?;
            let tables = PATIENT_TABLES.iter().zip(keeps(kept));
            let tables = tables.filter(|(table, _)| schema::has_table(&columns, table.name)).map(|(table, keep)| {
                let horizon = keep.horizon(now).and_then(Timestamp::from_micros).map(|time| time.to_string());
                table_stock(&connection, table, horizon.as_deref())
            });
            let stock =
                || Ok(Stock { tables: tables.collect::<rusqlite::Result<_>>()?, file: Some(room(&connection)?) });
            stock().map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        self.blocking(Doing::Read, look).await
    }
}

impl SqliteStore {
    /// The patients with the most readings, of those that are counted in time.
    pub(crate) async fn largest(&self) -> Result<Largest, SqliteError> {
        let look = move |path: &Path| {
            let (connection, _) = schema::open_checked(path, Doing::Read)?;
            largest(&connection).map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        self.blocking(Doing::Read, look).await
    }
}

fn largest(connection: &Connection) -> rusqlite::Result<Largest> {
    let end = Instant::now() + LARGEST_LIMIT;
    let mut next =
        connection.prepare("SELECT patient_id FROM patient_vitals WHERE patient_id > ? ORDER BY patient_id LIMIT 1")?;
    let mut count = connection.prepare(&format!(
        "SELECT COUNT(*), MAX(timestamp) FROM (SELECT timestamp FROM patient_vitals WHERE patient_id = ?1 \
         AND timestamp > ?2 ORDER BY timestamp LIMIT {ROWS_AT_ONCE})"
    ))?;
    let (mut patient, mut found) = (String::new(), Vec::new());
    let is_counted = loop {
        let Some(following) = next.query_row([&patient], |row| row.get::<_, String>(0)).optional()? else { break true };
        if Instant::now() >= end {
            break false;
        }
        patient = following;
        let (mut all, mut behind) = (0_u64, String::new());
        loop {
            let (rows, last): (u32, Option<String>) =
                count.query_row((&patient, &behind), |row| Ok((row.get(0)?, row.get(1)?)))?;
            all += u64::from(rows);
            match last {
                Some(last) if rows == ROWS_AT_ONCE && Instant::now() < end => behind = last,
                _ => break,
            }
        }
        found.push((patient.clone(), all));
    };
    Ok(Largest { is_counted: is_counted && Instant::now() < end, ..Largest::of(found) })
}

fn table_stock(
    connection: &Connection,
    &PatientTable { name: table, time, order, row_bytes, .. }: &PatientTable,
    horizon: Option<&str>,
) -> rusqlite::Result<TableStock> {
    let end = Instant::now() + LIMIT;
    let mut patients = connection
        .prepare(&format!("SELECT patient_id FROM {table} WHERE patient_id > ? ORDER BY patient_id LIMIT 1"))?;
    let mut oldest =
        connection.prepare(&format!("SELECT {time} FROM {table} WHERE patient_id = ? ORDER BY {order} LIMIT 1"))?;
    // Where the time of the last row that was counted is given, those behind it.
    let mut count = connection.prepare(&format!(
        "SELECT COUNT(*), MAX({time}) FROM (SELECT {time} FROM {table} WHERE patient_id = ?1 AND {time} > ?2 AND {time} < ?3 \
         ORDER BY {order} LIMIT {ROWS_AT_ONCE})"
    ))?;
    let mut stock = TableStock { table, row_bytes, ..TableStock::default() };
    let (mut over, mut all) = (0, 0);
    let mut patient = String::new();
    while let Some(next) = patients.query_row([&patient], |row| row.get::<_, String>(0)).optional()? {
        patient = next;
        stock.patients += 1;
        if Instant::now() >= end {
            continue;
        }
        stock.looked += 1;
        let first: String = oldest.query_row([&patient], |row| row.get(0))?;
        if stock.oldest.as_ref().is_none_or(|before| first < *before) {
            stock.oldest = Some(first);
        }
        for (until, sum) in [(horizon, &mut over), (Some(AFTER_ALL), &mut all)] {
            let Some(until) = until else { continue };
            let mut behind = String::new();
            loop {
                let (rows, last): (u32, Option<String>) =
                    count.query_row((&patient, &behind, until), |row| Ok((row.get(0)?, row.get(1)?)))?;
                *sum += u64::from(rows);
                match last {
                    Some(last) if rows == ROWS_AT_ONCE && Instant::now() < end => behind = last,
                    _ => break,
                }
            }
        }
    }
    stock.is_counted = Instant::now() < end;
    stock.rows = Some(all).filter(|_| stock.is_counted);
    stock.over = horizon.map(|_| stock.for_all(over));
    Ok(stock)
}

/// Behind every time that is written.
const AFTER_ALL: &str = "\u{10ffff}";

fn room(connection: &Connection) -> rusqlite::Result<FileRoom> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let free = pragma("freelist_count")?.saturating_mul(pragma("page_size")?);
    Ok(FileRoom { free_bytes: u64::try_from(free).unwrap_or_default(), shrinks: pragma("auto_vacuum")? != 0 })
}
