//! What the loop is about: reading, releasing before a rebalance, the end that was asked for, or a stop.

use std::time::Duration;

use tokio::time::Instant;

use super::dead_letters::DeadLetters;
use super::events::{Listener, PipelineEvent, TroubleKind};
use super::rules::Rules;
use super::source::{self, Source};
use super::store::Store;
use super::{Pipeline, Summary};
use crate::shutdown::{DRAIN_LIMIT, LAST_COMMIT_LIMIT};

/// How long the store and the dead letters have to acknowledge what was taken up, before a rebalance.
const RELEASE_LIMIT: Duration = Duration::from_secs(4);

// The source must not give up on the pipeline before the pipeline gives up on the store and on the last commit.
const _: () = assert!(RELEASE_LIMIT.as_millis() + LAST_COMMIT_LIMIT.as_millis() < source::RELEASE_LIMIT.as_millis());

/// What the loop is about. What was taken up is acknowledged before the last commit, each
/// with its time limit; only the end that was asked for waits for both as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Taking up what comes.
    Reading,
    /// Waiting for acknowledgements before the partitions are given away.
    Releasing { by: Instant },
    /// Committing before the partitions are given away.
    LastCommitBeforeRelease { by: Instant },
    /// Waiting for acknowledgements at the end that was asked for.
    Finishing,
    /// Committing at the end that was asked for.
    LastCommit,
    /// Waiting for acknowledgements before a stop.
    Stopping { by: Instant },
    /// Committing before a stop.
    LastCommitBeforeStop { by: Instant, is_acknowledged: bool },
}

impl State {
    /// Whether it was asked to end, and has to within its time.
    pub(super) fn is_stopping(self) -> bool {
        matches!(self, Self::Stopping { .. } | Self::LastCommitBeforeStop { .. })
    }

    pub(super) fn is_last_commit(self) -> bool {
        matches!(self, Self::LastCommitBeforeRelease { .. } | Self::LastCommit | Self::LastCommitBeforeStop { .. })
    }

    /// When it ends at the latest.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Reading | Self::Finishing | Self::LastCommit => None,
            Self::Releasing { by }
            | Self::LastCommitBeforeRelease { by }
            | Self::Stopping { by }
            | Self::LastCommitBeforeStop { by, .. } => Some(by),
        }
    }

    /// The partitions are about to be given away. A stop waits and commits anyway.
    pub(super) fn release(&mut self) {
        if !self.is_stopping() {
            *self = Self::Releasing { by: Instant::now() + RELEASE_LIMIT };
        }
    }

    /// The partitions are gone.
    pub(super) fn revoked(&mut self) {
        if !self.is_stopping() {
            *self = Self::Reading;
        }
    }

    /// An end that was reached is not the end any more.
    pub(super) fn read_on(&mut self) {
        if matches!(self, Self::Finishing | Self::LastCommit) {
            *self = Self::Reading;
        }
    }
}

impl<S: Source, T: Store, D: DeadLetters, R: Rules, L: Listener> Pipeline<'_, S, T, D, R, L> {
    /// Goes from state to state. `Some` is the end.
    pub(super) async fn advance(&mut self) -> Option<Summary> {
        let now = Instant::now();
        if self.is_held_up_by_minutes() {
            self.minutes.end_anchored(&self.delivery.write_queue);
        }
        let is_acknowledged = self.commits.ledger.is_acknowledged();
        // Alarms that no record stands for too: written later, they could come behind a change of the next owner.
        let is_settled = is_acknowledged && self.delivery.is_all_written();
        match self.state {
            State::Reading if self.is_done() => self.finish(),
            State::Releasing { by } if is_settled || now >= by => {
                self.commit().await;
                self.state = State::LastCommitBeforeRelease { by: Instant::now() + LAST_COMMIT_LIMIT };
            }
            State::LastCommitBeforeRelease { by } if !self.awaits_commit() || now >= by => self.released().await,
            State::Finishing if self.commits.ledger.is_durable() && self.is_all_stored() => {
                // What is due at the end has to be stored first.
                let is_due = self.raise_all_due() || self.minutes.end_all(&self.delivery.write_queue);
                if !is_due {
                    self.commit().await;
                    self.state = State::LastCommit;
                }
            }
            State::LastCommit if !self.awaits_commit() => return Some(self.end(true)),
            State::Stopping { by } if is_settled && now < by && self.minutes.end_all(&self.delivery.write_queue) => {}
            State::Stopping { by } if is_settled && now < by && !self.minutes.is_idle() => {}
            // Who stops it does not wait for what is stored to be durable: the next member writes it again.
            State::Stopping { by } if is_settled || self.is_at_rest() || now >= by => {
                self.commit().await;
                self.state = State::LastCommitBeforeStop { by: Instant::now() + LAST_COMMIT_LIMIT, is_acknowledged };
            }
            State::LastCommitBeforeStop { by, is_acknowledged } if !self.awaits_commit() || now >= by => {
                return Some(self.end(is_acknowledged));
            }
            _ => {}
        }
        None
    }

    /// Whether all rows are stored, and it ends only when records are committed that wait for their minute.
    fn is_held_up_by_minutes(&self) -> bool {
        let is_ending = matches!(self.state, State::Releasing { .. } | State::Finishing | State::Stopping { .. });
        is_ending && self.delivery.is_all_written()
    }

    /// Ends within the time that there is for it.
    pub(super) fn stop(&mut self) {
        if !self.state.is_stopping() {
            self.state = State::Stopping { by: Instant::now() + DRAIN_LIMIT };
        }
    }

    fn finish(&mut self) {
        let durability_delay = self.commits.durability_delay();
        if !durability_delay.is_zero() {
            let seconds = durability_delay.as_secs_f64();
            let text =
                format!("at the end; the last offsets are committed in {seconds} s, when their readings are durable");
            self.report.trouble(TroubleKind::LastCommitWaits, &text);
        }
        self.state = State::Finishing;
    }

    async fn released(&mut self) {
        self.state = State::Reading;
        let assignment = self.commits.ledger.assignment();
        self.revoked();
        self.source.released(assignment).await;
    }

    fn end(&mut self, is_acknowledged: bool) -> Summary {
        let ledger = &self.commits.ledger;
        let is_committed = ledger.has_caught_up() && ledger.committable().is_empty();
        let is_clean = is_acknowledged && is_committed && !self.is_left_to_others();
        let progress = self.report.progress(ledger);
        let summary = Summary { progress, is_clean, is_durable: ledger.is_durable() };
        self.report.tell(PipelineEvent::Progress(progress));
        summary
    }

    /// Where the partitions were lost, the source may be about to say why.
    fn awaits_commit(&self) -> bool {
        self.commits.is_open() || self.is_left_to_others()
    }

    /// Whether the partitions were taken away before all that was taken up was stored and committed, and are nobody's
    /// yet.
    fn is_left_to_others(&self) -> bool {
        !self.commits.ledger.is_assigned() && self.commits.ledger.has_unfinished()
    }
}
