//! Readings and alerts out.
//!
//! Readings come page by page, so that a large limit needs no more memory than a small one. The order is always asked
//! for, so it does not matter in which order the table keeps its rows. Times are compared as text: that is right for
//! rows that hold them as `vitals` writes them. A row that another program wrote with another offset (`Z`, `+02:00`)
//! sorts where its text does.

use std::time::Duration;

use cdrs_tokio::frame::message_response::ResponseBody;
use cdrs_tokio::frame::message_result::{BodyResResultRows, ResResultBody};
use cdrs_tokio::statement::StatementParamsBuilder;
use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;
use cdrs_tokio::types::{ByIndex, ByName, CBytes, IntoRustByIndex, IntoRustByName};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::error::{CassandraError, Doing, Refusal};
use super::{CassandraStore, Keyspace};
use crate::reading::{COLUMNS, Consciousness, Observation, Observed, Signs};
use crate::retry;
use crate::store::stored_alarm::ALARM_COLUMNS;
use crate::store::{Order, Selection, StoredAlarm, StoredReading};

/// How long a page may take.
pub const READ_LIMIT: Duration = Duration::from_secs(10);

/// Rows on a page: some 200 KiB in memory.
const PAGE_ROWS: u32 = 1000;

/// Alarms of one patient that are on: a set has up to 200 rules, each of which has one at most.
const MAX_OPEN: i32 = 1000;

/// How often a page is asked for where that is insisted on.
const ATTEMPTS: u32 = 6;

impl CassandraStore {
    /// The readings of `selection`, at most `limit` of them.
    pub fn readings(&self, selection: &Selection, limit: u32) -> Readings<'_> {
        let (cql, values) = select(&self.keyspace, selection, limit);
        let page_rows = i32::try_from(limit.min(PAGE_ROWS)).unwrap_or(i32::MAX);
        Readings { store: self, cql, values, page_rows, mark: None, ahead: JoinSet::new(), has_ended: limit == 0 }
    }

    /// Everyone who has readings.
    pub async fn patients(&self) -> Result<Vec<String>, CassandraError> {
        let cql = format!("SELECT DISTINCT patient_id FROM {}", self.keyspace.table("patient_vitals"));
        let patients = self.partitions(&cql, |columns| columns.need(0)).await;
        match patients {
            Err(error) => Err(self.explain(error).await),
            patients => patients,
        }
    }

    /// The keys of all partitions of a table.
    pub(super) async fn partitions<K>(
        &self,
        cql: &str,
        key: impl Fn(&Columns<'_>) -> Result<K, CassandraError>,
    ) -> Result<Vec<K>, CassandraError> {
        let rows = i32::try_from(PAGE_ROWS).unwrap_or(i32::MAX);
        let (mut keys, mut mark) = (Vec::new(), None);
        loop {
            let page = self.page_insisted(cql, Vec::new(), rows, mark).await?;
            let next = page.metadata.paging_state.clone();
            for row in Row::from_body(page) {
                keys.push(key(&Columns::of(&row, Doing::Read))?);
            }
            if next.is_none() {
                return Ok(keys);
            }
            mark = next;
        }
    }

    /// The last alarms of each of these patients, at most `limit` of one, each one's newest first.
    pub async fn alarms_of(&self, patients: &[&str], limit: u16) -> Result<Vec<StoredAlarm>, CassandraError> {
        let marks = vec!["?"; patients.len()].join(", ");
        let cql = format!(
            "SELECT {ALARM_COLUMNS} FROM {} WHERE patient_id IN ({marks}) PER PARTITION LIMIT {limit}",
            self.keyspace.table("patient_alerts")
        );
        let values: Vec<_> = patients.iter().map(|patient| Value::new(*patient)).collect();
        let rows = usize::from(limit).saturating_mul(patients.len());
        let page = self.page_of_alarms(&cql, values, i32::try_from(rows).unwrap_or(i32::MAX), None).await?;
        Row::from_body(page).iter().map(stored_alarm).collect()
    }

    /// The alarms of this patient that were raised and have not ended, the newest first. The server looks through all
    /// of the patient's.
    pub async fn open_alarms(&self, patient: &str) -> Result<Vec<StoredAlarm>, CassandraError> {
        let cql = format!(
            "SELECT {ALARM_COLUMNS} FROM {} WHERE patient_id = ? AND ended = '' ALLOW FILTERING",
            self.keyspace.table("patient_alerts")
        );
        let page = self.page_of_alarms(&cql, vec![Value::new(patient)], MAX_OPEN, None).await?;
        Row::from_body(page).iter().map(stored_alarm).collect()
    }

    /// A page of the table of alarms. Where the server does not take the statement, the schema says why.
    pub(super) async fn page_of_alarms(
        &self,
        cql: &str,
        values: Vec<Value>,
        rows: i32,
        mark: Option<CBytes>,
    ) -> Result<BodyResResultRows, CassandraError> {
        match self.page(cql, values, rows, mark).await {
            Err(error) if matches!(error.refusal(), Some(Refusal::Missing | Refusal::Request)) => {
                Err(self.check_alarms().await.err().unwrap_or(error))
            }
            outcome => outcome,
        }
    }

    /// A page of what `cql` selects: the first, or the one that this mark of the server's leads to. Its own mark leads to
    /// the next one.
    pub(super) async fn page(
        &self,
        cql: &str,
        values: Vec<Value>,
        rows: i32,
        mark: Option<CBytes>,
    ) -> Result<BodyResResultRows, CassandraError> {
        let mut params = StatementParamsBuilder::new()
            .with_consistency(self.consistency.for_reads())
            .with_values(values.into())
            .with_page_size(rows)
            .idempotent(true);
        if let Some(mark) = mark {
            params = params.with_paging_state(mark);
        }
        match self.ask(Doing::Read, READ_LIMIT, cql, params.build()).await? {
            ResponseBody::Result(ResResultBody::Rows(rows)) => Ok(rows),
            _ => Err(CassandraError::Broken(Doing::Read, "an answer without rows".to_owned())),
        }
    }

    /// A page, asked for again where that can help.
    pub(super) async fn page_insisted(
        &self,
        cql: &str,
        values: Vec<Value>,
        rows: i32,
        mark: Option<CBytes>,
    ) -> Result<BodyResResultRows, CassandraError> {
        insisted(|| self.page(cql, values.clone(), rows, mark.clone()).boxed()).await
    }

    /// The columns to ask for of a reading. To a table of the first programs, which no `init` has seen yet, those of the
    /// observations have not been added.
    ///
    /// # Errors
    /// As [`CassandraStore::check_readings`].
    pub(super) async fn reading_columns(&self) -> Result<String, CassandraError> {
        let there = self.columns_to_read().await?;
        let columns: Vec<_> = COLUMNS.into_iter().filter(|name| there.iter().any(|there| there == name)).collect();
        Ok(columns.join(", "))
    }

    /// A statement that the server does not take has its reason in the schema: a missing keyspace, a missing table, a
    /// table of another shape.
    async fn explain(&self, error: CassandraError) -> CassandraError {
        match error.refusal() {
            Some(Refusal::Missing | Refusal::Request) => self.check_readings().await.err().unwrap_or(error),
            _ => error,
        }
    }
}

/// Readings on their way out of the store, page by page.
#[derive(Debug)]
pub struct Readings<'store> {
    store: &'store CassandraStore,
    cql: String,
    values: Vec<Value>,
    page_rows: i32,
    /// What leads to the next page; `None` before the first one.
    mark: Option<CBytes>,
    /// That page, asked for while the one before is used.
    ahead: JoinSet<Result<BodyResResultRows, CassandraError>>,
    has_ended: bool,
}

impl Readings<'_> {
    /// The next page: up to a thousand readings, or `None` when there are no more. After an error it can be asked for
    /// again.
    ///
    /// # Errors
    /// [`CassandraError::NoKeyspace`], [`CassandraError::NoTable`] or [`CassandraError::Shape`] where there is nothing
    /// to read from; else why the server did not answer.
    pub async fn next_page(&mut self) -> Result<Option<Vec<StoredReading>>, CassandraError> {
        if self.has_ended {
            return Ok(None);
        }
        let page = match self.ahead.join_next().await {
            Some(Ok(page)) => page,
            _ => self.page(self.mark.clone()).await,
        };
        let page = match page {
            Err(error) if self.asks_less(&error).await? => self.page(self.mark.clone()).await,
            page => page,
        };
        let page = match page {
            Ok(page) => page,
            Err(error) => return Err(self.store.explain(error).await),
        };
        let mark = page.metadata.paging_state.clone();
        if mark.is_some() {
            self.ahead.spawn(self.page(mark.clone()));
        }
        let readings = Row::from_body(page).iter().map(stored_reading).collect::<Result<_, _>>();
        if readings.is_ok() {
            self.has_ended = mark.is_none();
            self.mark = mark;
        } else {
            self.ahead = JoinSet::new();
        }
        readings.map(Some)
    }

    /// The page that `mark` leads to.
    fn page(&self, mark: Option<CBytes>) -> impl Future<Output = Result<BodyResResultRows, CassandraError>> + use<> {
        let (store, cql, values, rows) = (self.store.clone(), self.cql.clone(), self.values.clone(), self.page_rows);
        async move { store.page(&cql, values, rows, mark).await }
    }

    /// Leaves out the columns that the table does not have, where that is why the statement was not taken. Tells whether
    /// it was.
    async fn asks_less(&mut self, error: &CassandraError) -> Result<bool, CassandraError> {
        if error.refusal() != Some(Refusal::Request) {
            return Ok(false);
        }
        let less = self.cql.replacen(&COLUMNS.join(", "), &self.store.reading_columns().await?, 1);
        let is_less = less != self.cql;
        self.cql = less;
        Ok(is_less)
    }
}

fn select(keyspace: &Keyspace, selection: &Selection, limit: u32) -> (String, Vec<Value>) {
    let mut cql = format!("SELECT {} FROM {}", COLUMNS.join(", "), keyspace.table("patient_vitals"));
    let mut values = Vec::new();
    if let Selection::Patient { id, since, until, order } = selection {
        cql.push_str(" WHERE patient_id = ?");
        values.push(Value::new(id.as_str()));
        if let Some(since) = since {
            cql.push_str(" AND timestamp >= ?");
            values.push(Value::new(since.to_string()));
        }
        if let Some(until) = until {
            cql.push_str(" AND timestamp < ?");
            values.push(Value::new(until.to_string()));
        }
        cql.push_str(match order {
            Order::NewestFirst => " ORDER BY timestamp DESC",
            Order::OldestFirst => " ORDER BY timestamp ASC",
        });
    }
    cql.push_str(" LIMIT ?");
    values.push(Value::new(i32::try_from(limit).unwrap_or(i32::MAX)));
    (cql, values)
}

/// Asks again where that can help.
pub(super) async fn insisted<'a, T>(
    mut ask: impl FnMut() -> BoxFuture<'a, Result<T, CassandraError>>,
) -> Result<T, CassandraError> {
    let mut failed = 0;
    loop {
        match ask().await {
            Err(error) if failed + 1 < ATTEMPTS && (error.is_away() || error.refusal() == Some(Refusal::Temporary)) => {
                failed += 1;
            }
            outcome => return outcome,
        }
        sleep(retry::pause_before(failed)).await;
    }
}

/// A row whose columns are asked for in the order of [`COLUMNS`].
pub(super) fn stored_reading(row: &Row) -> Result<StoredReading, CassandraError> {
    let columns = Columns::of(row, Doing::Read);
    Ok(StoredReading {
        patient_id: columns.need(0)?,
        timestamp: columns.need(1)?,
        signs: Signs {
            heart_rate: columns.find(2)?,
            spo2: columns.find(3)?,
            systolic: columns.find(4)?,
            diastolic: columns.find(5)?,
            respiratory_rate: columns.find(6)?,
            temperature: columns.find(7)?,
            observed: Observed {
                supplemental_oxygen: columns.find_named(Observation::SupplementalOxygen.name())?,
                consciousness: columns
                    .find_named::<String>(Observation::Consciousness.name())?
                    .and_then(|letter| Consciousness::parse(&letter)),
            },
        },
    })
}

pub(super) fn stored_alarm(row: &Row) -> Result<StoredAlarm, CassandraError> {
    let columns = Columns::of(row, Doing::Read);
    let alarm = StoredAlarm {
        patient_id: columns.need(0)?,
        onset: columns.need(1)?,
        rule: columns.need(2)?,
        priority: columns.find(3)?,
        value: columns.find(4)?,
        limit: columns.find(5)?,
        peak: columns.find(6)?,
        started: columns.find(7)?,
        returned: columns.find(8)?,
        ended: columns.find(9)?,
        acknowledged_by: columns.find(10)?,
        acknowledged_at: columns.find(11)?,
        message: columns.find(12)?,
        rules: columns.find(13)?,
    };
    Ok(alarm.filled())
}

/// A row, to be taken apart by the place of its columns in the SELECT, from 0.
pub(super) struct Columns<'row> {
    row: &'row Row,
    doing: Doing,
}

impl<'row> Columns<'row> {
    pub(super) fn of(row: &'row Row, doing: Doing) -> Self {
        Self { row, doing }
    }

    /// A column that must have a value.
    pub(super) fn need<T>(&self, index: usize) -> Result<T, CassandraError>
    where
        Row: IntoRustByIndex<T>,
    {
        self.row.r_by_index(index).map_err(|error| CassandraError::from_driver(self.doing, error))
    }

    /// A column that may have none.
    pub(super) fn find<T>(&self, index: usize) -> Result<Option<T>, CassandraError>
    where
        Row: IntoRustByIndex<T>,
    {
        self.row.by_index(index).map_err(|error| CassandraError::from_driver(self.doing, error))
    }

    /// A column that may not have been asked for, or may have no value.
    pub(super) fn find_named<T>(&self, name: &str) -> Result<Option<T>, CassandraError>
    where
        Row: IntoRustByName<T>,
    {
        if !self.row.contains_column(name) {
            return Ok(None);
        }
        self.row.by_name(name).map_err(|error| CassandraError::from_driver(self.doing, error))
    }
}
