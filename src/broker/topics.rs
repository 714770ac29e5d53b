//! Requests about the cluster and its topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    DescribeClusterRequest, DescribeClusterResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::BrokerError;
use super::folder::FolderError;
use super::log::LogLimits;
use super::state::{DEFAULT_RETENTION_MS, NODE_ID, State, Topic};

/// What a topic gets that asks for the broker's default.
const DEFAULT_PARTITIONS: i32 = 1;
/// More would only cost files.
const MAX_PARTITIONS: i32 = 1_000;

pub(super) fn metadata(state: &State, request: MetadataRequest, version: i16) -> MetadataResponse {
    // Version 0 had no null: there an empty list asks for all.
    let wanted = request.topics.filter(|topics| version > 0 || !topics.is_empty());
    let topics = match wanted {
        None => state.topics.all().iter().map(|topic| described(topic)).collect(),
        Some(wanted) => wanted.into_iter().map(|wanted| described_or_unknown(state, wanted, version)).collect(),
    };
    let broker =
        MetadataResponseBroker::default().with_node_id(BrokerId(NODE_ID)).with_host(host(state)).with_port(port(state));
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(&state.cluster_id)))
        .with_controller_id(BrokerId(NODE_ID))
        .with_topics(topics)
}

fn described_or_unknown(state: &State, wanted: MetadataRequestTopic, version: i16) -> MetadataResponseTopic {
    match find(state, wanted.name.as_ref(), wanted.topic_id) {
        Ok(topic) => described(&topic),
        Err(code) => MetadataResponseTopic::default()
            .with_error_code(code.code())
            .with_topic_id(wanted.topic_id)
            .with_name(wanted.name.or_else(|| (version < 12).then(TopicName::default))),
    }
}

/// Newer requests name topics by id.
fn find(state: &State, name: Option<&TopicName>, id: Uuid) -> Result<Arc<Topic>, ResponseError> {
    match name {
        Some(name) => state.topics.find(name).ok_or(ResponseError::UnknownTopicOrPartition),
        None => state.topics.find_by_id(id).ok_or(ResponseError::UnknownTopicId),
    }
}

fn described(topic: &Topic) -> MetadataResponseTopic {
    let partition = |partition| {
        MetadataResponsePartition::default()
            .with_partition_index(partition)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(0)
            .with_replica_nodes(vec![BrokerId(NODE_ID)])
            .with_isr_nodes(vec![BrokerId(NODE_ID)])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(&topic.meta.name))))
        .with_topic_id(topic.meta.id)
        .with_partitions((0..topic.meta.partitions).map(partition).collect())
}

pub(super) fn create(state: &State, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let only_check = request.validate_only;
    let made = request.topics.into_iter().map(|wanted| create_one(state, &wanted, only_check)).collect();
    CreateTopicsResponse::default().with_topics(made)
}

fn create_one(state: &State, wanted: &CreatableTopic, only_check: bool) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(wanted.name.clone()).with_replication_factor(1);
    let refused = |code: ResponseError, why: &str| {
        result.clone().with_error_code(code.code()).with_error_message(Some(text(why)))
    };
    let partitions = match (wanted.num_partitions, wanted.assignments.len()) {
        (-1, 0) => DEFAULT_PARTITIONS,
        (-1, assigned) => i32::try_from(assigned).unwrap_or(i32::MAX),
        (partitions, _) => partitions,
    };
    if !(1..=MAX_PARTITIONS).contains(&partitions) {
        return refused(ResponseError::InvalidPartitions, "a topic has 1 to 1000 partitions here");
    }
    if !matches!(wanted.replication_factor, -1 | 1) {
        return refused(ResponseError::InvalidReplicationFactor, "there is one broker, so the replication factor is 1");
    }
    let value = |value: &Option<StrBytes>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    let settings: BTreeMap<String, String> =
        wanted.configs.iter().map(|config| (config.name.to_string(), value(&config.value))).collect();
    let created = match state.topics.find(&wanted.name) {
        Some(_) if only_check => Err(FolderError::TopicExists.into()),
        None if only_check => return result.with_num_partitions(partitions),
        _ => state.topics.create(&wanted.name, partitions, settings),
    };
    match created {
        Ok(topic) => result.with_num_partitions(partitions).with_topic_id(topic.meta.id).with_configs(Some(Vec::new())),
        Err(error) => {
            let code = match error {
                BrokerError::Folder(FolderError::TopicExists) => ResponseError::TopicAlreadyExists,
                BrokerError::Folder(FolderError::TopicName) => ResponseError::InvalidTopicException,
                _ => ResponseError::KafkaStorageError,
            };
            refused(code, &error.to_string())
        }
    }
}

pub(super) fn delete(state: &State, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil()));
    let by_state = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let deleted = by_name.chain(by_state).map(|(name, id)| {
        let outcome = find(state, name.as_ref(), id)
            .and_then(|topic| state.topics.delete(&topic.meta.name).map_err(|_| ResponseError::KafkaStorageError));
        let code = outcome.map_or_else(|code| code.code(), |()| 0);
        DeletableTopicResult::default().with_name(name).with_topic_id(id).with_error_code(code)
    });
    let deleted = deleted.collect();
    // Who waits for records of a topic that is gone is told.
    state.wake_fetches();
    DeleteTopicsResponse::default().with_responses(deleted)
}

/// The protocol's number of a topic as a thing that has settings.
const TOPIC_RESOURCE: i8 = 2;
/// Where a setting comes from: the topic itself.
const TOPIC_SOURCE: i8 = 1;
/// Where a setting comes from: nobody gave it.
const DEFAULT_SOURCE: i8 = 5;

/// The settings that mean something here, with what holds for a topic without them.
fn defaults() -> [(&'static str, String); 4] {
    [
        ("cleanup.policy", "delete".to_owned()),
        ("max.message.bytes", LogLimits::default().max_batch_bytes.to_string()),
        ("retention.bytes", "-1".to_owned()),
        ("retention.ms", DEFAULT_RETENTION_MS.to_string()),
    ]
}

pub(super) fn describe_configs(state: &State, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| describe_config(state, &resource)).collect();
    DescribeConfigsResponse::default().with_results(results)
}

fn describe_config(state: &State, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    if resource.resource_type != TOPIC_RESOURCE {
        // The broker has no settings that can be asked for.
        return result;
    }
    let Some(topic) = state.topics.find(&resource.resource_name) else {
        return result.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    let wanted =
        |name: &str| resource.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| &**key == name));
    let setting = |name: &str, value: &str, source| {
        DescribeConfigsResourceResult::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_config_source(source)
    };
    let given = topic.settings();
    let own = given.iter().map(|(name, value)| setting(name, value, TOPIC_SOURCE));
    let defaults = defaults().into_iter().filter(|(name, _)| !given.contains_key(*name));
    let defaults = defaults.map(|(name, value)| setting(name, &value, DEFAULT_SOURCE));
    result.with_configs(own.chain(defaults).filter(|setting| wanted(&setting.name)).collect())
}

/// Changes settings of topics; what is not kept any more goes at once.
pub(super) async fn alter_configs(
    state: &State,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let is_trial = request.validate_only;
    let altered = request.resources.into_iter().map(|resource| {
        let (code, why) = match alter_config(state, &resource, is_trial) {
            Ok(()) => (0, None),
            Err((code, why)) => (code.code(), Some(text(&why))),
        };
        AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
            .with_error_code(code)
            .with_error_message(why)
    });
    let response = IncrementalAlterConfigsResponse::default().with_responses(altered.collect());
    if !is_trial {
        let topics = Arc::clone(&state.topics);
        // It is done again in a while, however this ends.
        let _ = tokio::task::spawn_blocking(move || topics.retain()).await;
    }
    response
}

fn alter_config(state: &State, resource: &AlterConfigsResource, is_trial: bool) -> Result<(), (ResponseError, String)> {
    if resource.resource_type != TOPIC_RESOURCE {
        return Err((ResponseError::InvalidRequest, "only topics have settings here".to_owned()));
    }
    let topic = state.topics.find(&resource.resource_name);
    let topic = topic.ok_or_else(|| (ResponseError::UnknownTopicOrPartition, "there is no such topic".to_owned()))?;
    let mut settings = topic.settings();
    for config in &resource.configs {
        change(&mut settings, config).map_err(|why| (ResponseError::InvalidConfig, why))?;
    }
    if is_trial {
        return Ok(());
    }
    state
        .topics
        .change(&topic.meta.name, &settings)
        .map_err(|error| (ResponseError::KafkaStorageError, error.to_string()))
}

/// The protocol's numbers of what is done to a setting; the others are for lists, and none of these is one.
const SET: i8 = 0;
const FORGET: i8 = 1;

fn change(settings: &mut BTreeMap<String, String>, config: &AlterableConfig) -> Result<(), String> {
    let name = config.name.to_string();
    if !defaults().iter().any(|(known, _)| *known == name) {
        return Err(format!("{name} means nothing here"));
    }
    match (config.config_operation, &config.value) {
        (FORGET, _) => drop(settings.remove(&name)),
        (SET, Some(value)) if is_value(&name, value) => drop(settings.insert(name, value.to_string())),
        (SET, Some(value)) => return Err(format!("{value} is no value of {name}")),
        _ => return Err(format!("{name} can be set, or set back, and nothing else")),
    }
    Ok(())
}

fn is_value(name: &str, value: &str) -> bool {
    match name {
        "cleanup.policy" => value == "delete",
        "max.message.bytes" => value.parse::<i32>().is_ok_and(|bytes| bytes > 0),
        _ => value.parse::<i64>().is_ok_and(|number| number >= -1),
    }
}

pub(super) fn describe_cluster(state: &State, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE_ID))
        .with_host(host(state))
        .with_port(port(state));
    DescribeClusterResponse::default()
        .with_endpoint_type(request.endpoint_type)
        .with_cluster_id(text(&state.cluster_id))
        .with_controller_id(BrokerId(NODE_ID))
        .with_brokers(vec![broker])
}

/// The protocol's number of a group as a thing that has a coordinator.
const GROUP_KEY: i8 = 0;

pub(super) fn find_coordinator(
    state: &State,
    request: FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    // There are no transactions here, so nobody coordinates them.
    let code = if request.key_type == GROUP_KEY { 0 } else { ResponseError::InvalidRequest.code() };
    if version < 4 {
        return FindCoordinatorResponse::default()
            .with_error_code(code)
            .with_node_id(BrokerId(NODE_ID))
            .with_host(host(state))
            .with_port(port(state));
    }
    let coordinator = |key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(code)
            .with_node_id(BrokerId(NODE_ID))
            .with_host(host(state))
            .with_port(port(state))
    };
    FindCoordinatorResponse::default()
        .with_coordinators(request.coordinator_keys.into_iter().map(coordinator).collect())
}

fn host(state: &State) -> StrBytes {
    text(state.advertised.host())
}

fn port(state: &State) -> i32 {
    state.advertised.port().into()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
