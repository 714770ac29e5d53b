//! Keeps dead letters in a topic of their own, byte for byte.
//!
//! Over our own connection, because a letter repeats whatever headers a record had, which rskafka's map of texts
//! cannot hold.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use super::admin::{self, TopicSpec, dead_letter_topic};
use super::append::append;
use super::cluster::{Cluster, Leaders};
use super::error::KafkaError;
use super::letter;
use super::records::Record;
use crate::pipeline::letters::{DeadLetters, Letter};

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
            append(cluster, leaders, &dead_letter_topic(&self.source), partition, &records, "a dead letter").await?;
        }
        Ok(())
    }

    /// The letter as a record: what was read, then where from and why.
    fn address(&self, letter: &Letter) -> Record {
        let mut record = letter.record.clone();
        let headers = letter::headers(letter.reject.code(), &self.source, letter.partition, letter.record.offset);
        record.headers.extend(headers);
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
