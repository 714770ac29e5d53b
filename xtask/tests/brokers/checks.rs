//! What clients rely on, of any broker: the same tests run against the embedded one and against Kafka, whichever the test
//! program starts as its `Server`.

mod groups;
mod topics;

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::time::timeout;
use vitals::kafka::admin::{self, Creation, TopicSpec};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::error::KafkaError;
use vitals::kafka::offsets::{self, Place};
use vitals::kafka::producer::{Codec, Delivery, Direct, Outgoing, Patience, Producer};
use vitals::kafka::records;
use vitals::reading::Timestamp;
use vitals::record::murmur2::partition_of;
use vitals::record::{Header, Record};

use crate::Server;

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

struct Bench {
    topic: String,
    cluster: Cluster,
    server: Server,
}

impl Bench {
    /// Makes a topic whose name begins like this.
    async fn with_topic(name: &str, partitions: i32) -> Self {
        let server = Server::start().await;
        let topic = format!("{name}-{}", chrono::Utc::now().timestamp_micros());
        let mut cluster = Cluster::connect(&server.brokers).await.unwrap();
        let spec = TopicSpec::readings(&topic, partitions, 1);
        assert_eq!(admin::create(&mut cluster, &spec).await.unwrap(), Creation::Made);
        let mut bench = Self { topic, cluster, server };
        timeout(LIMIT, bench.led()).await.expect("the topic is served in time");
        bench
    }

    /// A topic is in Kafka's metadata a moment before its leaders serve it.
    async fn led(&mut self) {
        loop {
            let leaders = self.cluster.leaders(&self.topic).await.unwrap();
            match offsets::find(&mut self.cluster, &self.topic, &leaders, Place::Latest).await {
                Ok(_) => return,
                Err(error) if error.is_passing() => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn topic_id(&mut self) -> uuid::Uuid {
        self.cluster.topic_id(&self.topic).await.unwrap()
    }

    async fn produce(&mut self, partition: i32, batch: Bytes) -> i64 {
        let (error, offset) = self.offer(partition, batch).await;
        assert_eq!(error, 0, "the batch was refused");
        offset
    }

    async fn offer(&mut self, partition: i32, batch: Bytes) -> (i16, i64) {
        offer(&mut self.cluster, &self.topic, partition, batch).await
    }

    async fn fetch(&mut self, partition: i32, offset: i64, wait: Duration, max_bytes: i32) -> PartitionData {
        let wanted = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(max_bytes);
        let topic = FetchTopic::default()
            .with_topic(name(&self.topic))
            .with_topic_id(self.topic_id().await)
            .with_partitions(vec![wanted]);
        let request = FetchRequest::default()
            .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap())
            .with_min_bytes(1)
            .with_max_bytes(50_000_000)
            .with_topics(vec![topic]);
        let leader = leader(&mut self.cluster, &self.topic).await;
        let response = self.cluster.node(leader).await.unwrap().call_within(&request, LIMIT).await.unwrap();
        response.responses[0].partitions[0].clone()
    }

    async fn read(&mut self, partition: i32, offset: i64) -> Vec<Record> {
        let data = self.fetch(partition, offset, Duration::ZERO, 1_000_000).await;
        assert_eq!(data.error_code, 0);
        records::decode(data.records.unwrap(), offset).records
    }
}

async fn leader(cluster: &mut Cluster, topic: &str) -> i32 {
    cluster.leaders(topic).await.unwrap().0.first().and_then(|(_, leader)| *leader).unwrap()
}

/// Sends a batch as it is, and gives the error code and the first offset.
async fn offer(cluster: &mut Cluster, topic: &str, partition: i32, batch: Bytes) -> (i16, i64) {
    let leader = leader(cluster, topic).await;
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
    let response = cluster.node(leader).await.unwrap().call(&request).await.unwrap();
    let answer = &response.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Records of today: what is older than the retention may be deleted under a test.
fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

fn record(value: &str) -> Record {
    Record {
        offset: 0,
        timestamp_ms: now_ms(),
        key: Some(Bytes::from_static(b"P001")),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Vec::new(),
        fault: None,
    }
}

fn batch(values: &[&str]) -> Bytes {
    records::encode(&values.iter().map(|value| record(value)).collect::<Vec<_>>(), usize::MAX)
}

fn values(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(record.value.as_ref().unwrap()).into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_made_once_and_another_of_its_name_has_another_id() {
    let mut bench = Bench::with_topic("topics", 3).await;
    let spec = TopicSpec::readings(&bench.topic, 5, 1);
    assert_eq!(admin::create(&mut bench.cluster, &spec).await.unwrap(), Creation::There { partitions: 3 });
    let before = bench.topic_id().await;
    admin::delete(&mut bench.cluster, &bench.topic).await.unwrap();
    assert!(matches!(bench.cluster.leaders(&bench.topic).await, Err(KafkaError::NoTopic { .. })));
    assert!(matches!(admin::delete(&mut bench.cluster, &bench.topic).await, Err(KafkaError::NoTopic { .. })));
    admin::create(&mut bench.cluster, &TopicSpec::readings(&bench.topic, 1, 1)).await.unwrap();
    assert_ne!(bench.topic_id().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_replicas_are_refused() {
    let mut bench = Bench::with_topic("replicas", 1).await;
    let spec = TopicSpec::readings(&format!("{}-many", bench.topic), 1, 7);
    let refused = admin::create(&mut bench.cluster, &spec).await.expect_err("refused");
    assert!(matches!(refused, KafkaError::Refused { code: ResponseError::InvalidReplicationFactor, .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_come_back_byte_for_byte_with_their_offsets() {
    let mut bench = Bench::with_topic("bytes", 1).await;
    let strange = Record {
        key: None,
        value: None,
        headers: vec![
            Header { key: Bytes::from_static(b"twice"), value: None },
            Header { key: Bytes::from_static(b"twice"), value: Some(Bytes::from_static(b"\xff")) },
        ],
        ..record("")
    };
    let sent = [record("one"), strange];
    assert_eq!(bench.produce(0, records::encode(&sent, usize::MAX)).await, 0);
    assert_eq!(bench.produce(0, batch(&["three"])).await, 2);
    let read = bench.read(0, 0).await;
    assert_eq!(read.iter().map(|record| record.offset).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(read[1].headers, sent[1].headers);
    assert_eq!((&read[1].key, &read[1].value), (&None, &None));
    assert_eq!(values(&bench.read(0, 2).await), ["three"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_and_oversized_batches_are_refused() {
    let mut bench = Bench::with_topic("refused", 1).await;
    let mut broken = batch(&["one"]).to_vec();
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(bench.offer(0, broken.into()).await.0, ResponseError::CorruptMessage.code());
    let huge = "x".repeat(2_000_000);
    assert_eq!(bench.offer(0, batch(&[&huge])).await.0, ResponseError::MessageTooLarge.code());
    assert_eq!(bench.offer(9, batch(&["one"])).await.0, ResponseError::UnknownTopicOrPartition.code());
    assert_eq!(bench.produce(0, batch(&["one"])).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_waits_is_limited_and_knows_its_range() {
    let mut bench = Bench::with_topic("fetch", 1).await;
    let large = "y".repeat(100_000);
    bench.produce(0, batch(&[&large])).await;
    bench.produce(0, batch(&["second"])).await;
    let began = Instant::now();
    let empty = bench.fetch(0, 2, Duration::from_millis(400), 1_000_000).await;
    assert!(empty.records.is_none_or(|records| records.is_empty()));
    assert!(began.elapsed() >= Duration::from_millis(350), "it waited {:?}", began.elapsed());
    let first = bench.fetch(0, 0, Duration::ZERO, 100).await;
    assert_eq!(records::decode(first.records.unwrap(), 0).records.len(), 1);
    assert_eq!(first.high_watermark, 2);
    assert_eq!(bench.fetch(0, 3, Duration::ZERO, 100).await.error_code, ResponseError::OffsetOutOfRange.code());
    let (topic, mut other) = (bench.topic.clone(), Cluster::connect(&bench.server.brokers).await.unwrap());
    let waiting = bench.fetch(0, 2, Duration::from_secs(20), 1_000_000);
    let sending = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        offer(&mut other, &topic, 0, batch(&["third"])).await
    };
    let began = Instant::now();
    let (woken, _) = tokio::join!(waiting, sending);
    assert_eq!(values(&records::decode(woken.records.unwrap(), 2).records), ["third"]);
    assert!(began.elapsed() < Duration::from_secs(10), "a new record ends the waiting");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_are_found_by_place_and_by_time() {
    let mut bench = Bench::with_topic("places", 2).await;
    let start = now_ms() - 60_000;
    let at = |ms: i64, value: &str| Record { timestamp_ms: start + ms, ..record(value) };
    bench.produce(0, records::encode(&[at(1_000, "a")], usize::MAX)).await;
    bench.produce(0, records::encode(&[at(5_000, "b")], usize::MAX)).await;
    let leaders = bench.cluster.leaders(&bench.topic).await.unwrap();
    let topic = bench.topic.clone();
    let mut find = async |place| {
        let found = offsets::find(&mut bench.cluster, &topic, &leaders, place).await.expect("found");
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(find(Place::Earliest).await, [(0, 0), (1, 0)]);
    assert_eq!(find(Place::Latest).await, [(0, 2), (1, 0)]);
    let time = |ms: i64| {
        let utc = chrono::DateTime::from_timestamp_millis(start + ms).unwrap();
        Place::Time(Timestamp::from_utc(utc).unwrap())
    };
    assert_eq!(find(time(3_000)).await, [(0, 1), (1, 0)]);
    assert_eq!(find(time(9_000)).await, [(0, 2), (1, 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_producer_places_keys_as_murmur2_does() {
    let mut bench = Bench::with_topic("keys", 4).await;
    let mut producer = Producer::connect(&bench.server.brokers, &bench.topic).await.unwrap();
    let keys = ["P001", "P002", "P003", "ä", "x"];
    let message = |key: &&str| Outgoing { key: (*key).to_owned().into(), value: (*key).to_owned().into() };
    producer.send(&mut Delivery::new(keys.iter().map(message).collect())).await.unwrap();
    for key in keys {
        let records = bench.read(partition_of(key.as_bytes(), 4), 0).await;
        assert!(values(&records).iter().any(|value| value == key), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_compressed_is_small_and_comes_back_as_it_was() {
    for (codec, name, least) in [(Codec::None, "plain", 1), (Codec::Lz4, "lz4", 3), (Codec::Zstd, "zstd", 6)] {
        let mut bench = Bench::with_topic(name, 1).await;
        let kafka = Direct::new(&bench.server.brokers).compressing(codec);
        let mut producer = Producer::over(kafka, &bench.topic, Patience::default()).await.unwrap();
        let text = |number: u32| {
            let (minute, second, rate) = (number / 60 % 60, number % 60, number % 200);
            let time = format!("2026-01-01T10:{minute:02}:{second:02}.{number:06}+00:00");
            format!(r#"{{"patient_id":"P001","timestamp":"{time}","heart_rate":{rate},"spo2":97}}"#)
        };
        let sent: Vec<_> = (0..9_000).map(text).collect();
        let message = |text: &String| Outgoing { key: "P001".into(), value: text.clone().into() };
        producer.send(&mut Delivery::new(sent.iter().map(message).collect())).await.unwrap();
        let (mut received, mut bytes) = (Vec::new(), 0);
        while received.len() < sent.len() {
            let offset = i64::try_from(received.len()).unwrap();
            let data = bench.fetch(0, offset, Duration::ZERO, 2_000_000).await.records.unwrap();
            bytes += data.len();
            received.extend(values(&records::decode(data, offset).records));
        }
        assert!(received == sent, "{name}: {} of {} came back, in another order or form", received.len(), sent.len());
        let plain: usize = sent.iter().map(String::len).sum();
        assert!(plain > bytes * least - bytes / 4, "{name}: {plain} bytes took {bytes}");
    }
}
