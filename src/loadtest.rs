//! The whole way in one process: a simulated ward produces, consumers store, a meter stands before the store.
//!
//! `sender` sends on the schedule that `schedule` keeps, when `pacer` wakes it; `member` consumes; `clock` and `meter`
//! measure.

pub(crate) mod clock;
mod member;
pub(crate) mod meter;
mod pacer;
mod schedule;
mod sender;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use self::member::{Holdings, Member};
use self::meter::Meter;
use self::pacer::Pacer;
use self::schedule::due_within;
use self::sender::Sender;
use crate::app::Consuming;
use crate::intake::patients::Patients;
use crate::intake::simulator::Scenario;
use crate::kafka::config::KafkaConfig;
use crate::pipeline::events::Listener;
use crate::reading::Reading;
use crate::shutdown::{self, Shutdown};

/// How long no row may come in after the last reading was sent, before the rest counts as missing.
const TAIL_LIMIT: Duration = Duration::from_secs(60);

/// How long rows are waited for where the user said stop: the program ends 5 s after that, and has to remove what it made.
const STOPPED_TAIL_LIMIT: Duration = Duration::from_millis(1500);

/// How long the consumers may take to leave where the user said stop.
const STOPPED_LEAVE_LIMIT: Duration = Duration::from_millis(1200);

/// How often it is looked whether the rows are in.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// How long the first rows may take. What is late then is late in the measured part too.
const WARM_UP_LIMIT: Duration = Duration::from_secs(10);

/// How fast readings are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// One per interval, of all patients together; never zero.
    Every(Duration),
    /// As fast as the store takes them, with [`meter::MAX_BACKLOG`] on their way.
    Full,
}

/// What runs, and where.
#[derive(Clone)]
pub(crate) struct LoadTest {
    /// How the cluster is reached.
    pub(crate) kafka: KafkaConfig,
    /// The topic, which is the load test's own; the group has the same name.
    pub(crate) topic: String,
    /// How many partitions the topic has.
    pub(crate) partitions: u16,
    /// The store.
    pub(crate) meter: Arc<Meter>,
    /// The session time-out of the members.
    pub(crate) session_timeout: Duration,
    /// How a member works.
    pub(crate) how: Consuming,
    /// How fast readings are sent.
    pub(crate) load: Load,
    /// For how long; `None` until the user says stop.
    pub(crate) length: Option<Duration>,
    /// The patients of the ward.
    pub(crate) patients: Patients,
    /// What happens to them.
    pub(crate) scenario: Scenario,
    /// Makes the ward repeatable.
    pub(crate) seed: u64,
    /// Whether a reading of each patient goes all the way before anything is measured.
    pub(crate) warm_up: bool,
}

impl LoadTest {
    /// Runs for as long as it should, or until the user says stop, and then until every row is stored. There is one
    /// consumer for each of the `listeners`, which are given back by those that left in time. `sent` is told of every
    /// reading that the broker has acknowledged.
    ///
    /// # Errors
    /// A server cannot be reached or refuses.
    pub(crate) async fn run<L: Listener + 'static>(
        &self,
        listeners: Vec<L>,
        sent: impl Fn(&[Reading]) + Clone + Send + 'static,
        shutdown: &Shutdown,
    ) -> Result<Vec<L>> {
        let (stop, until_stored) = shutdown::channel();
        let holdings = Holdings::new(listeners.len());
        let mut members = JoinSet::new();
        for (number, listener) in listeners.into_iter().enumerate() {
            let member = self.member(number, listener, holdings.clone());
            members.spawn(member.run(until_stored.clone()));
        }
        let mut ended = Vec::new();
        // A consumer that ends early has failed, or its listener is gone: that is the end of the load test.
        let outcome = tokio::select! {
            outcome = self.send_and_wait(&holdings, sent, shutdown) => outcome.map(|()| None),
            Some(early) = members.join_next() => early?.map(Some),
        };
        stop.pull();
        ended.extend(outcome?);
        let leaving = async {
            while let Some(left) = members.join_next().await {
                ended.push(left??);
            }
            Ok::<_, color_eyre::Report>(())
        };
        if shutdown.requested() {
            // What is still on its way is of no use to anybody.
            timeout(STOPPED_LEAVE_LIMIT, leaving).await.unwrap_or(Ok(()))?;
        } else {
            leaving.await?;
        }
        members.shutdown().await;
        ended.sort_by_key(|(number, _)| *number);
        Ok(ended.into_iter().map(|(_, listener)| listener).collect())
    }

    fn member<L>(&self, number: usize, listener: L, holdings: Holdings) -> Member<L> {
        let (kafka, topic, meter) = (self.kafka.clone(), self.topic.clone(), Arc::clone(&self.meter));
        let (session_timeout, how) = (self.session_timeout, self.how.clone());
        Member { number, kafka, topic, session_timeout, how, meter, holdings, listener }
    }

    async fn send_and_wait(
        &self,
        holdings: &Holdings,
        sent: impl Fn(&[Reading]) + Clone + Send + 'static,
        shutdown: &Shutdown,
    ) -> Result<()> {
        let ready = async {
            holdings.are_complete(self.partitions.into()).await;
            let mut senders = self.senders().await?;
            if self.warm_up {
                self.warm_up(&mut senders).await?;
            }
            Ok::<_, color_eyre::Report>(senders)
        };
        let senders = tokio::select! {
            senders = ready => senders?,
            () = shutdown.wait() => return Ok(()),
        };
        let clock = self.meter.begin();
        let length = self.length.unwrap_or(Duration::MAX);
        let running = Arc::new(());
        if let Load::Every(interval) = self.load {
            let wakes: BTreeMap<_, _> = senders.iter().flat_map(Sender::wakes).collect();
            let pacer = Pacer { senders: wakes.into_values().collect(), interval, load_test: Arc::downgrade(&running) };
            spawn_blocking(move || pacer.run(clock));
        }
        let mut running_senders = JoinSet::new();
        for sender in senders {
            running_senders.spawn(sender.run(clock, length, sent.clone(), shutdown.clone()));
        }
        while let Some(ended) = running_senders.join_next().await {
            ended??;
        }
        drop(running);
        // The last reading is due an interval before the end.
        tokio::select! {
            () = sleep(length.saturating_sub(clock.elapsed())), if self.length.is_some() => {}
            () = shutdown.wait() => {}
            else => {}
        }
        self.wait_for_rows(shutdown).await;
        Ok(())
    }

    async fn senders(&self) -> Result<Vec<Sender>> {
        let round = u64::try_from(self.patients.as_slice().len())?;
        let shares = sender::shares(&self.patients, self.partitions.into());
        let mut senders = Vec::with_capacity(shares.len());
        for (number, share) in (0..).zip(shares) {
            let (place, load) = ((&self.kafka, self.topic.as_str()), (self.load, round));
            let ward = (self.scenario, self.seed.wrapping_add(number));
            senders.push(Sender::open(place, share, ward, load, Arc::clone(&self.meter)).await?);
        }
        Ok(senders)
    }

    /// Opens the connections and has the store make ready what it makes ready at the first rows.
    async fn warm_up(&self, senders: &mut [Sender]) -> Result<()> {
        let mut sent = 0;
        for sender in senders {
            sent += sender.warm_up().await?;
        }
        let began = Instant::now();
        while self.meter.warmed() < sent && began.elapsed() < WARM_UP_LIMIT {
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    /// Waits until every reading that was sent is stored, for as long as it goes on.
    async fn wait_for_rows(&self, shutdown: &Shutdown) {
        let began = Instant::now();
        loop {
            let last = self.meter.last_stored().unwrap_or(began).max(began);
            let stopped = shutdown.requested() && began.elapsed() >= STOPPED_TAIL_LIMIT;
            if self.meter.outstanding() == 0 || last.elapsed() >= TAIL_LIMIT || stopped {
                return;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// How many readings are due in all; `None` where there is no schedule or no end.
    pub(crate) fn due(&self) -> Option<u64> {
        match (self.load, self.length) {
            (Load::Every(interval), Some(length)) => Some(due_within(length, interval)),
            _ => None,
        }
    }
}
