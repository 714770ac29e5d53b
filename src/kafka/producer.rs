//! Sends messages into one topic.
//!
//! What [`Producer::send`] has marked as acknowledged in the [`Delivery`] is in the log of all in-sync replicas
//! (acks=all). Every call of the cluster is under a time limit, and after any trouble its connections are dropped and
//! made anew. Readings go out over our own connections, [`Direct`]: faster than by way of [`Rskafka`], for less
//! processor time, and compressed without a codec in C.
//!
//! The order within a partition is kept: each partition has at most one request in flight, so that a later record
//! never overtakes an earlier one that has to be repeated. Different partitions are served at once. A record whose
//! acknowledgement got lost is sent again, so it may be in the log twice; readers of the topic take a repeated reading as
//! no news.

mod cluster;
mod delivery;
mod direct;
mod error;
mod rskafka;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep, timeout};

pub use cluster::{Cluster, Failure, Link};
pub use delivery::{Delivery, Outgoing};
pub use direct::Direct;
pub use error::ProducerError;
pub use rskafka::Rskafka;
pub use shape::Sizes;

pub use super::records::Codec;

use crate::kafka::config::KafkaConfig;
use crate::retry::Backoff;

/// Partitions that are served at the same time; each takes one request and one connection's buffers.
const MAX_IN_FLIGHT: usize = 32;

/// For the acknowledgement of one request, the broker's own wait for its replicas included.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

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

impl Producer {
    /// Makes contact with the first broker that answers, and looks the topic up.
    ///
    /// # Errors
    /// [`ProducerError::NoTopic`] where the topic is missing: it is not made here. The others where no broker answers
    /// within [`Patience::connect`], or the cluster refuses.
    pub async fn connect(config: impl Into<KafkaConfig>, topic: &str) -> Result<Self, ProducerError> {
        Self::over(Direct::new(config), topic, Patience::default()).await
    }
}

impl<C: Cluster> Producer<C> {
    /// As [`Producer::connect`], over any cluster.
    pub async fn over(cluster: C, topic: &str, patience: Patience) -> Result<Self, ProducerError> {
        let mut producer = Self { cluster, topic: topic.to_owned(), patience, link: None };
        match producer.contact().await {
            Ok(link) => producer.link = Some(link),
            Err(failure) => return Err(producer.explain(failure)),
        }
        Ok(producer)
    }

    /// The topic.
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
            let Err(failure) = self.attempt(delivery).await else { return Ok(()) };
            // A late answer could only confuse; the next try starts with new connections.
            self.link = None;
            let pause = backoff.next_pause();
            if !failure.is_transient() || Instant::now() + pause >= deadline {
                return Err(self.explain(failure));
            }
            sleep(pause).await;
        }
    }

    async fn attempt(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        let link = match self.link.take() {
            Some(link) => link,
            None => self.contact().await?,
        };
        let link = self.link.insert(link);
        round(link, delivery, self.patience.request).await
    }

    async fn contact(&self) -> Result<C::Link, Failure> {
        let limit = self.patience.connect;
        timeout(limit, self.cluster.connect(&self.topic)).await.unwrap_or(Err(Failure::Silent(limit)))
    }

    fn explain(&self, failure: Failure) -> ProducerError {
        let (brokers, topic) = (self.cluster.name(), self.topic.clone());
        match failure {
            Failure::Transient(reason) => ProducerError::Unreachable { brokers, reason },
            Failure::Storage => ProducerError::Storage { brokers },
            Failure::Silent(limit) => ProducerError::Silent { brokers, limit },
            Failure::NoTopic => ProducerError::NoTopic { topic },
            Failure::Refused(reason) => ProducerError::Refused { topic, reason },
        }
    }
}

/// Sends everything that is not acknowledged once, and gives the first failure. Nothing new is begun after one.
async fn round<L: Link>(link: &L, delivery: &mut Delivery, limit: Duration) -> Result<(), Failure> {
    let mut waiting = delivery.by_partition(link.partitions());
    let mut in_flight = FuturesUnordered::new();
    let mut failure = None;
    while in_flight.len() < MAX_IN_FLIGHT
        && let Some((partition, queue)) = waiting.pop_first()
    {
        in_flight.push(request(link, partition, queue, delivery, limit));
    }
    while let Some(answer) = in_flight.next().await {
        match answer.outcome {
            Ok(()) => delivery.acknowledge(&answer.records),
            Err(error) => _ = failure.get_or_insert(error),
        }
        if failure.is_some() {
            continue;
        }
        let same = (!answer.rest.is_empty()).then_some((answer.partition, answer.rest));
        if let Some((partition, queue)) = same.or_else(|| waiting.pop_first()) {
            in_flight.push(request(link, partition, queue, delivery, limit));
        }
    }
    failure.map_or(Ok(()), Err)
}

/// What became of one request.
struct Answer {
    partition: i32,
    records: Vec<usize>,
    rest: VecDeque<usize>,
    outcome: Result<(), Failure>,
}

/// One request with the next records of `queue`. It is built at once, so that it does not keep `delivery` borrowed.
fn request<'a, L: Link>(
    link: &'a L,
    partition: i32,
    mut queue: VecDeque<usize>,
    delivery: &Delivery,
    limit: Duration,
) -> impl Future<Output = Answer> + Send + use<'a, L> {
    let count = link.sizes().request_length(queue.iter().map(|index| delivery.size(*index)));
    let rest = queue.split_off(count.min(queue.len()));
    let records: Vec<usize> = queue.into();
    let produced = link.produce(partition, delivery.records_at(&records));
    async move {
        let outcome = timeout(limit, produced).await.unwrap_or(Err(Failure::Silent(limit)));
        Answer { partition, records, rest, outcome }
    }
}
