//! What is in a topic, read from outside of any group: nobody's offsets change.
//!
//! Each partition keeps its order; across partitions the records come by their times, as well as these allow. Memory is
//! bounded: of each partition no more than one fetch is held.

use std::collections::VecDeque;
use std::time::Duration;

use kafka_protocol::ResponseError;

use super::cluster::{Cluster, Leaders};
use super::error::{Attempts, KafkaError};
use super::fetch;
use super::offsets::{self, Place};
use super::records::Decoded;
use crate::record::Record;

/// What the fetches of all partitions together may hold, before they are decompressed.
const HELD_BYTES: usize = 8 * 1024 * 1024;
/// What one fetch brings at least, and at most.
const PAGE_BYTES: std::ops::RangeInclusive<i32> = 64 * 1024..=1024 * 1024;

/// How long a partition may be without a leader that answers.
const LEADER_LIMIT: Duration = Duration::from_secs(4);

/// A part of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// Behind the last offset.
    pub end: i64,
}

impl Stretch {
    /// Whether the offset of this partition is in it.
    pub fn contains(self, partition: i32, offset: i64) -> bool {
        self.partition == partition && (self.start..self.end).contains(&offset)
    }
}

/// Everything that `topic` holds now, partition by partition.
pub async fn everything(cluster: &mut Cluster, topic: &str) -> Result<Vec<Stretch>, KafkaError> {
    let mut attempts = Attempts::within(LEADER_LIMIT);
    loop {
        match try_everything(cluster, topic).await {
            Err(error @ KafkaError::Refused { .. }) if error.is_passing() => attempts.pause(error).await?,
            outcome => return outcome,
        }
    }
}

async fn try_everything(cluster: &mut Cluster, topic: &str) -> Result<Vec<Stretch>, KafkaError> {
    let leaders = cluster.leaders(topic).await?;
    if let Some((partition, _)) = leaders.0.iter().find(|(_, leader)| leader.is_none()) {
        let what = format!("to read partition {partition} of the topic '{topic}'");
        return Err(KafkaError::refused(what, ResponseError::LeaderNotAvailable));
    }
    let starts = offsets::find(cluster, topic, &leaders, Place::Earliest).await?;
    let ends = offsets::find(cluster, topic, &leaders, Place::Latest).await?;
    // Both come for every partition that has a leader, in order.
    let both = starts.into_iter().zip(ends.into_values());
    Ok(both.map(|((partition, start), end)| Stretch { partition, start, end }).collect())
}

/// The records of some stretches of a topic.
#[derive(Debug)]
pub struct History<'a> {
    cluster: &'a mut Cluster,
    topic: &'a str,
    leaders: Leaders,
    page_bytes: i32,
    cursors: Vec<Cursor>,
}

/// What is left of one stretch: first what is held of it, then what is still to be fetched.
#[derive(Debug)]
struct Cursor {
    stretch: Stretch,
    held: VecDeque<Record>,
}

impl<'a> History<'a> {
    /// The records of these `stretches` of `topic`.
    pub async fn open(
        cluster: &'a mut Cluster,
        topic: &'a str,
        stretches: &[Stretch],
    ) -> Result<History<'a>, KafkaError> {
        let leaders = cluster.leaders(topic).await?;
        let share = HELD_BYTES / stretches.len().max(1);
        let page_bytes = i32::try_from(share).unwrap_or(i32::MAX).clamp(*PAGE_BYTES.start(), *PAGE_BYTES.end());
        let cursors = stretches.iter().map(|stretch| Cursor { stretch: *stretch, held: VecDeque::new() }).collect();
        Ok(Self { cluster, topic, leaders, page_bytes, cursors })
    }

    /// The next record, with its partition; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(i32, Record)>, KafkaError> {
        for at in 0..self.cursors.len() {
            while let Some(wanted) = self.cursors.get(at).and_then(Cursor::wanted) {
                let page = self.read(wanted).await?;
                if let Some(cursor) = self.cursors.get_mut(at) {
                    cursor.take(page);
                }
            }
        }
        self.cursors.retain(|cursor| !cursor.held.is_empty());
        let by_time = |cursor: &&mut Cursor| (cursor.head_ms(), cursor.stretch.partition);
        let first = self.cursors.iter_mut().min_by_key(by_time);
        Ok(first.and_then(|cursor| Some((cursor.stretch.partition, cursor.held.pop_front()?))))
    }

    /// Reads on; a leader that moves is an everyday event.
    async fn read(&mut self, wanted: Stretch) -> Result<Decoded, KafkaError> {
        let mut attempts = Attempts::within(LEADER_LIMIT);
        loop {
            match self.try_read(wanted).await {
                Err(KafkaError::Refused { code: ResponseError::OffsetOutOfRange, .. }) => {
                    return self.skip(wanted).await;
                }
                Err(error) if error.is_passing() => attempts.pause(error).await?,
                outcome => return outcome,
            }
            self.leaders = self.cluster.leaders(self.topic).await?;
        }
    }

    async fn try_read(&mut self, wanted: Stretch) -> Result<Decoded, KafkaError> {
        let Stretch { partition, start, .. } = wanted;
        let what = format!("a fetch of partition {partition}");
        let leader = self.cluster.leader(&self.leaders, partition, &what).await?;
        fetch::page(leader, self.topic, partition, start, self.page_bytes).await
    }

    /// Retention has deleted what was to be read: goes on at the first record that is left, if any is.
    async fn skip(&mut self, wanted: Stretch) -> Result<Decoded, KafkaError> {
        let starts = offsets::find(self.cluster, self.topic, &self.leaders, Place::Earliest).await?;
        let first = starts.get(&wanted.partition).copied();
        let next_offset = first.filter(|first| *first > wanted.start);
        Ok(Decoded { records: Vec::new(), next_offset })
    }
}

impl Cursor {
    /// What is to be fetched before its next record is known.
    fn wanted(&self) -> Option<Stretch> {
        (self.held.is_empty() && self.stretch.start < self.stretch.end).then_some(self.stretch)
    }

    fn take(&mut self, page: Decoded) {
        let end = self.stretch.end;
        self.held.extend(page.records.into_iter().filter(|record| record.offset < end));
        // A log that ends before it did is not waited for.
        self.stretch.start = page.next_offset.unwrap_or(end);
    }

    fn head_ms(&self) -> i64 {
        self.held.front().map_or(i64::MAX, |record| record.timestamp_ms)
    }
}

/// Where the last records begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// What to read.
    pub stretches: Vec<Stretch>,
    /// How many of the wanted records in it to leave out, from its beginning on.
    pub skip: u64,
}

/// Finds the last `count` records of `stretches` that are `wanted`. What is between is read for it, and nothing held.
pub async fn tail(
    cluster: &mut Cluster,
    topic: &str,
    stretches: &[Stretch],
    count: u64,
    wanted: impl Fn(&Record) -> bool,
) -> Result<Tail, KafkaError> {
    let mut tail = Tail { stretches: Vec::new(), skip: 0 };
    let mut found: u64 = 0;
    for whole in stretches {
        let mut last = Stretch { start: whole.end, ..*whole };
        let mut of_partition: u64 = 0;
        let mut span = i64::try_from(count).unwrap_or(i64::MAX);
        // Not every offset holds a record that is wanted, so that it may take another look further back.
        while of_partition < count && last.start > whole.start {
            let start = last.start.saturating_sub(span).max(whole.start);
            let further = Stretch { start, end: last.start, ..*whole };
            of_partition = of_partition.saturating_add(count_records(cluster, topic, further, &wanted).await?);
            last.start = start;
            span = span.saturating_mul(FURTHER);
        }
        found = found.saturating_add(of_partition);
        tail.stretches.push(last);
    }
    tail.skip = found.saturating_sub(count);
    Ok(tail)
}

/// Each look further back is so much longer than the one before.
const FURTHER: i64 = 4;

async fn count_records(
    cluster: &mut Cluster,
    topic: &str,
    stretch: Stretch,
    wanted: impl Fn(&Record) -> bool,
) -> Result<u64, KafkaError> {
    let mut history = History::open(cluster, topic, &[stretch]).await?;
    let mut found = 0;
    while let Some((_, record)) = history.next().await? {
        found += u64::from(wanted(&record));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, timestamp_ms: i64) -> Record {
        Record { offset, timestamp_ms, key: None, value: None, headers: Vec::new(), fault: None }
    }

    fn cursor(start: i64, end: i64) -> Cursor {
        Cursor { stretch: Stretch { partition: 0, start, end }, held: VecDeque::new() }
    }

    fn page(offsets: &[i64], next_offset: Option<i64>) -> Decoded {
        Decoded { records: offsets.iter().map(|offset| record(*offset, 0)).collect(), next_offset }
    }

    #[test]
    fn a_stretch_ends_where_it_was_to_end_however_much_a_fetch_brings() {
        let mut cursor = cursor(5, 7);
        assert_eq!(cursor.wanted(), Some(cursor.stretch));
        cursor.take(page(&[5, 6, 7, 8], Some(9)));
        assert_eq!(cursor.held.iter().map(|record| record.offset).collect::<Vec<_>>(), [5, 6]);
        cursor.held.clear();
        assert_eq!(cursor.wanted(), None);
    }

    #[test]
    fn a_page_without_records_is_followed_by_the_next() {
        let mut cursor = cursor(0, 10);
        cursor.take(page(&[], Some(4)));
        assert_eq!(cursor.wanted(), Some(Stretch { partition: 0, start: 4, end: 10 }));
        cursor.take(page(&[], None));
        assert_eq!(cursor.wanted(), None, "a log that was cut is not waited for");
    }
}
