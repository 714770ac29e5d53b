//! One of the senders of a load test: some of the patients, whose partitions nobody else fills.
//!
//! A producer keeps the order within a partition by having one request in flight for each. So senders with partitions of
//! their own have as many batches in flight together as there are of them, make and encode their messages beside one
//! another, and need no lock in common.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::sync::Notify;

use super::Load;
use super::clock::Clock;
use super::meter::Meter;
use super::schedule::Schedule;
use crate::intake::patients::Patients;
use crate::intake::simulator::{Scenario, Ward};
use crate::intake::stamp::Stamp;
use crate::kafka::config::KafkaConfig;
use crate::kafka::murmur2::partition_of;
use crate::kafka::producer::{Delivery, Outgoing, Producer};
use crate::reading::{PatientId, Reading, Timestamp};
use crate::shutdown::Shutdown;

/// How many senders there are at most. Two cores are busy with fewer; each has its connections and a batch in memory.
const MAX_SENDERS: i32 = 8;

/// How many readings a sender makes, sends and has acknowledged together: some 200 KiB, which is one request.
const BATCH: u32 = 1000;

/// How long after the end a sender still sends what was due before it.
const OVERTIME: Duration = Duration::from_secs(30);

/// The patients of one sender, and its places on the schedule.
#[derive(Debug, Default)]
pub(super) struct Share {
    patients: Vec<PatientId>,
    places: Vec<u64>,
}

/// Shares the patients out, so that no two senders fill the same one of the `partitions`.
pub(super) fn shares(patients: &Patients, partitions: i32) -> Vec<Share> {
    let mut shares = BTreeMap::<i32, Share>::new();
    for (place, patient) in (0..).zip(patients.as_slice()) {
        let sender = partition_of(patient.as_str().as_bytes(), partitions) % MAX_SENDERS;
        let share = shares.entry(sender).or_default();
        share.patients.push(patient.clone());
        share.places.push(place);
    }
    shares.into_values().collect()
}

pub(super) struct Sender {
    /// Its places in a round.
    places: Vec<u64>,
    wake: Arc<Notify>,
    producer: Producer,
    ward: Ward,
    pace: Pace,
    patients: usize,
    meter: Arc<Meter>,
}

/// When the next readings are sent.
enum Pace {
    Scheduled(Schedule),
    Full(Stamp),
}

impl Sender {
    /// A sender with this `share` of a round of so many readings.
    ///
    /// # Errors
    /// The broker cannot be reached, or the topic is not there.
    pub(super) async fn open(
        (kafka, topic): (&KafkaConfig, &str),
        share: Share,
        (scenario, seed): (Scenario, u64),
        (load, round): (Load, u64),
        meter: Arc<Meter>,
    ) -> Result<Self> {
        let Share { patients, places } = share;
        let producer = Producer::connect(kafka, topic).await?;
        let pace = match load {
            Load::Every(interval) => Pace::Scheduled(Schedule::new(places.clone(), round, interval)),
            Load::Full => Pace::Full(Stamp::default()),
        };
        let count = patients.len();
        let ward = Ward::new(&Patients::new(patients)?, scenario, seed);
        Ok(Self { places, wake: Arc::default(), producer, ward, pace, patients: count, meter })
    }

    /// Its places in a round, with what wakes it when the reading there is due.
    pub(super) fn wakes(&self) -> impl Iterator<Item = (u64, Arc<Notify>)> {
        self.places.iter().map(|place| (*place, Arc::clone(&self.wake)))
    }

    /// Sends one reading of each patient before anything is measured, and gives how many these are.
    ///
    /// # Errors
    /// They are not acknowledged.
    pub(super) async fn warm_up(&mut self) -> Result<u64> {
        let mut stamp = Stamp::default();
        let mut readings = Vec::with_capacity(self.patients);
        for _ in 0..self.patients {
            readings.push(self.ward.next(stamp.now()?));
        }
        self.deliver(&readings).await?;
        Ok(u64::try_from(readings.len())?)
    }

    /// Sends until the time is over or the user says stop. `sent` is told of what the broker has acknowledged.
    ///
    /// # Errors
    /// Readings are not acknowledged.
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
        let Self { pace, ward, meter, wake, .. } = self;
        let mut readings = Vec::new();
        match pace {
            Pace::Scheduled(schedule) => {
                if schedule.next_due() >= length || clock.elapsed() >= length.saturating_add(OVERTIME) {
                    return Ok(readings);
                }
                while clock.elapsed() < schedule.next_due() {
                    wake.notified().await;
                }
                let now = clock.elapsed();
                for _ in 0..BATCH {
                    let due = schedule.next_due();
                    if due > now || due >= length {
                        break;
                    }
                    readings.push(ward.next(clock.timestamp(due)?));
                    schedule.advance();
                }
            }
            Pace::Full(stamp) => {
                meter.wait_for_room(BATCH).await;
                if clock.elapsed() >= length {
                    return Ok(readings);
                }
                for _ in 0..BATCH {
                    let time: Timestamp = stamp.at(clock.utc(clock.elapsed()))?;
                    readings.push(ward.next(time));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_senders_fill_the_same_partition_and_every_patient_has_a_place() {
        let patients = Patients::new((0..50).map(|n| PatientId::parse(&format!("P{n}")).expect("an id")).collect());
        let shares = shares(&patients.expect("patients"), 20);
        let mut filled = std::collections::BTreeSet::new();
        for share in &shares {
            let of = |patient: &PatientId| partition_of(patient.as_str().as_bytes(), 20);
            let own: std::collections::BTreeSet<_> = share.patients.iter().map(of).collect();
            assert!(filled.is_disjoint(&own));
            filled.extend(own);
        }
        let mut places: Vec<_> = shares.iter().flat_map(|share| share.places.iter().copied()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..50).collect::<Vec<_>>());
    }
}
