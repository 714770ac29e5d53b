//! Readings that were written when something else was kept get the end that they would have now.
//!
//! The server keeps the end of a value with the value. So a row is written once more as it is, at the time at which it was
//! written and a microsecond: what was written since, or is still on its way, is later, and stays. Rows that are over go,
//! range by range, at the time of the newest value in each.
//!
//! Who does it again begins with the first row, and finds the ends right that it has set: so nobody has to remember how far
//! it has come.

use cdrs_tokio::types::CBytes;
use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;
use chrono::Utc;
use futures::FutureExt as _;

use super::CassandraStore;
use super::error::{CassandraError, Doing};
use super::read::{Columns, insisted, stored_reading};
use super::remove::RangeRemoval;
use super::retention::ttl;
use crate::reading::{COLUMNS, Timestamp};
use crate::store::renewal::Renewed;
use crate::store::retention::Life;

const PAGE_ROWS: i32 = 1000;

/// Rows that are written at the same time, each by itself: each has its own time of writing.
const ROWS_AT_ONCE: usize = 64;

/// So many seconds one end may be from another and is the same: a row is not written for a rounding.
const SAME_END_SECONDS: i32 = 60;

/// The patient and the time, which have no end of their own.
const KEY_COLUMNS: usize = 2;

impl CassandraStore {
    /// Begins with the readings of a patient.
    pub(in crate::store) async fn renewal(&self, patient: &str) -> Result<Renewal<'_>, CassandraError> {
        let columns = self.reading_columns().await?;
        let values = columns.split(", ").skip(KEY_COLUMNS);
        let ends: Vec<_> =
            values.map(|name| format!("TTL({name}) AS ttl_{name}, WRITETIME({name}) AS written_{name}")).collect();
        let (table, ends) = (self.keyspace.table("patient_vitals"), ends.join(", "));
        let cql = format!("SELECT {columns}, {ends} FROM {table} WHERE patient_id = ? ORDER BY timestamp ASC");
        Ok(Renewal { store: self, patient: patient.to_owned(), cql, mark: None, has_ended: false, over: None })
    }
}

/// The readings of a patient, page by page, the oldest first.
#[derive(Debug)]
pub(in crate::store) struct Renewal<'store> {
    store: &'store CassandraStore,
    patient: String,
    cql: String,
    mark: Option<CBytes>,
    has_ended: bool,
    /// Rows that are over and lie one behind the other.
    over: Option<Range>,
}

#[derive(Debug)]
struct Range {
    oldest: String,
    newest: String,
    /// When the last of their values was written, in microseconds since 1970.
    written: i64,
}

/// When the values of a row were written, and whether each ends when it should.
struct Ends {
    written: i64,
    are_right: bool,
}

impl Renewal<'_> {
    /// What a page of them came to, or `None` when there are no more.
    pub(in crate::store) async fn step(&mut self) -> Result<Option<Renewed>, CassandraError> {
        if self.has_ended {
            return Ok(None);
        }
        let (kept, is_due) = self.store.kept().await?;
        self.store.look_again(is_due).await;
        let (raw, now) = (kept.in_force().raw, Utc::now().timestamp_micros());
        let key = vec![Value::new(self.patient.as_str())];
        let page = self.store.page_insisted(&self.cql, key, PAGE_ROWS, self.mark.take()).await?;
        self.mark.clone_from(&page.metadata.paging_state);
        self.has_ended = self.mark.is_none();
        let (mut done, mut again) = (Renewed::default(), Vec::new());
        for row in Row::from_body(page) {
            let reading = stored_reading(&row)?;
            done.looked += 1;
            let time = Timestamp::parse(&reading.timestamp).ok();
            let life = time.map_or(Life::Open, |time| Life::of(raw, time.as_micros(), now));
            let end = ttl(life, now);
            let is_ours = time.is_some_and(|time| time.to_string() == reading.timestamp);
            match (life, ends(&row, end)?) {
                (Life::Over, Some(Ends { written, .. })) if is_ours => {
                    done.gone += 1;
                    self.extend(reading.timestamp, written);
                    continue;
                }
                // Of a row without values of ours nobody knows when it was written.
                (Life::Over, _) => done.left += 1,
                (_, Some(Ends { written, are_right: false })) => again.push((reading, written, end)),
                _ => {}
            }
            // A range goes as far as there is nothing in it that stays.
            self.remove_over().await?;
        }
        if self.has_ended {
            self.remove_over().await?;
        }
        done.changed = u64::try_from(again.len()).unwrap_or(u64::MAX);
        for rows in again.chunks(ROWS_AT_ONCE) {
            insisted(|| self.store.rewrite(rows).boxed()).await?;
        }
        Ok(Some(done))
    }

    fn extend(&mut self, time: String, written: i64) {
        let range = self.over.get_or_insert_with(|| Range { oldest: time.clone(), newest: String::new(), written });
        range.newest = time;
        range.written = range.written.max(written);
    }

    async fn remove_over(&mut self) -> Result<(), CassandraError> {
        let Some(Range { oldest, newest, written }) = self.over.take() else { return Ok(()) };
        RangeRemoval::before(self.store, written).remove(&self.patient, &oldest, &newest).await
    }
}

/// `None` of a row without values.
fn ends(row: &Row, expected: Option<i32>) -> Result<Option<Ends>, CassandraError> {
    let columns = Columns::of(row, Doing::Read);
    let mut found: Option<Ends> = None;
    for name in COLUMNS.iter().skip(KEY_COLUMNS) {
        let Some(written) = columns.find_named::<i64>(&format!("written_{name}"))? else { continue };
        let left: Option<i32> = columns.find_named(&format!("ttl_{name}"))?;
        let is_right = is_same_end(left, expected);
        found = Some(match found {
            Some(Ends { written: before, are_right }) => {
                Ends { written: before.max(written), are_right: are_right && is_right }
            }
            None => Ends { written, are_right: is_right },
        });
    }
    Ok(found)
}

fn is_same_end(left: Option<i32>, expected: Option<i32>) -> bool {
    match (left, expected) {
        (None, None) => true,
        (Some(left), Some(expected)) => left.abs_diff(expected) <= SAME_END_SECONDS.unsigned_abs(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_the_same_within_a_minute_and_none_is_none() {
        for (left, expected, is_same) in [
            (None, None, true),
            (Some(100), None, false),
            (None, Some(100), false),
            (Some(3600), Some(3660), true),
            (Some(3600), Some(3661), false),
            (Some(3661), Some(3600), false),
        ] {
            assert_eq!(is_same_end(left, expected), is_same, "{left:?} {expected:?}");
        }
    }
}
