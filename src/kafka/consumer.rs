//! A member of a consumer group, as the pipeline's source.

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cluster::Cluster;
use super::config::KafkaConfig;
use super::error::KafkaError;
use super::group::driver::{Channels, Command, Driver};
use super::group::{MemberConfig, admin};
use super::offsets::Place;
use crate::ledger::Position;
use crate::pipeline::source::{Event, Fetched, MembershipEvent, Source};
use crate::shutdown::LEAVE_LIMIT;

/// Commands and membership events that may wait. Each side has at most a handful under way.
const CHANNEL_EVENTS: usize = 16;

/// Chunks that wait for the pipeline. With the one in the hands of the fetcher, each of at most
/// [`MAX_INFLATED_BYTES`](super::records::MAX_INFLATED_BYTES), this bounds what is read ahead.
const CHANNEL_CHUNKS: usize = 2;

/// A member of a consumer group.
#[derive(Debug)]
pub struct Consumer {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<MembershipEvent>,
    records: mpsc::Receiver<Fetched>,
    driver: JoinSet<Result<(), KafkaError>>,
}

impl Consumer {
    /// Makes first contact, checks that the topic is there, and begins to join the group. Partitions of which the
    /// group has committed nothing are read from `from`.
    /// A group whose members speak [another protocol](KafkaError::OtherProtocol) is not joined.
    pub async fn join(kafka: impl Into<KafkaConfig>, config: MemberConfig, from: Place) -> Result<Self, KafkaError> {
        let kafka = kafka.into();
        let mut cluster = Cluster::connect(&kafka).await?;
        cluster.leaders(&config.topic).await?;
        // Kafka would take a classic member into a group of the newer protocol, and give it partitions in its own way. A
        // coordinator that cannot tell now is asked again by the join.
        match cluster.coordinator_node(&config.group).await {
            Ok(coordinator) => {
                if let Ok(described) = admin::describe(coordinator, &config.group).await {
                    described.ensure_joinable(&config.group)?;
                }
            }
            // It may be another broker than the one that let us in.
            Err(error) if error.is_refusal() => return Err(error),
            Err(_) => {}
        }
        let (commands, taken) = mpsc::channel(CHANNEL_EVENTS);
        let (told, events) = mpsc::channel(CHANNEL_EVENTS);
        let (read, records) = mpsc::channel(CHANNEL_CHUNKS);
        let channels = Channels { commands: taken, events: told, records: read };
        let mut driver = JoinSet::new();
        driver.spawn(Driver::new(config, from, kafka, cluster, channels).run());
        Ok(Self { commands, events, records, driver })
    }

    /// Leaves the group, so that its other members take over at once.
    pub async fn leave(mut self) {
        let Self { commands, driver, .. } = &mut self;
        let left = async {
            let _ = commands.send(Command::Leave).await;
            driver.join_next().await
        };
        let _ = timeout(LEAVE_LIMIT, left).await;
    }

    /// Why the member ended.
    async fn outcome(&mut self) -> KafkaError {
        match self.driver.join_next().await {
            Some(Ok(Err(error))) => error,
            // The driver ends by itself only with an error; a panic in it must end the pipeline too.
            Some(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            _ => KafkaError::Protocol { address: "the group".into(), what: "the member ended by itself".into() },
        }
    }
}

impl Source for Consumer {
    type Error = KafkaError;

    async fn next(&mut self, room: bool) -> Result<Event, KafkaError> {
        tokio::select! {
            // Membership first: after a revocation the chunks that wait are nobody's.
            biased;
            event = self.events.recv() => match event {
                Some(event) => Ok(Event::Membership(event)),
                None => Err(self.outcome().await),
            },
            Some(fetched) = self.records.recv(), if room => Ok(Event::Fetched(fetched)),
        }
    }

    async fn commit(&mut self, assignment: u64, positions: Vec<Position>) {
        // A driver that has ended is told by the next event.
        let _ = self.commands.send(Command::Commit { assignment, positions }).await;
    }

    async fn rewind(&mut self, assignment: u64) {
        let _ = self.commands.send(Command::Rewind { assignment }).await;
    }

    async fn released(&mut self, assignment: u64) {
        let _ = self.commands.send(Command::Released { assignment }).await;
    }
}
