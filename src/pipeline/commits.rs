//! What may be committed, and when: at an interval, and only what the store cannot forget any more.
//!
//! Cassandra with its periodic commit log acknowledges rows before they are on disk: a node that is killed forgets the
//! last ones. So what was acknowledged is committed only after a durability delay, and only when the nodes are then
//! still in the generation in which the row was written. In another one, everything that is not committed is written
//! again; one of several nodes need not be there for that.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::events::{Listener, TroubleKind};
use super::report::Report;
use super::store::{NodeGeneration, Store, WriteError};
use crate::ledger::{Ledger, Position};

/// How often offsets are committed. What was stored since is read again after a crash.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// How long to wait after a commit that was refused.
pub(super) const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// How long the store may forget what it has acknowledged, and the generation of its nodes that is asked to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durability {
    /// Zero where it forgets nothing: the generation is never looked at then.
    pub delay: Duration,
    /// Read before the first row is written.
    pub generation: NodeGeneration,
}

/// When the store was asked for its generation, and what it said.
pub(super) type GenerationRead = (Instant, Result<NodeGeneration, WriteError>);

/// What may be committed, what was asked for, and when the next commit is due.
pub(super) struct Commits<'a, T> {
    pub(super) ledger: Ledger,
    pub(super) due: Instant,
    /// One at most.
    pub(super) generation_reads: FuturesUnordered<BoxFuture<'a, GenerationRead>>,
    store: &'a T,
    durability: Durability,
    /// Whether a commit was asked for and not answered yet.
    is_pending: bool,
    began: Instant,
}

impl<'a, T: Store> Commits<'a, T> {
    pub(super) fn new(store: &'a T, durability: Durability) -> Self {
        let now = Instant::now();
        Self {
            ledger: Ledger::new(durability.delay),
            due: now + COMMIT_INTERVAL,
            generation_reads: FuturesUnordered::new(),
            store,
            durability,
            is_pending: false,
            began: now,
        }
    }

    pub(super) fn durability_delay(&self) -> Duration {
        self.durability.delay
    }

    /// Marks what is acknowledged now, and asks the store for its generation where something waits to be durable.
    pub(super) fn mark_durable(&mut self) {
        let now = Instant::now();
        self.due = now + COMMIT_INTERVAL;
        self.ledger.mark(self.clock(now));
        // Not only when it is due: a node that comes and is killed before that has to have been seen.
        if self.ledger.has_marks() && self.generation_reads.is_empty() {
            let store = self.store;
            self.generation_reads.push(Box::pin(async move { (now, store.node_generation().await) }));
        }
    }

    /// Whether the store may have forgotten something, as its generation tells; else what it cannot forget any
    /// more is committable.
    pub(super) fn has_forgotten<L: Listener>(
        &mut self,
        (asked_at, answer): GenerationRead,
        report: &mut Report<'_, L>,
    ) -> bool {
        match answer {
            Ok(generation) => {
                let has_forgotten = self.durability.generation.may_have_forgotten(&generation);
                // Also of one that has come since: from now on it may have acknowledged what is written.
                self.durability.generation = generation;
                if has_forgotten {
                    let text = "the store, or a node of it, was restarted or is away; what it may have forgotten is written again";
                    report.trouble(TroubleKind::StoreRestarted, text);
                    return true;
                }
                self.ledger.confirm(self.clock(asked_at));
                if !self.ledger.committable().is_empty() {
                    self.due = Instant::now();
                }
                false
            }
            // It is away: the next commit interval asks again.
            Err(_) => false,
        }
    }

    /// What to commit now: nothing while an answer is awaited.
    pub(super) fn next(&mut self) -> Option<Vec<Position>> {
        let positions = if self.is_pending { Vec::new() } else { self.ledger.committable() };
        self.is_pending |= !positions.is_empty();
        (!positions.is_empty()).then_some(positions)
    }

    /// Takes note of an answer; `due` is when to try the next one, where that is not at its interval.
    pub(super) fn answered(&mut self, due: Option<Instant>) {
        self.is_pending = false;
        self.due = due.unwrap_or(self.due);
    }

    /// Whether there is, or will be, something to commit.
    pub(super) fn is_open(&self) -> bool {
        self.is_pending || !self.ledger.committable().is_empty()
    }

    /// The partitions are not ours any more, or are read again.
    pub(super) fn take_away(&mut self) {
        self.ledger.take_away();
        self.is_pending = false;
    }

    fn clock(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }
}
