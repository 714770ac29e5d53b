//! What clients rely on, of any broker: the same checks run against the embedded one and against Kafka.

mod earlier;
mod leading;
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
use vitals::kafka::consumer::Consumer;
use vitals::kafka::error::KafkaError;
use vitals::kafka::group::MemberConfig;
use vitals::kafka::lag;
use vitals::kafka::murmur2::partition_of;
use vitals::kafka::offsets::{self, Place};
use vitals::kafka::producer::{Codec, Delivery, Direct, Outgoing, Patience, Producer};
use vitals::kafka::records::{self};
use vitals::ledger::Position;
use vitals::pipeline::source::{Assigned, Event, Source};
use vitals::reading::Timestamp;
use vitals::record::{Header, Record};

pub(crate) use earlier::{
    a_topic_made_anew_under_its_member_begins_as_another_assignment, offsets_of_an_earlier_topic_are_not_believed,
};
pub(crate) use leading::what_a_topic_of_another_member_gains_is_given_out;
pub(crate) use topics::{
    a_history_comes_in_the_order_of_time, a_topic_tells_its_partitions_ranges_and_times,
    the_settings_of_a_topic_tell_who_gave_them, the_tail_of_a_topic_is_found, what_comes_is_read_live,
};

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// A broker, and a topic of the check's own.
pub(crate) struct Bench {
    brokers: Vec<String>,
    topic: String,
    cluster: Cluster,
}

impl Bench {
    /// Makes a topic of this name with so many partitions.
    pub(crate) async fn with_topic(brokers: &[String], name: &str, partitions: i32) -> Self {
        let stamp = chrono::Utc::now().timestamp_micros();
        let topic = format!("{name}-{stamp}");
        let mut cluster = Cluster::connect(brokers).await.expect("connected");
        let spec = TopicSpec::readings(&topic, partitions, 1);
        assert_eq!(admin::create(&mut cluster, &spec).await.expect("made"), Creation::Made);
        let mut bench = Self { brokers: brokers.to_vec(), topic, cluster };
        timeout(LIMIT, bench.led()).await.expect("the topic is served in time");
        bench
    }

    /// A topic is in Kafka's metadata a moment before its leaders serve it.
    async fn led(&mut self) {
        loop {
            let leaders = self.cluster.leaders(&self.topic).await.expect("topic");
            match offsets::find(&mut self.cluster, &self.topic, &leaders, Place::Latest).await {
                Ok(_) => return,
                Err(error) if error.is_passing() => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn leader(&mut self) -> i32 {
        let leaders = self.cluster.leaders(&self.topic).await.expect("topic");
        leaders.0.first().and_then(|(_, leader)| *leader).expect("a leader")
    }

    /// Appends a batch, and gives its first offset.
    async fn produce(&mut self, partition: i32, batch: Bytes) -> i64 {
        let (error, offset) = self.offer(partition, batch).await;
        assert_eq!(error, 0, "the batch was refused");
        offset
    }

    /// Sends a batch as it is, and gives the error code and the first offset.
    async fn offer(&mut self, partition: i32, batch: Bytes) -> (i16, i64) {
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let topic = TopicProduceData::default().with_name(name(&self.topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        let leader = self.leader().await;
        let response = self.cluster.node(leader).await.expect("leader").call(&request).await.expect("answer");
        let answer = &response.responses[0].partition_responses[0];
        (answer.error_code, answer.base_offset)
    }

    async fn fetch(&mut self, partition: i32, offset: i64, wait: Duration, max_bytes: i32) -> PartitionData {
        let topic_id = nil_unless_known(&mut self.cluster, &self.topic).await;
        let wanted = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(max_bytes);
        let topic =
            FetchTopic::default().with_topic(name(&self.topic)).with_topic_id(topic_id).with_partitions(vec![wanted]);
        let request = FetchRequest::default()
            .with_max_wait_ms(i32::try_from(wait.as_millis()).expect("short"))
            .with_min_bytes(1)
            .with_max_bytes(50_000_000)
            .with_topics(vec![topic]);
        let leader = self.leader().await;
        let connection = self.cluster.node(leader).await.expect("leader");
        let response = connection.call_within(&request, LIMIT).await.expect("answer");
        response.responses[0].partitions[0].clone()
    }

    async fn read(&mut self, partition: i32, offset: i64) -> Vec<Record> {
        let data = self.fetch(partition, offset, Duration::ZERO, 1_000_000).await;
        assert_eq!(data.error_code, 0);
        records::decode(data.records.expect("records"), offset).records
    }

    fn member(&self) -> MemberConfig {
        MemberConfig {
            group: format!("{}-group", self.topic),
            topic: self.topic.clone(),
            instance_id: None,
            session_timeout: Duration::from_secs(10),
        }
    }

    async fn lag(&mut self) -> Vec<lag::PartitionLag> {
        let group = self.member().group;
        lag::measure(&mut self.cluster, &group, &self.topic).await.expect("lag")
    }

    async fn join(&self) -> Consumer {
        Consumer::join(&self.brokers, self.member(), Place::Earliest).await.expect("joined")
    }
}

async fn nil_unless_known(cluster: &mut Cluster, topic: &str) -> uuid::Uuid {
    cluster.topic_id(topic).await.expect("topic")
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Records of today: what is older than the retention may be deleted under a check.
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
    let text = |record: &Record| String::from_utf8_lossy(record.value.as_ref().expect("a value")).into_owned();
    records.iter().map(text).collect()
}

/// Topics come and go, and are told apart from their namesakes.
pub(crate) async fn a_topic_is_made_once_and_another_of_its_name_has_another_id(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "topics", 3).await;
    let spec = TopicSpec::readings(&bench.topic, 5, 1);
    assert_eq!(admin::create(&mut bench.cluster, &spec).await.expect("there"), Creation::There { partitions: 3 });
    let before = nil_unless_known(&mut bench.cluster, &bench.topic).await;
    admin::delete(&mut bench.cluster, &bench.topic).await.expect("deleted");
    assert!(matches!(bench.cluster.leaders(&bench.topic).await, Err(KafkaError::NoTopic { .. })));
    assert!(matches!(admin::delete(&mut bench.cluster, &bench.topic).await, Err(KafkaError::NoTopic { .. })));
    admin::create(&mut bench.cluster, &TopicSpec::readings(&bench.topic, 1, 1)).await.expect("made again");
    assert_ne!(nil_unless_known(&mut bench.cluster, &bench.topic).await, before);
}

/// A replication factor that no single broker can give is refused.
pub(crate) async fn too_many_replicas_are_refused(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "replicas", 1).await;
    let spec = TopicSpec::readings(&format!("{}-many", bench.topic), 1, 7);
    let refused = admin::create(&mut bench.cluster, &spec).await.expect_err("refused");
    assert!(matches!(refused, KafkaError::Refused { code: ResponseError::InvalidReplicationFactor, .. }), "{refused}");
}

/// What is appended gets offsets in order, and comes back as it was.
pub(crate) async fn records_come_back_byte_for_byte_with_their_offsets(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "bytes", 1).await;
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

/// What is broken or too large is refused, and nothing of it is kept.
pub(crate) async fn broken_and_oversized_batches_are_refused(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "refused", 1).await;
    let mut broken = batch(&["one"]).to_vec();
    *broken.last_mut().expect("bytes") ^= 1;
    assert_eq!(bench.offer(0, broken.into()).await.0, ResponseError::CorruptMessage.code());
    let huge = "x".repeat(2_000_000);
    assert_eq!(bench.offer(0, batch(&[&huge])).await.0, ResponseError::MessageTooLarge.code());
    assert_eq!(bench.offer(9, batch(&["one"])).await.0, ResponseError::UnknownTopicOrPartition.code());
    assert_eq!(bench.produce(0, batch(&["one"])).await, 0);
}

/// A fetch behind the end waits for a record; one beyond it is out of range; the first batch comes whole.
pub(crate) async fn a_fetch_waits_is_limited_and_knows_its_range(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "fetch", 1).await;
    let large = "y".repeat(100_000);
    bench.produce(0, batch(&[&large])).await;
    bench.produce(0, batch(&["second"])).await;
    let began = Instant::now();
    let empty = bench.fetch(0, 2, Duration::from_millis(400), 1_000_000).await;
    assert!(empty.records.is_none_or(|records| records.is_empty()));
    assert!(began.elapsed() >= Duration::from_millis(350), "it waited {:?}", began.elapsed());
    let first = bench.fetch(0, 0, Duration::ZERO, 100).await;
    assert_eq!(records::decode(first.records.expect("records"), 0).records.len(), 1);
    assert_eq!(first.high_watermark, 2);
    assert_eq!(bench.fetch(0, 3, Duration::ZERO, 100).await.error_code, ResponseError::OffsetOutOfRange.code());
    let mut other = Bench {
        brokers: bench.brokers.clone(),
        topic: bench.topic.clone(),
        cluster: Cluster::connect(brokers).await.expect("connected"),
    };
    let waiting = bench.fetch(0, 2, Duration::from_secs(20), 1_000_000);
    let sending = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.produce(0, batch(&["third"])).await
    };
    let began = Instant::now();
    let (woken, _) = tokio::join!(waiting, sending);
    assert_eq!(values(&records::decode(woken.records.expect("records"), 2).records), ["third"]);
    assert!(began.elapsed() < Duration::from_secs(10), "a new record ends the waiting");
}

/// Beginning, end, and the first record of a time.
pub(crate) async fn offsets_are_found_by_place_and_by_time(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "places", 2).await;
    let start = now_ms() - 60_000;
    let at = |ms: i64, value: &str| Record { timestamp_ms: start + ms, ..record(value) };
    bench.produce(0, records::encode(&[at(1_000, "a")], usize::MAX)).await;
    bench.produce(0, records::encode(&[at(5_000, "b")], usize::MAX)).await;
    let leaders = bench.cluster.leaders(&bench.topic).await.expect("topic");
    let topic = bench.topic.clone();
    let mut find = async |place| {
        let found = offsets::find(&mut bench.cluster, &topic, &leaders, place).await.expect("found");
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(find(Place::Earliest).await, [(0, 0), (1, 0)]);
    assert_eq!(find(Place::Latest).await, [(0, 2), (1, 0)]);
    let time = |ms: i64| {
        let utc = chrono::DateTime::from_timestamp_millis(start + ms).expect("a time");
        Place::Time(Timestamp::from_utc(utc).expect("in range"))
    };
    assert_eq!(find(time(3_000)).await, [(0, 1), (1, 0)]);
    assert_eq!(find(time(9_000)).await, [(0, 2), (1, 0)]);
}

/// The producer of `vitals produce` places readings as every client does.
pub(crate) async fn the_producer_places_keys_as_murmur2_does(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "keys", 4).await;
    let mut producer = Producer::connect(brokers, &bench.topic).await.expect("connected");
    let keys = ["P001", "P002", "P003", "ä", "x"];
    let message = |key: &&str| Outgoing { key: (*key).to_owned().into(), value: (*key).to_owned().into() };
    producer.send(&mut Delivery::new(keys.iter().map(message).collect())).await.expect("sent");
    for key in keys {
        let records = bench.read(partition_of(key.as_bytes(), 4), 0).await;
        assert!(values(&records).iter().any(|value| value == key), "{key}");
    }
}

/// Each codec of `vitals produce`, with batches on both sides of what leaves in one write.
pub(crate) async fn what_is_sent_compressed_is_small_and_comes_back_as_it_was(brokers: &[String]) {
    for (codec, name, least) in [(Codec::None, "plain", 1), (Codec::Lz4, "lz4", 3), (Codec::Zstd, "zstd", 6)] {
        let mut bench = Bench::with_topic(brokers, name, 1).await;
        let kafka = Direct::new(brokers).compressing(codec);
        let mut producer = Producer::over(kafka, &bench.topic, Patience::default()).await.expect("connected");
        let time = |number: u32| format!("2026-01-01T10:{:02}:{:02}.{number:06}+00:00", number / 60 % 60, number % 60);
        let text = |number: u32| {
            format!(r#"{{"patient_id":"P001","timestamp":"{}","heart_rate":{},"spo2":97}}"#, time(number), number % 200)
        };
        let sent: Vec<_> = (0..9_000).map(text).collect();
        let message = |text: &String| Outgoing { key: "P001".into(), value: text.clone().into() };
        producer.send(&mut Delivery::new(sent.iter().map(message).collect())).await.expect("sent");
        let (mut received, mut bytes) = (Vec::new(), 0);
        while received.len() < sent.len() {
            let offset = i64::try_from(received.len()).expect("small");
            let data = bench.fetch(0, offset, Duration::ZERO, 2_000_000).await.records.expect("records");
            bytes += data.len();
            received.extend(values(&records::decode(data, offset).records));
        }
        assert!(received == sent, "{name}: {} of {} came back, in another order or form", received.len(), sent.len());
        let plain: usize = sent.iter().map(String::len).sum();
        assert!(plain > bytes * least - bytes / 4, "{name}: {plain} bytes took {bytes}");
    }
}

async fn next_assignment(consumer: &mut Consumer) -> (u64, Vec<Assigned>) {
    let wait = async {
        loop {
            match consumer.next(true).await.expect("an event") {
                Event::Assigned { assignment, partitions, .. } => return (assignment, partitions),
                Event::Release => consumer.released(u64::MAX).await,
                _ => {}
            }
        }
    };
    timeout(LIMIT, wait).await.expect("assigned in time")
}

/// A member reads, commits and leaves; the next one goes on behind it; the lag is what is between.
pub(crate) async fn a_group_goes_on_where_it_committed(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "group", 1).await;
    bench.produce(0, batch(&["a", "b", "c"])).await;
    let mut first = bench.join().await;
    let (assignment, partitions) = next_assignment(&mut first).await;
    assert_eq!(partitions, [Assigned { partition: 0, start_offset: 0, end_offset: 3 }]);
    first.commit(assignment, vec![Position::at(0, 2)]).await;
    let committed = async { while !matches!(first.next(false).await, Ok(Event::Committed(_))) {} };
    timeout(LIMIT, committed).await.expect("committed in time");
    let lags = bench.lag().await;
    assert_eq!((lags[0].committed, lags[0].end, lags[0].lag), (Some(2), 3, 1));
    assert!(lags[0].member.is_some());
    first.leave().await;
    let mut second = bench.join().await;
    assert_eq!(next_assignment(&mut second).await.1[0].start_offset, 2);
    second.leave().await;
    let lags = bench.lag().await;
    assert_eq!((lags[0].lag, &lags[0].member), (1, &None));
}

/// Two members share the partitions; when one leaves, the other gets all at once.
pub(crate) async fn members_share_and_take_over_at_once(brokers: &[String]) {
    let bench = Bench::with_topic(brokers, "sharing", 4).await;
    let mut first = bench.join().await;
    let (mut held, alone) = next_assignment(&mut first).await;
    assert_eq!(alone.len(), 4);
    let mut second = bench.join().await;
    let sharing = async {
        loop {
            match first.next(true).await.expect("an event") {
                Event::Release => first.released(held).await,
                Event::Assigned { assignment, partitions, .. } => {
                    held = assignment;
                    return partitions;
                }
                _ => {}
            }
        }
    };
    let (ours, (_, theirs)) =
        timeout(LIMIT, async { tokio::join!(sharing, next_assignment(&mut second)) }).await.expect("shared in time");
    assert_eq!((ours.len(), theirs.len()), (2, 2));
    second.leave().await;
    let began = Instant::now();
    let taking_over = async {
        loop {
            match first.next(true).await.expect("an event") {
                Event::Release => first.released(held).await,
                Event::Assigned { partitions, .. } => return partitions,
                _ => {}
            }
        }
    };
    assert_eq!(timeout(LIMIT, taking_over).await.expect("taken over in time").len(), 4);
    assert!(began.elapsed() < Duration::from_secs(9), "before the session's end: {:?}", began.elapsed());
    first.leave().await;
}

/// A group that nobody knows does not exist.
pub(crate) async fn an_unknown_group_is_told(brokers: &[String]) {
    let mut bench = Bench::with_topic(brokers, "unknown", 1).await;
    let lag = lag::measure(&mut bench.cluster, &format!("{}-nobody", bench.topic), &bench.topic).await;
    assert!(matches!(lag, Err(KafkaError::NoGroup { .. })));
}
