//! How a run settles, commits and ends: before a rebalance, at the end that was asked for, and after a signal.

use std::time::Duration;

use tokio::time::Instant;

use super::letters::DeadLetters;
use super::observer::Observer;
use super::source::Source;
use super::{Pipeline, Summary};
use crate::kafka::group;
use crate::shutdown::LAST_COMMIT_LIMIT;
use crate::store::Store;

/// How long settling may take before a rebalance.
pub(super) const RELEASE_LIMIT: Duration = Duration::from_secs(4);

// The member must not give up on the pipeline before the pipeline gives up on the store and on the last commit.
const _: () = assert!(RELEASE_LIMIT.as_millis() + LAST_COMMIT_LIMIT.as_millis() < group::RELEASE_LIMIT.as_millis());

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
    /// Everything is settled that could be; the last commit's answer is awaited.
    LastCommit { by: Instant, then: Then },
}

/// What comes after a last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Release,
    End { settled: bool },
}

impl<S: Source, T: Store, D: DeadLetters, O: Observer> Pipeline<'_, S, T, D, O> {
    pub(super) async fn commit(&mut self) {
        self.commit_due = Instant::now() + COMMIT_INTERVAL;
        if self.commit_pending {
            return;
        }
        let offsets = self.ledger.committable();
        if !offsets.is_empty() {
            self.commit_pending = true;
            self.source.commit(self.ledger.assignment(), offsets).await;
        }
    }

    /// Goes from phase to phase. `Some` is the end.
    pub(super) async fn advance(&mut self) -> Option<Summary> {
        let now = Instant::now();
        match self.phase {
            Phase::Reading if self.is_done() || self.observer.is_gone() => {
                self.end(None);
                None
            }
            Phase::Releasing { by } if self.ledger.is_settled() || now >= by => {
                self.commit_last(Then::Release).await;
                None
            }
            Phase::Ending { by } if self.ledger.is_settled() || by.is_some_and(|by| now >= by) => {
                let settled = self.ledger.is_settled();
                self.commit_last(Then::End { settled }).await;
                None
            }
            Phase::Reading | Phase::Releasing { .. } | Phase::Ending { .. } => None,
            Phase::LastCommit { by, then } => {
                // Where the partitions were lost, the source may be about to say why.
                let is_lost = self.abandoned && !self.assigned;
                let is_open = self.commit_pending || !self.ledger.committable().is_empty() || is_lost;
                if is_open && now < by { None } else { self.after_last_commit(then).await }
            }
        }
    }

    async fn commit_last(&mut self, then: Then) {
        self.commit().await;
        self.phase = Phase::LastCommit { by: Instant::now() + LAST_COMMIT_LIMIT, then };
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
                let is_clean = settled && !self.abandoned && self.ledger.committable().is_empty();
                self.observer.progress(&self.progress());
                Some(Summary { progress: self.progress(), is_clean })
            }
        }
    }

    pub(super) fn end(&mut self, by: Option<Instant>) {
        self.phase = Phase::Ending { by };
    }

    pub(super) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { by: Some(_) } | Phase::LastCommit { then: Then::End { .. }, .. })
    }

    /// When the present phase ends at the latest.
    pub(super) fn deadline(&self) -> Instant {
        match self.phase {
            Phase::Releasing { by } | Phase::Ending { by: Some(by) } | Phase::LastCommit { by, .. } => by,
            Phase::Reading | Phase::Ending { by: None } => self.progress_due,
        }
    }
}
