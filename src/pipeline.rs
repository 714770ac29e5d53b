//! The way of a reading: fetched, decoded, judged, stored, and only then committed.
//!
//! Nothing is committed before it is stored, or kept as a dead letter: that order is the promise. The
//! [ledger](crate::ledger) keeps it for each partition, whatever order the answers come in.
//!
//! This file takes up what comes; `delivery` stores and keeps it, `refusals` judges rows that the store will not have,
//! `settling` waits for what it may still forget, `ending` commits and ends. What they stand on are three small traits:
//! [`Source`], [`Store`] and [`DeadLetters`].
//!
//! One task runs this loop. It holds no more bytes of messages than it is [allowed](Pipeline::max_in_flight_bytes);
//! beyond that it reads on only when the store has taken some.

pub mod dead_letters;
mod delivery;
mod ending;
pub mod events;
mod refusals;
mod settling;
pub mod source;
pub mod store;
pub mod write_queue;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};

use self::dead_letters::{DeadLetter, DeadLetterQueue, DeadLetters};
use self::delivery::{Answer, Kept};
use self::ending::{COMMIT_INTERVAL, COMMIT_PAUSE, Phase, RELEASE_LIMIT};
use self::events::{Listener, Origin, PipelineEvent, Progress};
use self::refusals::Refusals;
use self::settling::EpochRead;
pub use self::settling::Settling;
use self::source::{Assigned, Chunk, Event, Source};
use self::store::{Store, WriteError};
use self::write_queue::{WriteBatch, WriteQueue};
use crate::alarm::{self, Limits};
use crate::ledger::Ledger;
use crate::output::counted;
use crate::reading::reject::Reject;
use crate::reading::{self, Reading};
use crate::record::Record;
use crate::shutdown::Shutdown;

/// How many bytes of messages may be taken up and not yet settled, unless something else is said.
pub const MAX_IN_FLIGHT_BYTES: usize = 8 * 1024 * 1024;

/// How many records may be taken up and not yet committable, most of them settled behind one that is not.
pub const MAX_OPEN_RECORDS: usize = 1_000_000;

/// How many batches may be on their way to the store. More only queue up inside of it.
pub const MAX_WRITES_IN_FLIGHT: usize = 32;

/// How often the listener is told how far things are.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// When the pipeline ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Until {
    /// After so many messages.
    pub max_messages: Option<u64>,
    /// At the end that the partitions had when they were assigned.
    pub end: bool,
}

/// How the pipeline ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How far it came.
    pub progress: Progress,
    /// Whether everything taken up is settled and committed; what is not is read again, by this group's next member.
    pub is_clean: bool,
    /// Whether everything stored is committed, because the store cannot forget it any more; what is not is written again
    /// by this group's next member.
    pub is_durable: bool,
}

/// Everything that a run holds.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Pipeline<'a, S, T: Store, D: DeadLetters, L> {
    source: &'a mut S,
    store: &'a T,
    dead_letters: &'a D,
    listener: &'a mut L,
    limits: Limits,
    until: Until,
    max_in_flight_bytes: usize,
    max_batch_rows: Option<usize>,
    settling: Settling,
    ledger: Ledger,
    write_queue: WriteQueue,
    dead_letter_queue: DeadLetterQueue,
    refusals: Refusals,
    writes: FuturesUnordered<BoxFuture<'a, Answer<WriteBatch, WriteError>>>,
    letter_writes: FuturesUnordered<BoxFuture<'a, Kept<D::Error>>>,
    /// One at most.
    epoch_reads: FuturesUnordered<BoxFuture<'a, EpochRead>>,
    in_flight_bytes: usize,
    assigned: bool,
    commit_pending: bool,
    phase: Phase,
    began: Instant,
    commit_due: Instant,
    progress_due: Instant,
    progress: Progress,
    /// By partition, how many messages stood behind the last one that was read.
    behind: BTreeMap<i32, i64>,
    unkeyed_told: bool,
    /// Which trouble was told lately, and when.
    told: BTreeMap<String, Instant>,
}

impl<'a, S: Source, T: Store, D: DeadLetters, L: Listener> Pipeline<'a, S, T, D, L> {
    /// Puts a run together.
    pub fn new(
        source: &'a mut S,
        store: &'a T,
        dead_letters: &'a D,
        listener: &'a mut L,
        limits: Limits,
        until: Until,
    ) -> Self {
        let now = Instant::now();
        Self {
            source,
            store,
            dead_letters,
            listener,
            limits,
            until,
            max_in_flight_bytes: MAX_IN_FLIGHT_BYTES,
            max_batch_rows: None,
            settling: Settling::default(),
            ledger: Ledger::default(),
            write_queue: WriteQueue::default(),
            dead_letter_queue: DeadLetterQueue::default(),
            refusals: Refusals::default(),
            writes: FuturesUnordered::new(),
            letter_writes: FuturesUnordered::new(),
            epoch_reads: FuturesUnordered::new(),
            in_flight_bytes: 0,
            assigned: false,
            commit_pending: false,
            phase: Phase::Reading,
            began: now,
            commit_due: now + COMMIT_INTERVAL,
            progress_due: now + PROGRESS_INTERVAL,
            progress: Progress::default(),
            behind: BTreeMap::new(),
            unkeyed_told: false,
            told: BTreeMap::new(),
        }
    }

    /// Holds so many bytes of messages that are taken up and not settled, before it reads on.
    #[must_use]
    pub fn max_in_flight_bytes(mut self, bytes: usize) -> Self {
        self.max_in_flight_bytes = bytes;
        self
    }

    /// Has so many readings in a batch at most, instead of as many as the store likes best.
    #[must_use]
    pub fn max_batch_rows(mut self, rows: Option<usize>) -> Self {
        self.max_batch_rows = rows;
        self
    }

    /// Runs until the end that was asked for, a shutdown, or an error of the source.
    ///
    /// # Errors
    /// The source ended for good. What was not committed is read again by the next member.
    pub async fn run(mut self, shutdown: &Shutdown) -> Result<Summary, S::Error> {
        loop {
            self.send_what_is_ready();
            if let Some(summary) = self.advance().await {
                return Ok(summary);
            }
            let (room, deadline) = (self.has_room(), self.deadline());
            tokio::select! {
                // Finished writes come first: they free memory and slots before more is read.
                biased;
                () = shutdown.wait(), if !self.is_ending() => self.drain(),
                Some(written) = self.writes.next() => self.written(written),
                Some(kept) = self.letter_writes.next() => self.kept(kept),
                Some(read) = self.epoch_reads.next() => self.epoch_read(read).await,
                event = self.source.next(room) => self.take(event?),
                () = sleep_until(self.commit_due) => self.commit().await,
                () = sleep_until(self.progress_due) => self.report(),
                () = sleep_until(deadline) => {}
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Assigned { assignment, partitions, is_again, is_another_topic } => {
                if is_another_topic {
                    self.ledger.forget_seen();
                    self.refusals.clear();
                    self.read_on();
                }
                self.assigned(assignment, &partitions, is_again);
            }
            Event::Release if !self.is_ending() => {
                self.phase = Phase::Releasing { by: Instant::now() + RELEASE_LIMIT };
            }
            // What ends at once settles and commits anyway.
            Event::Release => {}
            Event::Lost => self.revoked(),
            Event::Chunk(chunk) => self.take_chunk(chunk),
            Event::Committed(positions) => {
                self.commit_pending = false;
                // What was settled meanwhile needs a commit of its own, which must not be late.
                if matches!(self.phase, Phase::LastCommit { .. }) {
                    self.commit_due = Instant::now();
                }
                for position in positions {
                    self.refusals.committed(&position);
                    self.ledger.committed(position);
                }
            }
            Event::CommitRefused => {
                self.commit_pending = false;
                self.commit_due = Instant::now() + COMMIT_PAUSE;
            }
            Event::Gap { assignment, partition, wanted, found, end_offset } => {
                if self.ledger.holds(assignment, partition) {
                    self.gap(partition, wanted, found, end_offset);
                }
            }
            Event::Trouble(text) => self.listener.hear(PipelineEvent::Trouble(&text)),
        }
    }

    fn assigned(&mut self, assignment: u64, partitions: &[Assigned], is_again: bool) {
        self.ledger.assign(assignment);
        self.behind.clear();
        for Assigned { partition, start_offset, end_offset } in partitions.iter().copied() {
            self.ledger.add(partition, start_offset, end_offset);
            self.behind.insert(partition, end_offset.saturating_sub(start_offset).max(0));
        }
        self.assigned = true;
        // To who looks on, nothing has changed.
        if !is_again {
            self.listener.hear(PipelineEvent::Assigned(partitions));
        }
    }

    fn take_chunk(&mut self, chunk: Chunk) {
        let Chunk { assignment, partition, records, next_offset, end_offset } = chunk;
        if !self.ledger.holds(assignment, partition) {
            return;
        }
        for record in records {
            if self.is_enough() && !self.ledger.has_seen(partition, record.offset) {
                return;
            }
            self.take_record(partition, &record);
        }
        self.ledger.skip_to(partition, next_offset);
        self.behind.insert(partition, end_offset.saturating_sub(next_offset).max(0));
    }

    fn take_record(&mut self, partition: i32, record: &Record) {
        let Some(receipt) = self.ledger.admit(partition, record.offset) else { return };
        let (offset, size_bytes) = (record.offset, record.size_bytes());
        self.in_flight_bytes += size_bytes;
        let Some(receipt) = self.take_refused(partition, record, receipt) else { return };
        // Nobody is told twice of what was taken up before its partition was taken away.
        let is_news = !receipt.is_again;
        if is_news {
            self.take_note(partition, record);
        }
        match decode(record) {
            Ok(reading) => {
                let alerts = alarm::judge(&reading, &self.limits);
                if is_news {
                    self.progress.alerts += u64::try_from(alerts.len()).unwrap_or(u64::MAX);
                    let origin = Origin { partition, offset, sent_ms: record.timestamp_ms };
                    self.listener.hear(PipelineEvent::Reading { origin, reading: &reading, alerts: &alerts });
                }
                self.write_queue.add(reading, alerts, receipt, size_bytes);
            }
            Err(reject) => {
                if is_news {
                    self.listener.hear(PipelineEvent::Refused { partition, offset, reject: &reject });
                }
                // A copy: a slice would hold on to its whole fetch for as long as the letter cannot be kept.
                self.dead_letter_queue.add(DeadLetter { partition, record: record.detached(), reject }, receipt);
            }
        }
    }

    fn take_note(&mut self, partition: i32, record: &Record) {
        self.progress.messages += 1;
        if record.key.is_none() && !self.unkeyed_told {
            self.unkeyed_told = true;
            self.listener.hear(PipelineEvent::Unkeyed { partition, offset: record.offset });
        }
    }

    fn gap(&mut self, partition: i32, wanted: i64, found: i64, end_offset: i64) {
        let text = if found > wanted {
            self.ledger.skip_to(partition, found);
            let lost = found.saturating_sub(wanted);
            let (lost, are) = (counted(lost, "message"), if lost == 1 { "is" } else { "are" });
            format!(
                "partition {partition}: {lost} from offset {wanted} on {are} gone from the log; reading on at {found}"
            )
        } else {
            self.ledger.jump_to(partition, found, end_offset);
            self.refusals.clear();
            format!(
                "partition {partition}: the log was made anew or cut, offset {wanted} is not what it was; reading on at {found}"
            )
        };
        self.listener.hear(PipelineEvent::Trouble(&text));
    }

    /// The partitions are somebody else's.
    fn revoked(&mut self) {
        self.take_away();
        if !self.is_ending() {
            self.phase = Phase::Reading;
        }
        self.listener.hear(PipelineEvent::Revoked);
    }

    /// Begins again from what is committed: what was taken up since has to be stored once more.
    async fn read_again(&mut self) {
        self.take_away();
        self.read_on();
        self.source.rewind(self.ledger.assignment()).await;
    }

    /// An end that was reached is reached again when everything is stored and committed.
    fn read_on(&mut self) {
        if matches!(self.phase, Phase::Ending { by: None } | Phase::LastCommit { by: None, .. }) {
            self.phase = Phase::Reading;
        }
    }

    /// Drops what has not gone out yet: who gets the partitions next reads it again, and that may be us.
    fn take_away(&mut self) {
        self.ledger.take_away();
        self.behind.clear();
        self.assigned = false;
        self.commit_pending = false;
        self.in_flight_bytes = self
            .in_flight_bytes
            .saturating_sub(self.write_queue.clear())
            .saturating_sub(self.dead_letter_queue.clear());
    }

    /// Whether the end that was asked for is reached.
    fn is_done(&self) -> bool {
        let is_at_end = self.until.end && self.ledger.is_at_end();
        self.assigned && (self.is_enough() || is_at_end) && self.ledger.has_caught_up()
    }

    fn is_enough(&self) -> bool {
        self.until.max_messages.is_some_and(|max| self.progress.messages >= max)
    }

    fn has_room(&self) -> bool {
        self.phase == Phase::Reading
            && self.in_flight_bytes < self.max_in_flight_bytes
            && self.ledger.open_records() < MAX_OPEN_RECORDS
    }

    fn report(&mut self) {
        self.progress_due = Instant::now() + PROGRESS_INTERVAL;
        self.listener.hear(PipelineEvent::Progress(self.progress()));
    }

    fn progress(&self) -> Progress {
        // As the group sees it: what was taken up and cannot be committed yet is part of the lag.
        let open = i64::try_from(self.ledger.open_records()).unwrap_or(i64::MAX);
        Progress { lag: self.behind.values().sum::<i64>().saturating_add(open), ..self.progress }
    }
}

/// What a record says.
///
/// # Errors
/// Why it is refused.
pub fn decode(record: &Record) -> Result<Reading, Reject> {
    match (&record.fault, &record.value) {
        (Some(fault), _) => Err(Reject::Batch(*fault)),
        (None, None) => Err(Reject::NullValue),
        (None, Some(value)) => reading::decode(value),
    }
}

#[cfg(test)]
mod tests;
