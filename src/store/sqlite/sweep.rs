//! Rows that are older than what is kept go, a few at a time, between the batches of the thread that writes.
//!
//! It goes from patient to patient by the key, whose oldest rows lie together: no other row is looked at. A patient
//! without old rows costs two searches. A row whose time is none that `vitals` could have written stays, and so does an
//! alarm that is on. So do the readings of a patient's newest minute, until what they come to is written.
//!
//! A step takes milliseconds, and its commit does not wait for the disk: what a power cut brings back goes again.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior};

use super::file;
use crate::minute::Minute;
use crate::reading::Timestamp;
use crate::store::retention::Kept;
use crate::store::stock::keeps;
use crate::store::tables::MINUTES;
use crate::store::tables::{PATIENT_TABLES, PatientTable};

/// How long a step takes, as far as that can be told before its last statement: whoever brings a batch waits for it.
const STEP: Duration = Duration::from_millis(4);

/// The pause behind a step: so most of the time is for those who write.
const PAUSE: Duration = Duration::from_millis(16);

/// The pause behind a round through all patients.
const REST: Duration = Duration::from_secs(5);

/// The rows of one statement: a quarter of a millisecond.
const ROWS: u16 = 100;

/// The pages of one statement that gives room back.
const PAGES: u32 = 16;

/// So many free pages are kept: the next rows need them, and to move pages about costs more than they take.
const SPARE_PAGES: i64 = 1024;

/// Which rows of each table may go.
const MAY_GO: [&str; PATIENT_TABLES.len()] = ["1", "1", "ended IS NOT ''"];

/// How `vitals` writes a time; a text of another shape does not sort by its time.
const TIME_SHAPE: &str = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*+00:00";

/// A way through all patients of both tables, and then through the free pages.
#[derive(Debug)]
pub(super) struct Sweep {
    place: Place,
    /// When the next step is due.
    due: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In the table of this number, behind this patient.
    Behind(usize, Option<String>),
    /// At the oldest rows of this patient.
    At(usize, String),
    /// All rows that were to go have gone.
    Pages,
}

const START: Place = Place::Behind(0, None);

impl Sweep {
    pub(super) fn new() -> Self {
        Self { place: START, due: Instant::now() }
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Begins anew at once: something else is kept than before.
    pub(super) fn restart(&mut self) {
        *self = Self::new();
    }

    /// Goes a step on, and gives the rows that have gone. Where another program writes just now it comes again.
    pub(super) fn step(&mut self, connection: &mut Connection, kept: Kept, now: i64) -> rusqlite::Result<u64> {
        file::keep_commits(connection, false)?;
        let outcome = self.go_on(connection, kept, now);
        file::keep_commits(connection, true)?;
        self.due = Instant::now() + if self.place == START { REST } else { PAUSE };
        match outcome {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(0),
            outcome => outcome,
        }
    }

    fn go_on(&mut self, connection: &mut Connection, kept: Kept, now: i64) -> rusqlite::Result<u64> {
        let end = Instant::now() + STEP;
        if self.place == Place::Pages {
            if !give_back(connection, end)? {
                self.place = START;
            }
            return Ok(0);
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let (mut place, mut gone) = (self.place.clone(), 0);
        while place != Place::Pages && Instant::now() < end {
            place = match place {
                Place::Behind(table, patient) => next_patient(&transaction, kept, now, table, patient)?,
                Place::At(table, patient) => {
                    let rows = delete(&transaction, kept, now, table, &patient)?;
                    gone += u64::try_from(rows).unwrap_or(u64::MAX);
                    if rows < usize::from(ROWS) {
                        Place::Behind(table, Some(patient))
                    } else {
                        Place::At(table, patient)
                    }
                }
                Place::Pages => Place::Pages,
            };
        }
        transaction.commit()?;
        self.place = place;
        Ok(gone)
    }
}

/// Before which time the rows of a table go, as they have it.
fn horizon(kept: Kept, table: usize, now: i64) -> Option<String> {
    Some(Timestamp::from_micros(keeps(kept).get(table)?.horizon(now)?)?.to_string())
}

fn next_patient(
    connection: &Connection,
    kept: Kept,
    now: i64,
    table: usize,
    behind: Option<String>,
) -> rusqlite::Result<Place> {
    let Some(PatientTable { name, .. }) = PATIENT_TABLES.get(table) else { return Ok(Place::Pages) };
    // Where nobody has migrated it yet there may be no such table.
    if horizon(kept, table, now).is_none() || !connection.table_exists(None, *name)? {
        return Ok(Place::Behind(table + 1, None));
    }
    let mut select = connection
        .prepare_cached(&format!("SELECT patient_id FROM {name} WHERE patient_id > ? ORDER BY patient_id LIMIT 1"))?;
    // Before the first id there is the empty text, which is none.
    let next = select.query_row([behind.unwrap_or_default()], |row| row.get(0)).optional()?;
    Ok(next.map_or(Place::Behind(table + 1, None), |patient| Place::At(table, patient)))
}

fn delete(connection: &Connection, kept: Kept, now: i64, table: usize, patient: &str) -> rusqlite::Result<usize> {
    let (Some(PatientTable { name, time, order, bound, .. }), Some(which), Some(mut horizon)) =
        (PATIENT_TABLES.get(table), MAY_GO.get(table), horizon(kept, table, now))
    else {
        return Ok(0);
    };
    if table == 0
        && let Some(unsafe_from) = without_minute(connection, patient)?
        && kept.minutes.horizon(now).is_none_or(|over| unsafe_from.start().as_micros() > over)
    {
        horizon = horizon.min(unsafe_from.start().to_string());
    }
    // Two alarms may have one onset: at the last of these a few more than that go, or all of them.
    let mut last = connection.prepare_cached(&format!(
        "SELECT {time} FROM {name} WHERE patient_id = ?1 AND {time} < ?2 AND {time} GLOB ?3 AND {bound} AND {which} \
         ORDER BY {order} LIMIT 1 OFFSET ?4"
    ))?;
    let offset = ROWS - 1;
    let until: Option<String> = last.query_row((patient, &horizon, TIME_SHAPE, offset), |row| row.get(0)).optional()?;
    let (until, is_with_it) = match &until {
        Some(until) => (until, "<="),
        None => (&horizon, "<"),
    };
    let sql = format!(
        "DELETE FROM {name} WHERE patient_id = ?1 AND {time} {is_with_it} ?2 AND {time} GLOB ?3 AND {bound} AND {which}"
    );
    connection.prepare_cached(&sql)?.execute((patient, until, TIME_SHAPE))
}

/// The minute of a patient's newest reading, where it is not written yet. Those before it are: each is written before a
/// reading of a later one is committed.
fn without_minute(connection: &Connection, patient: &str) -> rusqlite::Result<Option<Minute>> {
    if !connection.table_exists(None, MINUTES.name)? {
        return Ok(None);
    }
    let mut newest = connection
        .prepare_cached("SELECT timestamp FROM patient_vitals WHERE patient_id = ? ORDER BY timestamp DESC LIMIT 1")?;
    let newest: Option<String> = newest.query_row([patient], |row| row.get(0)).optional()?;
    let Some(newest) = newest.and_then(|newest| Timestamp::parse(&newest).ok()).map(Minute::of) else {
        return Ok(None);
    };
    let mut is_there = connection
        .prepare_cached(&format!("SELECT 1 FROM {} WHERE patient_id = ? AND month = ? AND minute = ?", MINUTES.name))?;
    let is_there = is_there.exists((patient, newest.month(), newest.start().to_string()))?;
    Ok(Some(newest).filter(|_| !is_there))
}

/// Gives free pages at the end of the file back, and tells whether there are more. A file that was made before this could
/// be asked for keeps them, and uses them again.
pub(super) fn give_back(connection: &Connection, end: Instant) -> rusqlite::Result<bool> {
    const INCREMENTAL: i64 = 2;
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("auto_vacuum")? != INCREMENTAL {
        return Ok(false);
    }
    loop {
        if pragma("freelist_count")? <= SPARE_PAGES {
            return Ok(false);
        }
        if Instant::now() >= end {
            return Ok(true);
        }
        // It is done row by row, as far as rows are asked for.
        let mut vacuum = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut rows = vacuum.query(())?;
        while rows.next()?.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use crate::span::Keep;

    const DAY: Duration = Duration::from_secs(86_400);
    /// 2026-01-02T00:00:00Z.
    const NOW: i64 = 1_767_312_000_000_000;

    fn swept(connection: &mut Connection, kept: Kept) -> u64 {
        let (mut sweep, mut gone) = (Sweep::new(), 0);
        loop {
            gone += sweep.step(connection, kept, NOW).unwrap();
            if sweep.place == START {
                return gone;
            }
        }
    }

    fn times(connection: &Connection, sql: &str) -> Vec<String> {
        connection.prepare(sql).unwrap().query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn of_each_patient_what_is_older_goes_and_what_is_not_stays() {
        let mut connection = schema::in_memory().unwrap();
        for patient in ["P1", "P2", "Ä"] {
            for minute in 0..2 * 24 * 60 {
                let time = Timestamp::from_micros(NOW - minute * 60_000_000).unwrap().to_string();
                connection
                    .execute("INSERT INTO patient_vitals (patient_id, timestamp) VALUES (?, ?)", (patient, time))
                    .unwrap();
            }
        }
        let raw = Kept { raw: Keep::For(DAY), ..Kept::default() };
        assert_eq!(swept(&mut connection, Kept::default()), 0, "all is kept");
        assert_eq!(swept(&mut connection, raw), 3 * (24 * 60 - 1));
        assert_eq!(swept(&mut connection, raw), 0, "nothing is left");
        let oldest = times(&connection, "SELECT MIN(timestamp) FROM patient_vitals GROUP BY patient_id");
        assert_eq!(oldest, ["2026-01-01T00:00:00+00:00"; 3]);
    }

    #[test]
    fn no_reading_goes_before_its_minute_is_written_and_minutes_go_by_their_own_age() {
        let mut connection = schema::in_memory().unwrap();
        let put = |connection: &Connection, table: &str, values: &str| {
            connection.execute(&format!("INSERT INTO {table} VALUES ({values})"), ()).unwrap();
        };
        for second in ["2025-12-01T10:29:59", "2025-12-01T10:30:01", "2025-12-01T10:30:02"] {
            put(&connection, "patient_vitals (patient_id, timestamp)", &format!("'P1', '{second}+00:00'"));
        }
        let raw = Kept { raw: Keep::For(DAY), ..Kept::default() };
        assert_eq!(swept(&mut connection, raw), 1, "all but those of the newest minute");
        let minutes = "patient_vitals_1m (patient_id, month, minute)";
        for (month, minute) in
            [("2025-11", "2025-11-30T23:59"), ("2025-12", "2025-12-01T10:30"), ("2026-01", "2026-01-01T23:00")]
        {
            put(&connection, minutes, &format!("'P1', '{month}', '{minute}:00+00:00'"));
        }
        assert_eq!(swept(&mut connection, raw), 2);
        assert_eq!(swept(&mut connection, Kept { minutes: Keep::For(DAY), ..Kept::default() }), 2);
        assert_eq!(times(&connection, "SELECT minute FROM patient_vitals_1m"), ["2026-01-01T23:00:00+00:00"]);
        // Of one whose minute would not be kept any more nothing is waited for.
        put(&connection, "patient_vitals (patient_id, timestamp)", "'P2', '2025-12-01T10:30:00+00:00'");
        assert_eq!(swept(&mut connection, Kept { minutes: Keep::For(DAY), ..raw }), 1);
    }

    #[test]
    fn a_time_that_vitals_would_not_write_and_an_alarm_that_is_on_stay() {
        let mut connection = schema::in_memory().unwrap();
        let old = "2025-01-01T00:00:00";
        for time in ["0", "yesterday", &format!("{old}Z"), &format!("{old}+02:00"), &format!("{old}.5+00:00")] {
            connection.execute("INSERT INTO patient_vitals (patient_id, timestamp) VALUES ('P1', ?)", [time]).unwrap();
        }
        for (rule, ended) in [("line", "NULL"), ("on", "''"), ("ended", "'2025-01-01T00:01:00+00:00'")] {
            let sql = format!(
                "INSERT INTO patient_alerts (patient_id, onset, rule, ended) VALUES ('P1', '{old}+00:00', '{rule}', {ended})"
            );
            connection.execute(&sql, ()).unwrap();
        }
        let both = Kept { raw: Keep::For(DAY), alerts: Keep::For(DAY), ..Kept::default() };
        assert_eq!(swept(&mut connection, Kept { raw: Keep::All, ..both }), 2);
        assert_eq!(swept(&mut connection, both), 1);
        assert_eq!(times(&connection, "SELECT rule FROM patient_alerts"), ["on"]);
        assert_eq!(times(&connection, "SELECT timestamp FROM patient_vitals").len(), 4);
    }

    #[test]
    fn alarms_of_one_onset_go_however_many_they_are() {
        let mut connection = schema::in_memory().unwrap();
        for rule in 0..250 {
            let sql =
                "INSERT INTO patient_alerts (patient_id, onset, rule) VALUES ('P1', '2025-01-01T00:00:00+00:00', ?)";
            connection.execute(sql, [rule.to_string()]).unwrap();
        }
        assert_eq!(swept(&mut connection, Kept { alerts: Keep::For(DAY), ..Kept::default() }), 250);
    }

    #[test]
    fn no_statement_looks_at_rows_that_stay() {
        let connection = schema::in_memory().unwrap();
        for (sql, search) in [
            (
                "SELECT patient_id FROM patient_vitals WHERE patient_id > ? ORDER BY patient_id LIMIT 1",
                "SEARCH patient_vitals USING PRIMARY KEY (patient_id>?)",
            ),
            (
                "DELETE FROM patient_vitals WHERE patient_id = ?1 AND timestamp < ?2 AND timestamp GLOB ?3 AND 1",
                "SEARCH patient_vitals USING PRIMARY KEY (patient_id=? AND timestamp<?)",
            ),
            (
                "DELETE FROM patient_vitals_1m WHERE patient_id = ?1 AND minute < ?2 AND minute GLOB ?3 AND month <= substr(?2, 1, 7)",
                "SEARCH patient_vitals_1m USING PRIMARY KEY (patient_id=? AND month<?)",
            ),
            (
                "SELECT minute FROM patient_vitals_1m WHERE patient_id = ?1 AND minute < ?2 AND minute GLOB ?3 AND month <= \
                 substr(?2, 1, 7) ORDER BY month, minute LIMIT 1 OFFSET 99",
                "SEARCH patient_vitals_1m USING PRIMARY KEY (patient_id=? AND month<?)",
            ),
            (
                "DELETE FROM patient_alerts WHERE patient_id = ?1 AND onset <= ?2 AND onset GLOB ?3 AND ended IS NOT ''",
                "SEARCH patient_alerts USING PRIMARY KEY (patient_id=? AND onset<?)",
            ),
        ] {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan: Vec<String> = explain.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().unwrap();
            assert_eq!(plan, [search]);
        }
    }

    #[test]
    fn room_is_given_back_where_the_file_was_made_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vitals.db");
        let mut connection = file::create(&path).unwrap();
        connection.execute_batch(include_str!("../../../migrations/sqlite/0001_patient_vitals.sql")).unwrap();
        connection.execute_batch(include_str!("../../../migrations/sqlite/0002_patient_alerts.sql")).unwrap();
        connection
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000) INSERT INTO patient_vitals \
                 (patient_id, timestamp) SELECT 'P1', strftime('%Y-%m-%dT%H:%M:%S+00:00', 1700000000 + i, 'unixepoch') FROM n",
            )
            .unwrap();
        let pages = |connection: &Connection| {
            connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).unwrap()
        };
        let before = pages(&connection);
        assert_eq!(swept(&mut connection, Kept { raw: Keep::For(DAY), ..Kept::default() }), 150_000);
        assert!(before > 2 * SPARE_PAGES && pages(&connection) <= SPARE_PAGES + 16, "{before} {}", pages(&connection));
    }
}
