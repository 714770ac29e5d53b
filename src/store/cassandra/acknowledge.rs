//! Whose alarms there are, how many are on, and who has acknowledged them.
//!
//! Who acknowledges writes on one condition: that the row is as it was read. So of several that do it at once one is the
//! first, a row that has gone is not made anew, and an alarm does not end whose value is over again meanwhile. No other
//! write of a row of alarms has a condition, and a consumer writes the columns of who acknowledged only where the
//! priority rises, which takes that back: the two do not get in each other's way.

use cdrs_tokio::statement::StatementParamsBuilder;
use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;

use super::CassandraStore;
use super::error::{CassandraError, Doing};
use super::read::{Columns, stored_alarm};
use super::write::WRITE_LIMIT;
use crate::reading::Timestamp;
use crate::store::stored_alarm::ALARM_COLUMNS;
use crate::store::{Acknowledged, ActiveAlarms, AlarmId, AlarmState, StoredAlarm};

/// Patients on a page: an id is at most 64 bytes long.
const PAGE_PATIENTS: i32 = 5000;

/// Rows of alarms on a page, of which only the states are asked for: 500 KiB at most.
const PAGE_STATES: i32 = 5000;

/// How many rows are looked through to count the alarms that are on: a second's work, and those of a hundred patients.
const MAX_STATES: usize = 100_000;

/// How many rows of a patient are looked through for that, the newest first: as many as `vitals alarms list` takes.
const STATES_OF_A_PATIENT: u16 = 1000;

/// How often a row is read again that was changed since: each time somebody else has come first.
const ATTEMPTS: u32 = 5;

/// Where the end of its row stands behind the columns of an alarm.
const TTL_COLUMN: usize = 14;

/// The key of an alarm.
const THE_ROW: &str = "WHERE patient_id = ? AND onset = ? AND rule = ?";

impl CassandraStore {
    /// All patients that have alarms, in the order of the ring.
    pub async fn alarm_patients(&self) -> Result<Vec<String>, CassandraError> {
        let cql = format!("SELECT DISTINCT patient_id FROM {}", self.keyspace.table("patient_alerts"));
        let mut patients = Vec::new();
        let mut mark = None;
        loop {
            let page = self.page_of_alarms(&cql, Vec::new(), PAGE_PATIENTS, mark).await?;
            let next = page.metadata.paging_state.clone();
            for row in &Row::from_body(page) {
                patients.push(Columns::of(row, Doing::Read).need(0)?);
            }
            if next.is_none() {
                return Ok(patients);
            }
            mark = next;
        }
    }

    /// How many alarms are on, of the newest thousand of each patient; `None` where there are more rows than are looked
    /// through. The newest come first in each partition, so its rows of years are not read.
    pub async fn active_alarms(&self) -> Result<Option<ActiveAlarms>, CassandraError> {
        let cql = format!(
            "SELECT priority, started, returned, ended, acknowledged_at FROM {} PER PARTITION LIMIT {STATES_OF_A_PATIENT}",
            self.keyspace.table("patient_alerts")
        );
        let (mut found, mut looked_at, mut mark) = (ActiveAlarms::default(), 0, None);
        loop {
            let page = self.page_of_alarms(&cql, Vec::new(), PAGE_STATES, mark.take()).await?;
            mark.clone_from(&page.metadata.paging_state);
            let rows = Row::from_body(page);
            looked_at += rows.len();
            for row in &rows {
                let columns = Columns::of(row, Doing::Read);
                let texts = [columns.find(1)?, columns.find(2)?, columns.find(3)?, columns.find(4)?];
                // As in `StoredAlarm::filled`.
                let [started, returned, ended, acknowledged_at] = texts.each_ref().map(Option::<String>::as_deref);
                if AlarmState::of(started.or(ended), returned, ended, acknowledged_at).is_on() {
                    found.add(columns.find::<String>(0)?.as_deref(), 1);
                }
            }
            match mark {
                None => return Ok(Some(found)),
                Some(_) if looked_at >= MAX_STATES => return Ok(None),
                Some(_) => {}
            }
        }
    }

    /// The alarm of this id.
    pub async fn alarm(&self, id: &AlarmId) -> Result<Option<StoredAlarm>, CassandraError> {
        Ok(self.alarm_and_ttl(id).await?.map(|(alarm, _)| alarm))
    }

    /// The alarm of this id, and in how many seconds its row ends.
    async fn alarm_and_ttl(&self, id: &AlarmId) -> Result<Option<(StoredAlarm, Option<i32>)>, CassandraError> {
        // Every alarm has a priority, and all its values the same end.
        let table = self.keyspace.table("patient_alerts");
        let cql = format!("SELECT {ALARM_COLUMNS}, TTL(priority) FROM {table} {THE_ROW}");
        let page = self.page_of_alarms(&cql, key(id), 1, None).await?;
        let of = |row: &Row| Ok((stored_alarm(row)?, Columns::of(row, Doing::Read).find(TTL_COLUMN)?));
        Row::from_body(page).first().map(of).transpose()
    }

    /// Notes who has acknowledged an alarm, and when.
    pub async fn acknowledge(&self, id: &AlarmId, by: &str, at: Timestamp) -> Result<Acknowledged, CassandraError> {
        for _ in 0..ATTEMPTS {
            let (alarm, ttl) = match self.alarm_and_ttl(id).await? {
                Some((alarm, ttl)) if alarm.state() != AlarmState::Line => (alarm, ttl),
                _ => return Ok(Acknowledged::NoAlarm),
            };
            if alarm.is_acknowledged() {
                return Ok(Acknowledged::Before(alarm));
            }
            let since = alarm.clone().acknowledged(by, at);
            if self.replace(id, &alarm, &since, ttl).await? {
                return Ok(Acknowledged::Now(since));
            }
        }
        Err(CassandraError::Broken(Doing::Write, "others change the row again and again".to_owned()))
    }

    /// Writes what an acknowledgement changes, and tells whether the row was as it `was` read. What is written ends with
    /// the row: nothing of it stays behind.
    async fn replace(
        &self,
        id: &AlarmId,
        was: &StoredAlarm,
        is: &StoredAlarm,
        ttl: Option<i32>,
    ) -> Result<bool, CassandraError> {
        let cql = format!(
            "UPDATE {} USING TTL ? SET acknowledged_by = ?, acknowledged_at = ?, ended = ? {THE_ROW} \
             IF priority = ? AND returned = ? AND ended = ? AND acknowledged_at = ?",
            self.keyspace.table("patient_alerts")
        );
        let ended = if is.ended == was.ended { Value::NotSet } else { or_null(is.ended.as_ref()) };
        let ttl = ttl.map_or(Value::NotSet, Value::new);
        let mut values = vec![ttl, or_null(is.acknowledged_by.as_ref()), or_null(is.acknowledged_at.as_ref()), ended];
        values.extend(key(id));
        let unchanged = [&was.priority, &was.returned, &was.ended, &was.acknowledged_at];
        values.extend(unchanged.map(|text| or_null(text.as_ref())));
        let params = StatementParamsBuilder::new()
            .with_consistency(self.consistency.for_writes())
            .with_serial_consistency(self.consistency.for_conditions())
            .with_values(values.into())
            .build();
        let rows = self.ask(Doing::Write, WRITE_LIMIT, &cql, params).await?.into_rows().unwrap_or_default();
        let no_answer = || CassandraError::Broken(Doing::Write, "an answer without rows".to_owned());
        Columns::of(rows.first().ok_or_else(no_answer)?, Doing::Write).need(0)
    }
}

fn key(id: &AlarmId) -> Vec<Value> {
    [&id.patient_id, &id.onset, &id.rule].map(|text| Value::new(text.as_str())).into()
}

fn or_null(text: Option<&String>) -> Value {
    text.map_or(Value::Null, |text| Value::new(text.as_str()))
}
