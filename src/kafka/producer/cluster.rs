//! What the producer needs of a cluster: our own connections have it, rskafka, and a double in tests.

use std::time::Duration;

use super::shape::Sizes;
use crate::record::Record;

/// Gives links to a topic.
pub trait Cluster: Send + Sync {
    /// What is given.
    type Link: Link;

    /// The brokers, for messages to the user.
    fn name(&self) -> String;

    /// Makes contact and looks `topic` up. The caller limits the time.
    fn connect(&self, topic: &str) -> impl Future<Output = Result<Self::Link, Failure>> + Send;
}

/// A link to one topic. It is dropped after the first failure.
pub trait Link: Send + Sync {
    /// How many partitions the topic has.
    fn partitions(&self) -> i32;

    /// How large a request may be.
    fn sizes(&self) -> Sizes {
        Sizes::ANY
    }

    /// Writes `records` to a partition. `Ok` means that all in-sync replicas have them; after an error any of them
    /// may be in the log. The caller limits the time.
    fn produce(&self, partition: i32, records: Vec<Record>) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may go better the next time.
    Transient(String),
    /// The broker cannot write to its disk: it may get over that.
    Storage,
    /// Nothing came back within this time.
    Silent(Duration),
    /// The topic does not exist.
    NoTopic,
    /// It will not go better.
    Refused(String),
}

impl Failure {
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_) | Self::Storage | Self::Silent(_))
    }
}
