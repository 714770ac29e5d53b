//! What the readings of minutes come to, in and out.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::error::{Doing, SqliteError};
use super::{SqliteStore, schema};
use crate::minute::{Figures, Minute, PatientMinute, Summary};
use crate::reading::{Sign, Timestamp};
use crate::store::Order;
use crate::store::retention::{Life, Retention};
use crate::store::tables::{FIGURES, MINUTES};

/// Rows on a page: some 400 KiB in memory.
const PAGE_ROWS: usize = 1500;

impl SqliteStore {
    /// The minutes of a patient that begin from `since` on and before `until`, or only the first of them.
    pub(in crate::store) fn minutes(
        &self,
        patient: &str,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        order: Order,
        only_one: bool,
    ) -> Minutes<'_> {
        let rows = if only_one { 1 } else { PAGE_ROWS };
        Minutes { store: self, patient: patient.to_owned(), since, until, order, rows, has_ended: false }
    }
}

/// Minutes on their way out of the store, page by page. Nothing is held open between two pages.
#[derive(Debug)]
pub(in crate::store) struct Minutes<'store> {
    store: &'store SqliteStore,
    patient: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    order: Order,
    rows: usize,
    has_ended: bool,
}

impl Minutes<'_> {
    /// The next page, or `None` when there are no more. None at all where an earlier `vitals` has made the tables.
    pub(in crate::store) async fn next_page(&mut self) -> Result<Option<Vec<(Minute, Summary)>>, SqliteError> {
        if self.has_ended {
            return Ok(None);
        }
        let (patient, since, until, order, rows) =
            (self.patient.clone(), self.since, self.until, self.order, self.rows);
        let read = move |path: &Path| {
            let (connection, columns) = schema::open_checked(path, Doing::Read)?;
            if !schema::has_table(&columns, MINUTES.name) {
                return Ok(Vec::new());
            }
            let page = page(&connection, &patient, since, until, order, rows);
            page.map_err(|error| SqliteError::from_driver(path, Doing::Read, &error))
        };
        let page = self.store.blocking(Doing::Read, read).await?;
        self.has_ended = page.len() < self.rows;
        let page: Vec<_> = page.into_iter().flatten().collect();
        if let Some((last, _)) = page.last() {
            match self.order {
                Order::OldestFirst => self.since = Some(last.end()),
                Order::NewestFirst => self.until = Some(last.start()),
            }
        }
        Ok(Some(page))
    }
}

fn page(
    connection: &Connection,
    patient: &str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    order: Order,
    rows: usize,
) -> rusqlite::Result<Vec<Option<(Minute, Summary)>>> {
    let mut sql = format!("SELECT minute, n, {} FROM {} WHERE patient_id = ?", figure_columns(), MINUTES.name);
    let mut values = vec![Value::from(patient.to_owned())];
    for (bound, sign) in [(since, ">="), (until, "<")] {
        if let Some(bound) = bound {
            // By the month as well: only so is the place in the key found, and no row before it looked at.
            let month_sign = if sign == ">=" { ">=" } else { "<=" };
            // Writing into memory cannot fail.
            let _ = write!(sql, " AND month {month_sign} ? AND minute {sign} ?");
            values.extend([Minute::of(bound).month().into(), bound.to_string().into()]);
        }
    }
    let end = match order {
        Order::NewestFirst => "DESC",
        Order::OldestFirst => "ASC",
    };
    let _ = write!(sql, " ORDER BY month {end}, minute {end} LIMIT {rows}");
    let mut select = connection.prepare_cached(&sql)?;
    select.query_map(params_from_iter(values), minute)?.collect()
}

fn figure_columns() -> String {
    let columns = Sign::ALL.iter().flat_map(|sign| FIGURES.iter().map(move |of| format!("{sign}_{of}")));
    columns.collect::<Vec<_>>().join(", ")
}

/// Nothing of a row whose time is none.
fn minute(row: &Row<'_>) -> rusqlite::Result<Option<(Minute, Summary)>> {
    let Ok(start) = Timestamp::parse(&row.get::<_, String>(0)?) else { return Ok(None) };
    let mut summary = Summary { n: row.get::<_, Option<u32>>(1)?.unwrap_or_default(), ..Summary::default() };
    for (sign, first) in summary.signs.iter_mut().zip((2..).step_by(FIGURES.len())) {
        let at = |place: usize| row.get::<_, Option<f64>>(first + place);
        if let (Some(n), Some(min), Some(max), Some(sum), Some(last)) =
            (row.get::<_, Option<u32>>(first)?, at(1)?, at(2)?, at(3)?, at(4)?)
        {
            *sign = Some(Figures { n, min, max, sum, last });
        }
    }
    Ok(Some((Minute::of(start), summary)))
}

/// Writes minutes in the place of what was there. Where readings of one may have gone, what is there stays; where there is
/// nothing they are all there: no row goes before its minute is written (see `sweep`).
pub(super) fn insert(
    connection: &Connection,
    minutes: &[PatientMinute],
    kept: &Retention,
    now: i64,
) -> rusqlite::Result<()> {
    for PatientMinute { patient, minute, summary } in minutes {
        if kept.minute_life(minute.start(), now) == Life::Over {
            continue;
        }
        let mut values = vec![
            Value::from(patient.as_str().to_owned()),
            minute.month().into(),
            minute.start().to_string().into(),
            summary.n.into(),
        ];
        for figures in summary.signs {
            match figures {
                Some(Figures { n, min, max, sum, last }) => {
                    values.push(n.into());
                    values.extend([min, max, sum, last].map(Value::from));
                }
                None => values.extend(FIGURES.map(|_| Value::Null)),
            }
        }
        let (table, columns, marks) = (MINUTES.name, figure_columns(), vec!["?"; values.len()].join(", "));
        let or = if kept.has_rows_of(minute.start(), now) { "REPLACE" } else { "IGNORE" };
        let sql = format!("INSERT OR {or} INTO {table} (patient_id, month, minute, n, {columns}) VALUES ({marks})");
        connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{PatientId, Signs};

    fn some(text: &str, rates: &[i32]) -> PatientMinute {
        let mut summary = Summary::default();
        for rate in rates {
            summary.add(&Signs { heart_rate: Some(*rate), temperature: Some(36.6), ..Signs::default() });
        }
        let minute = Minute::of(Timestamp::parse(text).unwrap());
        PatientMinute { patient: PatientId::parse("P1").unwrap(), minute, summary }
    }

    #[test]
    fn a_minute_comes_back_as_it_was_written_and_the_later_one_takes_its_place() {
        let connection = schema::in_memory().unwrap();
        let kept = Retention::default();
        let minutes =
            ["2025-12-31T23:59:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"].map(|at| some(at, &[70]));
        insert(&connection, &minutes, &kept, 0).unwrap();
        let again = some("2026-01-01T00:00:00Z", &[70, 80]);
        insert(&connection, std::slice::from_ref(&again), &kept, 0).unwrap();
        let expected = [&minutes[0], &again, &minutes[2]].map(|minute| (minute.minute, minute.summary));
        let of = |since, until, order| -> Vec<_> {
            page(&connection, "P1", since, until, order, PAGE_ROWS).unwrap().into_iter().flatten().collect()
        };
        assert_eq!(of(None, None, Order::OldestFirst), expected);
        let since = Some(minutes[1].minute.start());
        assert_eq!(of(since, None, Order::OldestFirst), expected[1..]);
        let newest_first = of(None, Some(minutes[2].minute.start()), Order::NewestFirst);
        assert_eq!(newest_first, [expected[1], expected[0]]);
    }

    #[test]
    fn no_minute_before_the_range_is_looked_at() {
        let connection = schema::in_memory().unwrap();
        let sql = "EXPLAIN QUERY PLAN SELECT minute FROM patient_vitals_1m WHERE patient_id = ? AND month >= ? AND minute >= ? \
                   AND month <= ? AND minute < ? ORDER BY month ASC, minute ASC LIMIT 1500";
        let mut explain = connection.prepare(sql).unwrap();
        let plan: Vec<String> = explain.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
        assert_eq!(plan, ["SEARCH patient_vitals_1m USING PRIMARY KEY (patient_id=? AND month>? AND month<?)"]);
    }
}
