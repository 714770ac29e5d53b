//! Where a partition begins and ends, what groups have committed, and whether that belongs to an earlier topic of the same
//! name.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopic;
use kafka_protocol::messages::{GroupId, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest};
use uuid::Uuid;

use super::cluster::{Cluster, Leaders, text, topic_name};
use super::connection::Connection;
use super::error::KafkaError;
use crate::kafka::right::{Operation, Right};
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

/// Offsets by partition.
pub type Offsets = BTreeMap<i32, i64>;

/// The offset of `place` in each partition that has a leader. A time behind the last record gives the partition's end.
/// A leader may have moved and refuse, which [is passing](KafkaError::is_passing).
pub async fn find(cluster: &mut Cluster, topic: &str, leaders: &Leaders, place: Place) -> Result<Offsets, KafkaError> {
    let mut found = Offsets::new();
    for (node, partitions) in leaders.by_node() {
        found.extend(find_at(cluster.node(node).await?, topic, partitions, place).await?);
    }
    if place != Place::Latest && found.values().any(|offset| *offset == NO_OFFSET) {
        let ends = Box::pin(find(cluster, topic, leaders, Place::Latest)).await?;
        for (partition, offset) in found.iter_mut().filter(|(_, offset)| **offset == NO_OFFSET) {
            *offset = ends.get(partition).copied().unwrap_or(NO_OFFSET);
        }
    }
    Ok(found)
}

/// What the protocol sends where there is no such offset.
const NO_OFFSET: i64 = -1;

/// The offset of `place` in partitions that one broker leads.
pub(super) async fn find_at(
    leader: &mut Connection,
    topic: &str,
    partitions: Vec<i32>,
    place: Place,
) -> Result<Offsets, KafkaError> {
    let (found, refusal) = ask_leader(leader, &[(topic, partitions)], place).await?;
    let found = found.into_iter().map(|((_, partition), offset)| (partition, offset)).collect();
    refusal.map_or(Ok(found), Err)
}

/// Asks one leader for the offsets of `place`, by topic and partition. Gives what it said, and the first of its refusals.
pub(super) async fn ask_leader(
    leader: &mut Connection,
    wanted: &[(&str, Vec<i32>)],
    place: Place,
) -> Result<(BTreeMap<(String, i32), i64>, Option<KafkaError>), KafkaError> {
    let of_partition =
        |partition: &i32| ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(place.code());
    let of_topic = |(topic, partitions): &(&str, Vec<i32>)| {
        let partitions = partitions.iter().map(of_partition).collect();
        ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
    };
    let request =
        ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(wanted.iter().map(of_topic).collect());
    let (mut found, mut refusal) = (BTreeMap::new(), None);
    for topic in leader.call(&request).await?.topics {
        let name = topic.name.to_string();
        for partition in topic.partitions {
            let number = partition.partition_index;
            if let Some(code) = partition.error_code.err() {
                let what = || format!("the offsets of partition {number} of the topic '{name}'");
                let needed = || Right::topic(Operation::Describe, &name);
                refusal.get_or_insert_with(|| KafkaError::refused(what(), code).needing(needed()));
            } else {
                found.insert((name.clone(), number), partition.offset);
            }
        }
    }
    Ok((found, refusal))
}

/// What a group has committed of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// How far it is.
    pub position: Position,
    /// The id of the topic that this is a place in; `None` where whoever committed it did not say.
    pub topic_id: Option<Uuid>,
}

impl Committed {
    /// Whether it is a place in another topic of the same name than the one with this id.
    pub fn is_of_another(&self, topic_id: Uuid) -> bool {
        !topic_id.is_nil() && self.topic_id.is_some_and(|of| of != topic_id)
    }

    /// Whether it is a place in the topic with this id, whose partition ends at `end`, as far as can be known.
    pub fn fits(&self, topic_id: Uuid, end: i64) -> bool {
        !self.is_of_another(topic_id) && self.position.stored <= end
    }
}

/// The text that goes with a committed offset has words. One names the topic that the offset is a place in, since one
/// that is deleted and made anew has other records at the same offsets:
const TOPIC: &str = "topic=";
/// And one says up to where everything is stored, where that is further:
const STORED: &str = "stored=";
/// And one says from where the rules have to hear the records below again, where that is further back.
const HISTORY: &str = "history=";

/// The text for a position in the topic with this id; nil where it is not known.
fn write_text(position: &Position, topic_id: Uuid) -> Option<String> {
    let topic = (!topic_id.is_nil()).then(|| format!("{TOPIC}{topic_id}"));
    let stored = (position.stored > position.offset).then(|| format!("{STORED}{}", position.stored));
    let history = (position.history < position.offset).then(|| format!("{HISTORY}{}", position.history));
    let words: Vec<_> = topic.into_iter().chain(stored).chain(history).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Reads such a text. What other programs write there says nothing.
fn read_text(partition: i32, offset: i64, text: Option<&str>) -> Committed {
    let word = |prefix| text?.split(' ').find_map(|word| word.strip_prefix(prefix));
    let stored = word(STORED).and_then(|stored| stored.parse().ok());
    let stored = stored.map_or(offset, |stored: i64| stored.max(offset));
    let history = word(HISTORY).and_then(|history| history.parse().ok());
    let history = history.map_or(offset, |history: i64| history.clamp(0, offset));
    let topic_id = word(TOPIC).and_then(|id| Uuid::try_parse(id).ok());
    Committed { position: Position { partition, offset, stored, history }, topic_id }
}

/// What `group` has committed of `topic`, by partition; partitions without a committed offset are left out.
pub async fn committed(
    coordinator: &mut Connection,
    group: &str,
    topic: &str,
    partitions: &[i32],
) -> Result<Vec<Committed>, KafkaError> {
    let wanted =
        OffsetFetchRequestTopic::default().with_name(topic_name(topic)).with_partition_indexes(partitions.to_vec());
    let mut found = Vec::new();
    for partition in fetch(coordinator, group, Some(vec![wanted])).await?.into_iter().flat_map(|topic| topic.partitions)
    {
        if let Some(code) = partition.error_code.err() {
            return Err(refused(group, Some(topic), code));
        }
        if partition.committed_offset != NO_OFFSET {
            let text = partition.metadata.as_deref();
            found.push(read_text(partition.partition_index, partition.committed_offset, text));
        }
    }
    found.sort_unstable_by_key(|committed| committed.position.partition);
    Ok(found)
}

/// Everything that `group` has committed, by topic.
pub async fn committed_topics(
    coordinator: &mut Connection,
    group: &str,
) -> Result<BTreeMap<String, Vec<(i32, i64)>>, KafkaError> {
    let mut found = BTreeMap::new();
    for topic in fetch(coordinator, group, None).await? {
        let partitions = topic.partitions.iter().filter(|partition| partition.committed_offset != NO_OFFSET);
        let mut offsets: Vec<_> =
            partitions.map(|partition| (partition.partition_index, partition.committed_offset)).collect();
        offsets.sort_unstable();
        found.insert(topic.name.to_string(), offsets);
    }
    Ok(found)
}

async fn fetch(
    coordinator: &mut Connection,
    group: &str,
    topics: Option<Vec<OffsetFetchRequestTopic>>,
) -> Result<Vec<OffsetFetchResponseTopic>, KafkaError> {
    let request = OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(topics);
    let response = coordinator.call(&request).await?;
    response.error_code.err().map_or(Ok(response.topics), |code| Err(refused(group, None, code)))
}

fn refused(group: &str, topic: Option<&str>, code: ResponseError) -> KafkaError {
    let refused = KafkaError::refused(format!("the committed offsets of the group '{group}'"), code);
    match topic {
        Some(topic) if code == ResponseError::TopicAuthorizationFailed => {
            refused.needing(Right::topic(Operation::Describe, topic))
        }
        _ => refused.needing(Right::group(Operation::Describe, group)),
    }
}

/// Who commits.
#[allow(missing_docs, reason = "each field says what it is")]
#[derive(Debug, Clone, Copy)]
pub struct Committer<'a> {
    pub group: &'a str,
    pub generation: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
}

impl<'a> Committer<'a> {
    /// Somebody who is not in the group. The coordinator takes that only while nobody is in it.
    pub fn outsider(group: &'a str) -> Self {
        Self { group, generation: -1, member_id: "", instance_id: None }
    }
}

/// Commits `positions` of `topic` for a member. They are places in the topic with this id, which is nil where it is not
/// known. A refusal carries the first partition's code.
pub async fn commit(
    coordinator: &mut Connection,
    committer: Committer<'_>,
    (topic, topic_id): (&str, Uuid),
    positions: &[Position],
) -> Result<(), KafkaError> {
    let of_partition = |position: &Position| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(position.partition)
            .with_committed_offset(position.offset)
            .with_committed_metadata(write_text(position, topic_id).map(|words| text(&words)))
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
        Some(code) => {
            Err(KafkaError::refused("a commit", code).needing(Right::of_member(code, committer.group, topic)))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(0xf0f1_f2f3_f4f5_f6f7_f8f9_fafb_fcfd_feff);

    #[test]
    fn the_text_of_a_commit_tells_the_topic_how_far_it_is_stored_and_what_the_rules_need() {
        for (stored, history, topic_id) in
            [(5, 5, ID), (9, 5, ID), (9, 2, Uuid::nil()), (5, 5, Uuid::nil()), (5, 0, ID)]
        {
            let position = Position { partition: 3, offset: 5, stored, history };
            let text = write_text(&position, topic_id);
            let read = read_text(3, 5, text.as_deref());
            assert_eq!(read, Committed { position, topic_id: Some(topic_id).filter(|id| !id.is_nil()) }, "{text:?}");
        }
        assert_eq!(write_text(&Position::at(3, 5), Uuid::nil()), None);
    }

    #[test]
    fn the_text_of_an_earlier_vitals_tells_how_far_it_is_stored_and_that_of_others_tells_nothing() {
        assert_eq!(read_text(0, 5, Some("stored=9")).position.stored, 9);
        for other in
            [None, Some(""), Some("stored="), Some("stored=x"), Some("stored=3"), Some("topic=x"), Some("consumer-1")]
        {
            let read = read_text(0, 5, other);
            assert_eq!(read, Committed { position: Position::at(0, 5), topic_id: None }, "{other:?}");
        }
    }

    #[test]
    fn an_offset_of_another_topic_does_not_fit_and_one_that_does_not_say_fits_up_to_the_end() {
        let at = |topic_id| Committed { position: Position::at(0, 5), topic_id };
        let other = Uuid::from_u128(1);
        assert!(at(Some(ID)).fits(ID, 5) && at(None).fits(ID, 5) && at(Some(other)).fits(Uuid::nil(), 5));
        assert!(!at(Some(other)).fits(ID, 9) && !at(None).fits(ID, 4) && !at(Some(ID)).fits(ID, 4));
    }
}
