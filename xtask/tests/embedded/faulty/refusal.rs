//! Answers that say no, each in the shape that belongs to its request in the versions that `vitals` speaks.

use std::net::SocketAddr;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponseTopic};
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FetchResponse, FindCoordinatorResponse, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, ProduceRequest, ProduceResponse, SyncGroupResponse,
};

use super::frame::{self, Request};

const NODE: BrokerId = BrokerId(1);

/// The answer to `request` with `code` wherever there is room for it. `None` where there is none.
pub(super) fn of(request: &Request, code: ResponseError, proxy: SocketAddr) -> Option<Bytes> {
    let code = code.code();
    Some(match request.api {
        ApiKey::Produce => request.answer(&produce(request.decode(), code)),
        ApiKey::Fetch => request.answer(&fetch(request.decode(), code)),
        ApiKey::ListOffsets => request.answer(&list_offsets(request.decode(), code)),
        ApiKey::OffsetCommit => request.answer(&commit(request.decode(), code)),
        ApiKey::OffsetFetch => request.answer(&fetch_offsets(request.decode(), code)),
        ApiKey::FindCoordinator => {
            request.answer(&FindCoordinatorResponse::default().with_error_code(code).with_node_id(BrokerId(-1)))
        }
        ApiKey::JoinGroup => request.answer(&join(request.decode(), code)),
        ApiKey::SyncGroup => request.answer(&SyncGroupResponse::default().with_error_code(code)),
        ApiKey::Heartbeat => request.answer(&HeartbeatResponse::default().with_error_code(code)),
        ApiKey::Metadata => request.answer(&metadata(request.decode(), code, proxy)?),
        other => panic!("no refusal of {other:?} was written"),
    })
}

fn produce(request: ProduceRequest, code: i16) -> ProduceResponse {
    let of_topic = request.topic_data.into_iter().map(|topic| {
        let of_partition = topic.partition_data.iter().map(|partition| {
            PartitionProduceResponse::default().with_index(partition.index).with_error_code(code).with_base_offset(-1)
        });
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(of_partition.collect())
    });
    ProduceResponse::default().with_responses(of_topic.collect())
}

fn fetch(request: FetchRequest, code: i16) -> FetchResponse {
    let of_topic = request.topics.into_iter().map(|topic| {
        let of_partition = topic.partitions.iter().map(|partition| {
            PartitionData::default()
                .with_partition_index(partition.partition)
                .with_error_code(code)
                .with_high_watermark(-1)
        });
        FetchableTopicResponse::default()
            .with_topic(topic.topic)
            .with_topic_id(topic.topic_id)
            .with_partitions(of_partition.collect())
    });
    FetchResponse::default().with_responses(of_topic.collect())
}

fn list_offsets(request: ListOffsetsRequest, code: i16) -> ListOffsetsResponse {
    let of_topic = request.topics.into_iter().map(|topic| {
        let of_partition = topic.partitions.iter().map(|partition| {
            ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code)
        });
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(of_partition.collect())
    });
    ListOffsetsResponse::default().with_topics(of_topic.collect())
}

fn commit(request: OffsetCommitRequest, code: i16) -> OffsetCommitResponse {
    let of_topic = request.topics.into_iter().map(|topic| {
        let of_partition = topic.partitions.iter().map(|partition| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code)
        });
        OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(of_partition.collect())
    });
    OffsetCommitResponse::default().with_topics(of_topic.collect())
}

fn fetch_offsets(request: OffsetFetchRequest, code: i16) -> OffsetFetchResponse {
    let of_topic = request.topics.into_iter().flatten().map(|topic| {
        let of_partition = topic.partition_indexes.iter().map(|partition| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(*partition)
                .with_committed_offset(-1)
                .with_error_code(code)
        });
        OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(of_partition.collect())
    });
    OffsetFetchResponse::default().with_error_code(code).with_topics(of_topic.collect())
}

fn join(request: JoinGroupRequest, code: i16) -> JoinGroupResponse {
    JoinGroupResponse::default().with_error_code(code).with_generation_id(-1).with_member_id(request.member_id)
}

/// Only topics have room for an error; who asks for all of them, or none, is told none.
fn metadata(request: MetadataRequest, code: i16, proxy: SocketAddr) -> Option<MetadataResponse> {
    let topics = request.topics.filter(|topics| !topics.is_empty())?;
    let (host, port) = frame::host_and_port(proxy);
    let broker = MetadataResponseBroker::default().with_node_id(NODE).with_host(host).with_port(port);
    let of_topic =
        |topic: MetadataRequestTopic| MetadataResponseTopic::default().with_name(topic.name).with_error_code(code);
    let response = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_controller_id(NODE)
        .with_topics(topics.into_iter().map(of_topic).collect());
    Some(response)
}
