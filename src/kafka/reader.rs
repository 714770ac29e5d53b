//! Reads a topic without a group: nothing is joined and nothing committed, so nobody notices.

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::cluster::{Cluster, Topic};
use super::error::KafkaError;
use super::fetch::Fetcher;
use super::offsets::{self, Place};
use crate::pipeline::source::{Assigned, Event};

/// Chunks that wait for whoever reads; as for a member of a group, this bounds what is read ahead.
const CHANNEL_CHUNKS: usize = 2;

/// Nothing is ever assigned anew, so one number marks everything that is read.
const ASSIGNMENT: u64 = 0;

/// A reader of all partitions that a topic had when it was opened.
#[derive(Debug)]
pub struct Reader {
    partitions: Vec<Assigned>,
    events: mpsc::Receiver<Event>,
    fetcher: JoinSet<()>,
}

impl Reader {
    /// Makes first contact, and begins to read every partition of `topic` at `from`. A partition that has no leader at
    /// this moment is read from its first record once it has one.
    ///
    /// # Errors
    /// Kafka cannot be reached within [`FIRST_CONTACT_LIMIT`](super::cluster::FIRST_CONTACT_LIMIT), or the topic does
    /// not exist.
    pub async fn open(seeds: &[String], topic: &str, from: Place) -> Result<Self, KafkaError> {
        let mut cluster = Cluster::connect(seeds).await?;
        let Topic { id, leaders } = cluster.topic(topic).await?;
        let starts = offsets::find(&mut cluster, topic, &leaders, from).await?;
        let ends = offsets::find(&mut cluster, topic, &leaders, Place::Latest).await?;
        let of = |offsets: &[(i32, i64)], partition| {
            offsets.iter().find(|(of, _)| *of == partition).map_or(0, |(_, offset)| *offset)
        };
        let assigned = |(partition, _): &(i32, Option<i32>)| Assigned {
            partition: *partition,
            start_offset: of(&starts, *partition),
            end_offset: of(&ends, *partition),
        };
        let partitions: Vec<_> = leaders.0.iter().map(assigned).collect();
        let (read, events) = mpsc::channel(CHANNEL_CHUNKS);
        let fetching = Fetcher {
            seeds: seeds.to_vec(),
            topic: topic.to_owned(),
            assignment: ASSIGNMENT,
            events: read,
            positions: Fetcher::positions(&partitions),
            topic_id: id,
        };
        let mut fetcher = JoinSet::new();
        fetcher.spawn(fetching.run());
        Ok(Self { partitions, events, fetcher })
    }

    /// The partitions, each with its place to begin from and its end when this was opened.
    #[must_use]
    pub fn partitions(&self) -> &[Assigned] {
        &self.partitions
    }

    /// Waits for the next chunk, gap or trouble. Brokers that go away are waited for without end; a topic without
    /// partitions gives nothing. Dropping the future loses no event.
    pub async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => match self.fetcher.join_next().await {
                Some(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                _ => std::future::pending().await,
            },
        }
    }
}
