//! The settings of a topic, who gave them, and how one is changed.

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use super::cluster::{Cluster, text};
use super::error::KafkaError;
use crate::kafka::right::{Operation, Right};

/// How long records are kept at least, in milliseconds; -1 is for ever.
pub const RETENTION_MS: &str = "retention.ms";
/// Beyond how many bytes a partition loses its oldest records; -1 is never.
pub const RETENTION_BYTES: &str = "retention.bytes";
/// The largest batch that is taken, in bytes.
pub const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
/// Whether old records are deleted, or only the last one of each key is kept.
pub const CLEANUP_POLICY: &str = "cleanup.policy";

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSetting {
    /// Its name, as `retention.ms`.
    pub name: String,
    /// Its value; a secret has none here.
    pub value: Option<String>,
    /// Who gave it.
    pub origin: Origin,
}

/// Who gave a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The topic has it of its own.
    Topic,
    /// The settings of the brokers.
    Broker,
    /// Nobody.
    Default,
}

/// The protocol's number of a topic as a thing that has settings.
const TOPIC_RESOURCE: i8 = 2;

/// All settings of `topic`, by name.
pub async fn describe(cluster: &mut Cluster, topic: &str) -> Result<Vec<TopicSetting>, KafkaError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(text(topic))
        .with_configuration_keys(None);
    let response = cluster.ask(&DescribeConfigsRequest::default().with_resources(vec![resource])).await?;
    let mut settings = Vec::new();
    for result in response.results {
        if let Some(code) = result.error_code.err() {
            let refused = KafkaError::refused(format!("the settings of the topic '{topic}'"), code);
            return Err(refused.needing(Right::topic(Operation::DescribeConfigs, topic)));
        }
        settings.extend(result.configs.into_iter().map(setting));
    }
    settings.sort_unstable_by(|one: &TopicSetting, other| one.name.cmp(&other.name));
    Ok(settings)
}

/// The protocol's number of giving a setting a value.
const SET: i8 = 0;

/// Gives one setting of `topic` another value; the others stay as they are. Where `is_trial`, the brokers only say whether
/// they would.
pub async fn alter(
    cluster: &mut Cluster,
    topic: &str,
    name: &str,
    value: &str,
    is_trial: bool,
) -> Result<(), KafkaError> {
    let config =
        AlterableConfig::default().with_name(text(name)).with_config_operation(SET).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(TOPIC_RESOURCE)
        .with_resource_name(text(topic))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(is_trial);
    let response = cluster.ask(&request).await?;
    match response.responses.first().and_then(|answer| answer.error_code.err()) {
        None => Ok(()),
        Some(ResponseError::UnknownTopicOrPartition) => Err(KafkaError::NoTopic { topic: topic.to_owned() }),
        Some(code) => {
            let refused = KafkaError::refused(format!("to set {name} of the topic '{topic}'"), code);
            Err(refused.needing(Right::topic(Operation::AlterConfigs, topic)))
        }
    }
}

/// What of a topic's settings decides what it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taking {
    /// The largest batch, in bytes; `None` where the brokers do not tell.
    pub max_bytes: Option<usize>,
    /// Whether it keeps only the last record of each key, and takes none without one.
    pub is_compacted: bool,
}

/// What `topic` takes. Who may not ask is told nothing, and what is not there has no settings.
pub async fn taking(cluster: &mut Cluster, topic: &str) -> Result<Taking, KafkaError> {
    let settings = match describe(cluster, topic).await {
        Err(KafkaError::Refused { .. } | KafkaError::Unsupported { .. }) => Vec::new(),
        described => described?,
    };
    let value = |name: &str| settings.iter().find(|setting| setting.name == name)?.value.as_deref();
    Ok(Taking {
        max_bytes: value(MAX_MESSAGE_BYTES).and_then(|bytes| bytes.parse().ok()),
        is_compacted: value(CLEANUP_POLICY).is_some_and(|policy| policy.contains("compact")),
    })
}

fn setting(config: DescribeConfigsResourceResult) -> TopicSetting {
    // The protocol numbers them: 1 is the topic's own, 2 to 4 are the brokers', 5 is the default.
    let origin = match config.config_source {
        1 => Origin::Topic,
        2..=4 => Origin::Broker,
        _ => Origin::Default,
    };
    TopicSetting { name: config.name.to_string(), value: config.value.map(|value| value.to_string()), origin }
}
