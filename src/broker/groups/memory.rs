//! Committed offsets in memory, for tests.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;
use uuid::Uuid;

use super::offsets::{Committed, Entry, Offsets, Partition};

/// By group, topic and partition.
type Kept = BTreeMap<(String, String, i32), Committed>;

/// Every topic but `missing` exists, with three partitions of a hundred records.
#[derive(Debug, Default)]
pub(crate) struct MemoryOffsets {
    kept: Mutex<Kept>,
    /// Whether the disk is full.
    pub(crate) is_full: AtomicBool,
    /// When the topics were made.
    pub(crate) made: Mutex<Option<Instant>>,
}

impl MemoryOffsets {
    fn of<T>(&self, read: impl FnOnce(&mut Kept) -> T) -> T {
        read(&mut self.kept.lock().unwrap())
    }
}

impl Offsets for MemoryOffsets {
    fn put(&self, group: &str, entries: &[Entry]) -> io::Result<()> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let keyed = |entry: &Entry| ((group.to_owned(), entry.topic.clone(), entry.partition), entry.committed.clone());
        self.of(|kept| kept.extend(entries.iter().map(keyed)));
        Ok(())
    }

    fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        self.of(|kept| kept.get(&(group.to_owned(), topic.to_owned(), partition)).cloned())
    }

    fn all(&self, group: &str) -> Vec<Entry> {
        self.of(|kept| {
            let of_group = kept.iter().filter(|((of, _, _), _)| of == group);
            let entry = |((_, topic, partition), committed): (&(String, String, i32), &Committed)| Entry {
                topic: topic.clone(),
                topic_id: Uuid::nil(),
                partition: *partition,
                committed: committed.clone(),
            };
            of_group.map(entry).collect()
        })
    }

    fn remove(&self, group: &str, partitions: &[(String, i32)]) -> io::Result<()> {
        self.of(|kept| {
            for (topic, partition) in partitions {
                kept.remove(&(group.to_owned(), topic.clone(), *partition));
            }
        });
        Ok(())
    }

    fn groups(&self) -> Vec<String> {
        self.of(|kept| {
            let mut groups: Vec<_> = kept.keys().map(|(group, _, _)| group.clone()).collect();
            groups.dedup();
            groups
        })
    }

    fn partition(&self, topic: &str, partition: i32) -> Option<Partition> {
        let made = *self.made.lock().unwrap();
        let exists = topic != "missing" && (0..3).contains(&partition);
        exists.then_some(Partition { topic_id: Uuid::nil(), end_offset: 100, made })
    }
}
