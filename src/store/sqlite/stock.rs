//! What the tables hold, as far as that can be told within a second.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, Statement};

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
    let [readings, ..] = &PATIENT_TABLES;
    let end = Instant::now() + LARGEST_LIMIT;
    let mut count = Counter::of(connection, readings, end)?;
    let (mut patient, mut found) = (String::new(), Vec::new());
    while let Some(next) = count.next_patient(&patient)?
        && Instant::now() < end
    {
        found.push((next.clone(), count.rows(&next, AFTER_ALL)?));
        patient = next;
    }
    Ok(Largest { is_counted: Instant::now() < end, ..Largest::of(found) })
}

/// Goes through the patients of a table and counts their rows, as long as there is time.
struct Counter<'connection> {
    patients: Statement<'connection>,
    /// Where the time of the last row that was counted is given, those behind it.
    page: Statement<'connection>,
    end: Instant,
}

impl<'connection> Counter<'connection> {
    fn of(
        connection: &'connection Connection,
        PatientTable { name, time, order, .. }: &PatientTable,
        end: Instant,
    ) -> rusqlite::Result<Self> {
        let patients = connection
            .prepare(&format!("SELECT patient_id FROM {name} WHERE patient_id > ? ORDER BY patient_id LIMIT 1"))?;
        let page = connection.prepare(&format!(
            "SELECT COUNT(*), MAX({time}) FROM (SELECT {time} FROM {name} WHERE patient_id = ?1 AND {time} > ?2 \
             AND {time} < ?3 ORDER BY {order} LIMIT {ROWS_AT_ONCE})"
        ))?;
        Ok(Self { patients, page, end })
    }

    /// The one behind this patient; before all of them there is the empty text.
    fn next_patient(&mut self, patient: &str) -> rusqlite::Result<Option<String>> {
        self.patients.query_row([patient], |row| row.get(0)).optional()
    }

    /// The rows of a patient before a time, or those that there was time to count.
    fn rows(&mut self, patient: &str, until: &str) -> rusqlite::Result<u64> {
        let (mut all, mut behind) = (0, String::new());
        loop {
            let (rows, last): (u32, Option<String>) =
                self.page.query_row((patient, &behind, until), |row| Ok((row.get(0)?, row.get(1)?)))?;
            all += u64::from(rows);
            match last {
                Some(last) if rows == ROWS_AT_ONCE && Instant::now() < self.end => behind = last,
                _ => return Ok(all),
            }
        }
    }
}

fn table_stock(connection: &Connection, table: &PatientTable, horizon: Option<&str>) -> rusqlite::Result<TableStock> {
    let end = Instant::now() + LIMIT;
    let PatientTable { name, time, order, row_bytes, .. } = *table;
    let mut count = Counter::of(connection, table, end)?;
    let mut oldest =
        connection.prepare(&format!("SELECT {time} FROM {name} WHERE patient_id = ? ORDER BY {order} LIMIT 1"))?;
    let mut stock = TableStock { table: name, row_bytes, ..TableStock::default() };
    let (mut over, mut all) = (0, 0);
    let mut patient = String::new();
    while let Some(next) = count.next_patient(&patient)? {
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
        if let Some(horizon) = horizon {
            over += count.rows(&patient, horizon)?;
        }
        all += count.rows(&patient, AFTER_ALL)?;
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
