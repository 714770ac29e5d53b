//! What the readings of each minute come to is kept as well, and this is when.
//!
//! A minute is over when a reading of a later one comes. It is computed as its readings come, where they have come one
//! behind the other, and none can have been there before; and else from the rows of the table. It is never added to: so
//! what is read twice counts once.
//!
//! The promise: where an offset is committed, all minutes are written that its readings changed, but for the one of the
//! last reading of each patient. So the record that ends a minute, and one that changes an earlier one, is [held](Ledger::hold)
//! until that minute is written. What the last consumer has left open is found when the first reading of a patient
//! comes: the minute of the newest row before it is computed once more, and nothing from there on is committed before. An
//! open minute that is not the newest, since a clock was set back or old readings come again, would not be found so: the
//! record that began it is held. Of patients of whom nothing comes it is looked for a while after the partitions were
//! taken over.
//!
//! A patient of whom nothing comes any more has its minute ended by the clock, or by the end of the run.
//!
//! Storing waits for none of this: it begins when the rows are stored. `work` has it done.

mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use chrono::Utc;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use self::work::{Done, Listed, Read, Work, Written};
use super::Pipeline;
use super::dead_letters::DeadLetters;
use super::events::{Listener, Trouble, TroubleKind};
use super::rules::Rules;
use super::source::Source;
use super::store::{Store, Tenure};
use super::write_queue::WriteQueue;
use crate::ledger::InFlight;
use crate::minute::{Minute, Running, Summary};
use crate::reading::{PatientId, Reading};
use crate::record::murmur2::partition_of;

/// How long a minute waits for late readings when none of a later minute comes.
const GRACE: Duration = Duration::from_secs(30);

/// The same where a record is not committed before: it is written more often then, of rows, and costs a look at them.
const GRACE_OF_HELD: Duration = Duration::from_secs(2);

/// How often it is looked whether a minute is over by the clock.
const TICK: Duration = Duration::from_secs(1);

/// So long after the partitions were taken over it is looked for minutes that were left open: what has to be stored goes
/// first.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// Where nothing was heard of a patient for so long, what is known of them is forgotten, and found out again.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// So many readings in a row are of an earlier minute before the clock of the monitor is taken to have been set back.
const SET_BACK: u8 = 3;

/// What is to be done for the minutes of a patient.
#[derive(Debug, Default)]
pub(super) struct Need {
    /// Minutes that are known, to be written. A map has room for eleven at once, which would be some kilobytes for the one
    /// that there mostly is.
    rows: BTreeMap<Minute, Box<Summary>>,
    /// Minutes that only their rows can tell.
    read: BTreeSet<Minute>,
    /// The minute of the newest row before this one is to be read, and that of the newest of all.
    before: Option<Before>,
    /// Records that are committed when it is done.
    holds: Vec<InFlight>,
}

/// Before what the newest row is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Minute(Minute),
    /// Whenever it was.
    All,
}

/// The same, of a patient.
#[derive(Debug)]
pub(super) struct Held {
    patient: PatientId,
    need: Need,
}

/// What a reading brings about.
pub(super) struct Taken {
    /// To be done once it is written; its record is committed when it is done.
    held: Option<Held>,
    /// Whether its record is also committed only with the minute that it begins.
    is_anchor: bool,
}

impl Need {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.read.is_empty() && self.before.is_none()
    }

    /// A minute is over.
    fn end(&mut self, running: &Running) {
        match running.summary() {
            Some(summary) => {
                self.rows.insert(running.minute(), Box::new(summary));
            }
            None => {
                self.read.insert(running.minute());
            }
        }
    }

    fn merge(&mut self, later: Self) {
        self.rows.extend(later.rows);
        self.read.extend(later.read);
        self.before = self.before.or(later.before);
        self.holds.extend(later.holds);
    }
}

/// What is known of the minutes of a patient.
#[derive(Debug)]
struct Tracked {
    /// The one that is not over.
    open: Option<Running>,
    /// The latest of which there is, or may be, a row.
    top: Minute,
    /// Whether the store has told the latest of which there were rows before.
    is_top_known: bool,
    /// One that was ended while rows of it may have been on their way: once more.
    again: Option<Minute>,
    /// How many readings of an earlier minute have come in a row.
    late: u8,
    /// The first record of the open minute, which is committed with it: where there are rows of a later minute, whoever
    /// comes next would not look for this one.
    anchor: Option<InFlight>,
    heard: Instant,
}

impl Tracked {
    fn new(minute: Minute) -> Self {
        let heard = Instant::now();
        Self { open: None, top: minute, is_top_known: false, again: None, late: 0, anchor: None, heard }
    }

    fn begin(&mut self, reading: &Reading, in_flight: InFlight, is_in_its_partition: bool) {
        let minute = Minute::of(reading.time());
        self.anchor = (!self.is_top_known || minute <= self.top).then_some(in_flight);
        // Of a patient who is in two partitions somebody else may have stored readings of the same minute.
        let is_whole = is_in_its_partition && self.is_top_known && minute > self.top;
        self.open = Some(Running::begin(reading.time(), reading.signs(), is_whole));
        self.top = self.top.max(minute);
        self.late = 0;
    }

    /// What a reading brings about, which is not the first of its patient.
    fn take(&mut self, reading: &Reading, in_flight: InFlight, is_in_its_partition: impl FnOnce() -> bool) -> Need {
        let mut need = Need::default();
        let minute = Minute::of(reading.time());
        let open = self.open.as_ref().map(Running::minute);
        match &mut self.open {
            Some(running) if running.minute() == minute => {
                running.add(reading.time(), reading.signs());
                self.late = 0;
            }
            _ if open.map_or(minute > self.top, |open| minute > open) => {
                self.end(&mut need);
                self.begin(reading, in_flight, is_in_its_partition());
            }
            _ => {
                self.late = self.late.saturating_add(1);
                need.read.insert(minute);
                if self.late >= SET_BACK {
                    // Rows of it may be on their way behind this one, which is of an earlier time.
                    self.again = open;
                    self.end(&mut need);
                    self.begin(reading, in_flight, false);
                }
            }
        }
        need
    }

    fn end(&mut self, need: &mut Need) {
        if let Some(open) = self.open.take() {
            need.end(&open);
            need.holds.extend(self.anchor.take());
            need.read.extend(self.again.take_if(|again| *again != open.minute()));
        }
    }

    /// Takes note of the minute of the newest row, and gives the record that need wait no more for the open one.
    fn learn(&mut self, newest: Option<Minute>) -> Option<InFlight> {
        self.top = newest.map_or(self.top, |newest| self.top.max(newest));
        self.is_top_known = true;
        let top = self.top;
        self.anchor.take_if(|_| self.open.as_ref().is_none_or(|open| open.minute() >= top))
    }

    /// Whether the minute is over by the clock, in microseconds since 1970.
    fn is_over(&self, now: i64) -> bool {
        if self.anchor.is_some() {
            return self.heard.elapsed() >= GRACE_OF_HELD;
        }
        let grace = i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
        let is_over = |open: &Running| open.minute().end().as_micros().saturating_add(grace) <= now;
        self.heard.elapsed() >= GRACE && self.open.as_ref().is_some_and(is_over)
    }
}

/// The minutes of all patients.
pub(super) struct Minutes<'a, T> {
    store: &'a T,
    patients: HashMap<PatientId, Tracked>,
    work: HashMap<PatientId, Work>,
    /// Those for whom something is to be done, and nothing is being done.
    ready: VecDeque<PatientId>,
    /// Of whom nothing has come, and whose last minute may have been left open.
    silent: VecDeque<PatientId>,
    /// What is known and waits to be written together with more of it, since then.
    to_write: Vec<(PatientId, Need)>,
    waits_since: Option<Instant>,
    pub(super) reads: FuturesUnordered<BoxFuture<'a, Option<Read>>>,
    pub(super) writes: FuturesUnordered<BoxFuture<'a, Option<Written>>>,
    pub(super) lists: FuturesUnordered<BoxFuture<'a, Option<Listed>>>,
    /// Writes that were begun while the partitions were ours before: no other is begun beside them.
    late_writes: usize,
    tick_due: Instant,
    look_due: Option<Instant>,
    partitions: Vec<i32>,
    topic_partitions: i32,
    tenure: Tenure,
}

impl<'a, T: Store> Minutes<'a, T> {
    pub(super) fn new(store: &'a T) -> Self {
        Self {
            store,
            patients: HashMap::new(),
            work: HashMap::new(),
            ready: VecDeque::new(),
            silent: VecDeque::new(),
            to_write: Vec::new(),
            waits_since: None,
            reads: FuturesUnordered::new(),
            writes: FuturesUnordered::new(),
            lists: FuturesUnordered::new(),
            late_writes: 0,
            tick_due: Instant::now() + TICK,
            look_due: None,
            partitions: Vec::new(),
            topic_partitions: 0,
            tenure: Tenure::default(),
        }
    }

    /// These partitions are ours from now on.
    pub(super) fn assigned(&mut self, partitions: Vec<i32>, topic_partitions: i32) {
        self.partitions = partitions;
        self.topic_partitions = topic_partitions;
        self.silent.clear();
        self.look_due = Some(Instant::now() + LOOK_AFTER);
    }

    /// What a reading brings about, which is going to be stored.
    pub(super) fn take(&mut self, partition: i32, reading: &Reading, in_flight: InFlight) -> Taken {
        let (patient, topic_partitions) = (reading.patient(), self.topic_partitions);
        let need = if let Some(tracked) = self.patients.get_mut(patient) {
            tracked.heard = Instant::now();
            let is_in_its_partition = || partition_of(patient.as_str().as_bytes(), topic_partitions) == partition;
            tracked.take(reading, in_flight, is_in_its_partition)
        } else {
            let minute = Minute::of(reading.time());
            let mut tracked = Tracked::new(minute);
            tracked.begin(reading, in_flight, false);
            self.patients.insert(patient.clone(), tracked);
            Need { before: Some(Before::Minute(minute)), ..Need::default() }
        };
        let is_anchor = self.patients.get(patient).is_some_and(|tracked| tracked.anchor == Some(in_flight));
        let held = (!need.is_empty()).then(|| Held { patient: patient.clone(), need });
        Taken { held, is_anchor }
    }

    /// Ends minutes by the clock, and begins to look for those that were left open.
    pub(super) fn tick(&mut self, queue: &WriteQueue) {
        let now = Instant::now();
        if now >= self.tick_due {
            self.tick_due = now + TICK;
            let clock = Utc::now().timestamp_micros();
            self.end_where(queue, |tracked| tracked.is_over(clock));
            self.patients.retain(|_, tracked| tracked.open.is_some() || tracked.heard.elapsed() < FORGET_AFTER);
        }
        if self.look_due.is_some_and(|due| now >= due) && self.lists.is_empty() {
            self.look_due = None;
            self.lists.push(Box::pin(work::list(self.store)));
        }
    }

    /// Ends all minutes, at the end of a run, and tells whether there were any.
    pub(super) fn end_all(&mut self, queue: &WriteQueue) -> bool {
        self.silent.clear();
        self.look_due = None;
        self.end_where(queue, |_| true)
    }

    /// Ends the minutes that keep a record from being committed, where nothing more comes.
    pub(super) fn end_anchored(&mut self, queue: &WriteQueue) {
        self.end_where(queue, |tracked| tracked.anchor.is_some());
    }

    fn end_where(&mut self, queue: &WriteQueue, is_over: impl Fn(&Tracked) -> bool) -> bool {
        let mut ended = Vec::new();
        for (patient, tracked) in &mut self.patients {
            // What is on its way cannot be read yet.
            if tracked.open.is_some() && is_over(tracked) && !queue.has(patient) {
                let mut need = Need::default();
                tracked.end(&mut need);
                ended.push(Held { patient: patient.clone(), need });
            }
        }
        let any = !ended.is_empty();
        for held in ended {
            self.begin(held);
        }
        any
    }

    /// When there is something to do by the clock.
    pub(super) fn due(&self) -> Instant {
        let wait = self.waits_since.filter(|_| self.may_write()).map(|since| since + work::LINGER);
        [Some(self.tick_due), self.look_due, wait].into_iter().flatten().min().unwrap_or(self.tick_due)
    }

    /// Whether nothing is to be done, or being done.
    pub(super) fn is_idle(&self) -> bool {
        self.work.is_empty() && self.writes.is_empty()
    }

    /// Forgets everything: the partitions are somebody else's.
    pub(super) fn take_away(&mut self) {
        self.patients.clear();
        self.work.clear();
        self.ready.clear();
        self.silent.clear();
        self.to_write.clear();
        self.waits_since = None;
        self.reads.clear();
        self.lists.clear();
        self.look_due = None;
        self.late_writes = self.writes.len();
        std::mem::take(&mut self.tenure).end();
    }
}

impl<S: Source, T: Store, D: DeadLetters, R: Rules, L: Listener> Pipeline<'_, S, T, D, R, L> {
    /// Puts a reading on its way to the store.
    pub(super) fn store(&mut self, partition: i32, reading: Reading, in_flight: InFlight, size_bytes: usize) {
        let Taken { mut held, is_anchor } = self.minutes.take(partition, &reading, in_flight);
        if is_anchor {
            self.commits.ledger.hold(in_flight);
        }
        if let Some(held) = &mut held {
            self.commits.ledger.hold(in_flight);
            held.need.holds.push(in_flight);
        }
        self.delivery.write_queue.add_with(reading, in_flight, size_bytes, held);
    }

    /// Begins what was to be done once these rows are stored.
    pub(super) fn begin_minutes(&mut self, needs: Vec<Held>) {
        for held in needs {
            self.minutes.begin(held);
        }
    }

    pub(super) fn minutes_read(&mut self, read: Read) {
        if let Some((attempts, text)) = self.minutes.take_read(read) {
            self.minutes_failed(attempts, &text);
        }
    }

    pub(super) fn minutes_written(&mut self, written: Written) {
        match self.minutes.take_written(written) {
            Ok((holds, Done { told, refused })) => {
                for held in holds {
                    self.commits.ledger.release(held);
                }
                // Rows that have gone are told with whatever is written next.
                self.report.written(told, 0);
                if let Some((count, reason)) = refused {
                    let text = format!(
                        "{reason}; {count} minutes of readings that are stored are not kept, until `vitals retention \
                         minutes` makes them"
                    );
                    self.report.trouble_once("minutes refused", Trouble::of(TroubleKind::MinutesRefused, &text));
                }
            }
            Err((attempts, text)) => self.minutes_failed(attempts, &text),
        }
    }

    fn minutes_failed(&mut self, attempts: u32, text: &str) {
        let text = format!("{text}; trying again to keep what the readings of a minute come to");
        if crate::retry::is_worth_telling(attempts) {
            let trouble = Trouble { kind: TroubleKind::MinutesFailed, text: &text, attempts: Some(attempts) };
            self.report.trouble_once("minutes", trouble);
        }
    }
}
