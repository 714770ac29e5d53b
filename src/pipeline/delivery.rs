//! What the pipeline has taken up goes to the store and to the dead letters, and comes back settled.
//!
//! There is no last attempt: while the store is away its rows wait, and nothing of them is committed. Only a row that it
//! refuses for good becomes a dead letter (see `refusals`).

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::dead_letters::{DeadLetterBatch, DeadLetters};
use super::events::{Listener, PipelineEvent};
use super::source::Source;
use super::store::{Store, WriteError};
use super::write_queue::WriteBatch;
use super::{MAX_WRITES_IN_FLIGHT, Pipeline};
use crate::ledger::Receipt;
use crate::retry;

/// How long the same trouble is not told again.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// A batch that has come back from the store or the dead letters; `None` where that panicked. Then the fault is its own:
/// everything else can still be settled and committed before the end. What it stood for stays open, so that nothing from
/// there on is committed.
pub(super) type Answer<T, E, K = ()> = Option<(T, Result<K, E>)>;
/// Dead letters that have come back, with what the operator should hear of it.
pub(super) type Kept<E> = Answer<DeadLetterBatch, E, Option<String>>;

impl<S: Source, T: Store, D: DeadLetters, L: Listener> Pipeline<'_, S, T, D, L> {
    pub(super) fn send_what_is_ready(&mut self) {
        let limits = self.store.batch_limits();
        let limits = self.max_batch_rows.map_or(limits, |rows| limits.with_rows(rows));
        while self.writes.len() < MAX_WRITES_IN_FLIGHT
            && let Some(batch) = self.write_queue.next_batch(limits)
        {
            self.writes.push(Box::pin(write(self.store, batch)));
        }
        while let Some(batch) = self.dead_letter_queue.next_batch() {
            self.letter_writes.push(Box::pin(keep(self.dead_letters, batch)));
        }
    }

    pub(super) fn written(&mut self, answer: Answer<WriteBatch, WriteError>) {
        let Some((batch, outcome)) = answer else { return self.drain() };
        match outcome {
            Ok(()) => {
                self.progress.stored += self.count(&batch.receipts);
                self.listener.hear(PipelineEvent::Stored(&batch.rows));
                self.refusals.taken();
                if self.refusals.is_calm() {
                    self.write_queue.send_together();
                }
            }
            Err(error) if self.is_ours(&batch.receipts) => return self.failed(batch, &error),
            // The partition's next owner reads the rows again.
            Err(_) => {}
        }
        batch.receipts.iter().for_each(|receipt| self.ledger.settle(*receipt));
        self.is_back(&batch);
    }

    /// Tries a batch again, unless it may be at fault itself.
    fn failed(&mut self, mut batch: WriteBatch, error: &WriteError) {
        if matches!(error, WriteError::Never(_)) {
            return self.refused(batch, &error.to_string());
        }
        batch.attempts += 1;
        self.tell_retry(batch.attempts, &format!("{error}; trying again, nothing is committed meanwhile"));
        self.writes.push(Box::pin(write(self.store, batch)));
    }

    pub(super) fn tell_retry(&mut self, attempts: u32, trouble: &str) {
        if retry::is_worth_telling(attempts) {
            self.tell(trouble, trouble);
        }
    }

    /// What is on its way together mostly meets the same trouble: one of a kind is told for all of it.
    fn tell(&mut self, kind: &str, trouble: &str) {
        self.told.retain(|_, at| at.elapsed() < TELL_AGAIN);
        if !self.told.contains_key(kind) {
            self.listener.hear(PipelineEvent::Trouble(trouble));
            self.told.insert(kind.to_owned(), Instant::now());
        }
    }

    /// Makes room for others.
    pub(super) fn is_back(&mut self, batch: &WriteBatch) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(batch.size_bytes);
        self.write_queue.done(&batch.patients);
    }

    pub(super) fn kept(&mut self, answer: Kept<D::Error>) {
        let Some((mut batch, outcome)) = answer else { return self.drain() };
        match outcome {
            Ok(told) => {
                self.progress.refused += self.count(&batch.receipts);
                if let Some(told) = told {
                    self.tell("kept in parts", &told);
                }
            }
            Err(error) if self.is_ours(&batch.receipts) => {
                batch.attempts += 1;
                if retry::is_worth_telling(batch.attempts) {
                    self.tell(&error.to_string(), &cannot_be_kept(&batch, &error));
                }
                self.letter_writes.push(Box::pin(keep(self.dead_letters, batch)));
                return;
            }
            Err(_) => {}
        }
        batch.receipts.iter().for_each(|receipt| self.ledger.settle(*receipt));
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(batch.size_bytes);
        if let Some(partition) = batch.partition() {
            self.dead_letter_queue.done(partition);
        }
    }

    fn is_ours(&self, receipts: &[Receipt]) -> bool {
        receipts.iter().any(|receipt| self.ledger.awaits(receipt))
    }

    /// How many are settled by it for the first time. Those of partitions that were taken away will be read again.
    fn count(&self, receipts: &[Receipt]) -> u64 {
        let is_new = |receipt: &&Receipt| !receipt.is_repeat && self.ledger.awaits(receipt);
        u64::try_from(receipts.iter().filter(is_new).count()).unwrap_or(u64::MAX)
    }
}

fn cannot_be_kept(batch: &DeadLetterBatch, error: &impl Error) -> String {
    let place = batch.receipts.first().map(Receipt::place);
    let from = place.map(|(partition, offset)| format!(" from {partition}:{offset} on")).unwrap_or_default();
    format!("refused messages cannot be kept{from} ({error}); trying again, nothing behind them is committed")
}

async fn write<T: Store>(store: &T, batch: WriteBatch) -> Answer<WriteBatch, WriteError> {
    sleep(retry::pause_before(batch.attempts)).await;
    let outcome = AssertUnwindSafe(store.write(&batch.rows)).catch_unwind().await.ok()?;
    Some((batch, outcome))
}

async fn keep<D: DeadLetters>(dead_letters: &D, batch: DeadLetterBatch) -> Kept<D::Error> {
    sleep(retry::pause_before(batch.attempts)).await;
    let outcome = AssertUnwindSafe(dead_letters.keep(&batch.letters)).catch_unwind().await.ok()?;
    Some((batch, outcome))
}
