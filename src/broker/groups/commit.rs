//! Committed offsets: kept and given back.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::group::Identity;
use super::{Groups, OFFSET_METADATA_LIMIT_BYTES, code_of, lock};
use crate::broker::folder::{Committed, Entry};

impl Groups {
    /// Keeps offsets. When the response is there, they will be given back after a restart, and after a power cut where
    /// that is promised.
    pub(crate) async fn commit(&self, request: OffsetCommitRequest) -> OffsetCommitResponse {
        let (mut codes, mut refused) = match self.keep(&request) {
            Ok(codes) => (codes, 0),
            Err(code) => (Vec::new(), code.code()),
        };
        if self.topics.offsets_kept().await.is_err() {
            (codes, refused) = (Vec::new(), ResponseError::CoordinatorNotAvailable.code());
        }
        let mut codes = codes.into_iter();
        let mut response = OffsetCommitResponse::default();
        for topic in request.topics {
            let partitions = topic.partitions.iter().map(|partition| {
                let index = partition.partition_index;
                let code = codes.next().unwrap_or(refused);
                OffsetCommitResponsePartition::default().with_partition_index(index).with_error_code(code)
            });
            let partitions = partitions.collect();
            let topic = OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions);
            response.topics.push(topic);
        }
        response
    }

    /// The codes of all partitions, in the order of the request. Blocks for as long as writing takes; meanwhile nothing
    /// else happens in the group, so that no commit is overtaken by a rebalance.
    fn keep(&self, request: &OffsetCommitRequest) -> Result<Vec<i16>, ResponseError> {
        let id = &request.group_id.0;
        let generation = request.generation_id_or_member_epoch;
        let who = Identity { member_id: request.member_id.clone(), instance_id: request.group_instance_id.clone() };
        let group = match self.find(id) {
            Some(group) => group,
            // Members have joined: a generation in a group that nobody is in is of an earlier run of the broker.
            None if generation >= 0 => return Err(ResponseError::IllegalGeneration),
            None => self.find_or_new(id)?,
        };
        let mut group = lock(&group);
        let now = Instant::now();
        group.admit_commit(&who, generation, now)?;
        let assigned = (generation >= 0).then_some(group.began);
        let partitions = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| self.check_commit(&topic.name, partition, assigned))
        });
        let checked: Vec<_> = partitions.collect();
        let entries: Vec<_> = checked.iter().flatten().cloned().collect();
        let kept = if entries.is_empty() { Ok(()) } else { self.topics.put_offsets(id, &entries) };
        let kept = kept.map_err(|_| ResponseError::CoordinatorNotAvailable);
        if checked.contains(&Err(ResponseError::RebalanceInProgress)) {
            group.rebalance(now);
            self.sooner.notify_one();
        }
        Ok(checked.into_iter().map(|checked| code_of(checked.and(kept))).collect())
    }

    /// What is to be kept of a commit. A member whose assignment was made at `assigned`, and that has read on in a topic
    /// which is gone while another one has its name, is told to join, and with it to ask for its offsets, anew.
    fn check_commit(
        &self,
        topic: &TopicName,
        wanted: &OffsetCommitRequestPartition,
        assigned: Option<Instant>,
    ) -> Result<Entry, ResponseError> {
        let partition = self.topics.partition(topic, wanted.partition_index);
        let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
        let metadata = wanted.committed_metadata.as_deref().unwrap_or_default();
        if metadata.len() > OFFSET_METADATA_LIMIT_BYTES {
            return Err(ResponseError::OffsetMetadataTooLarge);
        }
        let is_beyond = wanted.committed_offset > partition.end_offset;
        match assigned {
            Some(assigned) if is_beyond || partition.made.is_some_and(|made| made > assigned) => {
                return Err(ResponseError::RebalanceInProgress);
            }
            None if is_beyond => return Err(ResponseError::OffsetOutOfRange),
            _ => {}
        }
        let committed = Committed {
            topic_id: partition.topic_id,
            offset: wanted.committed_offset,
            metadata: metadata.to_owned(),
            leader_epoch: wanted.committed_leader_epoch,
        };
        Ok(Entry { topic: topic.to_string(), partition: wanted.partition_index, committed })
    }

    /// What a group has committed: for the partitions that are asked for, or all. Several groups since version 8.
    pub(crate) fn fetch_offsets(&self, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
        if version < 8 {
            let wanted = request
                .topics
                .map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect());
            let topics = self.fetch_topics(&request.group_id, wanted).into_iter().map(before_version_8).collect();
            return OffsetFetchResponse::default().with_topics(topics);
        }
        let groups = request.groups.into_iter().map(|group| {
            let wanted = group
                .topics
                .map(|topics| topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect());
            let topics = self.fetch_topics(&group.group_id, wanted);
            OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
        });
        OffsetFetchResponse::default().with_groups(groups.collect())
    }

    fn fetch_topics(&self, group: &str, wanted: Option<Vec<(TopicName, Vec<i32>)>>) -> Vec<OffsetFetchResponseTopics> {
        let offsets = self.topics.offsets();
        let wanted = wanted.unwrap_or_else(|| {
            let mut committed: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for entry in offsets.all(group) {
                committed.entry(StrBytes::from_string(entry.topic)).or_default().push(entry.partition);
            }
            committed.into_iter().map(|(name, partitions)| (TopicName(name), partitions)).collect()
        });
        let topics = wanted.into_iter().map(|(name, partitions)| {
            let fetch = |partition| fetched(partition, offsets.get(group, &name, partition));
            let partitions = partitions.into_iter().map(fetch).collect();
            OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
        });
        topics.collect()
    }
}

fn fetched(partition: i32, committed: Option<Committed>) -> OffsetFetchResponsePartitions {
    let response = OffsetFetchResponsePartitions::default().with_partition_index(partition);
    match committed {
        Some(committed) => response
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(StrBytes::from_string(committed.metadata))),
        // The protocol's way to say that nothing was committed.
        None => response.with_committed_offset(-1).with_committed_leader_epoch(-1).with_metadata(Some(StrBytes::new())),
    }
}

fn before_version_8(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partitions = topic.partitions.into_iter().map(|partition| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
    });
    OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
}
