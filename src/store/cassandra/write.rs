//! Readings, alarms and minutes in.
//!
//! Rows go out together, in unlogged batches. Rows of one patient, which are one partition, cost the server a third of
//! single inserts. Rows of a few patients still save it requests, as long as one node has them all: so patients share a
//! batch where the cluster is one node. A sign that was not measured is bound UNSET, which leaves an earlier value
//! alone; a null would erase it.
//!
//! A patient's alarms go out in a batch with its readings: what a batch writes under one key is one
//! write to the server, whatever the table.
//!
//! - `values`: a row's columns and their values, straight from where they are
//! - `request`: rows as requests, such that the server writes no warning
//!
//! Where rows are not kept for ever, each says how long it lives from now on (`USING TTL`); where they are, that is not
//! set, so that one statement does for both.
//!
//! No row carries a time of ours: the table must not depend on the clock of a bedside machine. So of two writes of one
//! key the one that the server sees later wins, and the caller never has two of them in flight. A request that timed
//! out can still be in flight, so the limit here is longer than a server holds a request.

mod request;
mod values;

use std::sync::Arc;
use std::time::Duration;

use cdrs_tokio::error::Error as DriverError;
use chrono::Utc;
use futures::future::{join, join_all};

use self::request::{Group, Groups};
use self::values::Row as _;
use super::error::{CassandraError, Doing, Refusal};
use super::retention::ttl;
use super::session::{Connected, DriverSession, PREPARE_LIMIT, Plan};
use super::{CassandraStore, Keyspace};
use crate::alarm::AlarmRecord;
use crate::minute::PatientMinute;
use crate::pipeline::store::{Batch, BatchLimits, WriteError, Written};
use crate::reading::{Reading, Timestamp};
use crate::span::Keep;
use crate::store::StoredReading;
use crate::store::retention::{Life, Retention};
use crate::store::tables::{ALARMS, MINUTES, READINGS};

/// How long a write may take. A server throws away what it could not begin within 12 s (`native_transport_timeout`) and
/// what it could not finish within 2 s more (`write_request_timeout`): after this limit nothing comes late.
pub const WRITE_LIMIT: Duration = Duration::from_secs(15);

/// Readings of one patient in a batch. Requests are what costs the server most: a drain of 100 patients with 60 in a
/// batch took 0.8 times as long as with 17. Beyond 100 little is won, and memory is lost: with 250 a seventh more of
/// it.
const MAX_ROWS: usize = 100;

/// Readings of several patients in a batch. With their alerts they are two requests (see `request`), sent together: a
/// drain of 10,000 patients took 0.8 times as long as with 20 readings.
const MAX_SHARED_ROWS: usize = 30;

/// More patients in a batch save the server little, and beyond this it warns
/// (`unlogged_batch_across_partitions_warn_threshold`).
const MAX_PATIENTS: usize = 10;

impl CassandraStore {
    /// How much a batch should have at most. Of several patients only where there is one node: in a cluster their rows
    /// are on different ones.
    pub fn batch_limits(&self) -> BatchLimits {
        let patients = if self.session.has_one_node() { MAX_PATIENTS } else { 1 };
        BatchLimits { rows: MAX_ROWS, patients, shared_rows: MAX_SHARED_ROWS }
    }

    /// Writes a batch: in as many requests as the limits of one ask for, all at once. All of them have ended when this
    /// returns.
    pub async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        let (kept, is_due) = self.kept().await?;
        let patients = self.batch_limits().patients;
        let mut expired = 0;
        let groups = |inserts: &Inserts| {
            // The session may have had to wait for its server.
            if batch.tenure.is_over() {
                return Vec::new();
            }
            let (groups, over) = groups_of(batch, inserts, &kept, Utc::now().timestamp_micros(), patients);
            expired = over;
            groups
        };
        let (sent, ()) = join(self.send(groups), self.look_again(is_due)).await;
        match sent.map_err(WriteError::from) {
            Ok(()) if batch.tenure.is_over() => Err(WriteError::taken_away()),
            Ok(()) => Ok(Written { expired, deleted: 0 }),
            Err(WriteError::Never(reason)) => Err(self.doubt(reason).await),
            Err(error) => Err(error),
        }
    }

    /// Rows can only be at fault where the tables are as they must be.
    async fn doubt(&self, reason: String) -> WriteError {
        match self.prepare().await {
            Ok(_) => WriteError::Never(reason),
            Err(error) => WriteError::Later(error.to_string()),
        }
    }

    /// Writes rows back as they once came out: their texts and values are taken as they are. A column without a value
    /// leaves an earlier one alone. No two of the rows may have the same key. One whose time is none that `vitals` could
    /// have written has no end.
    pub async fn restore(&self, rows: &[StoredReading]) -> Result<Written, WriteError> {
        let (kept, is_due) = self.kept().await?;
        let (raw, mut written) = (kept.in_force().raw, Written::default());
        let groups = |inserts: &Inserts| {
            let (mut groups, now) = (Groups::default(), Utc::now().timestamp_micros());
            for row in rows {
                // Told by its text alone, where that matters.
                let time = Some(raw).filter(|raw| *raw != Keep::All).and(Timestamp::parse(&row.timestamp).ok());
                match time.map_or(Life::Open, |time| Life::of(raw, time.as_micros(), now)) {
                    Life::Over => written.expired += 1,
                    life => groups.add(&inserts.reading, row, ttl(life, now)),
                }
            }
            groups.finish()
        };
        let (sent, ()) = join(self.send(groups), self.look_again(is_due)).await;
        sent?;
        Ok(written)
    }

    /// Writes rows once more as they are, each a microsecond later than it was written, and with this end. What was written
    /// since is later, and stays.
    pub(super) async fn rewrite(&self, rows: &[(StoredReading, i64, Option<i32>)]) -> Result<(), CassandraError> {
        let groups = |inserts: &Inserts| {
            let group_of = |(row, written, end): &(StoredReading, i64, Option<i32>)| {
                let mut groups = Groups::default();
                groups.add(&inserts.reading, row, *end);
                groups.finish().into_iter().map(|group| group.written_at(written.saturating_add(1))).collect::<Vec<_>>()
            };
            rows.iter().flat_map(group_of).collect()
        };
        self.send(groups).await
    }

    async fn send(&self, groups: impl FnOnce(&Inserts) -> Vec<Group>) -> Result<(), CassandraError> {
        let connected = self.session.connected().await?;
        let prepare = connected.inserts(&self.keyspace);
        let inserts = self.session.within(&connected, Doing::Prepare, PREPARE_LIMIT, prepare).await?;
        let groups = groups(inserts);
        let requests = groups.iter().map(|group| self.send_group(&connected, inserts, group));
        join_all(requests).await.into_iter().collect()
    }

    async fn send_group(
        &self,
        connected: &Arc<Connected>,
        inserts: &Inserts,
        group: &Group,
    ) -> Result<(), CassandraError> {
        let request = group.request(self.consistency.for_writes());
        let outcome = self
            .session
            .within(connected, Doing::Write, WRITE_LIMIT, connected.send(&request, group.partition_key(), inserts))
            .await;
        if outcome.as_ref().is_err_and(|error| error.refusal() == Some(Refusal::Unprepared)) {
            // It was told them again, and does not know them all the same.
            self.session.forget(connected);
        }
        outcome
    }
}

/// The rows of a batch, the alarms of each patient behind its readings, and how many of its readings are over. Of alarms
/// that are over nothing is written: their rows have ended with all that they hold.
fn groups_of<'a>(
    batch: &'a Batch,
    inserts: &Inserts,
    kept: &Retention,
    now: i64,
    patients: usize,
) -> (Vec<Group>, u64) {
    let (mut groups, mut expired) = (Groups::default(), 0);
    let raw = kept.in_force().raw;
    let add_alarm = |groups: &mut Groups<'a>, alarm: &'a AlarmRecord| match Life::of(
        kept.of_alarm(alarm.alarm.onset),
        alarm.alarm.onset,
        now,
    ) {
        Life::Over => {}
        life => groups.add(&inserts.alarm, alarm, ttl(life, now)),
    };
    let mut alarms = batch.alarms.chunk_by(|one, other| one.patient == other.patient).peekable();
    for readings in batch.readings.chunk_by(|one, other| one.patient() == other.patient()) {
        for reading in readings {
            match Life::of(raw, reading.time().as_micros(), now) {
                Life::Over => expired += 1,
                life => groups.add(&inserts.reading, reading, ttl(life, now)),
            }
        }
        // In the order of the patients as well, some of which have only readings, and some only alarms.
        let is_own = |alarms: &&[AlarmRecord]| {
            alarms.first().map(|alarm| &alarm.patient) == readings.first().map(Reading::patient)
        };
        if let Some(own) = alarms.next_if(is_own) {
            for alarm in own {
                add_alarm(&mut groups, alarm);
            }
        }
    }
    for alarm in alarms.flatten() {
        add_alarm(&mut groups, alarm);
    }
    let mut groups = groups.finish();
    groups.extend(minutes_of(batch, inserts, kept, now, patients));
    (groups, expired)
}

/// The minutes of a batch, in requests of their own: they lie in other partitions than the readings, each month of a
/// patient in another, and what is written to several partitions together is to be small.
fn minutes_of(batch: &Batch, inserts: &Inserts, kept: &Retention, now: i64, partitions: usize) -> Vec<Group> {
    let is_same =
        |one: &PatientMinute, other: &PatientMinute| one.patient == other.patient && one.part() == other.part();
    let of_partition: Vec<_> = batch.minutes.chunk_by(is_same).collect();
    let mut requests = Vec::new();
    for some in of_partition.chunks(partitions.max(1)) {
        let mut groups = Groups::default();
        for minute in some.iter().copied().flatten() {
            let start = minute.minute.start();
            match kept.minute_life(start, now) {
                Life::Over => {}
                // What is there was computed of rows some of which may have gone.
                _ if !batch.are_minutes_missing && !kept.has_rows_of(start, now) => {}
                life => groups.add(&inserts.minute, minute, ttl(life, now)),
            }
        }
        requests.extend(groups.finish());
    }
    requests
}

/// The statements that write, with the ids that a server gave them when it prepared them.
#[derive(Debug)]
pub(super) struct Inserts {
    reading: Insert,
    alarm: Insert,
    minute: Insert,
    cql: Vec<String>,
}

/// The same insert twice. A column that is named and not set costs the server nearly as much as one that is: of a reading
/// without observations a quarter of all.
#[derive(Debug, Default)]
pub(super) struct Insert {
    /// With the columns that nearly every row has.
    pub(super) usual: Vec<u8>,
    /// With all of them.
    pub(super) whole: Vec<u8>,
}

impl Inserts {
    /// Has them prepared by a node of the session.
    pub(super) async fn prepare(session: &DriverSession, keyspace: &Keyspace) -> Result<Self, DriverError> {
        let (mut inserts, mut cql) = (<[Insert; 3]>::default(), Vec::new());
        let tables = [
            (READINGS.name, Reading::COLUMNS),
            (ALARMS.name, AlarmRecord::COLUMNS),
            (MINUTES.name, PatientMinute::COLUMNS),
        ];
        for (insert, (table, [usual, rest])) in inserts.iter_mut().zip(tables) {
            let whole = [usual, rest].concat();
            for (id, columns) in [(&mut insert.usual, usual), (&mut insert.whole, &whole)] {
                let (names, marks) = (columns.join(", "), vec!["?"; columns.len()].join(", "));
                let text = format!("INSERT INTO {} ({names}) VALUES ({marks}) USING TTL ?", keyspace.table(table));
                *id = session.prepare_raw(&text).await?.id.into_bytes().unwrap_or_default();
                cql.push(text);
            }
        }
        let [reading, alarm, minute] = inserts;
        Ok(Self { reading, alarm, minute, cql })
    }

    /// Tells them to the nodes of `plan`. Their ids are the same everywhere: they are made of the text.
    pub(super) async fn tell(&self, session: &DriverSession, plan: &Plan) -> Result<(), DriverError> {
        for cql in &self.cql {
            session.prepare_raw_tw_with_query_plan(cql, None, false, false, false, Some(plan.clone())).await?;
        }
        Ok(())
    }
}
