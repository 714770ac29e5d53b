//! Committed offsets: kept, given back, deleted.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::member::Identity;
use super::offsets::{Committed, Entry};
use super::{Groups, OFFSET_METADATA_LIMIT_BYTES, code_of, lock};

/// What the protocol writes where nothing was committed.
const NO_OFFSET: i64 = -1;
/// What the protocol writes where a leader epoch is not known.
const NO_EPOCH: i32 = -1;

impl Groups {
    /// Keeps offsets. When the answer is there, they outlive this process. Blocks for as long as that takes; meanwhile
    /// nothing else happens in the group, so that no commit is overtaken by a rebalance.
    #[must_use]
    pub fn commit(&self, request: OffsetCommitRequest) -> OffsetCommitResponse {
        let group = request.group_id.0;
        let generation = request.generation_id_or_member_epoch;
        let who = Identity { member_id: request.member_id, instance_id: request.group_instance_id };
        // Members have joined: a generation in a group that nobody is in is of an earlier life of the broker.
        let seat = match self.seat(&group) {
            Some(seat) => Ok(seat),
            None if generation >= 0 => Err(ResponseError::IllegalGeneration),
            None => self.seat_or_new(&group),
        };
        let seat = match seat {
            Ok(seat) => seat,
            Err(code) => return answer_commit(&request.topics, || code.code()),
        };
        let mut seat = lock(&seat);
        let now = Instant::now();
        if let Err(code) = seat.group.admit_commit(&who, generation, now) {
            return answer_commit(&request.topics, || code.code());
        }
        let shared = (generation >= 0).then(|| seat.group.began());
        let of_topic = |topic: &OffsetCommitRequestTopic| {
            let judged = topic.partitions.iter().map(|partition| self.judge(&topic.name, partition, shared));
            judged.collect::<Vec<_>>()
        };
        let judged: Vec<_> = request.topics.iter().flat_map(of_topic).collect();
        let entries: Vec<_> = judged.iter().flatten().cloned().collect();
        let kept = if entries.is_empty() { Ok(()) } else { self.0.offsets.put(&group, &entries) };
        let kept = kept.map_err(|_| ResponseError::CoordinatorNotAvailable);
        if judged.contains(&Err(ResponseError::RebalanceInProgress)) {
            seat.group.rebalance(now);
            seat.deliver();
            self.0.sooner.notify_one();
        }
        let mut codes = judged.into_iter().map(|judged| code_of(judged.and(kept)));
        answer_commit(&request.topics, || codes.next().unwrap_or_default())
    }

    /// What a group has committed: for the partitions that are asked for, or all. Several groups since version 8.
    #[must_use]
    pub fn fetch_offsets(&self, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
        if version >= 8 {
            let groups = request.groups.into_iter().map(|group| self.fetch_of(group)).collect();
            return OffsetFetchResponse::default().with_groups(groups);
        }
        let topics = request.topics.map(|topics| {
            let plural = |topic: OffsetFetchRequestTopic| {
                let wanted = OffsetFetchRequestTopics::default().with_name(topic.name);
                wanted.with_partition_indexes(topic.partition_indexes)
            };
            topics.into_iter().map(plural).collect()
        });
        let group = OffsetFetchRequestGroup::default().with_group_id(request.group_id).with_topics(topics);
        let topics = self.fetch_of(group).topics.into_iter().map(single).collect();
        OffsetFetchResponse::default().with_topics(topics)
    }

    /// What is to be kept of a commit. A member whose shares were made at `shared`, and that has read on in a topic which is
    /// gone while another one has its name, is told to ask for its share, and with it for its place, anew.
    fn judge(
        &self,
        topic: &TopicName,
        wanted: &OffsetCommitRequestPartition,
        shared: Option<Instant>,
    ) -> Result<Entry, ResponseError> {
        let partition = self.0.offsets.partition(topic, wanted.partition_index);
        let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition)?;
        let metadata = wanted.committed_metadata.as_deref().unwrap_or_default();
        if metadata.len() > OFFSET_METADATA_LIMIT_BYTES {
            return Err(ResponseError::OffsetMetadataTooLarge);
        }
        let is_beyond = wanted.committed_offset > partition.end_offset;
        match shared {
            Some(shared) if is_beyond || partition.made.is_some_and(|made| made > shared) => {
                return Err(ResponseError::RebalanceInProgress);
            }
            None if is_beyond => return Err(ResponseError::OffsetOutOfRange),
            _ => {}
        }
        Ok(Entry {
            topic: topic.to_string(),
            topic_id: partition.topic_id,
            partition: wanted.partition_index,
            committed: Committed {
                offset: wanted.committed_offset,
                metadata: metadata.to_owned(),
                leader_epoch: wanted.committed_leader_epoch,
            },
        })
    }

    fn fetch_of(&self, request: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
        let group = request.group_id.0.clone();
        let topics = match request.topics {
            Some(topics) => topics.into_iter().map(|topic| self.fetch_topic(&group, topic)).collect(),
            None => all_topics(self.0.offsets.all(&group)),
        };
        OffsetFetchResponseGroup::default().with_group_id(request.group_id).with_topics(topics)
    }

    fn fetch_topic(&self, group: &StrBytes, wanted: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
        let name = wanted.name;
        let fetch = |partition| fetched(partition, self.0.offsets.get(group, &name, partition));
        let partitions = wanted.partition_indexes.into_iter().map(fetch).collect();
        OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
    }
}

/// Takes back what a commit was told: it cannot be kept after all.
pub fn refuse(response: &mut OffsetCommitResponse) {
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.error_code = ResponseError::CoordinatorNotAvailable.code();
    }
}

/// Answers with these codes, in the order of the request.
fn answer_commit(topics: &[OffsetCommitRequestTopic], mut code: impl FnMut() -> i16) -> OffsetCommitResponse {
    let of_topic = |topic: &OffsetCommitRequestTopic| {
        let of_partition = |partition: &OffsetCommitRequestPartition| {
            let answer = OffsetCommitResponsePartition::default().with_partition_index(partition.partition_index);
            answer.with_error_code(code())
        };
        let partitions = topic.partitions.iter().map(of_partition).collect();
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    OffsetCommitResponse::default().with_topics(topics.iter().map(of_topic).collect())
}

fn all_topics(entries: Vec<Entry>) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    for Entry { topic, partition, committed, .. } in entries {
        let partition = fetched(partition, Some(committed));
        if let Some(known) = topics.iter_mut().find(|known| known.name.as_str() == topic) {
            known.partitions.push(partition);
        } else {
            let name = TopicName(StrBytes::from_string(topic));
            topics.push(OffsetFetchResponseTopics::default().with_name(name).with_partitions(vec![partition]));
        }
    }
    topics
}

fn fetched(partition: i32, committed: Option<Committed>) -> OffsetFetchResponsePartitions {
    let nothing = || Committed { offset: NO_OFFSET, metadata: String::new(), leader_epoch: NO_EPOCH };
    let committed = committed.unwrap_or_else(nothing);
    OffsetFetchResponsePartitions::default()
        .with_partition_index(partition)
        .with_committed_offset(committed.offset)
        .with_committed_leader_epoch(committed.leader_epoch)
        .with_metadata(Some(StrBytes::from_string(committed.metadata)))
}

/// The same in the words of versions up to 7.
fn single(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partition = |partition: OffsetFetchResponsePartitions| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition.partition_index)
            .with_committed_offset(partition.committed_offset)
            .with_committed_leader_epoch(partition.committed_leader_epoch)
            .with_metadata(partition.metadata)
    };
    let partitions = topic.partitions.into_iter().map(partition).collect();
    OffsetFetchResponseTopic::default().with_name(topic.name).with_partitions(partitions)
}
