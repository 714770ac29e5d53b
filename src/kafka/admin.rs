//! Makes topics, with their settings, and deletes them.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};
use tokio::time::{Instant, sleep};

use super::cluster::{Cluster, millis, text, topic_name};
use super::connection::REQUEST_LIMIT;
use super::error::{Attempts, KafkaError};
use super::topic_settings::{MAX_MESSAGE_BYTES, RETENTION_BYTES, RETENTION_MS};
use crate::kafka::right::{Operation, Right};
use crate::retry::Backoff;

/// How long a topic may take to come into being, until each of its partitions has a leader.
const CREATE_LIMIT: Duration = Duration::from_secs(10);

/// A topic to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Its number of partitions.
    pub partitions: i32,
    /// On how many brokers each partition is kept.
    pub replication: i16,
    /// Settings that differ from the broker's defaults.
    pub settings: Vec<(String, String)>,
}

/// The largest dead letter: room for the largest message that brokers take (1 MiB by default, larger ones by choice) and
/// what is written beside it.
const DEAD_LETTER_BYTES: usize = 10 * 1024 * 1024;

/// What a dead letter has beside its message, with some room: where from and why.
const MARKS_BYTES: usize = 1024;

/// The limit that the dead letters need of a topic that takes `source_bytes`.
pub fn dead_letter_bytes(source_bytes: usize) -> usize {
    source_bytes.saturating_add(MARKS_BYTES)
}

impl TopicSpec {
    /// The topic of the readings.
    pub fn readings(name: &str, partitions: i32, replication: i16) -> Self {
        Self { name: name.to_owned(), partitions, replication, settings: Vec::new() }
    }

    /// The dead letters of the topic `source`: larger messages than the source takes, and kept without time limit.
    pub fn dead_letters(source: &str, partitions: i32, replication: i16) -> Self {
        let settings = [
            (RETENTION_MS, "-1".to_owned()),
            (RETENTION_BYTES, "-1".to_owned()),
            (MAX_MESSAGE_BYTES, DEAD_LETTER_BYTES.to_string()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        Self { name: dead_letter_topic(source), partitions, replication, settings }
    }

    /// The alarms that are announced.
    pub fn alarms(name: &str, partitions: i32, replication: i16) -> Self {
        Self { name: name.to_owned(), partitions, replication, settings: Vec::new() }
    }

    /// With room for what a source takes that has a limit of its own.
    #[must_use]
    pub fn with_room_for(mut self, source_bytes: Option<usize>) -> Self {
        let needed = source_bytes.map_or(0, dead_letter_bytes);
        for (_, value) in self.settings.iter_mut().filter(|(name, _)| name == MAX_MESSAGE_BYTES) {
            *value = needed.max(DEAD_LETTER_BYTES).to_string();
        }
        self
    }
}

/// The name of a topic's dead letters.
pub fn dead_letter_topic(source: &str) -> String {
    format!("{source}.dlq")
}

/// What [`create`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// The topic was made.
    Made,
    /// It was there; nothing was changed.
    There {
        /// The number of partitions that it has.
        partitions: usize,
    },
}

/// Makes the topic, and waits until each of its partitions has a leader. One that is there stays as it is.
pub async fn create(cluster: &mut Cluster, spec: &TopicSpec) -> Result<Creation, KafkaError> {
    let mut attempts = Attempts::within(CREATE_LIMIT);
    loop {
        match try_create(cluster, spec).await {
            Err(error) if error.is_passing() => attempts.pause(error).await?,
            outcome => return outcome,
        }
    }
}

async fn try_create(cluster: &mut Cluster, spec: &TopicSpec) -> Result<Creation, KafkaError> {
    match cluster.leaders(&spec.name).await {
        Ok(leaders) => return Ok(Creation::There { partitions: leaders.count() }),
        Err(KafkaError::NoTopic { .. }) => {}
        Err(error) => return Err(error),
    }
    let controller = cluster.controller().await?;
    let response = cluster.node(controller).await?.call(&request(spec)).await?;
    let made = match response.topics.first().and_then(|topic| topic.error_code.err()) {
        None => true,
        // Somebody else was faster.
        Some(ResponseError::TopicAlreadyExists) => false,
        Some(code) => return Err(refused(spec, code, response.topics.first())),
    };
    let partitions = wait_for_leaders(cluster, &spec.name).await?;
    Ok(if made { Creation::Made } else { Creation::There { partitions } })
}

fn request(spec: &TopicSpec) -> CreateTopicsRequest {
    let setting = |(name, value): &(String, String)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let topic = CreatableTopic::default()
        .with_name(topic_name(&spec.name))
        .with_num_partitions(spec.partitions)
        .with_replication_factor(spec.replication)
        .with_configs(spec.settings.iter().map(setting).collect());
    CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(millis(REQUEST_LIMIT))
}

fn refused(spec: &TopicSpec, code: ResponseError, answer: Option<&CreatableTopicResult>) -> KafkaError {
    let said = answer.and_then(|answer| answer.error_message.as_ref());
    let refused = KafkaError::Refused {
        what: format!("to make the topic '{}'", spec.name),
        code,
        detail: said.map(|said| format!(": {said}")).unwrap_or_default(),
        right: None,
    };
    refused.needing(Right::topic(Operation::Create, &spec.name))
}

/// How long a deleted topic may take to be known no more.
const DELETE_LIMIT: Duration = Duration::from_secs(10);

/// Deletes a topic and everything in it, and waits until the brokers do not know it any more, so that another one of its
/// name can be made at once.
pub async fn delete(cluster: &mut Cluster, topic: &str) -> Result<(), KafkaError> {
    let request =
        DeleteTopicsRequest::default().with_topic_names(vec![topic_name(topic)]).with_timeout_ms(millis(REQUEST_LIMIT));
    let controller = cluster.controller().await?;
    let response = cluster.node(controller).await?.call(&request).await?;
    match response.responses.first().and_then(|answer| answer.error_code.err()) {
        None => wait_until_gone(cluster, topic).await,
        Some(ResponseError::UnknownTopicOrPartition) => Err(KafkaError::NoTopic { topic: topic.to_owned() }),
        Some(code) => {
            let refused = KafkaError::refused(format!("to delete the topic '{topic}'"), code);
            Err(refused.needing(Right::topic(Operation::Delete, topic)))
        }
    }
}

async fn wait_until_gone(cluster: &mut Cluster, topic: &str) -> Result<(), KafkaError> {
    let deadline = Instant::now() + DELETE_LIMIT;
    let mut backoff = Backoff::default();
    // Where it takes longer, the cluster goes on deleting all the same.
    while Instant::now() < deadline && !matches!(cluster.leaders(topic).await, Err(KafkaError::NoTopic { .. })) {
        sleep(backoff.next_pause()).await;
    }
    Ok(())
}

/// A topic is known before its partitions have leaders.
async fn wait_for_leaders(cluster: &mut Cluster, topic: &str) -> Result<usize, KafkaError> {
    let mut attempts = Attempts::within(CREATE_LIMIT);
    loop {
        let error = match cluster.leaders(topic).await {
            Ok(leaders) if leaders.count() > 0 && leaders.0.iter().all(|(_, leader)| leader.is_some()) => {
                return Ok(leaders.count());
            }
            Ok(_) => {
                let what = format!("to use the topic '{topic}' within {CREATE_LIMIT:?} of making it");
                KafkaError::refused(what, ResponseError::LeaderNotAvailable)
            }
            Err(error @ KafkaError::NoTopic { .. }) => error,
            Err(error) => return Err(error),
        };
        attempts.pause(error).await?;
    }
}
