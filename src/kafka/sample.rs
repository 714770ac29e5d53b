//! A sample of the last records of a topic: how they were sent, and not what is in them.

use super::cluster::Cluster;
use super::error::KafkaError;
use super::fetch;
use super::murmur2::partition_of;
use super::topics::{PartitionState, TopicState};

/// So many offsets before the end of each partition a sample begins.
const DEPTH: i64 = 20;

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

/// Looks at the last records of each partition of a topic that was [measured](super::topics::measure): one fetch each.
pub async fn take(cluster: &mut Cluster, topic: &TopicState) -> Result<Sample, KafkaError> {
    let mut sample = Sample::default();
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    for PartitionState { partition, leader, range, .. } in &topic.partitions {
        let (Some(leader), Some(range)) = (leader, range) else { continue };
        if range.records() == 0 {
            continue;
        }
        let from = range.first.max(range.end.saturating_sub(DEPTH));
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
        self.newest_ms = self.newest_ms.max(Some(timestamp_ms).filter(|time| *time >= 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
