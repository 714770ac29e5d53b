//! Where a partition begins and ends, and what groups have committed.

use std::collections::BTreeMap;

use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{GroupId, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest};

use super::cluster::{Cluster, Leaders, text, topic_name};
use super::connection::Connection;
use super::error::KafkaError;
use crate::ledger::Position;
use crate::reading::Timestamp;

/// A place in a partition, by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first record that is still there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// The first record that was sent at this time or later.
    Time(Timestamp),
}

impl Place {
    /// The protocol writes meanings as impossible times, and times in milliseconds.
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::Time(time) => time.as_micros().div_euclid(1_000),
        }
    }
}

/// `earliest`, `latest`, or an RFC 3339 time.
impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            time => Timestamp::parse(time).map(Self::Time).map_err(|_| {
                "neither 'earliest' nor 'latest' nor an RFC 3339 time with an offset (2025-10-26T10:30:00Z)".to_owned()
            }),
        }
    }
}

/// The offset of `place` in each partition that has a leader, ordered by partition. A time behind the last record gives
/// the partition's end.
///
/// # Errors
/// A leader cannot be reached, or refuses: it may have moved, which [is passing](KafkaError::is_passing).
pub async fn find(
    cluster: &mut Cluster,
    topic: &str,
    leaders: &Leaders,
    place: Place,
) -> Result<Vec<(i32, i64)>, KafkaError> {
    let mut found = Vec::new();
    for (node, partitions) in leaders.by_node() {
        found.extend(list(cluster.node(node).await?, topic, &partitions, place).await?);
    }
    if place != Place::Latest && found.iter().any(|(_, offset)| *offset == NO_OFFSET) {
        let ends = Box::pin(find(cluster, topic, leaders, Place::Latest)).await?;
        let end_of = |partition| ends.iter().find(|(of, _)| *of == partition).map(|(_, end)| *end);
        for (partition, offset) in &mut found {
            if *offset == NO_OFFSET {
                *offset = end_of(*partition).unwrap_or(NO_OFFSET);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// What the protocol sends where there is no such offset.
const NO_OFFSET: i64 = -1;

/// Asks one leader for the offsets of `place`.
pub(super) async fn list(
    leader: &mut Connection,
    topic: &str,
    partitions: &[i32],
    place: Place,
) -> Result<Vec<(i32, i64)>, KafkaError> {
    let wanted =
        |partition: &i32| ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(place.code());
    let of_topic = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(partitions.iter().map(wanted).collect());
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![of_topic]);
    let response = leader.call(&request).await?;
    let mut found = Vec::new();
    for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
        if let Some(code) = partition.error_code.err() {
            return Err(KafkaError::refused(
                format!("the offsets of partition {} of the topic '{topic}'", partition.partition_index),
                code,
            ));
        }
        found.push((partition.partition_index, partition.offset));
    }
    Ok(found)
}

/// The text that goes with a committed offset says up to where everything is stored, which may be further: such a text
/// begins so.
const STORED: &str = "stored=";

/// Reads the text that goes with a committed offset. What other programs write there says nothing.
fn stored(offset: i64, metadata: Option<&str>) -> i64 {
    let stored = metadata.and_then(|text| text.strip_prefix(STORED)?.parse().ok());
    stored.map_or(offset, |stored: i64| stored.max(offset))
}

/// What `group` has committed of `topic`, by partition; partitions without a committed offset are left out.
///
/// # Errors
/// The coordinator cannot be reached or refuses.
pub async fn committed(
    coordinator: &mut Connection,
    group: &str,
    topic: &str,
    partitions: &[i32],
) -> Result<Vec<Position>, KafkaError> {
    let what = || format!("the committed offsets of the group '{group}'");
    let wanted =
        OffsetFetchRequestTopic::default().with_name(topic_name(topic)).with_partition_indexes(partitions.to_vec());
    let request = OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(Some(vec![wanted]));
    let response = coordinator.call(&request).await?;
    if let Some(code) = response.error_code.err() {
        return Err(KafkaError::refused(what(), code));
    }
    let mut found = Vec::new();
    for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
        match partition.error_code.err() {
            Some(code) => return Err(KafkaError::refused(what(), code)),
            None if partition.committed_offset == NO_OFFSET => {}
            None => {
                let offset = partition.committed_offset;
                let stored = stored(offset, partition.metadata.as_deref());
                found.push(Position { partition: partition.partition_index, offset, stored });
            }
        }
    }
    found.sort_unstable_by_key(|position| position.partition);
    Ok(found)
}

/// Everything that `group` has committed: by topic, partitions with their offsets in order.
///
/// # Errors
/// As [`committed`].
pub async fn committed_topics(
    coordinator: &mut Connection,
    group: &str,
) -> Result<BTreeMap<String, Vec<(i32, i64)>>, KafkaError> {
    let what = || format!("the committed offsets of the group '{group}'");
    let request = OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(None);
    let response = coordinator.call(&request).await?;
    if let Some(code) = response.error_code.err() {
        return Err(KafkaError::refused(what(), code));
    }
    let mut found: BTreeMap<String, Vec<(i32, i64)>> = BTreeMap::new();
    for topic in &response.topics {
        let partitions = topic.partitions.iter().filter(|partition| partition.committed_offset != NO_OFFSET);
        let mut offsets: Vec<_> =
            partitions.map(|partition| (partition.partition_index, partition.committed_offset)).collect();
        offsets.sort_unstable();
        found.insert(topic.name.to_string(), offsets);
    }
    Ok(found)
}

/// Who commits.
#[derive(Debug, Clone, Copy)]
pub struct Committer<'a> {
    /// The group.
    pub group: &'a str,
    /// The generation that the partitions belong to.
    pub generation: i32,
    /// The member's id.
    pub member_id: &'a str,
    /// Its static instance id.
    pub instance_id: Option<&'a str>,
}

impl<'a> Committer<'a> {
    /// Somebody who is not in the group. The coordinator takes that only while nobody is in it.
    #[must_use]
    pub fn outsider(group: &'a str) -> Self {
        Self { group, generation: -1, member_id: "", instance_id: None }
    }
}

/// Commits `positions` of `topic` for a member.
///
/// # Errors
/// The coordinator cannot be reached or refuses; a refusal carries the first partition's code.
pub async fn commit(
    coordinator: &mut Connection,
    committer: Committer<'_>,
    topic: &str,
    positions: &[Position],
) -> Result<(), KafkaError> {
    let of_partition = |position: &Position| {
        let further = (position.stored > position.offset).then(|| text(&format!("{STORED}{}", position.stored)));
        OffsetCommitRequestPartition::default()
            .with_partition_index(position.partition)
            .with_committed_offset(position.offset)
            .with_committed_metadata(further)
    };
    let of_topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(positions.iter().map(of_partition).collect());
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(committer.group)))
        .with_generation_id_or_member_epoch(committer.generation)
        .with_member_id(text(committer.member_id))
        .with_group_instance_id(committer.instance_id.map(text))
        .with_topics(vec![of_topic]);
    let response = coordinator.call(&request).await?;
    let mut codes = response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
    match codes.find_map(ParseResponseErrorCode::err) {
        Some(code) => Err(KafkaError::refused("a commit", code)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_commit_tells_how_far_it_is_stored_and_that_of_others_tells_nothing() {
        assert_eq!(stored(5, Some("stored=9")), 9);
        for other in [None, Some(""), Some("stored="), Some("stored=x"), Some("stored=3"), Some("consumer-1")] {
            assert_eq!(stored(5, other), 5, "{other:?}");
        }
    }
}
