//! Whose alarms there are, and who has acknowledged them.
//!
//! What is acknowledged does not go through the thread that writes: it has to be read first, in the same transaction.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::SqliteStore;
use super::error::{Doing, SqliteError};
use super::read::stored_alarm;
use super::schema::open_alarms;
use crate::reading::Timestamp;
use crate::store::stored_alarm::ALARM_COLUMNS;
use crate::store::{Acknowledged, AlarmId, AlarmState, StoredAlarm};

impl SqliteStore {
    /// All patients that have alarms.
    pub async fn alarm_patients(&self) -> Result<Vec<String>, SqliteError> {
        let read = |path: &Path| {
            let connection = open_alarms(path, Doing::Read)?;
            let patients = || -> rusqlite::Result<Vec<String>> {
                let mut select = connection.prepare("SELECT DISTINCT patient_id FROM patient_alerts")?;
                select.query_map((), |row| row.get(0))?.collect()
            };
            patients().map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        self.blocking(Doing::Read, read).await
    }

    /// The alarm of this id.
    pub async fn alarm(&self, id: &AlarmId) -> Result<Option<StoredAlarm>, SqliteError> {
        let id = id.clone();
        let read = move |path: &Path| {
            let connection = open_alarms(path, Doing::Read)?;
            alarm(&connection, &id).map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        self.blocking(Doing::Read, read).await
    }

    /// Notes who has acknowledged an alarm, and when.
    pub async fn acknowledge(&self, id: &AlarmId, by: &str, at: Timestamp) -> Result<Acknowledged, SqliteError> {
        let (id, by) = (id.clone(), by.to_owned());
        let write = move |path: &Path| {
            let mut connection = open_alarms(path, Doing::Write)?;
            acknowledge(&mut connection, &id, &by, at)
                .map_err(|error| SqliteError::from_driver(path, Doing::Write, &error))
        };
        self.blocking(Doing::Write, write).await
    }
}

fn alarm(connection: &Connection, id: &AlarmId) -> rusqlite::Result<Option<StoredAlarm>> {
    let sql = format!("SELECT {ALARM_COLUMNS} FROM patient_alerts WHERE patient_id = ? AND onset = ? AND rule = ?");
    connection.query_row(&sql, (&id.patient_id, &id.onset, &id.rule), stored_alarm).optional()
}

fn acknowledge(connection: &mut Connection, id: &AlarmId, by: &str, at: Timestamp) -> rusqlite::Result<Acknowledged> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let alarm = match alarm(&transaction, id)? {
        Some(alarm) if alarm.state() != AlarmState::Line => alarm,
        _ => return Ok(Acknowledged::NoAlarm),
    };
    if alarm.is_acknowledged() {
        return Ok(Acknowledged::Before(alarm));
    }
    let alarm = alarm.acknowledged(by, at);
    let sql = "UPDATE patient_alerts SET acknowledged_by = ?, acknowledged_at = ?, ended = ? \
               WHERE patient_id = ? AND onset = ? AND rule = ?";
    let StoredAlarm { acknowledged_by, acknowledged_at, ended, .. } = &alarm;
    transaction.execute(sql, (acknowledged_by, acknowledged_at, ended, &id.patient_id, &id.onset, &id.rule))?;
    transaction.commit()?;
    Ok(Acknowledged::Now(alarm))
}
