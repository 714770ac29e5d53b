//! What the tables hold: by the server's own estimates, and by the times of the first and the last row of some patients.

use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::CassandraStore;
use super::error::{CassandraError, Doing};
use super::read::Columns;
use super::schema::LOOK_LIMIT;
use crate::reading::Timestamp;
use crate::store::Kept;
use crate::store::stock::{ROW_BYTES, Stock, TABLES, TableStock, keeps};

/// Of so many patients the first and the last row are asked for.
const PATIENTS: usize = 200;

/// So many of them at the same time.
const AT_ONCE: usize = 16;

impl CassandraStore {
    /// What the tables hold, and how many of their rows would not be kept so.
    pub(crate) async fn stock(&self, kept: Kept, now: i64) -> Result<Stock, CassandraError> {
        let patients = [self.patients().await?, self.alarm_patients().await?];
        let mut tables = Vec::new();
        for (((table, time), keep), patients) in TABLES.iter().zip(keeps(kept)).zip(patients) {
            tables.push(self.table_stock(table, time, keep.horizon(now), &patients).await?);
        }
        Ok(Stock { tables, file: None })
    }

    async fn table_stock(
        &self,
        table: &'static str,
        time: &str,
        horizon: Option<i64>,
        patients: &[String],
    ) -> Result<TableStock, CassandraError> {
        let looked = patients.iter().take(PATIENTS);
        let ends: Vec<_> = looked.map(|patient| self.first_and_last(table, time, patient).boxed()).collect();
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
            table,
            patients: patients.len(),
            looked: ends.len(),
            oldest: ends.into_iter().flatten().map(|(first, _)| first).min(),
            rows,
            over: rows.filter(|_| horizon.is_some()).map(share),
            is_counted: false,
        })
    }

    async fn first_and_last(
        &self,
        table: &str,
        time: &str,
        patient: &str,
    ) -> Result<Option<(String, String)>, CassandraError> {
        let select = format!("SELECT {time} FROM {} WHERE patient_id = ? ORDER BY {time}", self.keyspace.table(table));
        let first = self.time(&format!("{select} ASC LIMIT 1"), patient).await?;
        let last = self.time(&format!("{select} DESC LIMIT 1"), patient).await?;
        Ok(first.zip(last))
    }

    async fn time(&self, cql: &str, patient: &str) -> Result<Option<String>, CassandraError> {
        let rows = Row::from_body(self.page(cql, vec![Value::new(patient)], 1, None).await?);
        rows.first().map(|row| Columns::of(row, Doing::Read).need(0)).transpose()
    }

    /// By the estimate of the node that is asked, of what it keeps first; none of a table that is new.
    async fn estimated_rows(&self, table: &str) -> Result<Option<u64>, CassandraError> {
        let cql = "SELECT mean_partition_size, partitions_count FROM system.size_estimates \
                   WHERE keyspace_name = ? AND table_name = ?";
        let of_table = vec![Value::new(self.keyspace.as_str()), Value::new(table)];
        let mut bytes = 0_u64;
        for row in self.look(Doing::ReadSchema, LOOK_LIMIT, cql, of_table).await? {
            let columns = Columns::of(&row, Doing::ReadSchema);
            let (size, count): (i64, i64) = (columns.need(0)?, columns.need(1)?);
            bytes = bytes.saturating_add(u64::try_from(size.saturating_mul(count)).unwrap_or_default());
        }
        Ok(Some(bytes / ROW_BYTES).filter(|rows| *rows > 0))
    }
}
