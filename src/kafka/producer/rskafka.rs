//! The cluster by way of rskafka: the load of `bench` and `demo`, so that what they show and measure is not our own code
//! at both ends. It drops nothing by itself, has no time limits, and sends nothing compressed here.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use futures::future::select_ok;
use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError, RequestError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use tokio::sync::OnceCell;

use super::cluster::{Cluster, Failure, Link};
use super::shape::Sizes;
use crate::kafka::config::KafkaConfig;
use crate::record::Record;

/// The longest answer that rskafka takes. It makes room for so much when a longer one is only announced, 100 MB by
/// itself; the metadata of a large cluster is a few.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

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

    async fn connect(&self, topic: &str) -> Result<RskafkaLink, Failure> {
        let client = self.client().await?;
        let topics = client.list_topics().await.map_err(|error| classify(&error))?;
        let found = topics.into_iter().find(|found| found.name == topic).ok_or(Failure::NoTopic)?;
        let partitions = found.partitions.into_iter().map(|partition| (partition, OnceCell::new())).collect();
        Ok(RskafkaLink { client, topic: topic.to_owned(), partitions })
    }
}

impl Rskafka {
    /// rskafka asks its bootstrap brokers one after the other, without a time limit: a silent one would hide the
    /// others. So all are asked at once, and the first that answers is taken.
    async fn client(&self) -> Result<Client, Failure> {
        if self.config.brokers.is_empty() {
            return Err(Failure::Refused("no broker is named".to_owned()));
        }
        let contacts = self.config.brokers.iter().map(|broker| {
            let builder = ClientBuilder::new(vec![broker.clone()]).client_id("vitals").backoff_config(backoff());
            Box::pin(builder.max_message_size(MAX_ANSWER_BYTES).build())
        });
        select_ok(contacts).await.map(|(client, _)| client).map_err(|error| classify(&error))
    }
}

/// A link by way of rskafka. Each partition has a connection of its own, made when it is first used.
pub struct RskafkaLink {
    client: Client,
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

    fn sizes(&self) -> Sizes {
        Sizes::WITHOUT_STALLS
    }

    async fn produce(&self, partition: i32, records: Vec<Record>) -> Result<(), Failure> {
        let cell = self.partitions.get(&partition).ok_or(Failure::NoTopic)?;
        let open = || self.client.partition_client(self.topic.as_str(), partition, UnknownTopicHandling::Retry);
        let client = cell.get_or_try_init(open).await.map_err(|error| classify(&error))?;
        client
            .produce(records.into_iter().map(foreign).collect(), Compression::NoCompression)
            .await
            .map_err(|error| classify(&error))?;
        Ok(())
    }
}

fn foreign(record: Record) -> rskafka::record::Record {
    rskafka::record::Record {
        key: record.key.map(Into::into),
        value: record.value.map(Into::into),
        headers: BTreeMap::new(),
        timestamp: DateTime::from_timestamp_millis(record.timestamp_ms).unwrap_or_default(),
    }
}

fn classify(error: &Error) -> Failure {
    match error {
        Error::ServerError { protocol_error: ProtocolError::KafkaStorageError, .. } => Failure::Storage,
        Error::ServerError { protocol_error, .. } if is_passing(*protocol_error) => {
            Failure::Transient(protocol_error.to_string())
        }
        Error::ServerError { protocol_error, .. } => Failure::Refused(protocol_error.to_string()),
        Error::Request(RequestError::NoVersionMatch { .. }) => Failure::Refused(error.to_string()),
        _ => Failure::Transient(last_cause(&error.to_string())),
    }
}

/// rskafka prints every layer's retry in front of the cause, and shows its error types in no other way.
fn last_cause(text: &str) -> String {
    text.rsplit("Source: ").next().unwrap_or(text).to_owned()
}

/// Whether the cluster can be expected to get over it by itself.
fn is_passing(error: ProtocolError) -> bool {
    matches!(
        error,
        ProtocolError::UnknownServerError
            | ProtocolError::UnknownTopicOrPartition
            | ProtocolError::CorruptMessage
            | ProtocolError::LeaderNotAvailable
            | ProtocolError::NotLeaderOrFollower
            | ProtocolError::RequestTimedOut
            | ProtocolError::BrokerNotAvailable
            | ProtocolError::ReplicaNotAvailable
            | ProtocolError::NetworkException
            | ProtocolError::NotEnoughReplicas
            | ProtocolError::NotEnoughReplicasAfterAppend
            | ProtocolError::FencedLeaderEpoch
            | ProtocolError::UnknownLeaderEpoch
            | ProtocolError::StaleBrokerEpoch
            | ProtocolError::ListenerNotFound
    )
}
