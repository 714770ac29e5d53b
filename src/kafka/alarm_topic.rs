//! Announces alarms in a topic of their own, for programs that need not know the store.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::Utc;

use super::admin::TopicSpec;
use super::append::LARGE_BATCH_BYTES;
use super::config::KafkaConfig;
use super::error::KafkaError;
use super::records;
use super::topic_writer::{BROKER_DEFAULT_REPLICATION, Reopened, TopicWriter};
use crate::advice::Advice as _;
use crate::alarm::{AlarmRecord, message};
use crate::pipeline::announcing::Alarms;
use crate::record::Record;
use crate::record::murmur2::partition_of;

/// More would not fit into one batch of a topic that takes 1 MiB, as brokers have it by default.
const BATCH_RECORDS: usize = 500;

/// The topic that alarms are announced in.
#[derive(Debug)]
pub struct AlarmTopic {
    topic: String,
    source: String,
    kafka: KafkaConfig,
    writer: Reopened<TopicWriter>,
}

impl AlarmTopic {
    /// The topic of this name; where it is missing it gets as many partitions as `source`, the topic of the readings.
    /// Nothing is asked of the brokers before the first alarm.
    pub fn of(topic: &str, source: &str, kafka: impl Into<KafkaConfig>) -> Self {
        let (topic, source) = (topic.to_owned(), source.to_owned());
        Self { topic, source, kafka: kafka.into(), writer: Reopened::closed() }
    }

    async fn append(&self, alarms: &[AlarmRecord]) -> Result<(), KafkaError> {
        let spec = |partitions, _| TopicSpec::alarms(&self.topic, partitions, BROKER_DEFAULT_REPLICATION);
        let mut taken =
            self.writer.take(TopicWriter::open(&self.kafka, self.topic.clone(), &self.source, spec)).await?;
        let mut by_partition: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
        for alarm in alarms {
            let record = record(alarm);
            let key = record.key.as_deref().unwrap_or_default();
            let partition = partition_of(key, taken.writer.partitions());
            by_partition.entry(partition).or_default().push(record);
        }
        let what = format!("an alarm in '{}'", self.topic);
        for (partition, records) in by_partition {
            for some in records.chunks(BATCH_RECORDS) {
                taken.writer.append(partition, records::encode(some, LARGE_BATCH_BYTES), &what).await?;
            }
        }
        taken.put_back();
        Ok(())
    }
}

impl Alarms for AlarmTopic {
    type Error = NotAnnounced;

    async fn announce(&self, alarms: &[AlarmRecord]) -> Result<(), NotAnnounced> {
        self.append(alarms).await.map_err(|error| NotAnnounced { topic: self.topic.clone(), error })
    }
}

/// Why alarms are not announced yet, with the fix where the brokers have refused them.
#[derive(Debug, thiserror::Error)]
#[error("alarms cannot be announced in '{topic}' yet ({error}){fix}", fix = fix(error))]
pub struct NotAnnounced {
    topic: String,
    /// What Kafka said.
    #[source]
    error: KafkaError,
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

/// The key is the patient's id: a patient's alarms stay in order.
fn record(alarm: &AlarmRecord) -> Record {
    Record {
        offset: 0,
        timestamp_ms: Utc::now().timestamp_millis(),
        key: Some(Bytes::copy_from_slice(alarm.patient.as_str().as_bytes())),
        value: Some(message::encode(alarm).into()),
        headers: Vec::new(),
        fault: None,
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::ResponseError;

    use super::*;

    #[test]
    fn who_refuses_alarms_for_good_is_told_with_what_mends_it() {
        let told = |code| {
            let error = KafkaError::refused("an alarm in 'a'", code);
            NotAnnounced { topic: "a".to_owned(), error }.to_string()
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
