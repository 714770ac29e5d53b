//! Appends records to a partition as they are, over our own connection: rskafka's map of texts cannot hold whatever
//! headers a record had, nor a record without a key.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};

use super::cluster::{Cluster, Leaders, topic_name};
use super::connection::{Connection, REQUEST_LIMIT};
use super::error::KafkaError;
use super::records;
use crate::record::Record;

/// A batch beyond this goes out compressed: what came compressed may be far larger than any topic takes.
pub(super) const LARGE_BATCH_BYTES: usize = 512 * 1024;

/// All replicas that are in sync have to take a batch.
const ALL_REPLICAS: i16 = -1;

/// Appends `records` to `partition` in one batch. `Ok` means that all in-sync replicas have them; after any error but a
/// refusal they may be in the log or not. It is tried once. The record's offsets are left to the broker.
///
/// # Errors
/// The partition has no leader, or it cannot be reached, or refuses; `what` says in its words what was refused.
pub async fn append(
    cluster: &mut Cluster,
    leaders: &Leaders,
    topic: &str,
    partition: i32,
    records: &[Record],
    what: &str,
) -> Result<(), KafkaError> {
    append_batch(cluster, leaders, topic, partition, records::encode(records, LARGE_BATCH_BYTES), what).await
}

/// As [`append`], with the batch made by the caller.
pub(super) async fn append_batch(
    cluster: &mut Cluster,
    leaders: &Leaders,
    topic: &str,
    partition: i32,
    batch: Bytes,
    what: &str,
) -> Result<(), KafkaError> {
    let leader = leaders.of(partition).ok_or_else(|| KafkaError::refused(what, ResponseError::LeaderNotAvailable))?;
    append_at(cluster.node(leader).await?, topic, partition, batch, what, REQUEST_LIMIT).await
}

/// As [`append`], at the broker that leads the partition, within `limit`.
pub(super) async fn append_at(
    leader: &mut Connection,
    topic: &str,
    partition: i32,
    batch: Bytes,
    what: &str,
    limit: Duration,
) -> Result<(), KafkaError> {
    // A broker that waits for its replicas in vain says so before it is given up.
    let response = leader.call_within(&request(topic, partition, batch, limit * 4 / 5), limit).await?;
    let answer = response.responses.iter().flat_map(|topic| &topic.partition_responses).next();
    match answer.map(|answer| answer.error_code.err()) {
        Some(None) => Ok(()),
        Some(Some(code)) => Err(KafkaError::refused(what, code)),
        None => Err(KafkaError::refused(what, ResponseError::UnknownServerError)),
    }
}

fn request(topic: &str, partition: i32, batch: Bytes, limit: Duration) -> ProduceRequest {
    let of_partition = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let of_topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![of_partition]);
    ProduceRequest::default()
        .with_acks(ALL_REPLICAS)
        .with_timeout_ms(i32::try_from(limit.as_millis()).unwrap_or(i32::MAX))
        .with_topic_data(vec![of_topic])
}
