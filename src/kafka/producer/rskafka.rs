//! The cluster by way of rskafka: the load of `bench` and `demo`, so that what they show and measure is not our own code
//! at both ends. It has no time limits, and sends nothing compressed here.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use futures::future::select_ok;
use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use tokio::sync::OnceCell;

use super::{Cluster, Link};
use crate::kafka::config::KafkaConfig;
use crate::kafka::error::KafkaError;
use crate::record::Record;

/// The longest answer that rskafka takes. It makes room for so much when a longer one is only announced, 100 MB by
/// itself; the metadata of a large cluster is a few.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// A request of this size or less leaves rskafka in one write, the protocol's own bytes included. It does not set
/// `TCP_NODELAY`, and the second write waits for the acknowledgement of the first (Nagle against delayed
/// acknowledgements: 40 ms), unless it fills a whole segment, which on loopback has 64 KiB.
const SMALL_BYTES: usize = 7 * 1024;
/// From this size on a request does not wait either.
const LARGE_BYTES: usize = 68 * 1024;

/// A cluster by way of rskafka.
#[derive(Debug, Clone)]
pub struct Rskafka {
    config: KafkaConfig,
}

impl Rskafka {
    /// The cluster that `config` leads to.
    pub fn new(config: impl Into<KafkaConfig>) -> Self {
        Self { config: config.into() }
    }

    /// rskafka asks its bootstrap brokers one after the other, without a time limit: a silent one would hide the
    /// others. So all are asked at once, and the first that answers is taken.
    async fn client(&self) -> Result<Client, KafkaError> {
        let contacts = self.config.brokers.iter().map(|broker| {
            let builder = ClientBuilder::new(vec![broker.clone()]).client_id("vitals").backoff_config(backoff());
            Box::pin(builder.max_message_size(MAX_ANSWER_BYTES).build())
        });
        select_ok(contacts).await.map(|(client, _)| client).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &Error) -> KafkaError {
        failed(&self.name(), error)
    }
}

/// rskafka's own tries within one call. Its default grows to 500 s; it is the producer that goes on for longer.
fn backoff() -> BackoffConfig {
    BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 2.0,
        deadline: Some(Duration::from_secs(2)),
    }
}

impl Cluster for Rskafka {
    type Link = RskafkaLink;

    fn name(&self) -> String {
        self.config.name()
    }

    async fn connect(&self, topic: &str) -> Result<RskafkaLink, KafkaError> {
        let client = self.client().await?;
        let topics = client.list_topics().await.map_err(|error| self.failed(&error))?;
        let found = topics.into_iter().find(|found| found.name == topic);
        let found = found.ok_or_else(|| KafkaError::NoTopic { topic: topic.to_owned() })?;
        let partitions = found.partitions.into_iter().map(|partition| (partition, OnceCell::new())).collect();
        Ok(RskafkaLink { client, brokers: self.name(), topic: topic.to_owned(), partitions })
    }
}

/// A link by way of rskafka. Each partition has a connection of its own, made when it is first used.
pub struct RskafkaLink {
    client: Client,
    brokers: String,
    topic: String,
    partitions: BTreeMap<i32, OnceCell<PartitionClient>>,
}

/// rskafka's own output would show a password.
impl std::fmt::Debug for RskafkaLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RskafkaLink").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Link for RskafkaLink {
    fn partitions(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    async fn produce(&self, partition: i32, mut records: Vec<Record>) -> Result<(), KafkaError> {
        let cell = self.partitions.get(&partition).ok_or_else(|| KafkaError::NoTopic { topic: self.topic.clone() })?;
        let open = || self.client.partition_client(self.topic.as_str(), partition, UnknownTopicHandling::Retry);
        let client = cell.get_or_try_init(open).await.map_err(|error| failed(&self.brokers, &error))?;
        while !records.is_empty() {
            let rest = records.split_off(without_stall(&records));
            let sent = client.produce(records.into_iter().map(foreign).collect(), Compression::NoCompression).await;
            sent.map_err(|error| failed(&self.brokers, &error))?;
            records = rest;
        }
        Ok(())
    }
}

/// How many of the records go into the next request: all where that is small or large, else what is small.
fn without_stall(records: &[Record]) -> usize {
    let total: usize = records.iter().map(Record::size_bytes).sum();
    if total >= LARGE_BYTES {
        return records.len();
    }
    let sizes = records.iter().scan(0, |total, record| {
        *total += record.size_bytes();
        Some(*total)
    });
    sizes.take_while(|total| *total <= SMALL_BYTES).count().max(1)
}

fn foreign(record: Record) -> rskafka::record::Record {
    rskafka::record::Record {
        key: record.key.map(Into::into),
        value: record.value.map(Into::into),
        headers: BTreeMap::new(),
        timestamp: DateTime::from_timestamp_millis(record.timestamp_ms).unwrap_or_default(),
    }
}

/// rskafka has tried again by itself, and prints every layer's retry in front of the cause. Its error types show it in
/// no other way.
fn failed(brokers: &str, error: &Error) -> KafkaError {
    let text = error.to_string();
    let reason = text.rsplit("Source: ").next().unwrap_or(&text).to_owned();
    match error {
        Error::ServerError { protocol_error: ProtocolError::MessageTooLarge, .. } => {
            KafkaError::refused("messages", kafka_protocol::ResponseError::MessageTooLarge)
        }
        _ => KafkaError::Unreachable { brokers: brokers.to_owned(), reason },
    }
}
