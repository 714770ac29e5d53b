//! Keeps dead letters in a topic of their own, byte for byte.
//!
//! What the topic takes is somebody else's choice: what it does not take as it is goes into it in parts.

use std::collections::BTreeMap;
use std::slice;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use kafka_protocol::ResponseError;

use super::admin::{TopicSpec, dead_letter_bytes, dead_letter_topic};
use super::append::{LARGE_BATCH_BYTES, is_too_large};
use super::cluster::Cluster;
use super::config::KafkaConfig;
use super::error::KafkaError;
use super::topic_settings::{self, Taking};
use super::topic_writer::{BROKER_DEFAULT_REPLICATION, Reopened, TopicWriter};
use super::{dead_letter, records};
use crate::advice::Advice as _;
use crate::pipeline::dead_letters::{DeadLetter, DeadLetters};
use crate::record::{Header, Record};

/// The dead letters of one topic.
#[derive(Debug)]
pub struct DeadLetterTopic {
    source: String,
    kafka: KafkaConfig,
    writer: Reopened<Writer>,
}

impl DeadLetterTopic {
    /// The dead letters of the topic `source`. Nothing is asked of the brokers before the first letter.
    pub fn of(source: &str, kafka: impl Into<KafkaConfig>) -> Self {
        Self { source: source.to_owned(), kafka: kafka.into(), writer: Reopened::closed() }
    }
}

/// No number is beyond this: programs that read them as JSON know whole numbers no further.
const NUMBERS: i64 = 1 << 53;

/// Numbers for messages that never were in a topic, which stand for their offsets. They begin somewhere among 2^52, so that
/// those of two processes, at once or one after the other, do not meet; where they do, the letters still differ.
#[derive(Debug)]
pub struct Numbers(AtomicI64);

impl Numbers {
    /// Those of one process.
    pub fn of_process() -> Self {
        Self(AtomicI64::new(rand::random_range(0..NUMBERS / 2)))
    }

    /// The next one.
    pub fn take(&self) -> i64 {
        self.0.fetch_add(1, Relaxed)
    }
}

/// Why dead letters are not kept yet, with the fix where the brokers have refused them.
#[derive(Debug, thiserror::Error)]
#[error("{0}{fix}", fix = fix(.0))]
pub struct NotKept(
    /// What Kafka said.
    #[from]
    pub KafkaError,
);

fn fix(error: &KafkaError) -> String {
    match (error, error.hint()) {
        (KafkaError::Refused { .. }, Some(hint)) => format!(": {hint}"),
        _ => String::new(),
    }
}

impl DeadLetters for DeadLetterTopic {
    type Error = NotKept;

    async fn keep(&self, letters: &[DeadLetter]) -> Result<Option<String>, NotKept> {
        let mut taken = self.writer.take(Writer::connect(&self.source, &self.kafka)).await?;
        let report = taken.writer.keep(letters).await?;
        taken.put_back();
        Ok(report)
    }
}

/// A connection to the dead-letter topic, and what is known of that.
#[derive(Debug)]
struct Writer {
    source: String,
    to: TopicWriter,
    is_compacted: bool,
    /// The largest batch that goes out.
    max_bytes: usize,
}

/// The largest batch whatever the topic takes: brokers have limits for whole requests, and a request its time.
const MAX_REQUEST_BYTES: usize = 24 * 1024 * 1024;

impl Writer {
    async fn connect(source: &str, kafka: &KafkaConfig) -> Result<Self, KafkaError> {
        let spec = |partitions, source_bytes| {
            TopicSpec::dead_letters(source, partitions, BROKER_DEFAULT_REPLICATION).with_room_for(source_bytes)
        };
        let mut to = TopicWriter::open(kafka, dead_letter_topic(source), source, spec).await?;
        let Taking { max_bytes, is_compacted } = topic_settings::taking(&mut to.cluster, &to.topic).await?;
        let max_bytes = max_bytes.unwrap_or(MAX_REQUEST_BYTES).min(MAX_REQUEST_BYTES);
        Ok(Self { source: source.to_owned(), to, is_compacted, max_bytes })
    }

    /// Keeps letters, and reports one that is there in parts.
    async fn keep(&mut self, letters: &[DeadLetter]) -> Result<Option<String>, KafkaError> {
        let count = self.to.partitions();
        let mut by_partition: BTreeMap<i32, Vec<&DeadLetter>> = BTreeMap::new();
        for letter in letters {
            by_partition.entry(letter.partition.rem_euclid(count)).or_default().push(letter);
        }
        let mut report = None;
        for (partition, letters) in by_partition {
            let mut waiting = vec![letters.as_slice()];
            while let Some(next) = waiting.pop() {
                match next {
                    _ if self.keep_whole(partition, next).await? => {}
                    [letter] => report = self.keep_in_parts(partition, letter).await?.or(report),
                    several => {
                        let (first, second) = several.split_at(several.len() / 2);
                        waiting.extend([second, first]);
                    }
                }
            }
        }
        Ok(report)
    }

    /// Keeps letters as one batch; `false` where the topic does not take it, so that nothing of it is there.
    async fn keep_whole(&mut self, partition: i32, letters: &[&DeadLetter]) -> Result<bool, KafkaError> {
        if self.is_compacted || letters.iter().any(|letter| dead_letter::would_be_misread(&letter.record)) {
            return Ok(false);
        }
        // What was read, then where from and why.
        let record = |letter: &&DeadLetter| {
            let mut record = letter.record.clone();
            record.headers.extend(self.marks(letter));
            record
        };
        let records: Vec<_> = letters.iter().map(record).collect();
        let batch = records::encode(&records, LARGE_BATCH_BYTES);
        if batch.len() > self.max_bytes {
            return Ok(false);
        }
        match self.append(partition, batch).await {
            // For what is in it, so that it never passes as it is.
            Err(KafkaError::Refused { code, .. })
                if is_too_large(code)
                    || matches!(code, ResponseError::InvalidRecord | ResponseError::InvalidTimestamp) =>
            {
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    fn marks(&self, letter: &DeadLetter) -> [Header; dead_letter::MARKS] {
        dead_letter::headers(letter.reject.code(), &self.source, letter.partition, letter.record.offset)
    }

    async fn keep_in_parts(&mut self, partition: i32, letter: &DeadLetter) -> Result<Option<String>, KafkaError> {
        let whole = records::encode(slice::from_ref(&letter.record), LARGE_BATCH_BYTES);
        let mut refusal = KafkaError::refused(self.what(), ResponseError::MessageTooLarge);
        while let Some(parts) = dead_letter::cut(&whole, &self.marks(letter), self.max_bytes) {
            match self.append_each(partition, &parts).await {
                // The brokers have not report their limit, or measure in another way.
                Err(error @ KafkaError::Refused { code, .. }) if is_too_large(code) => {
                    refusal = error;
                    self.max_bytes /= 2;
                }
                done => return done.map(|()| self.report(letter, parts.len())),
            }
        }
        Err(refusal)
    }

    async fn append_each(&mut self, partition: i32, parts: &[Record]) -> Result<(), KafkaError> {
        for part in parts {
            self.append(partition, records::encode(slice::from_ref(part), usize::MAX)).await?;
        }
        Ok(())
    }

    async fn append(&mut self, partition: i32, batch: bytes::Bytes) -> Result<(), KafkaError> {
        let what = self.what();
        self.to.append(partition, batch, &what).await
    }

    fn what(&self) -> String {
        format!("a dead letter in '{}'", self.to.topic)
    }

    fn report(&self, letter: &DeadLetter, parts: usize) -> Option<String> {
        let (DeadLetter { partition, record, .. }, Self { to, source, max_bytes, .. }) = (letter, self);
        let topic = &to.topic;
        let place = format!("{partition}:{}", record.offset);
        (parts > 1).then(|| {
            format!(
                "the refused message {place} of '{source}' is kept in {parts} parts, which `vitals dlq` joins: \
                 '{topic}' takes {max_bytes} bytes at once (max.message.bytes)"
            )
        })
    }
}

/// A dead-letter topic that takes less than its source, so that the largest letters go into it in parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{topic}' takes {bytes} bytes at once (max.message.bytes) and '{source_topic}' {source_bytes}: the largest refused messages are kept in parts"
)]
pub struct TakesLess {
    topic: String,
    bytes: usize,
    source_topic: String,
    source_bytes: usize,
}

impl TakesLess {
    /// What to do about it.
    pub fn fix(&self) -> String {
        let Self { topic, source_bytes, .. } = self;
        format!("set max.message.bytes of '{topic}' to {} or more", dead_letter_bytes(*source_bytes))
    }
}

/// Compares the limit of the topic `source` with that of its dead letters, where the brokers tell both.
pub async fn compare(cluster: &mut Cluster, source: &str) -> Result<Option<TakesLess>, KafkaError> {
    let topic = dead_letter_topic(source);
    let both = (
        topic_settings::taking(cluster, source).await?.max_bytes,
        topic_settings::taking(cluster, &topic).await?.max_bytes,
    );
    let (Some(source_bytes), Some(bytes)) = both else { return Ok(None) };
    let is_less = bytes < dead_letter_bytes(source_bytes);
    Ok(is_less.then(|| TakesLess { topic, bytes, source_topic: source.to_owned(), source_bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_process_counts_where_another_does() {
        let numbers: Vec<_> = (0..100).map(|_| Numbers::of_process()).collect();
        let mut drawn: Vec<_> = numbers.iter().flat_map(|numbers| [(); 1_000].map(|()| numbers.take())).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 100_000);
        assert!(drawn.iter().all(|number| (0..NUMBERS).contains(number)));
    }
}
