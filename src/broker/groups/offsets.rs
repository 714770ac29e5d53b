//! Where committed offsets are kept, as the coordinator needs it.

use std::io;

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
    /// The partition.
    pub partition: i32,
    /// What was committed.
    pub committed: Committed,
}

/// Keeps committed offsets. Its methods may block for as long as a write to disk takes.
pub trait Offsets: Send + Sync {
    /// Keeps these offsets of a group, all of them or none; when it returns, they outlive a crash.
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

    /// Whether there is such a partition.
    fn partition_exists(&self, topic: &str, partition: i32) -> bool;
}
