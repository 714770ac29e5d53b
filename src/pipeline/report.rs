//! What the listeners hear, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::events::{Listener, Origin, PipelineEvent, Progress, Standing, Task, Trouble, TroubleKind};
use super::store::Written;
use crate::alarm::{AlarmChange, Alert, Step};
use crate::ledger::{At, Ledger};
use crate::reading::Reading;
use crate::record::Record;
use crate::retry;

/// How often the listeners hear how far things are.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// How long the same trouble is not told again.
const TELL_AGAIN: Duration = Duration::from_secs(10);

const FAST_CLOCK: &str = "a reading was timed more than 5 minutes ahead of the clock, and the next one of its patient that was not has taken \
     back what it had raised\nhint: of two monitors of one patient one has a fast clock: set it; `vitals topic tail` shows \
     beside such a reading when it was sent";

/// What stood behind the last message that was read of a partition.
#[derive(Debug, Clone, Copy)]
struct Behind {
    messages: i64,
    end_offset: i64,
    /// When the last one that was read was sent.
    sent_ms: Option<i64>,
}

/// What was told, and what is counted for it.
pub(super) struct Report<'a, L> {
    listener: &'a mut L,
    /// Without the lag, which [`progress`](Self::progress) adds.
    pub(super) progress: Progress,
    /// When the progress is told next.
    pub(super) due: Instant,
    /// By partition, what stood behind the last message that was read.
    behind: BTreeMap<i32, Behind>,
    /// What servers were asked for and did not do, the last time.
    undone: Vec<Task>,
    is_unkeyed_told: bool,
    is_stray_told: bool,
    is_fast_clock_told: bool,
    /// Which trouble was told lately, and when.
    lately: BTreeMap<String, Instant>,
}

impl<'a, L: Listener> Report<'a, L> {
    pub(super) fn new(listener: &'a mut L) -> Self {
        Self {
            listener,
            progress: Progress::default(),
            due: Instant::now() + PROGRESS_INTERVAL,
            behind: BTreeMap::new(),
            undone: Vec::new(),
            is_unkeyed_told: false,
            is_stray_told: false,
            is_fast_clock_told: false,
            lately: BTreeMap::new(),
        }
    }

    pub(super) fn tell(&mut self, event: PipelineEvent<'_>) {
        self.listener.hear(event);
    }

    pub(super) fn trouble(&mut self, kind: TroubleKind, text: &str) {
        self.tell(PipelineEvent::Trouble(Trouble::of(kind, text)));
    }

    /// What is on its way together mostly meets the same trouble: one of a kind is told for all of it.
    pub(super) fn trouble_once(&mut self, like: &str, trouble: Trouble<'_>) {
        self.lately.retain(|_, at| at.elapsed() < TELL_AGAIN);
        if !self.lately.contains_key(like) {
            self.tell(PipelineEvent::Trouble(trouble));
            self.lately.insert(like.to_owned(), Instant::now());
        }
    }

    /// Trouble that makes this the attempt of that number.
    pub(super) fn trouble_of_attempt(&mut self, attempt: u32, like: &str, kind: TroubleKind, text: &str) {
        if retry::is_worth_telling(attempt) {
            self.trouble_once(like, Trouble { kind, text, attempts: Some(attempt) });
        }
    }

    /// Counts a message that is taken up for the first time.
    pub(super) fn taken_up(&mut self, partition: i32, record: &Record) {
        self.progress.messages += 1;
        if record.key.is_none() && !self.is_unkeyed_told {
            self.is_unkeyed_told = true;
            self.tell(PipelineEvent::Unkeyed { partition, offset: record.offset });
        }
    }

    /// Counts a batch that stood for so many messages.
    pub(super) fn written(&mut self, Written { expired, deleted }: Written, messages: u64) {
        // Of a batch that comes again nothing counts twice.
        let expired = expired.min(messages);
        self.progress.expired += expired;
        self.progress.stored += messages - expired;
        self.progress.deleted += deleted;
    }

    pub(super) fn reading(&mut self, origin: Origin, reading: &Reading, alerts: &[Alert]) {
        self.tell(PipelineEvent::Reading { origin, reading, alerts });
    }

    pub(super) fn alarm(&mut self, change: &AlarmChange) {
        self.progress.alarms += u64::from(change.step == Step::Raised);
        self.tell(PipelineEvent::Alarm(change));
    }

    /// Tells once that a patient's readings come in two partitions.
    pub(super) fn stray(&mut self, is_so: bool) {
        if is_so && !std::mem::replace(&mut self.is_stray_told, true) {
            self.tell(PipelineEvent::Stray);
        }
    }

    /// Tells once that what a reading ahead of the clock had raised was taken back.
    pub(super) fn fast_clock(&mut self, is_so: bool) {
        if is_so && !std::mem::replace(&mut self.is_fast_clock_told, true) {
            self.trouble(TroubleKind::FastClock, FAST_CLOCK);
        }
    }

    /// Notes that a partition was read to `offset`, and when the last record that was read was sent, where there was one.
    pub(super) fn behind(&mut self, partition: i32, offset: i64, end_offset: i64, sent_ms: Option<i64>) {
        let messages = end_offset.saturating_sub(offset).max(0);
        let before = self.behind.get(&partition).and_then(|before| before.sent_ms);
        let sent_ms = sent_ms.filter(|sent_ms| *sent_ms >= 0).or(before);
        self.behind.insert(partition, Behind { messages, end_offset, sent_ms });
    }

    /// There are no partitions, or others: what was not done for those before is not asked for any more.
    pub(super) fn nothing_behind(&mut self) {
        self.behind.clear();
        for task in [Task::Write, Task::Recall, Task::Commit, Task::Read, Task::KeepLetter] {
            self.outcome(task, true);
        }
    }

    /// Takes note whether a server has done what it was asked for.
    pub(super) fn outcome(&mut self, task: Task, is_done: bool) {
        let was_undone = self.undone.contains(&task);
        match (is_done, was_undone) {
            (true, false) => return,
            (true, true) => self.undone.retain(|undone| *undone != task),
            (false, false) => self.undone.push(task),
            (false, true) => {}
        }
        self.tell(PipelineEvent::Outcome { task, is_done });
    }

    pub(super) fn tell_progress(&mut self, ledger: &Ledger, in_flight_bytes: usize) {
        self.due = Instant::now() + PROGRESS_INTERVAL;
        self.tell(PipelineEvent::Progress(self.progress(ledger)));
        let standing = |at: At| {
            let behind = self.behind.get(&at.partition);
            let end = behind.map_or(at.stored, |behind| behind.end_offset).max(at.stored);
            let sent_ms = behind.and_then(|behind| behind.sent_ms);
            Standing { partition: at.partition, stored: at.stored, committed: at.committed, end, sent_ms }
        };
        let partitions: Vec<_> = ledger.standings().map(standing).collect();
        self.tell(PipelineEvent::Standing { in_flight_bytes, partitions: &partitions });
    }

    pub(super) fn progress(&self, ledger: &Ledger) -> Progress {
        // As the group sees it: what was taken up and cannot be committed yet is part of the lag.
        let open = i64::try_from(ledger.open_records()).unwrap_or(i64::MAX);
        Progress {
            lag: self.behind.values().map(|behind| behind.messages).sum::<i64>().saturating_add(open),
            ..self.progress
        }
    }
}
