//! Where records come from, as the pipeline sees it.

use std::future::Future;
use std::time::Duration;

use super::events::TroubleKind;
use crate::ledger::Position;
use crate::record::Record;

/// How long a source waits until what the pipeline has read is acknowledged, once partitions are about to be given
/// away.
pub const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// Records of one partition, in order.
#[derive(Debug)]
pub struct Chunk {
    /// The assignment that they were fetched for; chunks of an earlier one are dropped.
    pub assignment: u64,
    /// Their partition.
    pub partition: i32,
    /// The records.
    pub records: Vec<Record>,
    /// Where reading goes on behind them.
    pub next_offset: i64,
    /// The end of the partition when they were fetched.
    pub end_offset: i64,
}

/// A partition to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The partition.
    pub partition: i32,
    /// From where the rules hear the records before the start again, so that they know what they knew; the start where
    /// there are none.
    pub history_offset: i64,
    /// Where to begin.
    pub start_offset: i64,
    /// The partition's end at this moment.
    pub end_offset: i64,
}

/// What happens at the source: two streams, of which the membership's comes first, since after a revocation the records
/// that wait are nobody's.
#[derive(Debug)]
pub enum Event {
    /// Whose the partitions are, and what is committed of them.
    Membership(MembershipEvent),
    /// What was read of them.
    Fetched(Fetched),
}

/// Whose the partitions are, and what is committed of them.
#[derive(Debug)]
pub enum MembershipEvent {
    /// These partitions, and no others, are ours from now on.
    Assigned {
        /// The assignment's number, counted up.
        assignment: u64,
        /// The partitions, in order.
        partitions: Vec<Assigned>,
        /// Whether they were ours already, and are only read again, as [`Source::rewind`] asked.
        is_again: bool,
        /// How many partitions the topic has: which one a patient's readings are in depends on it.
        topic_partitions: i32,
        /// Whether the topic is another one than at the assignment before: its offsets mean other records.
        is_another_topic: bool,
    },
    /// The partitions are about to be given away: wait for acknowledgements, commit, then [`Source::released`].
    Release,
    /// The partitions are gone: nothing of them may be committed.
    Lost,
    /// These positions are committed.
    Committed(Vec<Position>),
    /// Whether the group's coordinator answers; told when that changes.
    Reached(bool),
    /// The commit was not taken; the offsets stay to be committed.
    CommitRefused {
        /// The coordinator refused it, or did not answer; else there is nothing to commit for any more.
        by_coordinator: bool,
    },
    /// Membership is held up, or goes on again: what it is, and a text for the operator.
    Trouble(TroubleKind, String),
}

/// What was read.
#[derive(Debug)]
pub enum Fetched {
    /// Records to handle.
    Chunk(Chunk),
    /// A partition has no more, as of some time.
    End(ReadToEnd),
    /// Offsets that the log does not hold any more, or not yet again.
    Gap(Gap),
    /// Reading is held up, or goes on again: a text for the operator.
    Trouble(String),
}

/// A partition has no more; told now and then while that is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadToEnd {
    /// The assignment that it was read for.
    pub assignment: u64,
    /// The partition.
    pub partition: i32,
    /// What was in the log by then, in microseconds since 1970, was handed on.
    pub as_of: i64,
}

/// Offsets that the log does not hold any more, or not yet again: it was deleted, cut, or made anew.
#[derive(Debug)]
pub struct Gap {
    /// The assignment that it was read for.
    pub assignment: u64,
    /// The partition.
    pub partition: i32,
    /// The offset that was to be read.
    pub wanted: i64,
    /// Where reading goes on.
    pub found: i64,
    /// The partition's end at this moment.
    pub end_offset: i64,
}

/// Where records come from.
pub trait Source {
    /// Why the source ended for good.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Waits for the next event; what was fetched only where there is `room` for it. Dropping the future loses no
    /// event.
    fn next(&mut self, room: bool) -> impl Future<Output = Result<Event, Self::Error>> + Send;

    /// Asks for a commit of partitions of this `assignment`. The answer is an event; it is a refusal where the
    /// assignment is over.
    fn commit(&mut self, assignment: u64, positions: Vec<Position>) -> impl Future<Output = ()> + Send;

    /// Asks to read the partitions of this `assignment` again from what is committed. They come as a new assignment.
    fn rewind(&mut self, assignment: u64) -> impl Future<Output = ()> + Send;

    /// Says that what was read of this `assignment` is acknowledged, so that its partitions can be given away.
    fn released(&mut self, assignment: u64) -> impl Future<Output = ()> + Send;
}
