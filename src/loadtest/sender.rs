//! One of the senders of a load test: some of the patients, whose partitions nobody else fills.
//!
//! A producer keeps the order within a partition by having one request in flight for each. So senders with partitions of
//! their own have as many batches in flight together as there are of them, make and encode their messages beside one
//! another, and need no lock in common.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::thread::sleep;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::sync::Notify;

use super::meter::{Clock, Meter};
use super::{Load, LoadTest};
use crate::intake::patients::Patients;
use crate::intake::schedule::Schedule;
use crate::intake::simulator::Ward;
use crate::intake::stamp::Stamp;
use crate::kafka::producer::{Delivery, Outgoing, Patience, Producer, Rskafka};
use crate::reading::{PatientId, Reading};
use crate::record::murmur2::partition_of;
use crate::shutdown::Shutdown;

/// How many senders there are at most. Two cores are busy with fewer; each has its connections and a batch in memory.
const MAX_SENDERS: i32 = 8;

/// How many readings a sender makes, sends and has acknowledged together: some 200 KiB, which is one request.
const BATCH: u32 = 1000;

/// How long after the end a sender still sends what was due before it.
const OVERTIME: Duration = Duration::from_secs(30);

/// The shortest sleep of the [`Timer`]: what comes due meanwhile is sent together. More wake-ups would only cost time.
const SHORTEST_SLEEP: Duration = Duration::from_micros(200);

/// The longest sleep of the [`Timer`], after which it is looked whether anybody waits any more.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// The patients of one sender, and its places on the schedule.
#[derive(Debug)]
pub(super) struct Share {
    ward: Ward,
    places: Vec<u64>,
}

/// Shares the patients of a ward out, so that no two senders fill the same one of the `partitions`.
pub(super) fn shares(ward: Ward, patients: &Patients, partitions: i32) -> Vec<Share> {
    let sender_of = |patient: &PatientId| partition_of(patient.as_str().as_bytes(), partitions) % MAX_SENDERS;
    let mut places = BTreeMap::<_, Vec<_>>::new();
    for (place, patient) in (0..).zip(patients.as_slice()) {
        places.entry(sender_of(patient)).or_default().push(place);
    }
    let wards = ward.shared_out(sender_of);
    wards.into_values().zip(places.into_values()).map(|(ward, places)| Share { ward, places }).collect()
}

pub(super) struct Sender {
    /// Its places in a round.
    places: Vec<u64>,
    wake: Arc<Notify>,
    producer: Producer<Rskafka>,
    ward: Ward,
    times: Times,
    meter: Arc<Meter>,
}

/// The times of the next readings, and so when they are sent.
enum Times {
    Scheduled(Schedule),
    Full(Stamp),
}

impl Sender {
    /// Opens a sender, which has this `share` of each round.
    pub(super) async fn open(test: &LoadTest, share: Share) -> Result<Self> {
        let Share { ward, places } = share;
        let producer = Producer::over(Rskafka::new(&test.kafka), &test.topic, Patience::default()).await?;
        let round = u64::try_from(test.patients.as_slice().len())?;
        let times = match test.load {
            Load::Every(interval) => Times::Scheduled(Schedule::shared(interval, places.clone(), round)),
            Load::Full => Times::Full(Stamp::default()),
        };
        Ok(Self { places, wake: Arc::default(), producer, ward, times, meter: Arc::clone(&test.meter) })
    }

    /// Its places in a round, with what wakes it when the reading there is due.
    pub(super) fn wakes(&self) -> impl Iterator<Item = (u64, Arc<Notify>)> {
        self.places.iter().map(|place| (*place, Arc::clone(&self.wake)))
    }

    /// Sends one reading of each patient before anything is measured, and gives how many these are.
    pub(super) async fn warm_up(&mut self) -> Result<u64> {
        let mut stamp = Stamp::default();
        let mut readings = Vec::with_capacity(self.places.len());
        for _ in &self.places {
            readings.push(self.ward.next(stamp.now()?));
        }
        self.deliver(&readings).await?;
        Ok(u64::try_from(readings.len())?)
    }

    /// Sends until the time is over or the user says stop. `sent` is told of what the broker has acknowledged.
    pub(super) async fn run(
        mut self,
        clock: Clock,
        length: Duration,
        sent: impl Fn(&[Reading]),
        shutdown: Shutdown,
    ) -> Result<()> {
        loop {
            let readings = tokio::select! {
                biased;
                () = shutdown.wait() => return Ok(()),
                readings = self.next_batch(clock, length) => readings?,
            };
            if readings.is_empty() {
                return Ok(());
            }
            self.deliver(&readings).await?;
            self.meter.add_sent(readings.len());
            sent(&readings);
        }
    }

    /// The readings to send next, when it is time; none where there are no more.
    async fn next_batch(&mut self, clock: Clock, length: Duration) -> Result<Vec<Reading>> {
        let Self { times, ward, meter, wake, .. } = self;
        let mut readings = Vec::new();
        match times {
            Times::Scheduled(schedule) => {
                if schedule.next_due() >= length || clock.elapsed() >= length.saturating_add(OVERTIME) {
                    return Ok(readings);
                }
                while clock.elapsed() < schedule.next_due() {
                    wake.notified().await;
                }
                // What is due at the end itself is not sent any more.
                let until = clock.elapsed().min(length.saturating_sub(Duration::from_nanos(1)));
                for _ in 0..BATCH {
                    let Some(due) = schedule.take(until) else { break };
                    readings.push(ward.next(clock.timestamp(due)?));
                }
            }
            Times::Full(stamp) => {
                meter.wait_for_room(BATCH).await;
                if clock.elapsed() >= length {
                    return Ok(readings);
                }
                for _ in 0..BATCH {
                    readings.push(ward.next(stamp.at(clock.began_utc + clock.elapsed())?));
                }
            }
        }
        Ok(readings)
    }

    async fn deliver(&mut self, readings: &[Reading]) -> Result<()> {
        self.producer.send(&mut Delivery::new(readings.iter().map(Outgoing::from).collect())).await?;
        Ok(())
    }
}

/// Wakes the senders when a reading is due.
///
/// The runtime's timers are for time limits: they go off up to two milliseconds late, which is as long as a reading takes
/// for its whole way. A thread that sleeps by itself is late by some fifty microseconds.
pub(super) struct Timer {
    /// For each place of a round, its sender.
    pub(super) senders: Vec<Arc<Notify>>,
    /// Between two readings.
    pub(super) interval: Duration,
    /// Gone with the load test.
    pub(super) load_test: Weak<()>,
}

impl Timer {
    /// Wakes the senders until the load test is gone. This blocks: it wants a thread of its own.
    pub(super) fn run(self, clock: Clock) {
        let mut round = self.senders.iter().cycle();
        let mut schedule = Schedule::new(self.interval);
        while self.load_test.strong_count() > 0 {
            let wait = schedule.next_due().saturating_sub(clock.elapsed());
            sleep(wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
            let now = clock.elapsed();
            while schedule.take(now).is_some() {
                if let Some(sender) = round.next() {
                    sender.notify_one();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Instant;

    use super::*;
    use crate::intake::simulator::{STEP, Scenario};

    #[test]
    fn no_two_senders_fill_the_same_partition_and_every_patient_has_a_place() {
        let patients = Patients::new((0..50).map(|n| PatientId::parse(&format!("P{n}")).expect("an id")).collect());
        let patients = patients.expect("patients");
        let ward = Ward::new(&patients, Scenario::Mixed, 1, STEP);
        let mut shares = shares(ward, &patients, 20);
        let now = Stamp::default().now().expect("a time");
        let mut filled = BTreeSet::new();
        for share in &mut shares {
            let round: BTreeSet<_> = share.places.iter().map(|_| share.ward.next(now).patient().clone()).collect();
            let named =
                share.places.iter().map(|place| patients.as_slice()[usize::try_from(*place).expect("small")].clone());
            assert_eq!(round, named.collect(), "a place for each patient of its own");
            let own: BTreeSet<_> = round.iter().map(|of| partition_of(of.as_str().as_bytes(), 20)).collect();
            assert!(filled.is_disjoint(&own));
            filled.extend(own);
        }
        let mut places: Vec<_> = shares.iter().flat_map(|share| share.places.iter().copied()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..50).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn each_sender_is_woken_for_its_places_and_the_thread_ends_with_the_load_test() {
        let (often, seldom) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let senders = vec![Arc::clone(&often), Arc::clone(&often), Arc::clone(&seldom)];
        let load_test = Arc::new(());
        let timer = Timer { senders, interval: Duration::from_millis(5), load_test: Arc::downgrade(&load_test) };
        let began = Instant::now();
        let thread = std::thread::spawn(move || timer.run(Clock::start()));
        often.notified().await;
        seldom.notified().await;
        assert!(began.elapsed() >= Duration::from_millis(10), "the third place is due after two intervals");
        drop(load_test);
        thread.join().expect("ended");
    }
}
