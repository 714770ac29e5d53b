//! A source, a store, dead letters and a listener of one's own making, which write down what happens to them.

mod shelf;

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::Instant;

pub(super) use self::shelf::Shelf;
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
