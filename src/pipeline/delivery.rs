//! What the pipeline has taken up goes to the store and to the dead letters, and comes back settled.
//!
//! There is no last attempt: while the store is away its rows wait, and nothing of them is committed. Only a row that it
//! refuses for good becomes a dead letter (see `refusals`).

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::{Instant, sleep};

use super::lanes::Job;
use super::letters::{DeadLetters, Mail};
use super::observer::Observer;
use super::source::Source;
use super::{MAX_WRITES_IN_FLIGHT, Pipeline};
use crate::ledger::Receipt;
use crate::pipeline::store::{Store, WriteError};
use crate::retry;

/// How long the same trouble is not told again.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// A write or a mail that has come back; `None` where that panicked. Then the fault is its own: everything else can still
/// be settled and committed before the end. What it stood for stays open, so that nothing from there on is committed.
pub(super) type Answer<T, E, K = ()> = Option<(T, Result<K, E>)>;
/// A mail that has come back, with what the operator should hear of it.
pub(super) type Mailed<E> = Answer<Mail, E, Option<String>>;

impl<S: Source, T: Store, D: DeadLetters, O: Observer> Pipeline<'_, S, T, D, O> {
    pub(super) fn send_what_is_ready(&mut self) {
        let limits = self.store.batch_limits();
        let limits = self.max_batch_rows.map_or(limits, |rows| limits.with_rows(rows));
        while self.writes.len() < MAX_WRITES_IN_FLIGHT
            && let Some(job) = self.lanes.next_job(limits)
        {
            self.writes.push(Box::pin(write(self.store, job)));
        }
        while let Some(mail) = self.outbox.next_mail() {
            self.mails.push(Box::pin(keep(self.dead_letters, mail)));
        }
    }

    pub(super) fn written(&mut self, answer: Answer<Job, WriteError>) {
        let Some((job, outcome)) = answer else { return self.drain() };
        match outcome {
            Ok(()) => {
                self.progress.stored += self.count(&job.receipts);
                self.refusals.taken();
                if self.refusals.is_calm() {
                    self.lanes.send_together();
                }
            }
            Err(error) if self.is_ours(&job.receipts) => return self.failed(job, &error),
            // The partition's next owner reads the rows again.
            Err(_) => {}
        }
        job.receipts.iter().for_each(|receipt| self.ledger.settle(*receipt));
        self.is_back(&job);
    }

    /// Tries a batch again, unless it may be at fault itself.
    fn failed(&mut self, mut job: Job, error: &WriteError) {
        if matches!(error, WriteError::Never(_)) {
            return self.refused(job, &error.to_string());
        }
        job.attempts += 1;
        self.tell_retry(job.attempts, &format!("{error}; trying again, nothing is committed meanwhile"));
        self.writes.push(Box::pin(write(self.store, job)));
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
            self.observer.trouble(trouble);
            self.told.insert(kind.to_owned(), Instant::now());
        }
    }

    /// Makes room for others.
    pub(super) fn is_back(&mut self, job: &Job) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(job.size_bytes);
        self.lanes.done(&job.patients);
    }

    pub(super) fn mailed(&mut self, answer: Mailed<D::Error>) {
        let Some((mut mail, outcome)) = answer else { return self.drain() };
        match outcome {
            Ok(told) => {
                self.progress.refused += self.count(&mail.receipts);
                if let Some(told) = told {
                    self.tell("kept in parts", &told);
                }
            }
            Err(error) if self.is_ours(&mail.receipts) => {
                mail.attempts += 1;
                if retry::is_worth_telling(mail.attempts) {
                    self.tell(&error.to_string(), &cannot_be_kept(&mail, &error));
                }
                self.mails.push(Box::pin(keep(self.dead_letters, mail)));
                return;
            }
            Err(_) => {}
        }
        mail.receipts.iter().for_each(|receipt| self.ledger.settle(*receipt));
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(mail.size_bytes);
        if let Some(partition) = mail.partition() {
            self.outbox.done(partition);
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

fn cannot_be_kept(mail: &Mail, error: &impl Error) -> String {
    let place = mail.receipts.first().map(Receipt::place);
    let from = place.map(|(partition, offset)| format!(" from {partition}:{offset} on")).unwrap_or_default();
    format!("refused messages cannot be kept{from} ({error}); trying again, nothing behind them is committed")
}

async fn write<T: Store>(store: &T, job: Job) -> Answer<Job, WriteError> {
    sleep(retry::pause_before(job.attempts)).await;
    let outcome = AssertUnwindSafe(store.write(&job.batch)).catch_unwind().await.ok()?;
    Some((job, outcome))
}

async fn keep<D: DeadLetters>(dead_letters: &D, mail: Mail) -> Mailed<D::Error> {
    sleep(retry::pause_before(mail.attempts)).await;
    let outcome = AssertUnwindSafe(dead_letters.keep(&mail.letters)).catch_unwind().await.ok()?;
    Some((mail, outcome))
}
