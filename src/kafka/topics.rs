//! Topics as they are now: who leads and keeps their partitions, how much is in them, and of what time.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use tokio::time::sleep;
use uuid::Uuid;

use super::cluster::{Cluster, Leaders, NodeId};
use super::error::KafkaError;
use super::fetch;
use super::offsets::{self, Place};
use crate::record::murmur2::partition_of;
use crate::retry::Backoff;

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Its name.
    pub name: String,
    /// Another one after the topic was deleted and made again; nil where the brokers give topics none.
    pub id: Uuid,
    /// Whether it belongs to the brokers themselves, as the one that holds committed offsets.
    pub is_internal: bool,
    /// Its partitions, in order.
    pub partitions: Vec<PartitionState>,
}

/// A partition of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionState {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it; `None` while there is none.
    pub leader: Option<NodeId>,
    /// The brokers that keep it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Those of them that have everything.
    pub in_sync: Vec<NodeId>,
    /// What it holds, once it was [measured](measure) and where its leader could tell.
    pub range: Option<Range>,
    /// When its first record was sent, in milliseconds since 1970, once it was [dated](date).
    pub oldest_ms: Option<i64>,
    /// When its last record was sent, in milliseconds since 1970.
    pub newest_ms: Option<i64>,
}

/// Which offsets a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first record.
    pub first: i64,
    /// Behind the last record.
    pub end: i64,
}

impl Range {
    /// The number of records. Where a topic is compacted or written in transactions, some of them are no messages.
    pub fn records(self) -> i64 {
        self.end.saturating_sub(self.first).max(0)
    }
}

impl TopicState {
    /// The number of records of all partitions; `None` where one of them is not known.
    pub fn records(&self) -> Option<i64> {
        self.partitions.iter().map(|partition| partition.range.map(Range::records)).sum()
    }

    /// On how many brokers each partition is kept; of partitions that differ, the least.
    pub fn replication(&self) -> usize {
        self.partitions.iter().map(|partition| partition.replicas.len()).min().unwrap_or_default()
    }

    /// Its id as Kafka's own tools print it; `None` where the brokers give topics none.
    pub fn id_text(&self) -> Option<String> {
        (!self.id.is_nil()).then(|| base64_url(self.id.as_u128()))
    }

    /// The leaders of the partitions.
    pub fn leaders(&self) -> Leaders {
        Leaders(self.partitions.iter().map(|partition| (partition.partition, partition.leader)).collect())
    }
}

impl PartitionState {
    /// Whether some of its replicas lag behind, or are away.
    pub fn is_under_replicated(&self) -> bool {
        self.in_sync.len() < self.replicas.len()
    }
}

/// The 128 bits as URL-safe Base64 without padding: 22 characters of six bits; the last holds two.
fn base64_url(bits: u128) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let shifted = |place: u32| if place < 21 { bits >> (122 - 6 * place) } else { bits << 4 };
    let character = |place| ALPHABET.get(usize::try_from(shifted(place) & 0x3f).unwrap_or_default());
    (0..22).filter_map(character).map(|character| char::from(*character)).collect()
}

/// All topics that the brokers let us see, by name.
pub async fn list(cluster: &mut Cluster) -> Result<Vec<TopicState>, KafkaError> {
    let response = cluster.metadata(None).await?;
    let mut topics: Vec<_> = response.topics.into_iter().filter_map(state).collect();
    topics.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(topics)
}

/// The topic `name`; [`KafkaError::NoTopic`] where there is none.
pub async fn describe(cluster: &mut Cluster, name: &str) -> Result<TopicState, KafkaError> {
    let found = cluster.topic_metadata(name).await?;
    state(found).ok_or_else(|| KafkaError::NoTopic { topic: name.to_owned() })
}

fn state(topic: MetadataResponseTopic) -> Option<TopicState> {
    let name = topic.name.as_ref()?.to_string();
    let mut partitions: Vec<_> = topic.partitions.into_iter().map(partition_state).collect();
    partitions.sort_unstable_by_key(|partition| partition.partition);
    Some(TopicState { name, id: topic.topic_id, is_internal: topic.is_internal, partitions })
}

fn partition_state(partition: MetadataResponsePartition) -> PartitionState {
    let ids = |nodes: Vec<BrokerId>| nodes.into_iter().map(|node| node.0).collect();
    PartitionState {
        partition: partition.partition_index,
        leader: Some(partition.leader_id.0).filter(|leader| *leader >= 0),
        replicas: ids(partition.replica_nodes),
        in_sync: ids(partition.isr_nodes),
        ..PartitionState::default()
    }
}

/// Asks the leaders for the [ranges](PartitionState::range) of all partitions of `topics`, and gives what kept some of
/// them from answering. A partition without a leader has none. A leader that was named a moment ago gets some time.
pub async fn measure(cluster: &mut Cluster, topics: &mut [TopicState]) -> Vec<KafkaError> {
    let mut backoff = Backoff::default();
    loop {
        let troubles = try_measure(cluster, topics).await;
        let may_pass = |trouble: &KafkaError| matches!(trouble, KafkaError::Refused { .. }) && trouble.is_passing();
        if !troubles.iter().any(may_pass) || backoff.is_worth_telling() {
            return troubles;
        }
        sleep(backoff.next_pause()).await;
    }
}

async fn try_measure(cluster: &mut Cluster, topics: &mut [TopicState]) -> Vec<KafkaError> {
    let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
    let nodes: BTreeSet<NodeId> = partitions().filter_map(|partition| partition.leader).collect();
    let mut troubles = Vec::new();
    for node in nodes {
        troubles.extend(measure_at(cluster, node, topics).await.err());
    }
    troubles
}

/// Asks one leader; the first of its refusals is the error, and what it said is kept all the same.
async fn measure_at(cluster: &mut Cluster, node: NodeId, topics: &mut [TopicState]) -> Result<(), KafkaError> {
    let led = |topic: &TopicState| -> Vec<i32> {
        let led = topic.partitions.iter().filter(|partition| partition.leader == Some(node));
        led.map(|partition| partition.partition).collect()
    };
    let wanted = topics.iter().map(|topic| (topic.name.as_str(), led(topic)));
    let wanted: Vec<_> = wanted.filter(|(_, partitions)| !partitions.is_empty()).collect();
    let leader = cluster.node(node).await?;
    let (firsts, refusal) = offsets::ask_leader(leader, &wanted, Place::Earliest).await?;
    let (ends, later_refusal) = offsets::ask_leader(leader, &wanted, Place::Latest).await?;
    note_ranges(topics, node, &firsts, &ends);
    refusal.or(later_refusal).map_or(Ok(()), Err)
}

/// Offsets by topic and partition.
type Offsets = BTreeMap<(String, i32), i64>;

fn note_ranges(topics: &mut [TopicState], node: NodeId, firsts: &Offsets, ends: &Offsets) {
    for topic in topics {
        for partition in topic.partitions.iter_mut().filter(|partition| partition.leader == Some(node)) {
            let key = (topic.name.clone(), partition.partition);
            partition.range =
                firsts.get(&key).zip(ends.get(&key)).map(|(first, end)| Range { first: *first, end: *end });
        }
    }
}

/// How far before the end the last record is looked for: what stands behind it are markers of transactions.
const MARKERS: i64 = 3;

/// Reads the first and the last record of each partition that was [measured](measure), for their times.
pub async fn date(cluster: &mut Cluster, topic: &mut TopicState) -> Result<(), KafkaError> {
    for partition in &mut topic.partitions {
        let (Some(leader), Some(range)) = (partition.leader, partition.range) else { continue };
        if range.records() == 0 {
            continue;
        }
        let leader = cluster.node(leader).await?;
        let records = fetch::once(leader, &topic.name, partition.partition, range.first).await?;
        partition.oldest_ms = records.first().and_then(|record| known(record.timestamp_ms));
        for back in 1..=MARKERS.min(range.records()) {
            let records = fetch::once(leader, &topic.name, partition.partition, range.end - back).await?;
            partition.newest_ms = records.last().and_then(|record| known(record.timestamp_ms));
            if partition.newest_ms.is_some() {
                break;
            }
        }
    }
    Ok(())
}

/// A time below zero stands for none.
fn known(timestamp_ms: i64) -> Option<i64> {
    Some(timestamp_ms).filter(|time| *time >= 0)
}

/// So many offsets before the end of each partition a sample begins.
const SAMPLED: i64 = 20;

/// How the last records were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// The records that were looked at.
    pub records: usize,
    /// Those without a key.
    pub unkeyed: usize,
    /// Those whose key belongs into another partition, as Java and kafka-python place it.
    pub misplaced: usize,
    /// The latest time that one of them was sent at, in milliseconds since 1970.
    pub newest_ms: Option<i64>,
}

/// Looks at how the last records of each partition of a topic that was [measured](measure) were sent, and not at what
/// is in them: one fetch each.
pub async fn sample(cluster: &mut Cluster, topic: &TopicState) -> Result<Sample, KafkaError> {
    let mut sample = Sample::default();
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    for PartitionState { partition, leader, range, .. } in &topic.partitions {
        let (Some(leader), Some(range)) = (leader, range) else { continue };
        if range.records() == 0 {
            continue;
        }
        let from = range.first.max(range.end.saturating_sub(SAMPLED));
        for record in fetch::once(cluster.node(*leader).await?, &topic.name, *partition, from).await? {
            sample.add(record.key.as_deref(), record.timestamp_ms, *partition, count);
        }
    }
    Ok(sample)
}

impl Sample {
    fn add(&mut self, key: Option<&[u8]>, timestamp_ms: i64, partition: i32, count: i32) {
        self.records += 1;
        match key {
            None => self.unkeyed += 1,
            Some(key) if partition_of(key, count) != partition => self.misplaced += 1,
            Some(_) => {}
        }
        self.newest_ms = self.newest_ms.max(known(timestamp_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(ranges: &[Option<(i64, i64)>]) -> TopicState {
        let partition = |(partition, range): (i32, &Option<(i64, i64)>)| PartitionState {
            partition,
            leader: Some(1 + partition % 2),
            range: range.map(|(first, end)| Range { first, end }),
            ..PartitionState::default()
        };
        let partitions = (0..).zip(ranges).map(partition).collect();
        TopicState { name: "t".into(), id: Uuid::nil(), is_internal: false, partitions }
    }

    #[test]
    fn the_records_of_a_topic_are_not_known_while_one_partition_s_are_not() {
        assert_eq!(topic(&[Some((5, 12)), Some((0, 3))]).records(), Some(10));
        assert_eq!(topic(&[Some((5, 12)), None]).records(), None);
        assert_eq!(topic(&[Some((5, 5)), Some((7, 6))]).records(), Some(0));
    }

    #[test]
    fn an_id_is_written_as_kafka_writes_it() {
        // Python: base64.urlsafe_b64encode(bytes(range(240, 256)))
        let id = Uuid::from_u128(0xf0f1_f2f3_f4f5_f6f7_f8f9_fafb_fcfd_feff);
        assert_eq!(TopicState { id, ..topic(&[]) }.id_text().as_deref(), Some("8PHy8_T19vf4-fr7_P3-_w"));
        assert_eq!(topic(&[]).id_text(), None);
    }

    #[test]
    fn a_replica_that_is_not_in_sync_is_told() {
        let partition = PartitionState { replicas: vec![1, 2], in_sync: vec![2], ..PartitionState::default() };
        assert!(partition.is_under_replicated());
        assert!(!PartitionState { in_sync: vec![2, 1], ..partition }.is_under_replicated());
    }

    #[test]
    fn a_leader_answers_for_its_own_partitions_only() {
        let mut topics = [topic(&[None, Some((1, 2)), None])];
        let offsets = |offset| -> Offsets { (0..3).map(|of| (("t".to_owned(), of), offset)).collect() };
        note_ranges(&mut topics, 1, &offsets(10), &offsets(30));
        let [topic] = &topics;
        let ranges: Vec<_> = topic.partitions.iter().map(|of| of.range.map(|range| (range.first, range.end))).collect();
        assert_eq!((topic.name.as_str(), ranges), ("t", vec![Some((10, 30)), Some((1, 2)), Some((10, 30))]));
    }

    #[test]
    fn keys_that_are_missing_or_misplaced_are_counted() {
        let mut sample = Sample::default();
        let home = partition_of(b"P001", 6);
        sample.add(Some(b"P001"), 1_000, home, 6);
        sample.add(Some(b"P001"), 3_000, (home + 1) % 6, 6);
        sample.add(None, 2_000, 0, 6);
        assert_eq!(sample, Sample { records: 3, unkeyed: 1, misplaced: 1, newest_ms: Some(3_000) });
    }

    #[test]
    fn a_record_without_a_time_has_none() {
        let mut sample = Sample::default();
        sample.add(None, -1, 0, 1);
        assert_eq!(sample.newest_ms, None);
    }
}
