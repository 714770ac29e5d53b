//! Appends records to a partition.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};

use super::cluster::{Cluster, Leaders, millis, topic_name};
use super::connection::{Connection, REQUEST_LIMIT};
use super::error::KafkaError;
use super::records;
use crate::kafka::right::{Operation, Right};
use crate::record::Record;

/// A batch beyond this goes out compressed: what came compressed may be far larger than any topic takes.
pub(super) const LARGE_BATCH_BYTES: usize = 512 * 1024;

/// All replicas that are in sync have to take a batch.
const ALL_REPLICAS: i16 = -1;

/// Appends `records` to `partition` in one batch. `Ok` means that all in-sync replicas have them; after any error but a
/// refusal they may be in the log or not. It is tried once. The record's offsets are left to the broker; `what` says in
/// an error's words what was refused.
pub async fn append(
    cluster: &mut Cluster,
    leaders: &Leaders,
    topic: &str,
    partition: i32,
    records: &[Record],
    what: &str,
) -> Result<(), KafkaError> {
    let leader = cluster.leader(leaders, partition, what).await?;
    append_batch(leader, topic, partition, records::encode(records, LARGE_BATCH_BYTES), what, REQUEST_LIMIT).await
}

/// As [`append`], with the batch made by the caller, at the broker that leads the partition, within `limit`.
pub(super) async fn append_batch(
    leader: &mut Connection,
    topic: &str,
    partition: i32,
    batch: Bytes,
    what: &str,
    limit: Duration,
) -> Result<(), KafkaError> {
    append_batches(leader, topic, vec![(partition, batch)], what, limit).await
}

/// As [`append_batch`], with a batch for each of several partitions of one leader. After an error any of them may be
/// there.
pub(super) async fn append_batches(
    leader: &mut Connection,
    topic: &str,
    batches: Vec<(i32, Bytes)>,
    what: &str,
    limit: Duration,
) -> Result<(), KafkaError> {
    let count = batches.len();
    let of_partition =
        |(partition, batch)| PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let of_topic = TopicProduceData::default()
        .with_name(topic_name(topic))
        .with_partition_data(batches.into_iter().map(of_partition).collect());
    let request = ProduceRequest::default()
        .with_acks(ALL_REPLICAS)
        // A broker that waits for its replicas in vain says so before it is given up.
        .with_timeout_ms(millis(limit * 4 / 5))
        .with_topic_data(vec![of_topic]);
    let response = leader.call_within(&request, limit).await?;
    let answers: Vec<_> = response.responses.iter().flat_map(|topic| &topic.partition_responses).collect();
    let refusal = answers.iter().find_map(|answer| answer.error_code.err());
    let code = refusal.or_else(|| (answers.len() < count).then_some(ResponseError::UnknownServerError));
    let needed = || Right::topic(Operation::Write, topic);
    code.map_or(Ok(()), |code| Err(KafkaError::refused(what, code).needing(needed())))
}

/// Whether it is for the size of a batch that it was refused.
pub(super) fn is_too_large(code: ResponseError) -> bool {
    matches!(code, ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge)
}
