//! What comes into a topic, read from outside of any group: nobody's offsets change.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::cluster::Cluster;
use super::config::KafkaConfig;
use super::error::KafkaError;
use super::fetch::{Ended, Fetcher};
use crate::pipeline::source::Fetched;

/// Chunks that wait to be shown. With the one in the hands of the fetcher, this bounds what is read ahead.
const CHANNEL_CHUNKS: usize = 2;

/// The records of a topic from some offsets on, as they come.
#[derive(Debug)]
pub struct Live {
    events: mpsc::Receiver<Fetched>,
    fetcher: JoinSet<Ended>,
}

impl Live {
    /// Begins at `positions`: by partition, the offset to read first.
    pub async fn begin(
        cluster: &mut Cluster,
        kafka: impl Into<KafkaConfig>,
        topic: &str,
        positions: BTreeMap<i32, i64>,
    ) -> Result<Self, KafkaError> {
        let topic_id = cluster.topic_id(topic).await?;
        let (sender, events) = mpsc::channel(CHANNEL_CHUNKS);
        let fetcher = Fetcher {
            kafka: kafka.into(),
            topic: topic.to_owned(),
            assignment: 0,
            events: sender,
            positions,
            topic_id,
            reads_on: true,
        };
        let mut running = JoinSet::new();
        running.spawn(fetcher.run());
        Ok(Self { events, fetcher: running })
    }

    /// Waits for the next chunk, gap or trouble; `None` never comes, but for a topic without partitions. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<Fetched> {
        match self.events.recv().await {
            Some(event) => Some(event),
            // A panic in the fetcher must not pass for a topic without partitions.
            None => match self.fetcher.join_next().await {
                Some(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                _ => None,
            },
        }
    }
}
