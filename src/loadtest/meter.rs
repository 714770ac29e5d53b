//! Measures what passes into a store.
//!
//! A reading carries the time at which it was to be sent. Both that time and the later ones that are compared with it
//! come from one monotonic [`Clock`], which stood at the system's time when the load test began: a step of the system's
//! clock changes no latency.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use hdrhistogram::{CreationError, Histogram};
use tokio::sync::{Semaphore, SetOnce};
use tokio::time::Instant;

use crate::alarm::KnownAlarm;
use crate::pipeline::store::{Batch, BatchLimits, Entry, NodeGeneration, Store, WriteError, Written};
use crate::reading::reject::Reject;
use crate::reading::{PatientId, Signs, Timestamp};
use crate::store::AnyStore;

/// How many readings may be on their way to the store where they are sent as fast as they are taken: enough for the
/// store to always have whole batches of many patients before it, and stored in a moment where the user says stop.
pub(crate) const MAX_BACKLOG: usize = 50_000;

/// Latencies are kept to three digits.
const DIGITS: u8 = 3;

/// The clock of a load test. Copies show the same time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) began: Instant,
    pub(crate) began_utc: DateTime<Utc>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), began_utc: Utc::now() }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.began.elapsed()
    }

    /// How many microseconds before `now` the time `time` was; 0 where it was still to come.
    fn age_micros(self, time: Timestamp, now: Instant) -> u64 {
        let began = self.began_utc.timestamp_micros();
        let elapsed = i64::try_from(now.saturating_duration_since(self.began).as_micros()).unwrap_or(i64::MAX);
        u64::try_from(began.saturating_add(elapsed).saturating_sub(time.as_micros())).unwrap_or_default()
    }

    /// The time of a reading that is due so long after the beginning.
    pub(super) fn timestamp(self, due: Duration) -> Result<Timestamp, Reject> {
        Timestamp::from_utc(self.began_utc + due)
    }
}

/// A store with a meter before it. Only what passes after [`Meter::begin`] is measured.
pub(crate) struct Meter {
    store: Arc<AnyStore>,
    clock: SetOnce<Clock>,
    /// One permit for each reading more that may be on its way.
    room: Semaphore,
    measured: Mutex<Measured>,
}

/// What was measured up to now.
pub(crate) struct Measured {
    /// Rows that were stored before the beginning.
    pub(super) warmed: u64,
    /// Readings that the broker has acknowledged.
    pub(crate) sent: u64,
    /// Rows that the store has acknowledged.
    pub(crate) stored: u64,
    /// Alerts that were raised and shown.
    pub(crate) alarms: u64,
    /// The latencies to the row, in microseconds.
    pub(crate) rows: Histogram<u64>,
    /// The latencies to the alert, in microseconds.
    pub(crate) alert_latencies: Histogram<u64>,
    /// The most readings that were sent and not yet stored.
    pub(crate) largest_lag: u64,
    pub(crate) last_stored: Option<Instant>,
    window: Histogram<u64>,
    window_lag: u64,
}

/// What was measured in an interval of the load test.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Window {
    /// Half of its readings were stored within so many microseconds, and 99 of 100; `None` where none was.
    pub(crate) latency_us: Option<(u64, u64)>,
    /// The most readings that were sent and not yet stored.
    pub(crate) largest_lag: u64,
}

impl Meter {
    pub(crate) fn over(store: Arc<AnyStore>) -> Result<Self, CreationError> {
        let measured = Mutex::new(Measured::new()?);
        Ok(Self { store, clock: SetOnce::new(), room: Semaphore::new(MAX_BACKLOG), measured })
    }

    /// The first reading is about to be sent.
    pub(super) fn begin(&self) -> Clock {
        let clock = Clock::start();
        // A meter is for one load test, which begins once.
        let _ = self.clock.set(clock);
        clock
    }

    pub(crate) async fn begun(&self) -> Clock {
        *self.clock.wait().await
    }

    pub(crate) fn clock(&self) -> Option<Clock> {
        self.clock.get().copied()
    }

    /// What was measured up to now; nothing is measured while this is held.
    pub(crate) fn measured(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many more readings may be on their way, and takes their places.
    pub(super) async fn wait_for_room(&self, count: u32) {
        // Nobody closes it; a place is given back when a row is stored.
        if let Ok(places) = self.room.acquire_many(count).await {
            places.forget();
        }
    }

    /// So many more readings are acknowledged by the broker.
    pub(super) fn add_sent(&self, count: usize) {
        self.measured().add_sent(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// An alarm with this start was raised, and is shown.
    pub(super) fn add_alarm(&self, start: Timestamp) {
        let Some(clock) = self.clock() else { return };
        let micros = clock.age_micros(start, Instant::now());
        let mut measured = self.measured();
        measured.alarms += 1;
        let _ = measured.alert_latencies.record(micros);
    }
}

impl Measured {
    fn new() -> Result<Self, CreationError> {
        Ok(Self {
            warmed: 0,
            sent: 0,
            stored: 0,
            alarms: 0,
            rows: Histogram::new(DIGITS)?,
            alert_latencies: Histogram::new(DIGITS)?,
            largest_lag: 0,
            last_stored: None,
            window: Histogram::new(DIGITS)?,
            window_lag: 0,
        })
    }

    /// How many readings are sent and not yet stored.
    pub(crate) fn lag(&self) -> u64 {
        self.sent.saturating_sub(self.stored)
    }

    /// So far, within how many milliseconds half of the readings were stored, and 99 of 100.
    pub(crate) fn latencies_ms(&self) -> (f64, f64) {
        (millis(self.rows.value_at_quantile(0.5)), millis(self.rows.value_at_quantile(0.99)))
    }

    /// What was measured since this was last asked.
    pub(crate) fn take_window(&mut self) -> Window {
        let at = |quantile| self.window.value_at_quantile(quantile);
        let latency_us = (!self.window.is_empty()).then(|| (at(0.5), at(0.99)));
        self.window.reset();
        Window { latency_us, largest_lag: std::mem::take(&mut self.window_lag) }
    }

    fn add_sent(&mut self, count: u64) {
        self.sent += count;
        self.largest_lag = self.largest_lag.max(self.lag());
        self.window_lag = self.window_lag.max(self.lag());
    }

    fn add_rows(&mut self, micros: impl Iterator<Item = u64>, now: Instant) {
        for micros in micros {
            self.stored += 1;
            // They grow with what they record; what they cannot hold took centuries.
            let _ = self.rows.record(micros);
            let _ = self.window.record(micros);
        }
        self.last_stored = Some(now);
    }
}

impl Store for Meter {
    fn batch_limits(&self) -> BatchLimits {
        self.store.batch_limits()
    }

    async fn node_generation(&self) -> Result<NodeGeneration, WriteError> {
        self.store.node_generation().await
    }

    async fn alarms(&self, patients: &[PatientId]) -> Result<Vec<KnownAlarm>, WriteError> {
        self.store.alarms(patients).await
    }

    async fn newest(
        &self,
        patients: &[PatientId],
        until: Timestamp,
    ) -> Result<Vec<(PatientId, Timestamp)>, WriteError> {
        self.store.newest(patients, until).await
    }

    async fn measured(
        &self,
        patient: &PatientId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, Signs)>, WriteError> {
        self.store.measured(patient, since, until).await
    }

    async fn known_patients(&self) -> Result<Vec<PatientId>, WriteError> {
        self.store.known_patients().await
    }

    async fn admissions(&self, behind: i32) -> Result<Vec<Entry>, WriteError> {
        self.store.admissions(behind).await
    }

    async fn rules(&self) -> Result<Option<Entry>, WriteError> {
        self.store.rules().await
    }

    async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        let written = self.store.write(batch).await?;
        let Some(clock) = self.clock() else {
            self.measured().warmed += u64::try_from(batch.readings.len()).unwrap_or(u64::MAX);
            return Ok(written);
        };
        let now = Instant::now();
        self.measured().add_rows(batch.readings.iter().map(|reading| clock.age_micros(reading.time(), now)), now);
        // Rows that were not sent at full speed have taken no places; more than there were are never given back.
        let taken = MAX_BACKLOG.saturating_sub(self.room.available_permits());
        self.room.add_permits(batch.readings.len().min(taken));
        Ok(written)
    }
}

pub(crate) fn millis(micros: u64) -> f64 {
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a figure for the eye")]
    let micros = micros as f64;
    micros / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reading_is_as_old_as_the_time_since_it_was_due() {
        let clock = Clock::start();
        let time = clock.timestamp(Duration::from_millis(250)).expect("a time");
        assert_eq!(clock.age_micros(time, Instant::now()), 0);
        tokio::time::advance(Duration::from_millis(1250)).await;
        assert_eq!(clock.age_micros(time, Instant::now()), 1_000_000);
    }

    #[test]
    fn a_window_holds_what_came_since_the_one_before_and_the_whole_holds_all() {
        let mut measured = Measured::new().expect("histograms");
        measured.add_sent(7);
        measured.add_rows(std::iter::repeat_n(1000, 6), Instant::now());
        assert_eq!(measured.take_window(), Window { latency_us: Some((1000, 1000)), largest_lag: 7 });
        measured.add_sent(1);
        measured.add_rows([3000].into_iter(), Instant::now());
        assert_eq!(measured.take_window().largest_lag, 2);
        assert_eq!(measured.take_window(), Window::default());
        assert_eq!((measured.rows.len(), measured.largest_lag), (7, 7));
    }
}
