//! What the broker holds: topics with their logs, groups, and who waits for new records.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::buffers::Buffers;
use super::flush::{Flush, Shared};
use super::folder::{Entry, Folder, OffsetsFile, Partition, TopicMeta};
use super::groups::Groups;
use super::log::{LogLimits, PartitionLog};
use super::notice::{Notice, Notices};
use super::{BrokerError, Entrance, Traffic};
use crate::address::Endpoint;

/// The broker's id in its cluster of one.
pub(super) const NODE_ID: i32 = 1;

/// Everything that connections share.
pub(super) struct State {
    /// Where clients are told to come.
    pub(super) advertised: Endpoint,
    pub(super) cluster_id: String,
    pub(super) groups: Groups,
    pub(super) topics: Arc<Topics>,
    /// Counts appends and deletions, so that a fetch that waits can look again.
    pub(super) appends: watch::Sender<u64>,
    /// What responses with records are made in.
    pub(super) buffers: Buffers,
    pub(super) notices: Notices,
    pub(super) entrance: Entrance,
    pub(super) traffic: Arc<Traffic>,
    next_producer_id: AtomicI64,
}

impl State {
    pub(super) fn new(
        folder: Folder,
        flush: Flush,
        advertised: Endpoint,
        entrance: Entrance,
        notices: Notices,
    ) -> Result<Self, BrokerError> {
        let cluster_id = folder.cluster_id.clone();
        let topics = Arc::new(Topics::open(folder, flush)?);
        let count = topics.offsets().set_back;
        if count > 0 {
            notices.tell(Notice::SetBack(count));
        }
        // Ids of an earlier run must not come again: its sequences are in the logs.
        let begun = chrono::Utc::now().timestamp_millis();
        Ok(Self {
            advertised,
            cluster_id,
            groups: Groups::new(topics.clone()),
            topics,
            appends: watch::channel(0).0,
            buffers: Buffers::default(),
            notices,
            entrance,
            traffic: Arc::default(),
            next_producer_id: AtomicI64::new(begun),
        })
    }

    /// Has every fetch that waits look again.
    pub(super) fn wake_fetches(&self) {
        self.appends.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn new_producer_id(&self) -> i64 {
        self.next_producer_id.fetch_add(1, Ordering::Relaxed)
    }
}

/// One topic and the logs of its partitions.
pub(super) struct Topic {
    /// As it was when it was made, or opened.
    pub(super) meta: TopicMeta,
    /// Those of today.
    settings: Mutex<BTreeMap<String, String>>,
    /// When it was made; `None` where that was before this start.
    made: Option<Instant>,
    logs: Vec<Arc<Shared<PartitionLog>>>,
}

impl Topic {
    fn open(folder: &Folder, meta: TopicMeta, made: Option<Instant>, flush: Flush) -> Result<Self, BrokerError> {
        let max_batch_bytes = max_batch_bytes(&meta.settings);
        let limits = LogLimits { shows_unsynced: flush != Flush::BeforeAck, max_batch_bytes, ..LogLimits::default() };
        let logs = folder.open_logs(&meta, limits)?.into_iter().map(Shared::new).collect();
        let settings = Mutex::new(meta.settings.clone());
        Ok(Self { meta, settings, made, logs })
    }

    /// Its settings, by Kafka's names; without those that nobody gave.
    pub(super) fn settings(&self) -> BTreeMap<String, String> {
        lock(&self.settings).clone()
    }

    /// The log of a partition, for the moment that it is held. None of a topic that was deleted meanwhile.
    pub(super) fn log(&self, partition: i32) -> Option<MutexGuard<'_, PartitionLog>> {
        self.shared(partition).map(|log| log.lock()).filter(|log| !log.is_closed())
    }

    fn shared(&self, partition: i32) -> Option<&Arc<Shared<PartitionLog>>> {
        self.logs.get(usize::try_from(partition).ok()?)
    }

    fn partition(&self, partition: i32) -> Option<Partition> {
        let log = self.log(partition)?;
        let (start_offset, end_offset) = (log.start_offset(), log.end_offset());
        Some(Partition { topic_id: self.meta.id, start_offset, end_offset, made: self.made })
    }

    /// By which time and size old records go.
    fn retention(&self) -> (Option<i64>, Option<u64>) {
        let settings = self.settings();
        let setting = |name: &str| settings.get(name).and_then(|value| value.parse::<i64>().ok());
        let ms = setting("retention.ms").unwrap_or(DEFAULT_RETENTION_MS);
        let bytes = setting("retention.bytes").and_then(|bytes| u64::try_from(bytes).ok());
        ((ms >= 0).then_some(ms), bytes)
    }
}

fn max_batch_bytes(settings: &BTreeMap<String, String>) -> usize {
    let given = settings.get("max.message.bytes").and_then(|value| value.parse().ok());
    given.unwrap_or(LogLimits::default().max_batch_bytes)
}

/// A week, as Kafka's own default.
pub(super) const DEFAULT_RETENTION_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// All topics, by name, and what groups have committed of them.
pub(super) struct Topics {
    folder: Mutex<Folder>,
    by_name: Mutex<BTreeMap<String, Arc<Topic>>>,
    /// Of topics that are there, and no others.
    offsets: Arc<Shared<OffsetsFile>>,
    /// When what was written is brought to the disk.
    pub(super) flush: Flush,
}

impl Topics {
    pub(super) fn open(folder: Folder, flush: Flush) -> Result<Self, BrokerError> {
        let mut topics = BTreeMap::new();
        for meta in folder.topics.values() {
            topics.insert(meta.name.clone(), Arc::new(Topic::open(&folder, meta.clone(), None, flush)?));
        }
        let offsets = folder.open_offsets(|name, partition| topics.get(name)?.partition(partition))?;
        Ok(Self { folder: Mutex::new(folder), by_name: Mutex::new(topics), offsets: Shared::new(offsets), flush })
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<Topic>> {
        lock(&self.by_name).get(name).cloned()
    }

    pub(super) fn find_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        lock(&self.by_name).values().find(|topic| topic.meta.id == id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Topic>> {
        lock(&self.by_name).values().cloned().collect()
    }

    pub(super) fn partition(&self, topic: &str, partition: i32) -> Option<Partition> {
        self.find(topic)?.partition(partition)
    }

    pub(super) fn create(
        &self,
        name: &str,
        partitions: i32,
        settings: BTreeMap<String, String>,
    ) -> Result<Arc<Topic>, BrokerError> {
        let mut folder = lock(&self.folder);
        let meta = folder.create_topic(name, partitions, settings)?;
        let opened = Topic::open(&folder, meta, Some(Instant::now()), self.flush).inspect_err(|_| {
            // Half a topic is none; the error is what is told.
            let _ = folder.delete_topic(name).and_then(|()| folder.clear(name));
        });
        let topic = Arc::new(opened?);
        lock(&self.by_name).insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    /// Gives a topic other settings. No other one gets its name meanwhile: that needs the folder.
    pub(super) fn change(&self, name: &str, settings: &BTreeMap<String, String>) -> Result<(), BrokerError> {
        let mut folder = lock(&self.folder);
        folder.change_topic(name, settings.clone())?;
        if let Some(topic) = self.find(name) {
            topic.logs.iter().for_each(|log| log.lock().set_max_batch_bytes(max_batch_bytes(settings)));
            lock(&topic.settings).clone_from(settings);
        }
        Ok(())
    }

    /// Deletes a topic with everything that belongs to it. No other one gets its name meanwhile: that needs the folder.
    pub(super) fn delete(&self, name: &str) -> Result<(), BrokerError> {
        let mut folder = lock(&self.folder);
        folder.delete_topic(name)?;
        let deleted = lock(&self.by_name).remove(name);
        if let Some(topic) = deleted {
            topic.logs.iter().for_each(|log| log.lock().close());
            self.offsets().forget(topic.meta.id);
        }
        Ok(folder.clear(name)?)
    }

    pub(super) fn offsets(&self) -> MutexGuard<'_, OffsetsFile> {
        self.offsets.lock()
    }

    /// Keeps offsets of a group, but for those of topics that were deleted meanwhile.
    pub(super) fn put_offsets(&self, group: &str, entries: &[Entry]) -> io::Result<()> {
        let mut offsets = self.offsets();
        let mut present = entries.to_vec();
        present.retain(|entry| self.find(&entry.topic).is_some_and(|topic| topic.meta.id == entry.committed.topic_id));
        offsets.put(group, &present)
    }

    /// Waits until the records of a partition before `end` may be acknowledged.
    pub(super) async fn records_kept(&self, topic: &Topic, partition: i32, end: i64) -> io::Result<()> {
        match topic.shared(partition) {
            Some(log) if self.flush == Flush::BeforeAck => log.flushed(end).await,
            _ => Ok(()),
        }
    }

    /// Waits until what was committed may be acknowledged.
    pub(super) async fn offsets_kept(&self) -> io::Result<()> {
        if self.flush == Flush::BeforeAck { self.offsets.flush().await.map(drop) } else { Ok(()) }
    }

    /// Brings everything to the disk: whether there was any, and what the disk refuses.
    pub(super) async fn flush_all(&self) -> (bool, Vec<Notice>) {
        let (mut was_any, mut refused) = (false, Vec::new());
        for topic in self.all() {
            for (partition, log) in topic.logs.iter().enumerate() {
                match log.flush().await {
                    Ok(had_to) => was_any |= had_to,
                    Err(error) => {
                        let what = format!("partition {partition} of the topic '{}'", topic.meta.name);
                        refused.push(Notice::Disk { what, why: error.to_string() });
                    }
                }
            }
        }
        match self.offsets.flush().await {
            Ok(had_to) => was_any |= had_to,
            Err(error) => {
                refused.push(Notice::Disk { what: "the committed offsets".to_owned(), why: error.to_string() });
            }
        }
        (was_any, refused)
    }

    /// Drops what is older or more than its topic keeps.
    pub(super) fn retain(&self) {
        let now = chrono::Utc::now().timestamp_millis();
        for topic in self.all() {
            let (ms, bytes) = topic.retention();
            for log in &topic.logs {
                // The next turn tries again.
                let _ = log.lock().retain(now, ms, bytes);
            }
        }
    }
}

/// What a panic left behind is no worse than what it found: every change is made of steps that hold by themselves, and
/// what is on the disk is checked when it is opened again.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
