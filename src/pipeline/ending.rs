//! How a run settles, commits and ends: before a rebalance, at the end that was asked for, and after a signal.

use std::time::Duration;

use tokio::time::Instant;

use super::dead_letters::DeadLetters;
use super::events::{Listener, PipelineEvent};
use super::source::{self, Source};
use super::store::Store;
use super::{Pipeline, Summary};
use crate::shutdown::{DRAIN_LIMIT, LAST_COMMIT_LIMIT};

/// How long settling may take before a rebalance.
pub(super) const RELEASE_LIMIT: Duration = Duration::from_secs(4);

// The source must not give up on the pipeline before the pipeline gives up on the store and on the last commit.
const _: () = assert!(RELEASE_LIMIT.as_millis() + LAST_COMMIT_LIMIT.as_millis() < source::RELEASE_LIMIT.as_millis());

/// How often offsets are committed. What was stored since is read again after a crash.
pub(super) const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// How long to wait after a commit that was refused.
pub(super) const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// What the loop is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Taking up what comes.
    Reading,
    /// Settling before the partitions are given away.
    Releasing { by: Instant },
    /// Settling before the end; without a time limit where the end came by itself.
    Ending { by: Option<Instant> },
    /// Everything is settled that could be; the last commit's answer is awaited, without a time limit where the end came
    /// by itself.
    LastCommit { by: Option<Instant>, then: Then },
}

/// What comes after a last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Release,
    End { settled: bool },
}

impl<S: Source, T: Store, D: DeadLetters, L: Listener> Pipeline<'_, S, T, D, L> {
    pub(super) async fn commit(&mut self) {
        self.commit_due = Instant::now() + COMMIT_INTERVAL;
        self.settle();
        if self.refusals.take_due() {
            return self.read_again().await;
        }
        if self.commit_pending {
            return;
        }
        let positions = self.ledger.committable();
        if !positions.is_empty() {
            self.commit_pending = true;
            self.source.commit(self.ledger.assignment(), positions).await;
        }
    }

    /// Goes from phase to phase. `Some` is the end.
    pub(super) async fn advance(&mut self) -> Option<Summary> {
        let now = Instant::now();
        match self.phase {
            Phase::Reading if self.is_done() => {
                self.end(None);
                None
            }
            Phase::Releasing { by } if self.ledger.is_settled() || now >= by => {
                self.commit_last(Some(LAST_COMMIT_LIMIT), Then::Release).await;
                None
            }
            // Who stops it does not wait for what is stored to be durable: the next member writes it again.
            Phase::Ending { by: Some(by) } if self.ledger.is_settled() || self.is_at_rest() || now >= by => {
                let settled = self.ledger.is_settled();
                self.commit_last(Some(LAST_COMMIT_LIMIT), Then::End { settled }).await;
                None
            }
            Phase::Ending { by: None } if self.ledger.is_durable() => {
                self.commit_last(None, Then::End { settled: true }).await;
                None
            }
            Phase::Reading | Phase::Releasing { .. } | Phase::Ending { .. } => None,
            Phase::LastCommit { by, then } => {
                // Where the partitions were lost, the source may be about to say why.
                let is_lost = self.is_left_to_others();
                let is_open = self.commit_pending || !self.ledger.committable().is_empty() || is_lost;
                if is_open && by.is_none_or(|by| now < by) { None } else { self.after_last_commit(then).await }
            }
        }
    }

    async fn commit_last(&mut self, limit: Option<Duration>, then: Then) {
        self.commit().await;
        self.phase = Phase::LastCommit { by: limit.map(|limit| Instant::now() + limit), then };
    }

    async fn after_last_commit(&mut self, then: Then) -> Option<Summary> {
        match then {
            Then::Release => {
                self.phase = Phase::Reading;
                let assignment = self.ledger.assignment();
                self.revoked();
                self.source.released(assignment).await;
                None
            }
            Then::End { settled } => {
                let is_committed = self.ledger.has_caught_up() && self.ledger.committable().is_empty();
                let is_clean = settled && is_committed && !self.is_left_to_others();
                self.listener.hear(PipelineEvent::Progress(self.progress()));
                let is_durable = self.ledger.is_durable();
                Some(Summary { progress: self.progress(), is_clean, is_durable })
            }
        }
    }

    /// Ends within the time that there is for it.
    pub(super) fn drain(&mut self) {
        if !self.is_ending() {
            self.end(Some(Instant::now() + DRAIN_LIMIT));
        }
    }

    fn end(&mut self, by: Option<Instant>) {
        let settle_time = self.settling.time;
        if by.is_none() && !settle_time.is_zero() {
            let seconds = settle_time.as_secs_f64();
            self.listener.hear(PipelineEvent::Trouble(&format!(
                "at the end; the last offsets are committed in {seconds} s, when they have settled"
            )));
        }
        self.phase = Phase::Ending { by };
    }

    /// Whether it was asked to end, and has to within its time.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { by: Some(_) } | Phase::LastCommit { by: Some(_), then: Then::End { .. } })
    }

    /// Whether nothing is under way any more. What is open all the same has been lost to a panic.
    fn is_at_rest(&self) -> bool {
        self.writes.is_empty() && self.letter_writes.is_empty()
    }

    /// Whether the partitions were taken away before all that was taken up was stored and committed, and are nobody's yet.
    fn is_left_to_others(&self) -> bool {
        !self.assigned && self.ledger.has_unfinished()
    }

    /// When the present phase ends at the latest.
    pub(super) fn deadline(&self) -> Instant {
        match self.phase {
            Phase::Releasing { by } | Phase::Ending { by: Some(by) } | Phase::LastCommit { by: Some(by), .. } => by,
            Phase::Reading | Phase::Ending { by: None } | Phase::LastCommit { by: None, .. } => self.progress_due,
        }
    }
}
