//! The whole way in one process: a simulated ward produces, consumers store, a meter stands before the store.
//!
//! `sender` sends, also on a schedule; `meter` measures.

pub(crate) mod meter;
mod sender;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use self::meter::Meter;
use self::sender::{Sender, Timer};
use crate::alarm::{AlarmChange, Step};
use crate::app::{self, Consuming};
use crate::intake::patients::Patients;
use crate::intake::schedule::due_within;
use crate::intake::simulator::{Scenario, Ward};
use crate::kafka::config::KafkaConfig;
use crate::kafka::group::MemberConfig;
use crate::kafka::offsets::Place;
use crate::pipeline::events::{Listener, PipelineEvent};
use crate::reading::{PatientId, Reading, Timestamp};
use crate::shutdown::{self, Shutdown};

/// As much of a topic's name as leaves room for a stamp, and for the dead letters.
const KEPT_CHARS: usize = 200;

/// What the names of a topic and a group begin with that a load test makes for itself.
pub(crate) fn own_names(topic: &str) -> String {
    format!("{}.bench_", topic.chars().take(KEPT_CHARS).collect::<String>())
}

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

/// The patients P001 to this number.
pub(crate) fn patients(count: u32) -> Result<Patients> {
    let ids = (1..=count).map(|number| PatientId::parse(&format!("P{number:03}"))).collect::<Result<_, _>>()?;
    Ok(Patients::new(ids)?)
}

/// What runs, and where.
pub(crate) struct LoadTest {
    pub(crate) kafka: KafkaConfig,
    /// The topic, which is the load test's own; the group has the same name.
    pub(crate) topic: String,
    pub(crate) partitions: u16,
    pub(crate) meter: Arc<Meter>,
    pub(crate) session_timeout: Duration,
    pub(crate) how: Consuming,
    pub(crate) load: Load,
    /// For how long; `None` until the user says stop.
    pub(crate) length: Option<Duration>,
    pub(crate) patients: Patients,
    pub(crate) scenario: Scenario,
    /// Makes the ward repeatable.
    pub(crate) seed: u64,
    /// How much of a patient's own time lies between two of its readings.
    pub(crate) step: Duration,
    /// Whether the readings carry oxygen and consciousness too.
    pub(crate) is_observed: bool,
    /// Whether a reading of each patient goes all the way before anything is measured.
    pub(crate) warm_up: bool,
}

impl LoadTest {
    /// Runs for as long as it should, or until the user says stop, and then until every row is stored. There is one
    /// consumer for each of the `listeners`, which are given back by those that left in time. `sent` is told of every
    /// reading that the broker has acknowledged.
    pub(crate) async fn run<L: Listener + 'static>(
        self: &Arc<Self>,
        listeners: Vec<L>,
        sent: impl Fn(&[Reading]) + Clone + Send + 'static,
        shutdown: &Shutdown,
    ) -> Result<Vec<L>> {
        let (stop, until_stored) = shutdown::channel();
        let holdings = Holdings::new(listeners.len());
        let mut members = JoinSet::new();
        for (number, listener) in listeners.into_iter().enumerate() {
            members.spawn(Arc::clone(self).consume(number, listener, holdings.clone(), until_stored.clone()));
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

    /// Is the consumer of this `number`, with a pipeline of its own, until it is told to stop.
    async fn consume<L: Listener>(
        self: Arc<Self>,
        number: usize,
        listener: L,
        holdings: Holdings,
        stop: Shutdown,
    ) -> Result<(usize, L)> {
        let config = MemberConfig {
            group: self.topic.clone(),
            topic: self.topic.clone(),
            instance_id: None,
            session_timeout: self.session_timeout,
        };
        let member = app::Member::join(&self.kafka, config, Place::Earliest).await?;
        // The listener hears first: an alert counts as shown when it has heard of it, and sending begins when it knows its
        // partitions.
        let mut both = (listener, Observer { number, holdings, meter: Arc::clone(&self.meter) });
        member.consume(self.how.clone(), &*self.meter, &mut both, &stop).await?;
        Ok((number, both.0))
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
            let places: BTreeMap<_, _> = senders.iter().flat_map(Sender::wakes).collect();
            let timer =
                Timer { senders: places.into_values().collect(), interval, load_test: Arc::downgrade(&running) };
            spawn_blocking(move || timer.run(clock));
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
        let ward = Ward::new(&self.patients, self.scenario, self.seed, self.step);
        let ward = if self.is_observed { ward.observed() } else { ward };
        let mut senders = Vec::new();
        for share in sender::shares(ward, &self.patients, self.partitions.into()) {
            senders.push(Sender::open(self, share).await?);
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
        while self.meter.measured().warmed < sent && began.elapsed() < WARM_UP_LIMIT {
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    /// Waits until every reading that was sent is stored, for as long as it goes on.
    async fn wait_for_rows(&self, shutdown: &Shutdown) {
        let began = Instant::now();
        loop {
            let (lag, last) = {
                let measured = self.meter.measured();
                (measured.lag(), measured.last_stored.unwrap_or(began).max(began))
            };
            let stopped = shutdown.requested() && began.elapsed() >= STOPPED_TAIL_LIMIT;
            if lag == 0 || last.elapsed() >= TAIL_LIMIT || stopped {
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

/// How many partitions each member has; `None` of one that has not been told.
#[derive(Debug, Clone)]
struct Holdings(watch::Sender<Vec<Option<usize>>>);

impl Holdings {
    fn new(members: usize) -> Self {
        Self(watch::Sender::new(vec![None; members]))
    }

    /// Waits until all members have been told, and all of so many partitions are somebody's.
    async fn are_complete(&self, partitions: usize) {
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

/// Says what a member holds, and when an alarm was shown.
struct Observer {
    number: usize,
    holdings: Holdings,
    meter: Arc<Meter>,
}

impl Listener for Observer {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            PipelineEvent::Assigned(partitions) => self.holdings.set(self.number, Some(partitions.len())),
            PipelineEvent::Revoked => self.holdings.set(self.number, None),
            PipelineEvent::Alarm(AlarmChange { step: Step::Raised, record, .. }) => {
                if let Some(start) = Timestamp::from_micros(record.alarm.start) {
                    self.meter.add_alarm(start);
                }
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
