//! Requests about records: produce, fetch, and where partitions begin and end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, ProduceRequest, ProduceResponse, ProducerId,
};
use tokio::time::{Instant, timeout_at};

use super::state::{State, Topic};

/// The longest that a fetch is held back, whatever it asks for.
const LONGEST_FETCH: Duration = Duration::from_secs(30);
/// The most that one fetch brings, whatever it asks for, but for the first batch.
const MAX_FETCH_BYTES: usize = 16 * 1024 * 1024;

/// Appends what a producer sends. `None` where it wants no response.
pub(super) async fn produce(state: &State, request: ProduceRequest) -> Option<ProduceResponse> {
    let transactional = request.transactional_id.is_some();
    let of_topic = async |of_topic: TopicProduceData| {
        let topic = state.topics.find(&of_topic.name);
        let partitions = of_topic.partition_data.into_iter();
        let appends = partitions.map(|data| append(state, topic.as_deref(), data, transactional));
        // All at once, so that they wait for the disk together.
        let appended = join_all(appends).await;
        TopicProduceResponse::default().with_name(of_topic.name).with_partition_responses(appended)
    };
    let responses = join_all(request.topic_data.into_iter().map(of_topic)).await;
    state.wake_fetches();
    (request.acks != 0).then(|| ProduceResponse::default().with_responses(responses))
}

async fn append(
    state: &State,
    topic: Option<&Topic>,
    data: PartitionProduceData,
    transactional: bool,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(data.index);
    match try_append(state, topic, data, transactional).await {
        Ok((base_offset, start_offset)) => response.with_base_offset(base_offset).with_log_start_offset(start_offset),
        Err(code) => response.with_base_offset(-1).with_error_code(code.code()),
    }
}

/// The offset of the first record, and the log's first offset.
async fn try_append(
    state: &State,
    topic: Option<&Topic>,
    data: PartitionProduceData,
    transactional: bool,
) -> Result<(i64, i64), ResponseError> {
    if transactional {
        return Err(ResponseError::TransactionalIdAuthorizationFailed);
    }
    let topic = topic.ok_or(ResponseError::UnknownTopicOrPartition)?;
    let batches = data.records.unwrap_or_default();
    let (appended, start_offset) = {
        let mut log = topic.log(data.index).ok_or(ResponseError::UnknownTopicOrPartition)?;
        (log.append(&batches)?, log.start_offset())
    };
    // Also a repeat: what it repeats may be on its way.
    let kept = state.topics.records_kept(topic, data.index, appended.last_offset + 1).await;
    kept.map_err(|_| ResponseError::KafkaStorageError)?;
    state.traffic.produced(appended.last_offset + 1 - appended.base_offset, batches.len());
    Ok((appended.base_offset, start_offset))
}

/// Reads records; waits for them as long as the request allows.
pub(super) async fn fetch(state: &State, request: FetchRequest, version: i16) -> FetchResponse {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(LONGEST_FETCH);
    let deadline = Instant::now() + wait;
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut appends = state.appends.subscribe();
    // Found once: another topic that gets the name meanwhile is not the one that was asked for.
    let topics: Vec<_> = request.topics.iter().map(|wanted| find(state, wanted, version)).collect();
    loop {
        appends.mark_unchanged();
        let gathered = gather(state, &request, &topics);
        let is_due = gathered.bytes >= enough || gathered.failed;
        if is_due || !matches!(timeout_at(deadline, appends.changed()).await, Ok(Ok(()))) {
            state.traffic.fetched(gathered.bytes);
            return FetchResponse::default().with_responses(gathered.topics);
        }
    }
}

#[derive(Default)]
struct Gathered {
    topics: Vec<FetchableTopicResponse>,
    bytes: usize,
    failed: bool,
}

fn gather(state: &State, request: &FetchRequest, topics: &[(Option<Arc<Topic>>, ResponseError)]) -> Gathered {
    let mut gathered = Gathered::default();
    let limit = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_FETCH_BYTES);
    for (wanted, (topic, unknown)) in request.topics.iter().zip(topics) {
        let mut partitions = Vec::with_capacity(wanted.partitions.len());
        for partition in &wanted.partitions {
            let room = limit.saturating_sub(gathered.bytes);
            let read = read(state, topic.as_ref(), partition, *unknown, room, gathered.bytes == 0);
            gathered.bytes += read.records.as_ref().map_or(0, Bytes::len);
            gathered.failed |= read.error_code != 0;
            partitions.push(read);
        }
        gathered.topics.push(
            FetchableTopicResponse::default()
                .with_topic(wanted.topic.clone())
                .with_topic_id(wanted.topic_id)
                .with_partitions(partitions),
        );
    }
    gathered
}

/// Newer fetches name topics by id.
fn find(state: &State, wanted: &FetchTopic, version: i16) -> (Option<Arc<Topic>>, ResponseError) {
    if version >= 13 {
        (state.topics.find_by_id(wanted.topic_id), ResponseError::UnknownTopicId)
    } else {
        (state.topics.find(&wanted.topic), ResponseError::UnknownTopicOrPartition)
    }
}

fn read(
    state: &State,
    topic: Option<&Arc<Topic>>,
    wanted: &FetchPartition,
    unknown: ResponseError,
    room: usize,
    is_first: bool,
) -> PartitionData {
    let data = PartitionData::default().with_partition_index(wanted.partition).with_records(Some(Bytes::new()));
    let refused = |code: ResponseError| data.clone().with_error_code(code.code()).with_high_watermark(-1);
    let Some(topic) = topic else { return refused(unknown) };
    let Some(log) = topic.log(wanted.partition) else {
        let is_deleted = state.topics.find_by_id(topic.meta.id).is_none();
        return refused(if is_deleted { unknown } else { ResponseError::UnknownTopicOrPartition });
    };
    let end = log.end_offset();
    let data = data
        .clone()
        .with_high_watermark(end)
        .with_last_stable_offset(end)
        .with_log_start_offset(log.start_offset())
        .with_aborted_transactions(None);
    // The first batch comes whole, however large; behind it only what fits.
    if room == 0 && !is_first {
        return data;
    }
    let limit = usize::try_from(wanted.partition_max_bytes).unwrap_or(0).min(room);
    match log.read(wanted.fetch_offset, limit, &state.buffers) {
        Ok(records) if records.len() > room && !is_first => data,
        Ok(records) => data.with_records(Some(records)),
        Err(ResponseError::OffsetOutOfRange) => data.with_error_code(ResponseError::OffsetOutOfRange.code()),
        Err(code) => refused(code),
    }
}

/// The protocol writes these as impossible times.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const LATEST_TIME: i64 = -3;

pub(super) fn list_offsets(state: &State, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.into_iter().map(|wanted| {
        let topic = state.topics.find(&wanted.name);
        let partitions = wanted.partitions.iter().map(|partition| list_offset(topic.as_deref(), partition));
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(wanted.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn list_offset(topic: Option<&Topic>, wanted: &ListOffsetsPartition) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(wanted.partition_index)
        .with_timestamp(-1)
        .with_offset(-1);
    let Some(log) = topic.and_then(|topic| topic.log(wanted.partition_index)) else {
        return response.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    let response = response.with_leader_epoch(0);
    match wanted.timestamp {
        LATEST => response.with_offset(log.end_offset()),
        EARLIEST => response.with_offset(log.start_offset()),
        LATEST_TIME => response.with_offset(log.end_offset().saturating_sub(1)),
        time => match log.offset_for_time(time) {
            Some((offset, timestamp)) => response.with_offset(offset).with_timestamp(timestamp),
            None => response,
        },
    }
}

pub(super) fn init_producer_id(state: &State, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        // Transactions are not spoken.
        return InitProducerIdResponse::default()
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_producer_id(ProducerId(-1));
    }
    InitProducerIdResponse::default().with_producer_id(ProducerId(state.new_producer_id())).with_producer_epoch(0)
}
