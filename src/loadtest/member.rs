//! One of the consumers of a load test, with a pipeline of its own.

use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::sync::watch;

use super::meter::Meter;
use crate::alarm::Alert;
use crate::app::{self, Consuming};
use crate::kafka::group::MemberConfig;
use crate::kafka::offsets::Place;
use crate::pipeline::observer::{Observer, Origin, Progress};
use crate::pipeline::source::Assigned;
use crate::reading::Reading;
use crate::reading::reject::Reject;
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
pub(super) struct Member<O> {
    /// Its place among the members.
    pub(super) number: usize,
    /// The brokers.
    pub(super) brokers: Vec<String>,
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
    pub(super) observer: O,
}

impl<O: Observer> Member<O> {
    /// Consumes until it is told to stop, and gives its number and the observer back.
    ///
    /// # Errors
    /// A server cannot be reached or refuses.
    pub(super) async fn run(self, stop: Shutdown) -> Result<(usize, O)> {
        let Self { number, brokers, topic, session_timeout, meter, holdings, observer, .. } = self;
        let config = MemberConfig { group: topic.clone(), topic: topic.clone(), instance_id: None, session_timeout };
        let consumer = app::Member::join(&brokers, config, Place::Earliest).await?;
        let mut watched = Watched { observer, number, holdings, meter: Arc::clone(&meter) };
        consumer.consume(self.how, &*meter, &mut watched, &stop).await?;
        Ok((number, watched.observer))
    }
}

/// Passes everything on, says what the member holds, and when an alert was shown.
struct Watched<O> {
    observer: O,
    number: usize,
    holdings: Holdings,
    meter: Arc<Meter>,
}

impl<O: Observer> Observer for Watched<O> {
    fn assigned(&mut self, partitions: &[Assigned]) {
        self.holdings.set(self.number, Some(partitions.len()));
        self.observer.assigned(partitions);
    }

    fn revoked(&mut self) {
        self.holdings.set(self.number, None);
        self.observer.revoked();
    }

    fn reading(&mut self, origin: Origin, reading: &Reading, alerts: &[Alert]) {
        self.observer.reading(origin, reading, alerts);
        if !alerts.is_empty() {
            self.meter.add_alerts(reading.time(), alerts.len());
        }
    }

    fn refused(&mut self, partition: i32, offset: i64, reject: &Reject) {
        self.observer.refused(partition, offset, reject);
    }

    fn unkeyed(&mut self, partition: i32, offset: i64) {
        self.observer.unkeyed(partition, offset);
    }

    fn trouble(&mut self, text: &str) {
        self.observer.trouble(text);
    }

    fn progress(&mut self, progress: &Progress) {
        self.observer.progress(progress);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_trial_waits_until_every_member_knows_its_partitions_and_none_is_nobodys() {
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
