//! How far a group is behind, partition by partition.

use std::collections::HashMap;

use chrono::Utc;

use super::cluster::{Cluster, Topic};
use super::connection::Connection;
use super::error::KafkaError;
use super::fetch;
use super::group::admin;
use super::offsets::{self, Committed, Place};

/// How far a group is behind in one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: i32,
    /// The offset that the group reads next; `None` where it has committed nothing.
    pub committed: Option<i64>,
    /// Up to where everything is stored. It may be further than what is committed, where the store may still forget.
    pub stored: Option<i64>,
    /// What the group has committed in an earlier topic of this name: in this one it begins at the start.
    pub earlier: Option<i64>,
    /// Behind the last message.
    pub end: i64,
    /// Messages between the last two; from the first message that is still there, where nothing is stored.
    pub lag: i64,
    /// For how many seconds the first of them has been waiting; `None` where none is.
    pub lag_seconds: Option<f64>,
    /// Who reads the partition, where somebody does.
    pub member: Option<Member>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its static instance id, else the id that the coordinator gave it.
    pub id: String,
    /// The host that it connects from.
    pub host: String,
}

/// Measures the lag of `group` in all partitions of `topic` that have a leader, in order.
/// A group that commits no offsets is refused as of [another protocol](KafkaError::OtherProtocol).
pub async fn measure(cluster: &mut Cluster, group: &str, topic: &str) -> Result<Vec<PartitionLag>, KafkaError> {
    let Topic { id, leaders } = cluster.topic(topic).await?;
    let mut members = members(cluster, group, topic).await?;
    let partitions: Vec<i32> = leaders.partitions().collect();
    // Whoever has told the members knows this too.
    let committed = offsets::committed(cluster.coordinator_node(group).await?, group, topic, &partitions).await?;
    let committed: HashMap<i32, Committed> = committed.into_iter().map(|of| (of.position.partition, of)).collect();
    let starts = offsets::find(cluster, topic, &leaders, Place::Earliest).await?;
    let ends = offsets::find(cluster, topic, &leaders, Place::Latest).await?;
    let mut lags = Vec::with_capacity(ends.len());
    for (partition, end) in ends {
        let start = starts.get(&partition).copied().unwrap_or(0);
        let found = committed.get(&partition);
        let position = found.filter(|of| of.fits(id, end)).map(|of| of.position);
        let earlier = found.filter(|_| position.is_none()).map(|of| of.position.offset);
        let (committed, stored) = (position.map(|at| at.offset), position.map(|at| at.stored));
        // What retention has deleted below the first message can be read no more.
        let next = stored.unwrap_or(start).max(start);
        let lag = (end - next).max(0);
        let lag_seconds = match leaders.of(partition) {
            Some(leader) if lag > 0 => waiting_seconds(cluster.node(leader).await?, topic, partition, next).await?,
            _ => None,
        };
        lags.push(PartitionLag {
            partition,
            committed,
            stored,
            earlier,
            end,
            lag,
            lag_seconds,
            member: members.remove(&partition),
        });
    }
    Ok(lags)
}

/// Who reads which partition.
async fn members(cluster: &mut Cluster, group: &str, topic: &str) -> Result<HashMap<i32, Member>, KafkaError> {
    let described = admin::described(cluster, group).await?;
    described.ensure_commits(group)?;
    let mut members = HashMap::new();
    for member in &described.members {
        for partition in member.assignment.get(topic).into_iter().flatten() {
            members.insert(*partition, Member { id: member.id().to_owned(), host: member.host.clone() });
        }
    }
    Ok(members)
}

/// How long the record at `offset` has been in the log, by the clocks of its sender and of this machine.
async fn waiting_seconds(
    leader: &mut Connection,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<f64>, KafkaError> {
    let records = fetch::once(leader, topic, partition, offset).await?;
    let sent = records.first().and_then(|record| chrono::DateTime::from_timestamp_millis(record.timestamp_ms));
    let waited = sent.map(|sent| Utc::now().signed_duration_since(sent).as_seconds_f64());
    // A sender whose clock is ahead has not waited a negative time.
    Ok(waited.map(|seconds| seconds.max(0.0)))
}
