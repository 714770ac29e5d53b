//! A source, a store, dead letters and a listener of one's own making, which write down what happens to them.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::super::dead_letters::{DeadLetter, DeadLetters};
use super::super::events::{Listener, Origin, PipelineEvent};
use super::super::source::{Assigned, Chunk, Event, Fetched, MembershipEvent, Source};
use crate::alarm::rules::{Micros, RuleSet};
use crate::alarm::{Alarm, AlarmChange, AlarmRecord, Alert, KnownAlarm, Limits, Watch};
use crate::ledger::Position;
use crate::minute::{PatientMinute, Summary};
use crate::pipeline::rules::{InForce, NotAdmitted, Rules};
use crate::pipeline::store::{Batch, BatchLimits, Entry, NodeGeneration, Store, WriteError, Written};
use crate::reading::{PatientId, Reading, Signs, Timestamp};
use crate::record::Record;
use crate::toml_table::TomlError;

/// What happened, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(super) fn note(&self, line: impl Into<String>) {
        self.lines().push(line.into());
    }

    pub(super) fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("no panic while it is held")
    }

    pub(super) fn count(&self, start: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(start)).count()
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|noted| noted == line)
    }

    pub(super) fn place(&self, line: &str) -> usize {
        let place = self.lines().iter().position(|noted| noted == line);
        place.unwrap_or_else(|| panic!("no '{line}' in {:?}", self.lines()))
    }
}

/// Plays events in order, then waits for ever.
pub(super) struct Script {
    pub(super) log: Log,
    pub(super) events: VecDeque<Event>,
    /// What comes after a rewind, or when the partitions were lost by a commit.
    pub(super) again: Vec<Event>,
    /// What comes after the next rewind.
    pub(super) after: Vec<Event>,
    pub(super) coordinator: Coordinator,
    /// An event that comes in its own time.
    pub(super) later: Option<BoxFuture<'static, Event>>,
}

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coordinator {
    /// It is taken.
    Takes,
    /// It is refused, and may be tried again.
    Refuses,
    /// It is refused once, because the partitions are somebody else's; later ones are taken.
    KnowsUsNot,
}

#[derive(Debug, thiserror::Error)]
#[error("the source ended")]
pub(super) struct Ended;

impl Source for Script {
    type Error = Ended;

    async fn next(&mut self, room: bool) -> Result<Event, Ended> {
        let held = |event: &Event| matches!(event, Event::Fetched(_)) && !room;
        match self.events.front() {
            Some(event) if !held(event) => Ok(self.events.pop_front().expect("looked at")),
            _ => match &mut self.later {
                Some(later) => {
                    let event = later.await;
                    self.later = None;
                    Ok(event)
                }
                None => pending().await,
            },
        }
    }

    async fn commit(&mut self, _: u64, positions: Vec<Position>) {
        if self.coordinator == Coordinator::Takes {
            for Position { partition, offset, stored, history } in &positions {
                let further = if stored == offset { String::new() } else { format!(" stored to {stored}") };
                self.log.note(format!("needs {partition}:{offset} from {history}"));
                self.log.note(format!("committed {partition}:{offset}{further}"));
            }
            return self.events.push_front(Event::Membership(MembershipEvent::Committed(positions)));
        }
        self.log.note("commit refused");
        if self.coordinator == Coordinator::KnowsUsNot {
            self.events.push_front(Event::Membership(MembershipEvent::Lost));
            self.events.extend(std::mem::take(&mut self.again));
            self.coordinator = Coordinator::Takes;
        }
        self.events.push_front(Event::Membership(MembershipEvent::CommitRefused { by_coordinator: true }));
    }

    async fn rewind(&mut self, _: u64) {
        self.log.note("rewound");
        self.events.extend(std::mem::take(&mut self.again));
        self.again = std::mem::take(&mut self.after);
    }

    async fn released(&mut self, _: u64) {
        self.log.note("released");
    }
}

/// Stores after `failures` attempts have failed; `usize::MAX` is a store that never answers.
pub(super) struct Shelf {
    pub(super) log: Log,
    pub(super) failures: Mutex<usize>,
    /// How often it was restarted: once more at each of these moments, since when it has forgotten.
    pub(super) restarts: Vec<Instant>,
    /// A heart rate whose rows are refused for good.
    pub(super) forbidden: Option<i32>,
    /// A patient whose rows make it panic.
    pub(super) fatal: Option<&'static str>,
    /// The alarms that it was given, the oldest first.
    pub(super) alarms: Mutex<Vec<AlarmRecord>>,
    /// The set of rules that was applied last.
    pub(super) applied: Mutex<Option<Entry>>,
    /// The journal of the patients.
    pub(super) admissions: Mutex<Vec<Entry>>,
    /// When the newest reading of patients was taken.
    pub(super) newest: Vec<(PatientId, Timestamp)>,
    /// How many questions for them fail.
    pub(super) questions_failed: Mutex<usize>,
    /// A patient whose alarms it cannot tell.
    pub(super) unreadable: Option<&'static str>,
    /// A patient whose alarms somebody has acknowledged.
    pub(super) acknowledged: Option<&'static str>,
    /// A heart rate of readings that are older than what it keeps.
    pub(super) expired: Option<i32>,
    /// Whether it has forgotten them when it was restarted.
    pub(super) forgets: bool,
    /// The rows that it has.
    pub(super) rows: Mutex<BTreeMap<(PatientId, Timestamp), Signs>>,
    /// What it was told that the readings of minutes come to.
    pub(super) minutes: Mutex<BTreeMap<(PatientId, Timestamp), Summary>>,
    /// How often it does not take minutes.
    pub(super) minutes_failed: Mutex<usize>,
}

impl Store for Shelf {
    async fn node_generation(&self) -> Result<NodeGeneration, WriteError> {
        self.log.note("generation read");
        Ok(NodeGeneration(self.restarts.iter().filter(|moment| **moment <= Instant::now()).count().to_string()))
    }

    fn batch_limits(&self) -> BatchLimits {
        BatchLimits { rows: 60, patients: 1, shared_rows: 60 }
    }

    async fn alarms(&self, patients: &[PatientId]) -> Result<Vec<KnownAlarm>, WriteError> {
        let mut failed = self.questions_failed.lock().expect("no panic while it is held");
        if *failed > 0 {
            *failed -= 1;
            return Err(WriteError::Later("away".into()));
        }
        if patients.iter().any(|patient| Some(patient.as_str()) == self.unreadable) {
            return Err(WriteError::Later("unreadable".into()));
        }
        let mut alarms = self.alarms.lock().expect("no panic while it is held");
        if self.forgets && self.restarts.iter().any(|moment| *moment <= Instant::now()) {
            alarms.clear();
        }
        let is_acknowledged = |patient: &PatientId| Some(patient.as_str()) == self.acknowledged;
        let acknowledged = |AlarmRecord { patient, alarm, .. }: &AlarmRecord| {
            alarm.acknowledged.or(alarm.returned.filter(|_| is_acknowledged(patient)))
        };
        let of = |record: &AlarmRecord| KnownAlarm {
            patient: record.patient.clone(),
            rule: record.rule.to_string(),
            alarm: Alarm { acknowledged: acknowledged(record), ..record.alarm },
        };
        Ok(alarms.iter().rev().filter(|record| patients.contains(&record.patient)).map(of).collect())
    }

    async fn newest(
        &self,
        patients: &[PatientId],
        until: Timestamp,
    ) -> Result<Vec<(PatientId, Timestamp)>, WriteError> {
        let newest = self.newest.iter().filter(|(patient, _)| patients.contains(patient));
        let rows = self.rows.lock().expect("no panic while it is held");
        let stored = patients.iter().filter_map(|patient| {
            let before = (patient.clone(), Timestamp::from_micros(i64::MIN / 1_000_000).expect("early"))..(patient.clone(), until);
            rows.range(before).next_back().map(|(key, _)| key.clone())
        });
        Ok(newest.cloned().chain(stored).collect())
    }

    async fn measured(
        &self,
        patient: &PatientId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, Signs)>, WriteError> {
        self.log.note(format!("measured {patient} {since}"));
        let rows = self.rows.lock().expect("no panic while it is held");
        Ok(rows
            .range((patient.clone(), since)..(patient.clone(), until))
            .map(|((_, time), signs)| (*time, *signs))
            .collect())
    }

    async fn known_patients(&self) -> Result<Vec<PatientId>, WriteError> {
        let rows = self.rows.lock().expect("no panic while it is held");
        let mut patients: Vec<_> = rows.keys().map(|(patient, _)| patient.clone()).collect();
        patients.dedup();
        Ok(patients)
    }

    async fn admissions(&self, behind: i32) -> Result<Vec<Entry>, WriteError> {
        let admissions = self.admissions.lock().expect("no panic while it is held");
        Ok(admissions.iter().filter(|entry| entry.version > behind).cloned().collect())
    }

    async fn rules(&self) -> Result<Option<Entry>, WriteError> {
        Ok(self.applied.lock().expect("no panic while it is held").clone())
    }

    async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        let failures = *self.failures.lock().expect("no panic while it is held");
        if failures == usize::MAX {
            return pending().await;
        }
        if !batch.minutes.is_empty() {
            let mut failed = self.minutes_failed.lock().expect("no panic while it is held");
            if *failed > 0 {
                *failed -= 1;
                return Err(WriteError::Later("away".into()));
            }
            let mut minutes = self.minutes.lock().expect("no panic while it is held");
            for PatientMinute { patient, minute, summary } in &batch.minutes {
                self.log.note(format!("minute {patient} {} {}", minute.start(), summary.n));
                minutes.insert((patient.clone(), minute.start()), *summary);
            }
            return Ok(Written::default());
        }
        let mut patients = batch.readings.iter().map(Reading::patient).chain(batch.alarms.iter().map(|of| &of.patient));
        let patient = patients.next().expect("a batch has something");
        if failures > 0 {
            *self.failures.lock().expect("no panic while it is held") -= 1;
            self.log.note(format!("failed {patient}"));
            return Err(WriteError::Later("away".into()));
        }
        let is_forbidden = |reading: &Reading| self.forbidden.is_some() && reading.signs().heart_rate == self.forbidden;
        if batch.readings.iter().any(is_forbidden) {
            self.log.note(format!("forbidden {patient}"));
            return Err(WriteError::Never("forbidden".into()));
        }
        assert_ne!(Some(patient.as_str()), self.fatal, "as planted");
        self.log.note(format!("began {patient}"));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        for reading in &batch.readings {
            self.log.note(format!("stored {patient} {:?}", reading.signs().heart_rate));
            let mut rows = self.rows.lock().expect("no panic while it is held");
            rows.entry((reading.patient().clone(), reading.time())).or_default().overlay(reading.signs());
        }
        for AlarmRecord { rule, alarm, .. } in &batch.alarms {
            let end = if alarm.ended.is_some() { "ended" } else { "on" };
            self.log.note(format!("alarm stored {patient} {rule} {end}"));
        }
        self.alarms.lock().expect("no panic while it is held").extend(batch.alarms.iter().cloned());
        let is_over = |reading: &&Reading| self.expired.is_some() && reading.signs().heart_rate == self.expired;
        let expired = batch.readings.iter().filter(is_over).count();
        Ok(Written { expired: u64::try_from(expired).expect("few"), deleted: 0 })
    }
}

/// Keeps dead letters; those of the partition `refuses` after `failures` attempts have failed.
pub(super) struct Drawer {
    pub(super) log: Log,
    pub(super) refuses: i32,
    pub(super) failures: Mutex<usize>,
    /// Whether every dead letter makes it panic.
    pub(super) is_fatal: bool,
}

impl DeadLetters for Drawer {
    type Error = Ended;

    async fn keep(&self, dead_letters: &[DeadLetter]) -> Result<Option<String>, Ended> {
        assert!(!self.is_fatal, "as planted");
        let mut failures = self.failures.lock().expect("no panic while it is held");
        if *failures > 0 && dead_letters.iter().any(|dead_letter| dead_letter.partition == self.refuses) {
            *failures -= 1;
            self.log.note("not kept");
            return Err(Ended);
        }
        for DeadLetter { partition, record, reject } in dead_letters {
            self.log.note(format!("kept {partition}:{} {}", record.offset, reject.code()));
        }
        Ok(None)
    }
}

/// The rules of a consumer, which write down what they judge.
pub(super) struct Remembering {
    log: Log,
    inner: InForce,
    judged: BTreeMap<i32, Vec<Reading>>,
    takes_time: bool,
}

impl Remembering {
    pub(super) fn new(log: Log) -> Self {
        Self::by(log, RuleSet::classic(Limits::default()))
    }

    pub(super) fn by(log: Log, set: RuleSet) -> Self {
        let inner = InForce::new(Limits::default(), Watch::new(set));
        Self { log, inner, judged: BTreeMap::new(), takes_time: true }
    }

    /// Takes every record for one that was sent long after the one before: only what is pending has to be heard again.
    pub(super) fn forgets_times(&mut self) {
        self.takes_time = false;
    }
}

impl Rules for Remembering {
    fn apply(&mut self, applied: &Entry) -> Result<Option<Vec<AlarmChange>>, TomlError> {
        self.inner.apply(applied)
    }

    fn admit(&mut self, change: &Entry) -> Result<Vec<AlarmChange>, NotAdmitted> {
        self.inner.admit(change)
    }

    fn admitted_to(&self) -> i32 {
        self.inner.admitted_to()
    }

    fn unheard(&self) -> Vec<PatientId> {
        self.inner.unheard()
    }

    fn restore_silent(
        &mut self,
        partition: i32,
        patient: &PatientId,
        newest: Option<Micros>,
        alarms: &[&KnownAlarm],
    ) -> Vec<AlarmChange> {
        self.log.note(format!("restored {patient} before a reading"));
        self.inner.restore_silent(partition, patient, newest, alarms)
    }

    fn alerts(&self, reading: &Reading) -> Vec<Alert> {
        self.inner.alerts(reading)
    }

    fn knows(&self, patient: &PatientId) -> bool {
        self.inner.knows(patient)
    }

    fn restore(&mut self, partition: i32, patient: &PatientId, at: Micros, alarms: &[&KnownAlarm]) -> Vec<AlarmChange> {
        self.log.note(format!("restored {patient} with {}", alarms.len()));
        self.inner.restore(partition, patient, at, alarms)
    }

    fn unacknowledged(&self) -> Vec<PatientId> {
        self.inner.unacknowledged()
    }

    fn acknowledge(&mut self, known: &[KnownAlarm]) -> Vec<AlarmChange> {
        self.inner.acknowledge(known)
    }

    fn judge(&mut self, partition: i32, offset: i64, sent_ms: i64, reading: &Reading) -> Vec<AlarmChange> {
        let judged = self.judged.entry(partition).or_default();
        if judged.contains(reading) {
            self.log.note("judged twice");
        }
        judged.push(reading.clone());
        self.log.note(format!("judged {partition} {}", reading.patient()));
        let sent_ms = if self.takes_time { sent_ms } else { offset * 1_000_000_000 };
        self.inner.judge(partition, offset, sent_ms, reading)
    }

    fn advance(&mut self, partition: i32, now: Micros) -> Vec<AlarmChange> {
        self.inner.advance(partition, now)
    }

    fn history(&self, partition: i32, committed: i64) -> i64 {
        self.inner.history(partition, committed)
    }

    fn committed(&mut self, partition: i32, offset: i64) {
        self.inner.committed(partition, offset);
    }

    fn stored(&mut self, alarms: &[AlarmRecord]) {
        self.inner.stored(alarms);
    }

    fn forget(&mut self, partition: i32) {
        self.judged.remove(&partition);
        self.log.note(format!("forgot {partition}"));
        self.inner.forget(partition);
    }

    fn tell_time(&mut self, now: Micros) {
        self.inner.tell_time(now);
    }

    fn has_strays(&self) -> bool {
        self.inner.has_strays()
    }

    fn has_fast_clock(&self) -> bool {
        self.inner.has_fast_clock()
    }
}

/// Writes down what it is told.
#[derive(Default)]
pub(super) struct Audience {
    pub(super) log: Log,
}

impl Listener for Audience {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        self.log.note(match event {
            PipelineEvent::Revoked => "revoked".to_owned(),
            PipelineEvent::Reading { origin: Origin { partition, offset, .. }, alerts, .. } => {
                format!("read {partition}:{offset} {}", alerts.len())
            }
            PipelineEvent::Alarm(AlarmChange { step, record, .. }) => {
                format!("{} {} {}", step.name(), record.patient, record.rule)
            }
            PipelineEvent::Stray => "stray".to_owned(),
            PipelineEvent::Refused { partition, offset, .. } => format!("refused {partition}:{offset}"),
            PipelineEvent::Unkeyed { partition, offset } => format!("unkeyed {partition}:{offset}"),
            PipelineEvent::Trouble(text) => format!("trouble {text}"),
            PipelineEvent::Assigned(_)
            | PipelineEvent::Stored { .. }
            | PipelineEvent::Outcome { .. }
            | PipelineEvent::Progress(_)
            | PipelineEvent::Standing { .. } => return,
        });
    }
}

/// The assignment number 1, of these partitions from offset 0 on, each with `end` messages.
pub(super) fn assigned(partitions: &[i32], end: i64) -> Event {
    let whole =
        |partition: &i32| Assigned { partition: *partition, history_offset: 0, start_offset: 0, end_offset: end };
    Event::Membership(MembershipEvent::Assigned {
        assignment: 1,
        partitions: partitions.iter().map(whole).collect(),
        is_again: false,
        topic_partitions: 6,
        is_another_topic: false,
    })
}

/// The assignment number 1 of one partition that is begun at `start`, and heard from `history` on.
pub(super) fn assigned_from(partition: i32, history_offset: i64, start_offset: i64, end_offset: i64) -> Event {
    Event::Membership(MembershipEvent::Assigned {
        assignment: 1,
        partitions: vec![Assigned { partition, history_offset, start_offset, end_offset }],
        is_again: false,
        topic_partitions: 6,
        is_another_topic: false,
    })
}

/// What comes after a rewind: the same partitions as assignment 2, and the chunks of them.
pub(super) fn again(partitions: &[i32], end: i64, chunks: Vec<Event>) -> Vec<Event> {
    second(partitions, end, chunks, true)
}

/// What comes after a loss: these partitions as assignment 2, and the chunks of them.
pub(super) fn back(partitions: &[i32], end: i64, chunks: Vec<Event>) -> Vec<Event> {
    second(partitions, end, chunks, false)
}

fn second(partitions: &[i32], end: i64, chunks: Vec<Event>, is_again: bool) -> Vec<Event> {
    let Event::Membership(MembershipEvent::Assigned { partitions, .. }) = assigned(partitions, end) else {
        unreachable!()
    };
    let assigned = Event::Membership(MembershipEvent::Assigned {
        assignment: 2,
        partitions,
        is_again,
        topic_partitions: 6,
        is_another_topic: false,
    });
    let renumbered = chunks.into_iter().map(|event| match event {
        Event::Fetched(Fetched::Chunk(chunk)) => Event::Fetched(Fetched::Chunk(Chunk { assignment: 2, ..chunk })),
        other => other,
    });
    std::iter::once(assigned).chain(renumbered).collect()
}

/// Messages of one partition, from offset `from` on.
pub(super) fn chunk(partition: i32, from: i64, values: &[&str]) -> Event {
    let record = |(offset, value): (i64, &&str)| Record {
        offset,
        timestamp_ms: 0,
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Vec::new(),
        fault: None,
    };
    let records: Vec<_> = (from..).zip(values).map(record).collect();
    let next_offset = from + i64::try_from(values.len()).expect("few");
    Event::Fetched(Fetched::Chunk(Chunk { assignment: 1, partition, records, next_offset, end_offset: next_offset }))
}

pub(super) fn message(patient: &str, second: u32, heart_rate: i32) -> String {
    format!(r#"{{"patient_id":"{patient}","timestamp":"2025-10-26T10:00:{second:02}Z","heart_rate":{heart_rate}}}"#)
}
