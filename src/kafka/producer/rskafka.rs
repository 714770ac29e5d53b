//! The cluster by way of rskafka: the load of `bench` and `demo`, so that what they show and measure is not our own code
//! at both ends. It has no time limits, and sends nothing compressed here.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use futures::future::select_ok;
use kafka_protocol::ResponseError;
use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError, RequestError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use tokio::sync::OnceCell;

use super::{Cluster, Link};
use crate::kafka::cluster::Cluster as Brokers;
use crate::kafka::config::{Access, KafkaConfig};
use crate::kafka::error::KafkaError;
use crate::kafka::login::{Login, Mechanism};
use crate::record::Record;

/// The longest answer that rskafka takes. It makes room for so much when a longer one is only announced, 100 MB by
/// itself; the metadata of a large cluster is a few.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// rskafka does not set `TCP_NODELAY`, and a frame larger than its buffer of 8 KiB leaves in two writes. The second one
/// waits for the acknowledgement of the first (Nagle against delayed acknowledgements: 40 ms), unless it fills a whole
/// segment, which on loopback has 64 KiB. So a request has fewer bytes of records, or more.
const STALLING_BYTES: std::ops::Range<usize> = 7 * 1024..68 * 1024;

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
        if self.config.brokers.is_empty() {
            let reason = "no broker is named".to_owned();
            return Err(KafkaError::Unreachable { brokers: self.name(), reason });
        }
        let Access { tls, login } = &self.config.access;
        if tls.is_some() || login.is_some() {
            // rskafka tries a refusal again until its time is over, and hides why: whoever is refused hears it from here.
            Brokers::connect(&self.config).await?;
        }
        let contacts = self.config.brokers.iter().map(|broker| {
            let mut builder = ClientBuilder::new(vec![broker.clone()]).client_id("vitals").backoff_config(backoff());
            if let Some(tls) = tls {
                builder = builder.tls_config(tls.config());
            }
            if let Some(login) = login {
                builder = builder.sasl_config(sasl_config(login));
            }
            Box::pin(builder.max_message_size(MAX_ANSWER_BYTES).build())
        });
        select_ok(contacts).await.map(|(client, _)| client).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &Error) -> KafkaError {
        failed(&self.name(), error)
    }
}

/// Its own output shows the password: it is printed nowhere.
fn sasl_config(login: &Login) -> SaslConfig {
    let credentials = Credentials::new(login.user.clone(), login.password.reveal().to_owned());
    match login.mechanism {
        Mechanism::Plain => SaslConfig::Plain(credentials),
        Mechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
        Mechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
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

    fn stalls(&self, bytes: usize) -> bool {
        STALLING_BYTES.contains(&bytes)
    }

    async fn produce(&self, partition: i32, records: Vec<Record>) -> Result<(), KafkaError> {
        let cell = self.partitions.get(&partition).ok_or_else(|| KafkaError::NoTopic { topic: self.topic.clone() })?;
        let open = || self.client.partition_client(self.topic.as_str(), partition, UnknownTopicHandling::Retry);
        let client = cell.get_or_try_init(open).await.map_err(|error| failed(&self.brokers, &error))?;
        let sent = client.produce(records.into_iter().map(foreign).collect(), Compression::NoCompression).await;
        sent.map(|_| ()).map_err(|error| failed(&self.brokers, &error))
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

/// rskafka prints every layer's retry in front of the cause, and its error types show it in no other way.
fn failed(brokers: &str, error: &Error) -> KafkaError {
    match error {
        Error::ServerError { protocol_error, .. } => KafkaError::refused("messages", code_of(*protocol_error)),
        Error::Request(RequestError::NoVersionMatch { .. }) => {
            KafkaError::Unsupported { address: brokers.to_owned(), what: "Produce" }
        }
        _ => {
            let text = error.to_string();
            let reason = text.rsplit("Source: ").next().unwrap_or(&text).to_owned();
            KafkaError::Unreachable { brokers: brokers.to_owned(), reason }
        }
    }
}

/// rskafka tells its name for an error alone. These are the codes of Kafka 4.
fn code_of(error: ProtocolError) -> ResponseError {
    let code = (-1..=133).find(|code| ProtocolError::new(*code) == Some(error));
    code.and_then(ResponseError::try_from_code).unwrap_or(ResponseError::UnknownServerError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::producer::request_length;

    #[test]
    fn no_request_has_a_size_that_stalls() {
        let stalls = |bytes: usize| STALLING_BYTES.contains(&bytes);
        for records in 1..3000 {
            let bytes = request_length(std::iter::repeat_n(230, records), stalls) * 230;
            assert!(!stalls(bytes) && bytes > 0, "{records}");
        }
        assert_eq!(request_length([20_000, 10].into_iter(), stalls), 1, "one alone goes as it is");
    }

    #[test]
    fn a_refusal_has_the_code_that_the_broker_gave() {
        for (error, code) in [
            (ProtocolError::KafkaStorageError, ResponseError::KafkaStorageError),
            (ProtocolError::MessageTooLarge, ResponseError::MessageTooLarge),
            (ProtocolError::TopicAuthorizationFailed, ResponseError::TopicAuthorizationFailed),
            (ProtocolError::NotLeaderOrFollower, ResponseError::NotLeaderOrFollower),
        ] {
            assert_eq!(code_of(error), code);
        }
    }
}
