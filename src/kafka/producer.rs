//! Sends messages into one topic.
//!
//! What [`Producer::send`] has marked as acknowledged in the [`Delivery`] is in the log of all in-sync replicas
//! (acks=all). Every call of the cluster is under a time limit, and after any trouble its connections are dropped and
//! made anew.
//!
//! The order within a partition is kept: each partition has at most one request in flight, so that a later record
//! never overtakes an earlier one that has to be repeated. Different partitions are served at once. A record whose
//! acknowledgement got lost is sent again, so it may be in the log twice; readers of the topic take a repeated reading as
//! no news.

mod delivery;
mod direct;
mod rskafka;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use kafka_protocol::ResponseError;
use tokio::time::{Instant, sleep, timeout};

pub use self::delivery::{Delivery, Outgoing};
pub use self::direct::Direct;
pub use self::rskafka::Rskafka;
use super::append::is_too_large;
#[cfg(feature = "testing")]
use super::config::KafkaConfig;
use super::error::{KafkaError, start_hint};
pub use super::records::Codec;
use crate::advice::{Advice, Code};
use crate::kafka::right::{Operation, Right};
use crate::record::Record;
use crate::retry::Backoff;

/// Partitions that are served at the same time; each takes one request and one connection's buffers.
const MAX_IN_FLIGHT: usize = 32;

/// For the acknowledgement of one request, the broker's own wait for its replicas included.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The most of one request, before it is compressed: a quarter of the broker's default limit for a batch (1 MiB).
const LARGEST_BYTES: usize = 256 * 1024;

/// What the producer needs of a cluster: our own connections have it, rskafka, and doubles in tests.
pub trait Cluster: Send + Sync {
    /// A link to one topic.
    type Link: Link;

    /// The brokers, for messages to the user.
    fn name(&self) -> String;

    /// Makes contact and looks `topic` up. The caller limits the time.
    fn connect(&self, topic: &str) -> impl Future<Output = Result<Self::Link, KafkaError>> + Send;
}

/// A link to one topic. It is dropped after the first failure.
pub trait Link: Send + Sync {
    /// How many partitions the topic has.
    fn partitions(&self) -> i32;

    /// Whether a request with so many bytes of records would be held up on its way.
    fn stalls(&self, _bytes: usize) -> bool {
        false
    }

    /// Writes `records` to a partition. `Ok` means that all in-sync replicas have them; after an error any of them
    /// may be in the log. The caller limits the time.
    fn produce(&self, partition: i32, records: Vec<Record>) -> impl Future<Output = Result<(), KafkaError>> + Send;
}

/// How long the producer waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one contact: connecting, and learning about the topic.
    pub connect: Duration,
    /// For the acknowledgement of one request.
    pub request: Duration,
    /// For the whole of one [`Producer::send`], with all its tries.
    pub delivery: Duration,
}

/// The first contact must end within 5 s, the message to the user included. A broker that restarts is back within
/// some ten seconds.
impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(4), request: REQUEST_LIMIT, delivery: Duration::from_secs(30) }
    }
}

/// Sends messages into one topic. See the module for what it promises.
#[derive(Debug)]
pub struct Producer<C: Cluster = Direct> {
    cluster: C,
    topic: String,
    patience: Patience,
    link: Option<C::Link>,
}

#[cfg(feature = "testing")]
impl Producer {
    /// Over our own connections.
    pub async fn connect(config: impl Into<KafkaConfig>, topic: &str) -> Result<Self, ProducerError> {
        Self::over(Direct::new(config), topic, Patience::default()).await
    }
}

impl<C: Cluster> Producer<C> {
    /// Makes contact with the first broker that answers, and looks the topic up: one that is missing is not made here.
    pub async fn over(cluster: C, topic: &str, patience: Patience) -> Result<Self, ProducerError> {
        let mut producer = Self { cluster, topic: topic.to_owned(), patience, link: None };
        producer.link = Some(producer.contact().await.map_err(|error| producer.explain(error))?);
        Ok(producer)
    }

    /// The topic.
    #[cfg(feature = "testing")]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Sends what `delivery` holds and is not acknowledged yet, and returns when all of it is.
    ///
    /// Broken connections, restarting brokers and moving leaders are waited for up to [`Patience::delivery`]. The
    /// future may be dropped at any time; `delivery` then tells what was acknowledged.
    pub async fn send(&mut self, delivery: &mut Delivery) -> Result<(), ProducerError> {
        let deadline = Instant::now() + self.patience.delivery;
        let mut backoff = Backoff::default();
        loop {
            let Err(error) = self.attempt(delivery).await else { return Ok(()) };
            // A late answer could only confuse; the next try starts with new connections.
            self.link = None;
            let pause = backoff.next_pause();
            // What answers strangely may be a broker that starts.
            let may_pass = error.is_passing() || is_storage(&error) || matches!(error, KafkaError::Protocol { .. });
            if !may_pass || Instant::now() + pause >= deadline {
                return Err(self.explain(error));
            }
            sleep(pause).await;
        }
    }

    async fn attempt(&mut self, delivery: &mut Delivery) -> Result<(), KafkaError> {
        let link = match self.link.take() {
            Some(link) => link,
            None => self.contact().await?,
        };
        let link = self.link.insert(link);
        round(link, delivery, self.patience.request).await
    }

    async fn contact(&self) -> Result<C::Link, KafkaError> {
        let limit = self.patience.connect;
        timeout(limit, self.cluster.connect(&self.topic)).await.unwrap_or_else(|_| Err(silent(limit)))
    }

    fn explain(&self, error: KafkaError) -> ProducerError {
        let (brokers, topic) = (self.cluster.name(), self.topic.clone());
        let error = error.rather(Operation::Write);
        match error {
            KafkaError::NoTopic { .. } => ProducerError::NoTopic { topic },
            _ if is_storage(&error) => ProducerError::Storage { brokers },
            KafkaError::Refused { code, .. } if error.is_passing() => {
                ProducerError::Unreachable { brokers, reason: code.to_string() }
            }
            KafkaError::Refused { code, .. } if is_too_large(code) => ProducerError::TooLarge { topic },
            KafkaError::Refused { code, right, .. } => {
                ProducerError::Refused { topic, reason: code.to_string(), right }
            }
            KafkaError::TimedOut { limit, .. } => ProducerError::Silent { brokers, limit },
            KafkaError::Unreachable { reason, .. } => ProducerError::Unreachable { brokers, reason },
            KafkaError::Io { source, .. } => ProducerError::Unreachable { brokers, reason: source.to_string() },
            KafkaError::Protocol { .. } => ProducerError::Unreachable { brokers, reason: error.to_string() },
            KafkaError::WantsTls { .. }
            | KafkaError::Tls { .. }
            | KafkaError::HungUp { .. }
            | KafkaError::Login { .. }
            | KafkaError::Files(_)
            | KafkaError::NoPassword(_) => {
                ProducerError::NotLetIn { problem: error.to_string(), fix: error.hint().unwrap_or_default() }
            }
            _ => ProducerError::Refused { topic, reason: error.to_string(), right: None },
        }
    }
}

/// Whether the broker cannot write to its disk: it may get over that.
fn is_storage(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Refused { code: ResponseError::KafkaStorageError, .. })
}

/// Nothing came back within this time. The cluster's name is the producer's to tell.
fn silent(limit: Duration) -> KafkaError {
    KafkaError::TimedOut { address: String::new(), what: "Produce", limit }
}

/// Sends everything that is not acknowledged once, and gives the first failure. Nothing new is begun after one.
async fn round<L: Link>(link: &L, delivery: &mut Delivery, limit: Duration) -> Result<(), KafkaError> {
    let mut waiting = delivery.by_partition(link.partitions());
    let mut in_flight = FuturesUnordered::new();
    let mut failed = Ok(());
    while in_flight.len() < MAX_IN_FLIGHT
        && let Some((partition, queue)) = waiting.pop_first()
    {
        in_flight.push(request(link, partition, queue, delivery, limit));
    }
    while let Some(answer) = in_flight.next().await {
        if answer.outcome.is_ok() {
            delivery.acknowledge(&answer.records);
        }
        failed = failed.and(answer.outcome);
        if failed.is_err() {
            continue;
        }
        let same = (!answer.rest.is_empty()).then_some((answer.partition, answer.rest));
        if let Some((partition, queue)) = same.or_else(|| waiting.pop_first()) {
            in_flight.push(request(link, partition, queue, delivery, limit));
        }
    }
    failed
}

/// What became of one request.
struct Produced {
    partition: i32,
    records: Vec<usize>,
    rest: VecDeque<usize>,
    outcome: Result<(), KafkaError>,
}

/// One request with the next records of `queue`. It is built at once, so that it does not keep `delivery` borrowed.
fn request<'a, L: Link>(
    link: &'a L,
    partition: i32,
    mut queue: VecDeque<usize>,
    delivery: &Delivery,
    limit: Duration,
) -> impl Future<Output = Produced> + Send + use<'a, L> {
    let count = request_length(queue.iter().map(|index| delivery.size(*index)), |bytes| link.stalls(bytes));
    let rest = queue.split_off(count.min(queue.len()));
    let records: Vec<usize> = queue.into();
    let produced = link.produce(partition, delivery.records_at(&records));
    async move {
        let outcome = timeout(limit, produced).await.unwrap_or_else(|_| Err(silent(limit)));
        Produced { partition, records, rest, outcome }
    }
}

/// How many of the records that wait, of `sizes` bytes each in their order, go into the next request: at least one, and no
/// more than go without a stall.
fn request_length(sizes: impl Iterator<Item = usize>, stalls: impl Fn(usize) -> bool) -> usize {
    let (mut total, mut best) = (0, 1);
    for (count, size) in (1..).zip(sizes) {
        total += size;
        if total > LARGEST_BYTES {
            break;
        }
        if !stalls(total) {
            best = count;
        }
    }
    best
}

/// Why messages were not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum ProducerError {
    /// No broker can be reached, or the connection broke and did not come back.
    #[error("cannot reach Kafka at {brokers}: {reason}")]
    Unreachable { brokers: String, reason: String },
    /// A broker answers, but its disk takes nothing.
    #[error("Kafka at {brokers} cannot write to its disk")]
    Storage { brokers: String },
    /// A connection stands, but nothing comes back.
    #[error("Kafka at {brokers} did not answer within {} s", limit.as_secs_f32())]
    Silent { brokers: String, limit: Duration },
    /// The topic does not exist.
    #[error("the topic {topic} does not exist")]
    NoTopic { topic: String },
    /// What goes out together is larger than the topic takes at once.
    #[error("the topic {topic} takes no messages as large as these")]
    TooLarge { topic: String },
    /// The cluster will not take the messages, now or later.
    #[error("Kafka refuses messages for the topic {topic}: {reason}")]
    Refused { topic: String, reason: String, right: Option<Box<Right>> },
    /// A broker does not let us in, or is not who it should be.
    #[error("{problem}")]
    NotLetIn { problem: String, fix: String },
}

impl Advice for ProducerError {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { brokers, .. } => start_hint(brokers).to_owned(),
            Self::Storage { .. } => {
                "make room on the broker's disk, and send again what was not acknowledged".to_owned()
            }
            Self::Silent { .. } => {
                "check that it is Kafka that listens there, and that it has finished starting".into()
            }
            Self::NoTopic { .. } => "`vitals init` makes it".to_owned(),
            Self::TooLarge { topic } => format!("raise max.message.bytes of '{topic}', or send less at once"),
            Self::NotLetIn { fix, .. } => fix.clone(),
            Self::Refused { right: Some(right), .. } => {
                format!("whoever runs the cluster gives this right by: {right}")
            }
            Self::Refused { .. } => "check the topic's settings and the rights to write to it".to_owned(),
        })
    }
}
