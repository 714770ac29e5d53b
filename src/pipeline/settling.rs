//! How long the store may forget, and what happens when it did.
//!
//! A single Cassandra with its periodic commit log acknowledges rows before they are on its disk: killed, it forgets the
//! last ones. So what it has acknowledged is committed only after a settle time, and only when it is then still in the
//! life, or epoch, in which the row was written. In another one, everything that is not committed is written again.

use std::time::Duration;

use tokio::time::Instant;

use super::Pipeline;
use super::dead_letters::DeadLetters;
use super::events::{Listener, PipelineEvent};
use super::source::Source;
use super::store::{Epoch, Store, WriteError};
use crate::ledger::Ledger;

/// How long the store may forget what it has acknowledged, and the life in which it is asked to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settling {
    /// Zero where it forgets nothing: the epoch is never looked at then.
    pub time: Duration,
    /// Read before the first row is written.
    pub epoch: Epoch,
}

/// When the store was asked for its epoch, and what it said.
pub(super) type EpochRead = (Instant, Result<Epoch, WriteError>);

impl<'a, S: Source, T: Store, D: DeadLetters, L: Listener> Pipeline<'a, S, T, D, L> {
    /// Commits only what has settled.
    #[must_use]
    pub fn settling(mut self, settling: Settling) -> Self {
        self.ledger = Ledger::new(settling.time);
        self.settling = settling;
        self
    }

    /// Marks what is settled now, and asks the store for its epoch where that may make something durable.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        self.ledger.mark(self.clock(now));
        if self.ledger.is_due(self.clock(now)) && self.epoch_reads.is_empty() {
            let store: &'a T = self.store;
            self.epoch_reads.push(Box::pin(async move { (now, store.epoch().await) }));
        }
    }

    pub(super) async fn epoch_read(&mut self, (asked_at, answer): EpochRead) {
        match answer {
            Ok(epoch) if epoch == self.settling.epoch => {
                self.ledger.confirm(self.clock(asked_at));
                self.commit_due = Instant::now();
            }
            Ok(epoch) => {
                self.settling.epoch = epoch;
                self.listener.hear(PipelineEvent::Trouble(
                    "the store was restarted; what it may have forgotten is written again",
                ));
                self.read_again().await;
            }
            // It is away: the next commit interval asks again.
            Err(_) => {}
        }
    }

    fn clock(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.began)
    }
}
