//! Topics that a consumer writes to, beside the one that it reads: dead letters, and alarms.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::{Mutex, MutexGuard};

use super::admin::{self, TopicSpec};
use super::append::{append_batch, append_batches};
use super::cluster::{Cluster, Leaders, NodeId};
use super::config::KafkaConfig;
use super::connection::REQUEST_LIMIT;
use super::error::KafkaError;
use super::topic_settings::{self, Taking};

/// The protocol's way to ask for the broker's own default.
pub(super) const BROKER_DEFAULT_REPLICATION: i16 = -1;

/// A connection to a topic.
#[derive(Debug)]
pub(super) struct TopicWriter {
    pub(super) topic: String,
    pub(super) cluster: Cluster,
    leaders: Leaders,
}

/// What is written with by whoever has taken it. It is dropped after any trouble, and opened anew.
#[derive(Debug)]
pub(super) struct Reopened<W>(Mutex<Option<W>>);

/// A writer that was taken. Nobody else has it until this is dropped.
pub(super) struct Taken<'a, W> {
    slot: MutexGuard<'a, Option<W>>,
    pub(super) writer: W,
}

impl TopicWriter {
    /// Connects. A topic that is missing is made by the spec for the partitions that `source` has, and for the largest
    /// batch that it takes, where the brokers tell.
    pub(super) async fn open(
        kafka: &KafkaConfig,
        topic: String,
        source: &str,
        spec: impl FnOnce(i32, Option<usize>) -> TopicSpec + Send,
    ) -> Result<Self, KafkaError> {
        let mut cluster = Cluster::connect(kafka).await?;
        let leaders = match cluster.leaders(&topic).await {
            // A topic of readings that was made without `vitals init` has none beside it yet.
            Err(KafkaError::NoTopic { .. }) => {
                let partitions = cluster.leaders(source).await?.count();
                let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
                let Taking { max_bytes, .. } = topic_settings::taking(&mut cluster, source).await?;
                admin::create(&mut cluster, &spec(partitions, max_bytes)).await?;
                cluster.leaders(&topic).await?
            }
            found => found?,
        };
        Ok(Self { topic, cluster, leaders })
    }

    /// How many partitions the topic has: one at least.
    pub(super) fn partitions(&self) -> i32 {
        i32::try_from(self.leaders.count()).unwrap_or(i32::MAX).max(1)
    }

    /// Appends a batch. `Ok` means that all in-sync replicas have it; `what` says what is refused where it is.
    pub(super) async fn append(&mut self, partition: i32, batch: Bytes, what: &str) -> Result<(), KafkaError> {
        let leader = self.cluster.leader(&self.leaders, partition, what).await?;
        append_batch(leader, &self.topic, partition, batch, what, REQUEST_LIMIT).await
    }

    /// Appends a batch to each of several partitions, in one request to each leader. `Ok` means that all in-sync replicas
    /// have all of them; after an error any of them may be there.
    pub(super) async fn append_each(&mut self, batches: BTreeMap<i32, Bytes>, what: &str) -> Result<(), KafkaError> {
        let mut by_leader: BTreeMap<NodeId, Vec<(i32, Bytes)>> = BTreeMap::new();
        for (partition, batch) in batches {
            let leader = self.leaders.of(partition);
            let leader = leader.ok_or_else(|| KafkaError::refused(what, ResponseError::LeaderNotAvailable))?;
            by_leader.entry(leader).or_default().push((partition, batch));
        }
        for (leader, batches) in by_leader {
            let leader = self.cluster.node(leader).await?;
            append_batches(leader, &self.topic, batches, what, REQUEST_LIMIT).await?;
        }
        Ok(())
    }
}

impl<W> Reopened<W> {
    pub(super) fn closed() -> Self {
        Self(Mutex::new(None))
    }

    /// The writer that is open, else what `open` gives.
    pub(super) async fn take<E>(&self, open: impl Future<Output = Result<W, E>> + Send) -> Result<Taken<'_, W>, E> {
        let mut slot = self.0.lock().await;
        let writer = match slot.take() {
            Some(writer) => writer,
            None => open.await?,
        };
        Ok(Taken { slot, writer })
    }
}

impl<W> Taken<'_, W> {
    /// There was no trouble: it stays open.
    pub(super) fn put_back(mut self) {
        *self.slot = Some(self.writer);
    }
}
