//! Rows that are kept elsewhere go, and all that is known of a patient.
//!
//! They go a few at a time and with a pause behind each step, since others write into the same file. What is left of them
//! in free pages is overwritten where a patient is erased, and given back to the system else.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Params, TransactionBehavior};

use super::error::{Doing, SqliteError};
use super::read::stored_reading;
use super::sweep::give_back;
use super::{SqliteStore, schema};
use crate::pipeline::store::Entry;
use crate::store::journal::{JOURNAL_SCOPE, Journal};
use crate::store::tables::{PATIENT_TABLES, PatientTable};
use crate::store::{Erased, StoredReading};

/// How long a step takes, as far as that can be told before its last statement.
const STEP: Duration = Duration::from_millis(4);

/// The pause behind a step: most of the time is for those who write.
const PAUSE: Duration = Duration::from_millis(8);

/// Rows of one statement.
const ROWS: usize = 100;

impl SqliteStore {
    /// Begins to delete rows that are kept elsewhere.
    pub fn removal(&self) -> RowRemoval<'_> {
        RowRemoval { store: self, open: None }
    }

    /// Deletes all that the tables hold of a patient, and empties the entries of the journal of patients.
    pub async fn erase(&self, patient: &str, emptied: &Entry) -> Result<Vec<Erased>, SqliteError> {
        let (patient, emptied) = (patient.to_owned(), emptied.clone());
        let erase = move |path: &Path| {
            let (mut connection, columns) = schema::open_checked(path, Doing::Remove)?;
            let tables = PATIENT_TABLES.iter().filter(|table| schema::has_table(&columns, table.name));
            let has_journal = schema::has_table(&columns, Journal::Patients.table());
            let erase = || -> rusqlite::Result<Vec<Erased>> {
                // What was in the rows does not stay in the file.
                connection.pragma_update(None, "secure_delete", true)?;
                let mut erased = Vec::new();
                for table in tables {
                    let rows = Some(delete_patient(&mut connection, table, &patient)?);
                    erased.push(Erased { table: table.name, rows });
                }
                if has_journal {
                    let rows = empty_entries(&mut connection, &patient, &emptied)?;
                    erased.push(Erased { table: Journal::Patients.table(), rows: Some(rows) });
                }
                truncate_log(&connection)?;
                Ok(erased)
            };
            erase().map_err(|error| SqliteError::from_driver(path, Doing::Remove, &error))
        };
        self.blocking(Doing::Remove, erase).await
    }
}

/// Rows that are kept elsewhere on their way out.
#[derive(Debug)]
pub struct RowRemoval<'store> {
    store: &'store SqliteStore,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    columns: String,
}

impl RowRemoval<'_> {
    /// Deletes those of these rows of one patient that the table has with the same values, and gives how many they were.
    /// They come newest first.
    pub async fn remove(&mut self, rows: Vec<StoredReading>) -> Result<u64, SqliteError> {
        let open = self.open.take();
        let remove = move |path: &Path| {
            let mut open = open.map_or_else(|| self::open(path), Ok)?;
            let gone = remove_same(&mut open, &rows);
            let gone = gone.map_err(|error| SqliteError::from_driver(path, Doing::Remove, &error))?;
            Ok((open, gone))
        };
        let (open, gone) = self.store.blocking(Doing::Remove, remove).await?;
        self.open = Some(open);
        Ok(gone)
    }

    /// Gives the room of the rows back to the system, where the file can do that.
    pub async fn finish(mut self) -> Result<(), SqliteError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let give = move |path: &Path| {
            let give = || -> rusqlite::Result<()> {
                while give_back(&open.connection, Instant::now() + STEP)? {
                    std::thread::sleep(PAUSE);
                }
                Ok(())
            };
            give().map_err(|error| SqliteError::from_driver(path, Doing::Remove, &error))
        };
        self.store.blocking(Doing::Remove, give).await
    }
}

fn open(path: &Path) -> Result<Open, SqliteError> {
    let (connection, there) = schema::open_checked(path, Doing::Remove)?;
    // What a power cut brings back is kept elsewhere, and goes with the next attempt.
    let prepared = connection.pragma_update(None, "synchronous", "NORMAL");
    prepared.map_err(|error| SqliteError::from_driver(path, Doing::Remove, &error))?;
    Ok(Open { connection, columns: schema::reading_columns(&there) })
}

fn remove_same(Open { connection, columns }: &mut Open, rows: &[StoredReading]) -> rusqlite::Result<u64> {
    let range = format!(
        "SELECT {columns} FROM patient_vitals WHERE patient_id = ? AND timestamp >= ? AND timestamp <= ? \
         ORDER BY timestamp DESC"
    );
    let (mut gone, mut chunks) = (0, rows.chunks(ROWS).peekable());
    while chunks.peek().is_some() {
        let end = Instant::now() + STEP;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut select = transaction.prepare_cached(&range)?;
            let mut delete =
                transaction.prepare_cached("DELETE FROM patient_vitals WHERE patient_id = ? AND timestamp = ?")?;
            while let Some(chunk) = chunks.next_if(|_| Instant::now() < end) {
                let (Some(newest), Some(oldest)) = (chunk.first(), chunk.last()) else { continue };
                let values = (&newest.patient_id, &oldest.timestamp, &newest.timestamp);
                let found: Vec<_> = select.query_map(values, stored_reading)?.collect::<Result<_, _>>()?;
                let mut kept = chunk.iter().peekable();
                for row in found {
                    // Both are newest first.
                    while kept.next_if(|kept| kept.timestamp > row.timestamp).is_some() {}
                    if kept.peek().is_some_and(|kept| **kept == row) {
                        gone += u64::try_from(delete.execute((&row.patient_id, &row.timestamp))?).unwrap_or_default();
                    }
                }
            }
        }
        transaction.commit()?;
        std::thread::sleep(PAUSE);
    }
    Ok(gone)
}

fn delete_patient(
    connection: &mut Connection,
    PatientTable { name: table, time, order, bound, .. }: &PatientTable,
    patient: &str,
) -> rusqlite::Result<u64> {
    // A range of the key: up to the time of the last of so many rows. Two alarms may have one onset.
    let last = format!("SELECT {time} FROM {table} WHERE patient_id = ? ORDER BY {order} LIMIT 1 OFFSET {}", ROWS - 1);
    let some = format!("DELETE FROM {table} WHERE patient_id = ?1 AND {time} <= ?2 AND {bound}");
    let all = format!("DELETE FROM {table} WHERE patient_id = ?");
    let mut gone = 0;
    loop {
        let end = Instant::now() + STEP;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut is_done = false;
        while !is_done && Instant::now() < end {
            let found = transaction.prepare_cached(&last)?.query_map([patient], |row| row.get::<_, String>(0))?.next();
            gone += if let Some(time) = found.transpose()? {
                execute(&transaction, &some, (patient, time))?
            } else {
                is_done = true;
                execute(&transaction, &all, [patient])?
            };
        }
        transaction.commit()?;
        if is_done {
            return Ok(gone);
        }
        std::thread::sleep(PAUSE);
    }
}

/// All entries of a patient but the newest one, which says that the patient was erased.
fn empty_entries(connection: &mut Connection, patient: &str, emptied: &Entry) -> rusqlite::Result<u64> {
    let sql = format!(
        "UPDATE {} SET content = ?, reason = ? WHERE scope = ? AND patient_id = ? AND version < ?",
        Journal::Patients.table()
    );
    execute(connection, &sql, (&emptied.content, &emptied.reason, JOURNAL_SCOPE, patient, emptied.version))
}

fn execute(connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<u64> {
    Ok(u64::try_from(connection.prepare_cached(sql)?.execute(values)?).unwrap_or(u64::MAX))
}

/// Has the log begin anew: it may hold the pages as they were before. Where somebody reads just now it does so later.
fn truncate_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Timestamp;

    fn insert(connection: &Connection, patient: &str, seconds: std::ops::Range<i64>) {
        for second in seconds {
            let time = Timestamp::from_micros(second * 1_000_000).unwrap().to_string();
            let sql =
                "INSERT INTO patient_vitals (patient_id, timestamp, heart_rate, temperature) VALUES (?, ?, ?, 36.8)";
            connection.execute(sql, (patient, time, second)).unwrap();
        }
    }

    fn rows_of(connection: &Connection, patient: &str) -> Vec<StoredReading> {
        let columns = crate::reading::COLUMNS.join(", ");
        let sql = format!("SELECT {columns} FROM patient_vitals WHERE patient_id = ? ORDER BY timestamp DESC");
        let mut select = connection.prepare(&sql).unwrap();
        select.query_map([patient], stored_reading).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn what_is_as_it_is_kept_goes_and_what_changed_or_came_since_stays() {
        let connection = schema::in_memory().unwrap();
        insert(&connection, "P1", 0..1000);
        insert(&connection, "P2", 0..10);
        let kept = rows_of(&connection, "P1");
        connection
            .execute("UPDATE patient_vitals SET spo2 = 97 WHERE patient_id = 'P1' AND heart_rate = 500", ())
            .unwrap();
        insert(&connection, "P1", 1000..1001);
        let late = "INSERT INTO patient_vitals (patient_id, timestamp) VALUES ('P1', '1970-01-01T00:05:00.5+00:00')";
        connection.execute(late, ()).unwrap();
        let mut open = Open { connection, columns: crate::reading::COLUMNS.join(", ") };
        assert_eq!(remove_same(&mut open, &kept).unwrap(), 999);
        assert_eq!(remove_same(&mut open, &kept).unwrap(), 0);
        let times: Vec<_> = rows_of(&open.connection, "P1").into_iter().map(|row| row.timestamp).collect();
        let expected = ["1970-01-01T00:16:40+00:00", "1970-01-01T00:08:20+00:00", "1970-01-01T00:05:00.5+00:00"];
        assert_eq!(times, expected);
        assert_eq!(rows_of(&open.connection, "P2").len(), 10);
    }

    #[test]
    fn of_one_patient_all_rows_go_however_many_there_are() {
        let mut connection = schema::in_memory().unwrap();
        for (patient, rows) in [("P1", 0), ("P2", 99), ("P3", 100), ("P4", 101), ("P5", 1000)] {
            insert(&connection, patient, 0..rows);
            assert_eq!(
                delete_patient(&mut connection, &PATIENT_TABLES[0], patient).unwrap(),
                u64::try_from(rows).unwrap()
            );
            assert!(rows_of(&connection, patient).is_empty());
            insert(&connection, "P9", rows..rows + 1);
        }
        assert_eq!(rows_of(&connection, "P9").len(), 5);
    }
}
