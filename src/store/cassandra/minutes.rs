//! What the readings of minutes come to, out.
//!
//! A patient's minutes are in one partition a month. Which months there are nobody tells; so the months of the range are
//! gone through, and where one is empty the next ones are looked at together until there is one that is not.

use std::collections::{BTreeMap, BTreeSet};

use cdrs_tokio::types::CBytes;
use cdrs_tokio::types::value::Value;
use chrono::{DateTime, Datelike as _, Utc};
use futures::future::try_join_all;

use super::CassandraStore;
use super::error::{CassandraError, Doing, Refusal};
use crate::minute::{Figures, Minute, Summary};
use crate::reading::{Sign, Timestamp};
use crate::store::Order;
use crate::store::tables::MINUTES;

/// Rows on a page: a day, some 400 KiB in memory.
const PAGE_ROWS: i32 = 1500;

/// Months that are looked at together behind an empty one.
const PROBED_MONTHS: i32 = 48;

/// Months are counted from the year 0; before 1970 nobody has measured anything.
const FIRST_MONTH: i32 = 1970 * 12;

impl CassandraStore {
    /// The minutes of a patient that begin from `since` on and before `until`, or only the first of them. Where nobody has
    /// said until when, those of months to come are left out.
    pub(in crate::store) fn minutes(
        &self,
        patient: &str,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        order: Order,
        only_one: bool,
    ) -> Minutes<'_> {
        let last = until.map_or_else(|| Utc::now().timestamp_micros(), Timestamp::as_micros);
        let (first, last) = (since.map_or(FIRST_MONTH, month_of), month_at(last));
        let next = if order == Order::OldestFirst { first } else { last };
        let patient = patient.to_owned();
        Minutes {
            store: self,
            patient,
            since,
            until,
            order,
            only_one,
            first,
            last,
            next,
            mark: None,
            is_probing: only_one,
        }
    }
}

/// Minutes on their way out of the store, page by page.
#[derive(Debug)]
pub(in crate::store) struct Minutes<'store> {
    store: &'store CassandraStore,
    patient: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    order: Order,
    only_one: bool,
    first: i32,
    last: i32,
    /// The month to read next.
    next: i32,
    /// What leads to the next page of that month.
    mark: Option<CBytes>,
    is_probing: bool,
}

impl Minutes<'_> {
    /// The next page, which may be empty, or `None` when there are no more. None at all where an earlier `vitals` has made
    /// the tables.
    pub(in crate::store) async fn next_page(&mut self) -> Result<Option<Vec<(Minute, Summary)>>, CassandraError> {
        if self.is_probing {
            if let Err(error) = self.probe().await {
                return if self.is_without_table(&error).await? { Ok(None) } else { Err(error) };
            }
            self.is_probing = false;
        }
        if !(self.first..=self.last).contains(&self.next) {
            return Ok(None);
        }
        let rows = if self.only_one { 1 } else { PAGE_ROWS };
        let (rows, mark) = match self.rows_of(self.next, rows, self.mark.clone()).await {
            Err(error) if self.is_without_table(&error).await? => return Ok(None),
            page => page?,
        };
        self.mark = mark;
        if self.mark.is_none() {
            self.is_probing = rows.is_empty();
            self.next += self.step();
        }
        Ok(Some(rows.iter().filter_map(|row| minute(row)).collect()))
    }

    fn step(&self) -> i32 {
        if self.order == Order::OldestFirst { 1 } else { -1 }
    }

    /// Goes on to the next month that has something.
    async fn probe(&mut self) -> Result<(), CassandraError> {
        while (self.first..=self.last).contains(&self.next) {
            let months = (0..PROBED_MONTHS).map(|ahead| self.next + ahead * self.step());
            let months: Vec<_> = months.filter(|month| (self.first..=self.last).contains(month)).collect();
            let found = try_join_all(months.iter().map(|month| self.rows_of(*month, 1, None))).await?;
            let found = found.iter().position(|(rows, _)| !rows.is_empty());
            if let Some(month) = found.and_then(|at| months.get(at)) {
                self.next = *month;
                break;
            }
            self.next += PROBED_MONTHS * self.step();
        }
        Ok(())
    }

    /// Whether it was not taken because there is no such table. What that is called depends on the server.
    async fn is_without_table(&self, error: &CassandraError) -> Result<bool, CassandraError> {
        match error.refusal() {
            Some(Refusal::Missing | Refusal::Request) => Ok(!self.store.has_minutes().await?),
            _ => Ok(false),
        }
    }

    async fn rows_of(
        &self,
        month: i32,
        rows: i32,
        mark: Option<CBytes>,
    ) -> Result<(Vec<Vec<CBytes>>, Option<CBytes>), CassandraError> {
        let signs = Sign::ALL.map(Sign::name).join(", ");
        let table = self.store.keyspace.table(MINUTES.name);
        let mut cql = format!("SELECT minute, n, {signs} FROM {table} WHERE patient_id = ? AND month = ?");
        let mut values = vec![Value::new(self.patient.as_str()), Value::new(month_text(month))];
        for (bound, condition) in [(self.since, " AND minute >= ?"), (self.until, " AND minute < ?")] {
            if let Some(bound) = bound {
                cql.push_str(condition);
                values.push(Value::new(bound.to_string()));
            }
        }
        cql.push_str(if self.order == Order::OldestFirst { " ORDER BY minute ASC" } else { " ORDER BY minute DESC" });
        if rows == 1 {
            cql.push_str(" LIMIT 1");
        }
        let page = self.store.page(&cql, values, rows, mark).await?;
        Ok((page.rows_content, page.metadata.paging_state))
    }
}

impl CassandraStore {
    /// The months of which each patient has minutes. None at all where an earlier `vitals` has made the tables.
    pub(super) async fn minute_months(&self) -> Result<BTreeMap<String, BTreeSet<String>>, CassandraError> {
        if !self.has_minutes().await? {
            return Ok(BTreeMap::new());
        }
        let cql = format!("SELECT DISTINCT patient_id, month FROM {}", self.keyspace.table(MINUTES.name));
        let partitions = self.partitions(&cql, |columns| Ok((columns.need(0)?, columns.need(1)?)));
        let mut months: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (patient, month) in partitions.await? {
            months.entry(patient).or_default().insert(month);
        }
        Ok(months)
    }

    async fn has_minutes(&self) -> Result<bool, CassandraError> {
        let cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
        let of_table = vec![Value::new(self.keyspace.as_str()), Value::new(MINUTES.name)];
        Ok(!self.look(Doing::ReadSchema, super::schema::LOOK_LIMIT, cql, of_table).await?.is_empty())
    }
}

/// The month of a moment, which is a partition of its own of each patient.
pub(super) fn month_of(time: Timestamp) -> i32 {
    month_at(time.as_micros())
}

fn month_at(micros: i64) -> i32 {
    let at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    at.year().saturating_mul(12).saturating_add(i32::try_from(at.month0()).unwrap_or_default())
}

fn month_text(month: i32) -> String {
    format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}

/// Nothing of a row whose time is none.
fn minute(row: &[CBytes]) -> Option<(Minute, Summary)> {
    let [start, n, signs @ ..] = row else { return None };
    let start = std::str::from_utf8(start.as_slice()?).ok()?;
    let mut summary = Summary { n: n.as_slice().and_then(whole).unwrap_or_default(), ..Summary::default() };
    for (sign, value) in summary.signs.iter_mut().zip(signs) {
        *sign = value.as_slice().and_then(figures);
    }
    Some((Minute::of(Timestamp::parse(start).ok()?), summary))
}

/// A tuple: each of its values behind its length.
fn figures(mut tuple: &[u8]) -> Option<Figures> {
    let mut next = || {
        let (length, rest) = tuple.split_at_checked(size_of::<i32>())?;
        let length = usize::try_from(i32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        tuple = rest;
        Some(value)
    };
    let n = whole(next()?)?;
    let mut number = || Some(f64::from_be_bytes(next()?.try_into().ok()?));
    Some(Figures { n, min: number()?, max: number()?, sum: number()?, last: number()? })
}

fn whole(bytes: &[u8]) -> Option<u32> {
    u32::try_from(i32::from_be_bytes(bytes.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_counted_and_written_as_the_table_has_them() {
        for (text, month) in [("2025-12-31T23:59:59Z", "2025-12"), ("2026-01-01T00:00:00Z", "2026-01")] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!((month_text(month_of(time)), Minute::of(time).month()), (month.to_owned(), month.to_owned()));
        }
        assert_eq!(month_text(month_at(i64::MIN)), "1970-01");
    }

    #[test]
    fn a_tuple_that_is_cut_off_is_none() {
        let mut tuple = vec![0, 0, 0, 4, 0, 0, 0, 2];
        for value in [1.0_f64, 3.0, 4.0, 3.0] {
            tuple.extend([0, 0, 0, 8]);
            tuple.extend(value.to_be_bytes());
        }
        assert_eq!(figures(&tuple), Some(Figures { n: 2, min: 1.0, max: 3.0, sum: 4.0, last: 3.0 }));
        for cut in 0..tuple.len() {
            assert_eq!(figures(&tuple[..cut]), None);
        }
    }
}
