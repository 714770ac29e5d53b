//! What becomes of alarms with the readings that were taken up.
//!
//! Nothing is judged before the store has told which rules are in force, and no reading before it has told of the
//! alarms of its patient. What is before the committed offset is only heard: so the rules know again what they knew. What
//! is due while nothing comes is raised as soon as a partition is known to be read to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use futures::future::{BoxFuture, try_join};
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::Pipeline;
use super::dead_letters::DeadLetters;
use super::events::{self, Listener, Task, TroubleKind};
use super::memory::{Heard, Known, Memory, Told, Trouble, Waiting};
use super::rules::Rules;
use super::source::{ReadToEnd, Source};
use super::store::{Entry, Store, WriteError, up_to_gap};
use crate::alarm::{AlarmChange, KnownAlarm};
use crate::reading::PatientId;
use crate::record::Record;
use crate::record::murmur2::partition_of;

/// How often the store is asked for the rules in force: a set that is applied is to be taken up within 5 s.
const RULES_INTERVAL: Duration = Duration::from_secs(2);

/// Of how many patients the store is asked for acknowledgements at once; the others' turn comes when these have theirs.
const MAX_ASKED_FOR: usize = 200;

pub(super) type RulesRead = Result<InForce, WriteError>;
pub(super) type AcknowledgementRead = Result<Vec<KnownAlarm>, WriteError>;

/// What decides about readings, as far as the store has told.
pub(super) struct InForce {
    rules: Option<Entry>,
    /// What has become of patients since it was asked last.
    admissions: Vec<Entry>,
}

/// The rules, and what they wait for.
pub(super) struct Judging<'a, T, R> {
    pub(super) rules: &'a mut R,
    /// By partition, the offset where it was begun, as long as the rules still hear what is before.
    pub(super) history: BTreeMap<i32, i64>,
    /// By partition, as of when all that was in its log was taken up, once it was read to its end.
    pub(super) read_as_of: BTreeMap<i32, i64>,
    pub(super) memory: Memory<'a, T>,
    store: &'a T,
    /// One at most.
    pub(super) rules_reads: FuturesUnordered<BoxFuture<'a, RulesRead>>,
    /// One at most.
    pub(super) acknowledgement_reads: FuturesUnordered<BoxFuture<'a, AcknowledgementRead>>,
    /// How many the topic has: which one a patient's readings are in depends on it.
    pub(super) topic_partitions: i32,
    /// Of whom the store was asked last for acknowledgements.
    asked_last: Option<PatientId>,
    /// When the store is asked next for the rules in force.
    pub(super) rules_due: Instant,
}

impl<'a, T: Store, R: Rules> Judging<'a, T, R> {
    pub(super) fn new(rules: &'a mut R, store: &'a T) -> Self {
        Self {
            rules,
            history: BTreeMap::new(),
            read_as_of: BTreeMap::new(),
            memory: Memory::new(store),
            store,
            rules_reads: FuturesUnordered::new(),
            acknowledgement_reads: FuturesUnordered::new(),
            topic_partitions: 0,
            asked_last: None,
            rules_due: Instant::now(),
        }
    }

    /// Asks the store for what is to be known.
    pub(super) fn ask(&mut self) {
        self.memory.ask();
        self.rules.tell_time(Utc::now().timestamp_micros());
        if self.rules_reads.is_empty() && Instant::now() >= self.rules_due {
            self.rules_due = Instant::now() + RULES_INTERVAL;
            let store = self.store;
            let behind = self.rules.admitted_to();
            self.rules_reads.push(Box::pin(async move {
                let (admissions, rules) = try_join(store.admissions(behind), store.rules()).await?;
                Ok(InForce { rules, admissions })
            }));
            let mut patients = self.rules.unacknowledged();
            if !patients.is_empty() && self.acknowledgement_reads.is_empty() {
                // In turns: those behind the last that was asked for come first.
                patients.sort_unstable();
                let behind = patients.partition_point(|patient| Some(patient) <= self.asked_last.as_ref());
                patients.rotate_left(behind);
                patients.truncate(MAX_ASKED_FOR);
                self.asked_last = patients.last().cloned();
                self.acknowledgement_reads.push(Box::pin(async move { store.alarms(&patients).await }));
            }
        }
    }
}

impl<S: Source, T: Store, D: DeadLetters, R: Rules, L: Listener> Pipeline<'_, S, T, D, R, L> {
    /// Takes note that the rules have heard what is before this offset.
    pub(super) fn heard_to(&mut self, partition: i32, next_offset: i64) {
        if self.judging.history.get(&partition).is_some_and(|start| next_offset >= *start) {
            self.judging.history.remove(&partition);
        }
    }

    /// A record that was stored and committed before: only the rules hear it.
    pub(super) fn hear_again(&mut self, partition: i32, record: &Record) {
        if let Ok(reading) = super::decode(record) {
            let (offset, sent_ms, size_bytes) = (record.offset, record.timestamp_ms, record.size_bytes());
            self.delivery.in_flight_bytes += size_bytes;
            // What had become of alarms then is known to the store. What it does not know, nobody has heard of.
            let heard = Heard { partition, offset, sent_ms, reading, size_bytes, in_flight: None, is_news: true };
            self.judge(heard);
        }
    }

    /// Lets the rules judge a reading, and sends it on to the store where it is to be stored. One of a patient whose
    /// alarms are not known waits for them.
    pub(super) fn judge(&mut self, heard: Heard) {
        if !self.judging.rules.knows(heard.reading.patient()) {
            return self.judging.memory.wait(heard);
        }
        let Heard { partition, offset, sent_ms, reading, size_bytes, in_flight, is_news } = heard;
        let changes = self.judging.rules.judge(partition, offset, sent_ms, &reading);
        self.report.stray(self.judging.rules.has_strays());
        self.report.fast_clock(self.judging.rules.has_fast_clock());
        self.take_changes(changes, is_news);
        match in_flight {
            Some(in_flight) => self.store(partition, reading, in_flight, size_bytes),
            None => self.delivery.in_flight_bytes = self.delivery.in_flight_bytes.saturating_sub(size_bytes),
        }
    }

    pub(super) fn take_changes(&mut self, changes: Vec<AlarmChange>, is_news: bool) {
        for change in changes {
            if is_news {
                self.report.alarm(&change);
            }
            self.delivery.write_queue.add_alarm(change.record);
        }
    }

    /// The store has told which rules are in force, and what has become of patients. Nothing is judged before the first time.
    pub(super) fn take_rules(&mut self, read: RulesRead) {
        self.report.outcome(Task::Ask, read.is_ok());
        let InForce { rules, admissions } = match read {
            Ok(in_force) => in_force,
            Err(error) => {
                let text = format!("{error}; which rules are in force is not known, trying again");
                return self.report.trouble_once("rules", events::Trouble::of(TroubleKind::RulesUnknown, &text));
            }
        };
        self.judging.memory.answered();
        if let Some(applied) = rules {
            self.apply(&applied);
        }
        let admissions = self.without_gap(admissions);
        for change in &admissions {
            match self.judging.rules.admit(change) {
                Ok(changes) => self.take_changes(changes, true),
                Err(error) => {
                    let text = format!("{error}; what was known of the patient stays in force");
                    self.report.trouble(TroubleKind::AdmissionUnreadable { version: change.version }, &text);
                }
            }
        }
        if admissions.is_empty() {
            self.judging.memory.open();
        } else {
            // There may be more of them than are read at once.
            self.judging.rules_due = Instant::now();
        }
    }

    /// What has become of patients, as far as nothing is missing in between: that is asked for again. It holds up nothing
    /// else, and least of all storing.
    fn without_gap(&mut self, admissions: Vec<Entry>) -> Vec<Entry> {
        up_to_gap(admissions, self.judging.rules.admitted_to()).unwrap_or_else(|version| {
            let text = format!("change {version} of the patients is missing in the store, and later ones wait for it");
            let trouble = events::Trouble::of(TroubleKind::AdmissionUnreadable { version }, &text);
            self.report.trouble_once("admissions", trouble);
            Vec::new()
        })
    }

    fn apply(&mut self, applied: &Entry) {
        let Entry { version, name, author, reason, .. } = applied;
        match self.judging.rules.apply(applied) {
            Ok(None) => {}
            Ok(Some(changes)) => {
                let why = format!("applied by {author}: {reason}");
                let text = format!("the rules in force are {name}, version {version} ({why})");
                self.report.trouble(TroubleKind::RulesTakenUp { version: *version }, &text);
                self.take_changes(changes, true);
            }
            Err(error) => {
                let text =
                    format!("rules of version {version} cannot be read here ({error}); those before stay in force");
                self.report.trouble(TroubleKind::RulesUnreadable { version: *version }, &text);
            }
        }
    }

    /// The store has told who acknowledged what.
    pub(super) fn take_acknowledgements(&mut self, read: AcknowledgementRead) {
        match read {
            Ok(known) => {
                let changes = self.judging.rules.acknowledge(&known);
                self.take_changes(changes, true);
            }
            Err(error) => {
                let text = format!("{error}; who has acknowledged alarms is not known, trying again");
                let trouble = events::Trouble::of(TroubleKind::AcknowledgementsUnknown, &text);
                self.report.trouble_once("acknowledgements", trouble);
            }
        }
    }

    /// The store has told of patients: what waits of them is judged.
    pub(super) fn remember(&mut self, told: Told) {
        let known = self.judging.memory.told(told);
        self.report.outcome(Task::Recall, known.is_ok());
        match known {
            Ok(Known { past, waiting }) => {
                for Waiting { patient, partition, heard } in waiting {
                    let own: Vec<_> = past.alarms.iter().filter(|alarm| alarm.patient == patient).collect();
                    let changes = if let Some(first) = heard.first() {
                        let at = first.reading.time().as_micros();
                        self.judging.rules.restore(first.partition, &patient, at, &own)
                    } else {
                        let newest = past.newest.iter().find(|(id, _)| *id == patient);
                        let newest = newest.map(|(_, time)| time.as_micros());
                        self.judging.rules.restore_silent(partition, &patient, newest, &own)
                    };
                    self.take_changes(changes, true);
                    for heard in heard {
                        self.judge(heard);
                    }
                }
            }
            Err(Trouble { attempts, text }) => {
                self.report.trouble_of_attempt(attempts, &text, TroubleKind::AlarmsUnknown, &text);
            }
        }
    }

    /// A partition has no more: what is due by the clock is raised.
    pub(super) fn read_to_end(&mut self, ReadToEnd { assignment, partition, as_of }: ReadToEnd) {
        if self.commits.ledger.holds(assignment, partition) {
            self.judging.read_as_of.insert(partition, as_of);
            self.raise_due(partition);
        }
    }

    /// Raises what is due by the clock in a partition that is read to its end, and tells whether there was anything.
    pub(super) fn raise_due(&mut self, partition: i32) -> bool {
        let Some(as_of) = self.judging.read_as_of.get(&partition).copied() else { return false };
        // What is not judged yet could cancel it. What waits for the store to tell of its patient could not: nothing is due
        // of who is not known, and others must not wait for one of whom the store cannot tell.
        if self.judging.history.contains_key(&partition) || !self.judging.memory.is_open() {
            return false;
        }
        let is_asking = self.ask_about_silent(partition);
        let changes = self.judging.rules.advance(partition, as_of);
        let any = is_asking || !changes.is_empty();
        self.take_changes(changes, true);
        any
    }

    /// Has the store asked about patients of this partition who are admitted and of whom nothing has come, and tells whether
    /// there are any.
    fn ask_about_silent(&mut self, partition: i32) -> bool {
        let topic_partitions = self.judging.topic_partitions;
        let is_here = |patient: &PatientId| partition_of(patient.as_str().as_bytes(), topic_partitions) == partition;
        let silent: Vec<_> = self.judging.rules.unheard().into_iter().filter(is_here).collect();
        let any = !silent.is_empty();
        for patient in silent {
            self.judging.memory.wait_for_silent(patient, partition);
        }
        any
    }

    /// The same, in all of them, at the end that was asked for.
    pub(super) fn raise_all_due(&mut self) -> bool {
        // Where it ends before, what comes next could cancel it.
        let partitions: Vec<_> = self.commits.ledger.read_partitions().collect();
        // Each, and not only up to the first.
        let raised: Vec<_> = partitions.into_iter().map(|partition| self.raise_due(partition)).collect();
        raised.contains(&true)
    }
}
