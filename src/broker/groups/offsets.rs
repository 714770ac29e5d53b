//! Where committed offsets are kept, as the coordinator needs it.

use std::io;

use tokio::time::Instant;
use uuid::Uuid;

/// An offset that a group committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The offset to read on from.
    pub offset: i64,
    /// What the member wrote beside it; mostly empty.
    pub metadata: String,
    /// The leader epoch that the member had seen; -1 where it is not kept.
    pub leader_epoch: i32,
}

/// A committed offset and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The topic.
    pub topic: String,
    /// Its id: another one for every topic, also of the same name.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// What was committed.
    pub committed: Committed,
}

/// A partition, as far as a commit has to fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its topic's id.
    pub topic_id: Uuid,
    /// Behind its last record.
    pub end_offset: i64,
    /// When its topic was made; `None` where that was before the groups came together.
    pub made: Option<Instant>,
}

/// Keeps committed offsets. Its methods may block for as long as a write to disk takes.
pub trait Offsets: Send + Sync {
    /// Keeps these offsets of a group, all of them or none, but for those of topics that were deleted meanwhile. When it
    /// returns, they outlive this process.
    ///
    /// # Errors
    /// They cannot be written.
    fn put(&self, group: &str, entries: &[Entry]) -> io::Result<()>;

    /// What a group committed for a partition.
    fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed>;

    /// Everything that a group committed.
    fn all(&self, group: &str) -> Vec<Entry>;

    /// Forgets what a group committed for these partitions (topic, partition), as durably as [`put`](Self::put) keeps it.
    ///
    /// # Errors
    /// It cannot be written.
    fn remove(&self, group: &str, partitions: &[(String, i32)]) -> io::Result<()>;

    /// Every group that has committed anything.
    fn groups(&self) -> Vec<String>;

    /// The partition, where there is one.
    fn partition(&self, topic: &str, partition: i32) -> Option<Partition>;
}
