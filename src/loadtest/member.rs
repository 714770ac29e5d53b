//! One of the consumers of a load test, with a pipeline of its own.

use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::sync::watch;

use super::meter::Meter;
use crate::app::{self, Consuming};
use crate::kafka::config::KafkaConfig;
use crate::kafka::group::MemberConfig;
use crate::kafka::offsets::Place;
use crate::pipeline::events::{Listener, PipelineEvent};
use crate::shutdown::Shutdown;

/// How many partitions each member has; `None` of one that has not been told.
#[derive(Debug, Clone)]
pub(super) struct Holdings(watch::Sender<Vec<Option<usize>>>);

impl Holdings {
    /// Of so many members.
    pub(super) fn new(members: usize) -> Self {
        Self(watch::Sender::new(vec![None; members]))
    }

    /// Waits until all members have been told, and all of so many partitions are somebody's.
    pub(super) async fn are_complete(&self, partitions: usize) {
        let is_complete = |held: &Vec<Option<usize>>| {
            held.iter().all(Option::is_some) && held.iter().flatten().sum::<usize>() == partitions
        };
        // The sender is our own, so it is not gone.
        let _ = self.0.subscribe().wait_for(is_complete).await;
    }

    fn set(&self, member: usize, partitions: Option<usize>) {
        self.0.send_modify(|held| {
            if let Some(held) = held.get_mut(member) {
                *held = partitions;
            }
        });
    }
}

/// A consumer, before it has joined.
pub(super) struct Member<L> {
    /// Its place among the members.
    pub(super) number: usize,
    /// How the cluster is reached.
    pub(super) kafka: KafkaConfig,
    /// The topic; the group has the same name.
    pub(super) topic: String,
    /// The session time-out.
    pub(super) session_timeout: Duration,
    /// How it works.
    pub(super) how: Consuming,
    /// The store.
    pub(super) meter: Arc<Meter>,
    /// Who has which partitions.
    pub(super) holdings: Holdings,
    /// Who is told.
    pub(super) listener: L,
}

impl<L: Listener> Member<L> {
    /// Consumes until it is told to stop, and gives its number and the listener back.
    ///
    /// # Errors
    /// A server cannot be reached or refuses.
    pub(super) async fn run(self, stop: Shutdown) -> Result<(usize, L)> {
        let Self { number, kafka, topic, session_timeout, meter, holdings, listener, .. } = self;
        let config = MemberConfig { group: topic.clone(), topic: topic.clone(), instance_id: None, session_timeout };
        let consumer = app::Member::join(&kafka, config, Place::Earliest).await?;
        // The listener hears first: an alert counts as shown when it has heard of it, and sending begins when it knows its
        // partitions.
        let mut both = (listener, Watch { number, holdings, meter: Arc::clone(&meter) });
        consumer.consume(self.how, &*meter, &mut both, &stop).await?;
        Ok((number, both.0))
    }
}

/// Says what the member holds, and when an alert was shown.
struct Watch {
    number: usize,
    holdings: Holdings,
    meter: Arc<Meter>,
}

impl Listener for Watch {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            PipelineEvent::Assigned(partitions) => self.holdings.set(self.number, Some(partitions.len())),
            PipelineEvent::Revoked => self.holdings.set(self.number, None),
            PipelineEvent::Reading { reading, alerts, .. } if !alerts.is_empty() => {
                self.meter.add_alerts(reading.time(), alerts.len());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_load_test_waits_until_every_member_knows_its_partitions_and_none_is_nobodys() {
        let holdings = Holdings::new(2);
        let is_complete = || holdings.are_complete(6).now_or_never().is_some();
        holdings.set(0, Some(6));
        assert!(!is_complete(), "the second member has not been told");
        holdings.set(0, None);
        holdings.set(1, Some(3));
        assert!(!is_complete());
        holdings.set(0, Some(3));
        assert!(is_complete());
    }
}
