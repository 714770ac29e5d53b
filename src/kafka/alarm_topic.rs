//! Announces alarms in a topic of their own, for programs that need not know the store.
//!
//! Many batches wait for this at once, and a request costs a broker about as much with one alarm as with hundreds. So one
//! task speaks with the brokers: while its request is out, alarms collect, and go out together in the next one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use chrono::Utc;
use futures::future::join_all;
use tokio::sync::{mpsc, oneshot};

use super::admin::TopicSpec;
use super::append::{LARGE_BATCH_BYTES, is_too_large};
use super::config::KafkaConfig;
use super::error::KafkaError;
use super::records;
use super::topic_writer::{BROKER_DEFAULT_REPLICATION, TopicWriter};
use crate::advice::Advice as _;
use crate::alarm::{AlarmRecord, message};
use crate::pipeline::announcing::Alarms;
use crate::record::Record;
use crate::record::murmur2::partition_of;

/// More would not fit into one batch of a topic that takes 1 MiB, as brokers have it by default. Where a topic takes less,
/// it is halved until it fits.
const BATCH_RECORDS: usize = 500;
/// How many groups of alarms may wait: more than a pipeline has on their way to the store.
const MAX_WAITING: usize = 64;

/// The topic that alarms are announced in.
#[derive(Debug)]
pub struct AlarmTopic {
    topic: String,
    waiting: mpsc::Sender<Waiting>,
}

/// Alarms that wait to be announced, and who waits for that.
struct Waiting {
    records: Vec<Record>,
    outcome: oneshot::Sender<Result<(), Arc<KafkaError>>>,
}

impl AlarmTopic {
    /// The topic of this name; where it is missing it gets as many partitions as `source`, the topic of the readings.
    /// Nothing is asked of the brokers before the first alarm. Has to be called within a runtime.
    pub fn of(topic: &str, source: &str, kafka: impl Into<KafkaConfig>) -> Self {
        let (waiting, to_announce) = mpsc::channel(MAX_WAITING);
        let (own_topic, source, kafka) = (topic.to_owned(), source.to_owned(), kafka.into());
        tokio::spawn(async move {
            Announcer { topic: own_topic, source, kafka, writer: None, batch_records: BATCH_RECORDS }
                .run(to_announce)
                .await;
        });
        Self { topic: topic.to_owned(), waiting }
    }
}

impl Alarms for AlarmTopic {
    type Error = NotAnnounced;

    async fn announce(&self, alarms: &[AlarmRecord]) -> Result<(), NotAnnounced> {
        let (outcome, announced) = oneshot::channel();
        let ended = || NotAnnounced::Ended { topic: self.topic.clone() };
        self.waiting.send(Waiting { records: records(alarms), outcome }).await.map_err(|_| ended())?;
        let outcome = announced.await.map_err(|_| ended())?;
        outcome.map_err(|error| NotAnnounced::Failed { topic: self.topic.clone(), error })
    }
}

/// What speaks with the brokers.
struct Announcer {
    topic: String,
    source: String,
    kafka: KafkaConfig,
    /// Dropped after any trouble, and opened anew.
    writer: Option<TopicWriter>,
    batch_records: usize,
}

impl Announcer {
    /// Announces what comes, until nobody can send any more.
    async fn run(mut self, mut to_announce: mpsc::Receiver<Waiting>) {
        let mut group = Vec::new();
        while to_announce.recv_many(&mut group, MAX_WAITING).await > 0 {
            // Whoever does not wait any more announces it again, with what has become of it.
            group.retain(|waiting: &Waiting| !waiting.outcome.is_closed());
            if group.is_empty() {
                continue;
            }
            let records: Vec<_> = group.iter_mut().flat_map(|waiting| std::mem::take(&mut waiting.records)).collect();
            let nobody_waits = join_all(group.iter_mut().map(|waiting| waiting.outcome.closed()));
            let outcome = tokio::select! {
                outcome = self.announce(&records) => outcome.map_err(Arc::new),
                _ = nobody_waits => Ok(()),
            };
            for waiting in group.drain(..) {
                // It may have given up just now.
                let _ = waiting.outcome.send(outcome.clone());
            }
        }
    }

    /// Appends records, in smaller batches where the topic takes none of this size.
    async fn announce(&mut self, records: &[Record]) -> Result<(), KafkaError> {
        loop {
            match self.append(records).await {
                Err(KafkaError::Refused { code, .. }) if is_too_large(code) && self.batch_records > 1 => {
                    self.batch_records /= 2;
                }
                outcome => return outcome,
            }
        }
    }

    /// Appends records, those of one key in their order.
    async fn append(&mut self, records: &[Record]) -> Result<(), KafkaError> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open().await?,
        };
        let mut by_partition: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
        for record in records {
            let key = record.key.as_deref().unwrap_or_default();
            by_partition.entry(partition_of(key, writer.partitions())).or_default().push(record.clone());
        }
        let what = format!("an alarm in '{}'", self.topic);
        let most = by_partition.values().map(Vec::len).max().unwrap_or(0);
        for start in (0..most).step_by(self.batch_records) {
            let some = |records: &[Record]| {
                let some =
                    records.get(start..records.len().min(start + self.batch_records)).filter(|some| !some.is_empty());
                some.map(|some| records::encode(some, LARGE_BATCH_BYTES))
            };
            let batches = by_partition.iter().filter_map(|(partition, records)| Some((*partition, some(records)?)));
            writer.append_each(batches.collect(), &what).await?;
        }
        self.writer = Some(writer);
        Ok(())
    }

    async fn open(&self) -> Result<TopicWriter, KafkaError> {
        let spec = |partitions, _| TopicSpec::alarms(&self.topic, partitions, BROKER_DEFAULT_REPLICATION);
        TopicWriter::open(&self.kafka, self.topic.clone(), &self.source, spec).await
    }
}

/// Why alarms are not announced yet.
#[derive(Debug, thiserror::Error)]
pub enum NotAnnounced {
    /// What Kafka said, of all that was announced together, with the fix where the brokers have refused them.
    #[error("alarms cannot be announced in '{topic}' yet ({error}){fix}", fix = fix(error))]
    Failed {
        /// Where.
        topic: String,
        /// What Kafka said.
        #[source]
        error: Arc<KafkaError>,
    },
    /// A fault of ours has ended what announces.
    #[error("alarms are not announced in '{topic}' any more; start `vitals consume` again")]
    Ended {
        /// Where.
        topic: String,
    },
}

fn fix(error: &KafkaError) -> String {
    let refusal = matches!(error, KafkaError::Refused { .. });
    match (refusal, error.hint(), error.is_passing()) {
        (false, ..) | (true, None, true) => String::new(),
        (true, Some(hint), true) => format!(": {hint}"),
        (true, None, false) => ": do without the topic by --alarms-topic none".to_owned(),
        (true, Some(hint), false) => format!(": {hint}, or do without the topic by --alarms-topic none"),
    }
}

/// The key is the patient's id: a patient's alarms stay in order. All of them are in one piece of memory.
fn records(alarms: &[AlarmRecord]) -> Vec<Record> {
    let timestamp_ms = Utc::now().timestamp_millis();
    let mut text = BytesMut::with_capacity(alarms.len() * message::USUAL_BYTES);
    let record = |alarm: &AlarmRecord| {
        text.extend_from_slice(alarm.patient.as_str().as_bytes());
        let key = Some(text.split().freeze());
        message::encode(alarm, (&mut text).writer());
        Record { offset: 0, timestamp_ms, key, value: Some(text.split().freeze()), headers: Vec::new(), fault: None }
    };
    alarms.iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use kafka_protocol::ResponseError;

    use super::*;

    #[test]
    fn who_refuses_alarms_for_good_is_told_with_what_mends_it() {
        let told = |code| {
            let error = KafkaError::refused("an alarm in 'a'", code);
            NotAnnounced::Failed { topic: "a".to_owned(), error: Arc::new(error) }.to_string()
        };
        let without = "or do without the topic by --alarms-topic none";
        let refused = told(ResponseError::TopicAuthorizationFailed);
        assert!(refused.contains("for the right") && refused.ends_with(without), "{refused}");
        assert!(told(ResponseError::InvalidPartitions).ends_with(": do without the topic by --alarms-topic none"));
        let passing = told(ResponseError::NotEnoughReplicas);
        assert!(passing.contains("start the brokers") && !passing.contains("--alarms-topic"), "{passing}");
        assert!(told(ResponseError::NotLeaderOrFollower).ends_with(')'));
    }
}
