//! Keeps dead letters in a topic of their own, byte for byte.
//!
//! Over our own connection, because a letter repeats whatever headers a record had, which rskafka's map of texts
//! cannot hold.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tokio::sync::Mutex;

use super::admin::{self, TopicSpec, dead_letter_topic};
use super::cluster::{Cluster, Leaders, topic_name};
use super::connection::REQUEST_LIMIT;
use super::error::KafkaError;
use super::records::{self, Header, Record};
use crate::pipeline::letters::{DeadLetters, Letter};

/// A batch beyond this goes out compressed: what came compressed may be far larger than any topic takes.
const LARGE_BATCH_BYTES: usize = 512 * 1024;

/// All replicas that are in sync have to take a letter.
const ALL_REPLICAS: i16 = -1;

/// The dead letters of one topic.
#[derive(Debug)]
pub struct DeadLetterTopic {
    source: String,
    seeds: Vec<String>,
    /// The connection; dropped after any trouble, and made anew.
    cluster: Mutex<Option<(Cluster, Leaders)>>,
}

impl DeadLetterTopic {
    /// The dead letters of the topic `source`. Nothing is asked of the brokers before the first letter.
    #[must_use]
    pub fn of(source: &str, seeds: &[String]) -> Self {
        Self { source: source.to_owned(), seeds: seeds.to_vec(), cluster: Mutex::new(None) }
    }

    async fn connect(&self) -> Result<(Cluster, Leaders), KafkaError> {
        let mut cluster = Cluster::connect(&self.seeds).await?;
        let topic = dead_letter_topic(&self.source);
        let leaders = match cluster.leaders(&topic).await {
            // A topic that was made without `vitals init` has none yet.
            Err(KafkaError::NoTopic { .. }) => {
                let partitions = cluster.leaders(&self.source).await?.count();
                let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
                let spec = TopicSpec::dead_letters(&self.source, partitions, BROKER_DEFAULT_REPLICATION);
                admin::create(&mut cluster, &spec).await?;
                cluster.leaders(&topic).await?
            }
            found => found?,
        };
        Ok((cluster, leaders))
    }

    async fn send(&self, cluster: &mut Cluster, leaders: &Leaders, letters: &[Letter]) -> Result<(), KafkaError> {
        let partition_of = |letter: &Letter| {
            let count = i32::try_from(leaders.count()).unwrap_or(i32::MAX).max(1);
            letter.partition.rem_euclid(count)
        };
        let mut by_partition: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
        for letter in letters {
            by_partition.entry(partition_of(letter)).or_default().push(self.address(letter));
        }
        for (partition, records) in by_partition {
            let leader = leaders.0.iter().find(|(of, _)| *of == partition).and_then(|(_, leader)| *leader);
            let leader =
                leader.ok_or_else(|| KafkaError::refused("a dead letter", ResponseError::LeaderNotAvailable))?;
            self.produce(cluster, leader, partition, records::encode(&records, LARGE_BATCH_BYTES)).await?;
        }
        Ok(())
    }

    async fn produce(
        &self,
        cluster: &mut Cluster,
        leader: i32,
        partition: i32,
        batch: Bytes,
    ) -> Result<(), KafkaError> {
        let of_partition = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let of_topic = TopicProduceData::default()
            .with_name(topic_name(&dead_letter_topic(&self.source)))
            .with_partition_data(vec![of_partition]);
        let request = ProduceRequest::default()
            .with_acks(ALL_REPLICAS)
            .with_timeout_ms(i32::try_from(REQUEST_LIMIT.as_millis()).unwrap_or(i32::MAX))
            .with_topic_data(vec![of_topic]);
        let response = cluster.node(leader).await?.call(&request).await?;
        let answer = response.responses.iter().flat_map(|topic| &topic.partition_responses).next();
        match answer.map(|answer| answer.error_code.err()) {
            Some(None) => Ok(()),
            Some(Some(code)) => Err(KafkaError::refused("a dead letter", code)),
            None => Err(KafkaError::refused("a dead letter", ResponseError::UnknownServerError)),
        }
    }

    /// The letter as a record: what was read, then where from and why.
    fn address(&self, letter: &Letter) -> Record {
        let mut record = letter.record.clone();
        let mut add = |key: &'static str, value: String| {
            record.headers.push(Header { key: Bytes::from_static(key.as_bytes()), value: Some(value.into()) });
        };
        add("vitals.reason", letter.reject.code().to_owned());
        add("vitals.topic", self.source.clone());
        add("vitals.partition", letter.partition.to_string());
        add("vitals.offset", letter.record.offset.to_string());
        record
    }
}

/// The protocol's way to ask for the broker's own default.
const BROKER_DEFAULT_REPLICATION: i16 = -1;

impl DeadLetters for DeadLetterTopic {
    type Error = KafkaError;

    async fn keep(&self, letters: &[Letter]) -> Result<(), KafkaError> {
        let mut slot = self.cluster.lock().await;
        let (mut cluster, leaders) = match slot.take() {
            Some(connected) => connected,
            None => self.connect().await?,
        };
        self.send(&mut cluster, &leaders, letters).await?;
        *slot = Some((cluster, leaders));
        Ok(())
    }
}
