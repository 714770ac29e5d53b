//! One connection to a broker, on which requests go in the version that a test wants.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, DeleteTopicsRequest, GroupId, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, Request, StrBytes};
use tokio::net::TcpStream;
use vitals::kafka::records;

use super::faulty::frame;
use super::records::message;

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

pub(crate) fn group() -> GroupId {
    GroupId(text("wards"))
}

pub(crate) struct Wire {
    stream: TcpStream,
}

impl Wire {
    pub(crate) async fn connect(address: impl ToString) -> Self {
        Self { stream: TcpStream::connect(address.to_string()).await.unwrap() }
    }

    pub(crate) async fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let mut body = BytesMut::new();
        request.encode(&mut body, version).unwrap();
        let mut answer = self.ask_raw(R::KEY, version, &body).await.expect("an answer");
        let header = ApiKey::try_from(R::KEY).unwrap().response_header_version(version);
        ResponseHeader::decode(&mut answer, header).unwrap();
        R::Response::decode(&mut answer, version).unwrap()
    }

    /// The answer from its header on; `None` where the broker closes the connection instead.
    pub(crate) async fn ask_raw(&mut self, key: i16, version: i16, body: &[u8]) -> Option<Bytes> {
        let header_version = ApiKey::try_from(key).map_or(1, |api| api.request_header_version(version));
        let mut frame = BytesMut::new();
        let header = RequestHeader::default().with_request_api_key(key).with_request_api_version(version);
        header.with_client_id(Some(text("test"))).encode(&mut frame, header_version).unwrap();
        frame.extend_from_slice(body);
        frame::write(&mut self.stream, &frame.freeze()).await.unwrap();
        frame::read(&mut self.stream).await.ok().flatten()
    }

    pub(crate) async fn create(&mut self, topic: &str, partitions: i32) {
        let wanted =
            CreatableTopic::default().with_name(name(topic)).with_num_partitions(partitions).with_replication_factor(1);
        let made = self.ask(&CreateTopicsRequest::default().with_topics(vec![wanted]), 5).await;
        assert_eq!(made.topics[0].error_code, 0, "{made:?}");
    }

    pub(crate) async fn delete(&mut self, topic: &str) {
        let deleted = self.ask(&DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]), 4).await;
        assert_eq!(deleted.responses[0].error_code, 0, "{deleted:?}");
    }

    /// The id of a topic, where it is there.
    pub(crate) async fn find(&mut self, topic: &str) -> Option<uuid::Uuid> {
        let wanted = MetadataRequestTopic::default().with_name(Some(name(topic)));
        let told = self.ask(&MetadataRequest::default().with_topics(Some(vec![wanted])), 12).await;
        (told.topics[0].error_code == 0).then_some(told.topics[0].topic_id)
    }

    pub(crate) async fn exists(&mut self, topic: &str) -> bool {
        self.find(topic).await.is_some()
    }

    /// Appends so many records to partition 0 in one batch, and gives the error code.
    pub(crate) async fn produce(&mut self, topic: &str, count: usize) -> i16 {
        let record = message(None, Some(Bytes::from_static(b"reading")), Vec::new());
        self.append(topic, records::encode(&vec![record; count], usize::MAX)).await
    }

    /// Appends a batch to partition 0 as it is, and gives the error code.
    pub(crate) async fn append(&mut self, topic: &str, batch: Bytes) -> i16 {
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch));
        let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        self.ask(&request, 9).await.responses[0].partition_responses[0].error_code
    }

    /// Commits for partition 0 as `member` in `generation`, and gives the error code.
    pub(crate) async fn commit_as(&mut self, topic: &str, offset: i64, member: &StrBytes, generation: i32) -> i16 {
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("")));
        let topic = OffsetCommitRequestTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group())
            .with_member_id(member.clone())
            .with_generation_id_or_member_epoch(generation)
            .with_topics(vec![topic]);
        self.ask(&request, 8).await.topics[0].partitions[0].error_code
    }

    /// Commits as nobody's member.
    pub(crate) async fn commit(&mut self, topic: &str, offset: i64) -> i16 {
        self.commit_as(topic, offset, &StrBytes::new(), -1).await
    }

    /// What is committed for partition 0; -1 where nothing is.
    pub(crate) async fn committed(&mut self, topic: &str) -> i64 {
        let wanted = OffsetFetchRequestTopic::default().with_name(name(topic)).with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![wanted]));
        self.ask(&request, 5).await.topics[0].partitions[0].committed_offset
    }
}
