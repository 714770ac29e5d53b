//! What the tables hold: by the server's own estimates, and by the times of the first and the last row of some patients.

use std::collections::BTreeSet;

use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::CassandraStore;
use super::error::{CassandraError, Doing};
use super::read::Columns;
use super::remove::key_of;
use super::schema::LOOK_LIMIT;
use crate::reading::Timestamp;
use crate::store::Kept;
use crate::store::stock::{Largest, Stock, TableStock, keeps};
use crate::store::tables::{MINUTES, PATIENT_TABLES, PatientTable, READINGS};

/// Of so many patients the first and the last row are asked for.
const PATIENTS: usize = 200;

/// So many of the newest rows tell how often a patient is measured.
const SAMPLE: i32 = 100;

/// So many of them at the same time.
const AT_ONCE: usize = 16;

impl CassandraStore {
    /// What the tables hold, and how many of their rows would not be kept so.
    pub(crate) async fn stock(&self, kept: Kept, now: i64) -> Result<Stock, CassandraError> {
        let of = |patients: Vec<String>| patients.into_iter().map(Partitions::of_patient).collect();
        let minutes = self.minute_months().await?.into_iter().map(Partitions::of_months).collect();
        let partitions: [Vec<_>; 3] = [of(self.patients().await?), minutes, of(self.alarm_patients().await?)];
        let mut tables = Vec::new();
        for ((table, keep), partitions) in PATIENT_TABLES.iter().zip(keeps(kept)).zip(partitions) {
            if table.name != MINUTES.name || !partitions.is_empty() {
                tables.push(self.table_stock(table, keep.horizon(now), &partitions).await?);
            }
        }
        Ok(Stock { tables, file: None })
    }

    async fn table_stock(
        &self,
        table: &PatientTable,
        horizon: Option<i64>,
        patients: &[Partitions],
    ) -> Result<TableStock, CassandraError> {
        let looked = patients.iter().take(PATIENTS);
        let ends: Vec<_> = looked.map(|patient| self.first_and_last(table, patient).boxed()).collect();
        let ends: Vec<_> = stream::iter(ends).buffered(AT_ONCE).try_collect().await?;
        let rows = self.estimated_rows(table).await?;
        let micros = |text: &String| Timestamp::parse(text).ok().map(Timestamp::as_micros);
        let (mut all, mut before) = (0_i128, 0_i128);
        for (first, last) in ends.iter().flatten() {
            if let (Some(first), Some(last), Some(horizon)) = (micros(first), micros(last), horizon) {
                let (first, last) = (i128::from(first), i128::from(last));
                // A patient of one row has lasted for a moment.
                all += last - first + 1;
                before += (i128::from(horizon).min(last + 1) - first).max(0);
            }
        }
        let share = |rows: u64| u64::try_from(i128::from(rows) * before / all.max(1)).unwrap_or_default();
        Ok(TableStock {
            table: table.name,
            patients: patients.len(),
            looked: ends.len(),
            oldest: ends.into_iter().flatten().map(|(first, _)| first).min(),
            rows,
            over: rows.filter(|_| horizon.is_some()).map(share),
            is_counted: false,
            row_bytes: table.row_bytes,
        })
    }

    async fn first_and_last(
        &self,
        PatientTable { name, time, .. }: &PatientTable,
        Partitions { first, last }: &Partitions,
    ) -> Result<Option<(String, String)>, CassandraError> {
        let select = |partition: &[String], order: &str| {
            let (table, key) = (self.keyspace.table(name), key_of(partition));
            format!("SELECT {time} FROM {table} WHERE {key} ORDER BY {time} {order} LIMIT 1")
        };
        let first = self.time(&select(first, "ASC"), first).await?;
        let last = self.time(&select(last, "DESC"), last).await?;
        Ok(first.zip(last))
    }

    async fn time(&self, cql: &str, partition: &[String]) -> Result<Option<String>, CassandraError> {
        Ok(self.times(cql, partition, 1).await?.pop())
    }

    async fn times(&self, cql: &str, partition: &[String], rows: i32) -> Result<Vec<String>, CassandraError> {
        let key = partition.iter().map(|part| Value::new(part.as_str())).collect();
        let rows = Row::from_body(self.page(cql, key, rows, None).await?);
        rows.iter().map(|row| Columns::of(row, Doing::Read).need(0)).collect()
    }

    /// The patients with the most readings, as if each had been measured from its first reading on as often as of late.
    pub(crate) async fn largest(&self) -> Result<Largest, CassandraError> {
        let patients = self.patients().await?;
        let looks: Vec<_> = patients.into_iter().take(PATIENTS).map(|patient| self.rows_of(patient).boxed()).collect();
        let rows: Vec<_> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        // Who may not look there has nothing to do with it.
        let partition_bytes = self.largest_partition().await.unwrap_or_default();
        Ok(Largest { partition_bytes, has_partitions: true, ..Largest::of(rows) })
    }

    async fn rows_of(&self, patient: String) -> Result<(String, u64), CassandraError> {
        let table = self.keyspace.table(READINGS.name);
        let select = |order: &str, rows: i32| {
            format!("SELECT timestamp FROM {table} WHERE patient_id = ? ORDER BY timestamp {order} LIMIT {rows}")
        };
        let partition = [patient];
        let newest = self.times(&select("DESC", SAMPLE), &partition, SAMPLE).await?;
        let first = self.times(&select("ASC", 1), &partition, 1).await?;
        let micros =
            |text: Option<&String>| text.and_then(|text| Timestamp::parse(text).ok()).map(Timestamp::as_micros);
        let [patient] = partition;
        Ok((patient, rows_between(micros(first.first()), micros(newest.last()), micros(newest.first()), newest.len())))
    }

    /// What the largest partition of readings takes, of those that are on the disk of the node that is asked.
    async fn largest_partition(&self) -> Result<Option<u64>, CassandraError> {
        const MIB: u64 = 1024 * 1024;
        let cql = "SELECT mebibytes FROM system_views.max_partition_size WHERE keyspace_name = ? AND table_name = ?";
        let of_table = vec![Value::new(self.keyspace.as_str()), Value::new(READINGS.name)];
        let rows = self.look(Doing::ReadSchema, LOOK_LIMIT, cql, of_table).await?;
        let size: Option<i64> = rows.first().map(|row| Columns::of(row, Doing::ReadSchema).need(0)).transpose()?;
        Ok(size.and_then(|size| u64::try_from(size).ok()).map(|size| size.saturating_mul(MIB)))
    }

    /// By the estimate of the node that is asked, of what it keeps first; none of a table that is new.
    async fn estimated_rows(&self, table: &PatientTable) -> Result<Option<u64>, CassandraError> {
        let cql = "SELECT mean_partition_size, partitions_count FROM system.size_estimates \
                   WHERE keyspace_name = ? AND table_name = ?";
        let of_table = vec![Value::new(self.keyspace.as_str()), Value::new(table.name)];
        let mut bytes = 0_u64;
        for row in self.look(Doing::ReadSchema, LOOK_LIMIT, cql, of_table).await? {
            let columns = Columns::of(&row, Doing::ReadSchema);
            let (size, count): (i64, i64) = (columns.need(0)?, columns.need(1)?);
            bytes = bytes.saturating_add(u64::try_from(size.saturating_mul(count)).unwrap_or_default());
        }
        Ok(Some(bytes / table.row_bytes).filter(|rows| *rows > 0))
    }
}

/// How many rows there are from the first to the last, where the last of them, so many, begin at a moment; all in
/// microseconds since 1970. Where a time cannot be read, those that were seen.
fn rows_between(first: Option<i64>, begin: Option<i64>, last: Option<i64>, seen: usize) -> u64 {
    let seen = u64::try_from(seen).unwrap_or(u64::MAX);
    let (Some(first), Some(begin), Some(last)) = (first, begin, last) else { return seen };
    let (all, lately) = (i128::from(last) - i128::from(first), i128::from(last) - i128::from(begin));
    if lately <= 0 || begin <= first {
        return seen;
    }
    let rows = all * i128::from(seen.saturating_sub(1)) / lately + 1;
    u64::try_from(rows).unwrap_or(u64::MAX).max(seen)
}

/// The partitions of a patient's oldest rows and of the newest ones.
struct Partitions {
    first: Vec<String>,
    last: Vec<String>,
}

impl Partitions {
    fn of_patient(patient: String) -> Self {
        Self { first: vec![patient.clone()], last: vec![patient] }
    }

    fn of_months((patient, months): (String, BTreeSet<String>)) -> Self {
        let of = |month: Option<&String>| std::iter::once(&patient).chain(month).cloned().collect();
        Self { first: of(months.first()), last: of(months.last()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_many_as_if_all_came_as_the_last_ones() {
        const SECOND: i64 = 1_000_000;
        let at = |seconds: i64| Some(seconds * SECOND);
        assert_eq!(rows_between(at(0), at(901), at(1000), 100), 1001);
        assert_eq!(rows_between(at(0), at(0), at(99), 100), 100, "there are no others");
        assert_eq!(rows_between(at(7), at(7), at(7), 1), 1);
        assert_eq!(rows_between(at(0), at(50), at(50), 2), 2, "one moment tells nothing");
        assert_eq!(rows_between(None, None, None, 3), 3);
    }
}
