//! What the pipeline has taken up goes to the store and to the dead letters, and comes back acknowledged.
//!
//! There is no last attempt: while the store is away its rows wait, and nothing of them is committed. Only a row that
//! it refuses for good becomes a dead letter (see `refusals`).

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep};

use super::dead_letters::{DeadLetter, DeadLetterBatch, DeadLetterQueue, DeadLetters};
use super::events::{Listener, PipelineEvent, Task, Trouble, TroubleKind};
use super::minutes::Held;
use super::refusals::Refusals;
use super::report::Report;
use super::rules::Rules;
use super::store::{Store, WriteError, Written};
use super::write_queue::{WriteBatch, WriteQueue};
use crate::ledger::{InFlight, Ledger};
use crate::reading::reject::Reject;
use crate::record::Record;
use crate::retry;

/// How many batches may be on their way to the store. More only queue up inside of it.
pub(crate) const MAX_WRITES_IN_FLIGHT: usize = 32;

/// A write that took longer is worth a line in a log of single steps.
const SLOW_WRITE: Duration = Duration::from_secs(1);

/// A batch that is on its way, and what comes of it; `None` where that panicked. Then the fault is its own: everything
/// else can still be acknowledged and committed before the end. What it stood for stays open, so that nothing from
/// there on is committed.
type Writes<'a, B, K, E> = FuturesUnordered<BoxFuture<'a, Option<(B, Result<K, E>)>>>;

/// What was taken up and is not acknowledged yet.
pub(super) struct Delivery<'a, T, D: DeadLetters> {
    pub(super) write_queue: WriteQueue,
    pub(super) writes: Writes<'a, WriteBatch, Written, WriteError>,
    /// Each with what the operator should hear of it.
    pub(super) dead_letter_writes: Writes<'a, DeadLetterBatch, Option<String>, D::Error>,
    pub(super) refusals: Refusals,
    /// What the messages of all this take in memory.
    pub(super) in_flight_bytes: usize,
    store: &'a T,
    dead_letters: &'a D,
    dead_letter_queue: DeadLetterQueue,
    max_batch_rows: Option<usize>,
}

impl<'a, T: Store, D: DeadLetters> Delivery<'a, T, D> {
    pub(super) fn new(store: &'a T, dead_letters: &'a D, max_batch_rows: Option<usize>) -> Self {
        Self {
            write_queue: WriteQueue::default(),
            writes: FuturesUnordered::new(),
            dead_letter_writes: FuturesUnordered::new(),
            refusals: Refusals::default(),
            in_flight_bytes: 0,
            store,
            dead_letters,
            dead_letter_queue: DeadLetterQueue::default(),
            max_batch_rows,
        }
    }

    pub(super) fn send_what_is_ready(&mut self) {
        let limits = self.store.batch_limits();
        let limits = self.max_batch_rows.map_or(limits, |rows| limits.with_rows(rows));
        while self.writes.len() < MAX_WRITES_IN_FLIGHT
            && let Some(batch) = self.write_queue.next_batch(limits)
        {
            self.writes.push(Box::pin(write(self.store, batch)));
        }
        while let Some(batch) = self.dead_letter_queue.next_batch() {
            self.dead_letter_writes.push(Box::pin(keep(self.dead_letters, batch)));
        }
    }

    /// Puts a refused record on its way to the dead letters.
    pub(super) fn keep(&mut self, partition: i32, record: &Record, reject: Reject, in_flight: InFlight) {
        // A copy: a slice would hold on to its whole fetch for as long as the dead letter cannot be kept.
        self.dead_letter_queue.add(DeadLetter { partition, record: record.detached(), reject }, in_flight);
    }

    /// Takes note of what has become of a batch, and gives what is to be done for minutes since it is stored.
    pub(super) fn written<L: Listener>(
        &mut self,
        (mut batch, outcome): (WriteBatch, Result<Written, WriteError>),
        ledger: &mut Ledger,
        rules: &mut impl Rules,
        report: &mut Report<'_, L>,
    ) -> Vec<Held> {
        let mut needs = Vec::new();
        if let Some(text) = self.store.trouble() {
            report.trouble_once("alarms", Trouble::of(TroubleKind::AlarmsNotAnnounced, &text));
        }
        // What a refusal for good says about the store is seen when the row has gone alone.
        if outcome.is_ok() || (!batch.is_late() && matches!(outcome, Err(WriteError::Later(_)))) {
            report.outcome(Task::Write, outcome.is_ok());
        }
        match outcome {
            Ok(written) => {
                needs = std::mem::take(&mut batch.needs);
                rules.stored(&batch.rows.alarms);
                report.written(written, count(&batch.in_flight, ledger));
                report.tell(PipelineEvent::Stored { batch: &batch.rows, took: batch.took });
                // That alarms are taken does not show that the table of readings takes anything.
                if !batch.is_of_alarms() {
                    self.refusals.taken();
                    if self.refusals.is_calm() {
                        self.write_queue.send_together();
                    }
                }
            }
            // Where their partition was taken away since, its next owner raises them again.
            Err(error) if batch.is_of_alarms() && !batch.is_late() => {
                let text = format!("{error}; trying again to store alarms");
                let is_refused = matches!(error, WriteError::Never(_));
                let kind = if is_refused { TroubleKind::AlarmWriteRefused } else { TroubleKind::AlarmWriteFailed };
                batch.attempts += 1;
                report.outcome(Task::Write, false);
                report.trouble_of_attempt(batch.attempts, &text, kind, &text);
                self.writes.push(Box::pin(write(self.store, batch)));
                return needs;
            }
            Err(error) if is_ours(&batch.in_flight, ledger) => {
                if matches!(error, WriteError::Never(_)) {
                    self.refused(batch, &error.to_string(), report);
                    return needs;
                }
                batch.attempts += 1;
                let text = format!("{error}; trying again, nothing is committed meanwhile");
                report.trouble_of_attempt(batch.attempts, &text, TroubleKind::WriteFailed, &text);
                self.writes.push(Box::pin(write(self.store, batch)));
                return needs;
            }
            // The partition's next owner reads the rows again.
            Err(_) => {}
        }
        batch.in_flight.iter().for_each(|in_flight| ledger.acknowledge(*in_flight));
        self.is_back(&batch);
        needs
    }

    /// Makes room for others.
    pub(super) fn is_back(&mut self, batch: &WriteBatch) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(batch.size_bytes);
        self.write_queue.done(&batch.patients);
    }

    pub(super) fn kept<L: Listener>(
        &mut self,
        (mut batch, outcome): (DeadLetterBatch, Result<Option<String>, D::Error>),
        ledger: &mut Ledger,
        report: &mut Report<'_, L>,
    ) {
        if outcome.is_ok() || is_ours(&batch.in_flight, ledger) {
            report.outcome(Task::KeepLetter, outcome.is_ok());
        }
        match outcome {
            Ok(told) => {
                report.progress.refused += count(&batch.in_flight, ledger);
                if let Some(told) = told {
                    report.trouble_once("kept in parts", Trouble::of(TroubleKind::DeadLetterInParts, &told));
                }
            }
            Err(error) if is_ours(&batch.in_flight, ledger) => {
                batch.attempts += 1;
                let (like, text) = (error.to_string(), cannot_be_kept(&batch, &error));
                report.trouble_of_attempt(batch.attempts, &like, TroubleKind::DeadLetterFailed, &text);
                return self.dead_letter_writes.push(Box::pin(keep(self.dead_letters, batch)));
            }
            Err(_) => {}
        }
        batch.in_flight.iter().for_each(|in_flight| ledger.acknowledge(*in_flight));
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(batch.size_bytes);
        if let Some(partition) = batch.partition() {
            self.dead_letter_queue.done(partition);
        }
    }

    /// Drops what has not gone out yet.
    pub(super) fn take_away(&mut self) {
        let dropped = self.write_queue.clear() + self.dead_letter_queue.clear();
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(dropped);
    }

    /// Whether nothing is on its way to the store, or waits for that.
    pub(super) fn is_all_written(&self) -> bool {
        self.write_queue.is_empty() && self.writes.is_empty()
    }

    /// Whether nothing is under way any more. What is open all the same has been lost to a panic.
    pub(super) fn is_at_rest(&self) -> bool {
        self.writes.is_empty() && self.dead_letter_writes.is_empty()
    }
}

fn is_ours(in_flight: &[InFlight], ledger: &Ledger) -> bool {
    in_flight.iter().any(|in_flight| ledger.awaits(in_flight))
}

/// How many are acknowledged by it for the first time. Those of partitions that were taken away will be read again.
fn count(in_flight: &[InFlight], ledger: &Ledger) -> u64 {
    let is_new = |in_flight: &&InFlight| !in_flight.is_repeat && ledger.awaits(in_flight);
    u64::try_from(in_flight.iter().filter(is_new).count()).unwrap_or(u64::MAX)
}

fn cannot_be_kept(batch: &DeadLetterBatch, error: &impl Error) -> String {
    let place = batch.in_flight.first().map(InFlight::place);
    let from = place.map(|(partition, offset)| format!(" from {partition}:{offset} on")).unwrap_or_default();
    format!("refused messages cannot be kept{from} ({error}); trying again, nothing behind them is committed")
}

async fn write<T: Store>(store: &T, mut batch: WriteBatch) -> Option<(WriteBatch, Result<Written, WriteError>)> {
    sleep(retry::pause_before(batch.attempts)).await;
    if batch.is_late() {
        return Some((batch, Err(WriteError::taken_away())));
    }
    let begun = Instant::now();
    let outcome = AssertUnwindSafe(store.write(&batch.rows)).catch_unwind().await.ok()?;
    batch.took = begun.elapsed();
    if batch.took >= SLOW_WRITE {
        let (rows, seconds) = (batch.rows.readings.len(), batch.took.as_secs_f64());
        tracing::debug!(event = "write_slow", rows, seconds, "the store took long");
    }
    Some((batch, outcome))
}

async fn keep<D: DeadLetters>(
    dead_letters: &D,
    batch: DeadLetterBatch,
) -> Option<(DeadLetterBatch, Result<Option<String>, D::Error>)> {
    sleep(retry::pause_before(batch.attempts)).await;
    let outcome = AssertUnwindSafe(dead_letters.keep(&batch.dead_letters)).catch_unwind().await.ok()?;
    Some((batch, outcome))
}
