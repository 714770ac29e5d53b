//! Looking on: the topic is read outside of any group, and what holds for patients is followed in the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::alarm::Limits;
use crate::alarm::rules::RuleSet;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::live::Live;
use crate::kafka::offsets::{self, Place};
use crate::pipeline::store::Entry;
use crate::settings::Settings;
use crate::store::{AnyStore, Journal};

/// What is in the topic when reading begins.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Where each partition ends at that moment.
    ends: HashMap<i32, i64>,
    /// Partitions that are not read to their end.
    unread: BTreeSet<i32>,
}

impl Backlog {
    /// Whether everything is read.
    pub fn is_read(&self) -> bool {
        self.unread.is_empty()
    }

    /// The partitions of the topic.
    pub fn partitions(&self) -> impl Iterator<Item = i32> {
        self.ends.keys().copied()
    }

    /// Where the partition ended when reading began.
    pub fn end_of(&self, partition: i32) -> i64 {
        self.ends.get(&partition).copied().unwrap_or(0)
    }

    /// The partition was read up to `next`, and goes to `end`. Whether everything is read, where that is another answer
    /// than before.
    pub fn read_to(&mut self, partition: i32, next: i64, end: i64) -> Option<bool> {
        let was_read = self.is_read();
        if next < end {
            self.unread.insert(partition);
        } else {
            self.unread.remove(&partition);
        }
        (self.is_read() != was_read).then(|| self.is_read())
    }

    /// Nothing is known but that these partitions are not read.
    #[cfg(test)]
    pub fn unread_in<const N: usize>(partitions: [i32; N]) -> Self {
        Self { ends: partitions.map(|partition| (partition, 0)).into(), unread: partitions.into() }
    }
}

/// Begins to read `topic` from `place` on, and tells what is there at this moment. A
/// partition that has no leader is read from its first record once it has one.
///
/// # Errors
/// Kafka cannot be reached, or the topic does not exist.
pub async fn open(settings: &Settings, topic: &str, place: Place) -> Result<(Live, Backlog), KafkaError> {
    let kafka = super::kafka_config(settings)?;
    let mut cluster = Cluster::connect(&kafka).await?;
    let leaders = cluster.leaders(topic).await?;
    let mut positions: BTreeMap<i32, i64> = leaders.0.iter().map(|(partition, _)| (*partition, 0)).collect();
    positions.extend(offsets::find(&mut cluster, topic, &leaders, place).await?);
    let ends: HashMap<_, _> = offsets::find(&mut cluster, topic, &leaders, Place::Latest).await?.into_iter().collect();
    let is_unread = |(partition, position): (&i32, &i64)| {
        ends.get(partition).is_some_and(|end| position < end).then_some(*partition)
    };
    let unread = positions.iter().filter_map(is_unread).collect();
    Ok((Live::begin(&mut cluster, &kafka, topic, positions).await?, Backlog { ends, unread }))
}

/// How many partitions the topic has now.
///
/// # Errors
/// Kafka cannot be reached, or the topic does not exist.
pub async fn count_partitions(settings: &Settings, topic: &str) -> Result<usize, KafkaError> {
    let mut cluster = Cluster::connect(super::kafka_config(settings)?).await?;
    Ok(cluster.leaders(topic).await?.count())
}

/// The rules that were applied since those that are `known`, where they are others.
///
/// # Errors
/// Why they are not known, in words.
pub async fn rules_since(
    store: &AnyStore,
    known: &mut Option<Entry>,
    limits: Limits,
) -> Result<Option<RuleSet>, String> {
    let applied = store.newest_entries(Journal::Rules, 1).await.map_err(|error| format!("not known: {error}"))?.pop();
    let Some(applied) = applied.filter(|applied| known.as_ref() != Some(applied)) else { return Ok(None) };
    let set =
        applied.set(limits).map_err(|error| format!("version {} cannot be read here: {error}", applied.version))?;
    *known = Some(applied);
    Ok(Some(set))
}
