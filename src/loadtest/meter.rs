//! Measures what passes into a store.

mod latencies;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::{CreationError, Histogram};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use self::latencies::Latencies;
pub(crate) use self::latencies::Window;
use super::clock::Clock;
use crate::pipeline::store::{Batch, BatchLimits, Epoch, Store, WriteError};
use crate::reading::Timestamp;
use crate::store::AnyStore;

/// How many readings may be on their way to the store where they are sent as fast as they are taken: enough for the store
/// to always have whole batches of many patients before it, and stored in a moment where the user says stop.
pub(crate) const MAX_BACKLOG: usize = 50_000;

/// A store with a meter before it. Only what passes after [`Meter::begin`] is measured.
pub(crate) struct Meter {
    store: Arc<AnyStore>,
    clock: watch::Sender<Option<Clock>>,
    /// Rows that were stored before the beginning.
    warmed: AtomicU64,
    sent: AtomicU64,
    stored: AtomicU64,
    alerts: AtomicU64,
    /// One permit for each reading more that may be on its way.
    room: Semaphore,
    latencies: Mutex<Latencies>,
}

impl Meter {
    /// Before this `store`.
    ///
    /// # Errors
    /// Never: the histograms have fixed sizes that fit.
    pub(crate) fn over(store: Arc<AnyStore>) -> Result<Self, CreationError> {
        Ok(Self {
            store,
            clock: watch::Sender::new(None),
            warmed: AtomicU64::default(),
            sent: AtomicU64::default(),
            stored: AtomicU64::default(),
            alerts: AtomicU64::default(),
            room: Semaphore::new(MAX_BACKLOG),
            latencies: Mutex::new(Latencies::new()?),
        })
    }

    /// The first reading is about to be sent.
    pub(super) fn begin(&self) -> Clock {
        let clock = Clock::start();
        self.clock.send_replace(Some(clock));
        clock
    }

    /// Waits for the beginning.
    pub(crate) async fn begun(&self) -> Clock {
        let mut clock = self.clock.subscribe();
        loop {
            if let Some(begun) = *clock.borrow_and_update() {
                return begun;
            }
            // The sender is this meter's own, so it cannot be gone.
            let _ = clock.changed().await;
        }
    }

    /// The clock, once it was begun.
    pub(crate) fn clock(&self) -> Option<Clock> {
        *self.clock.borrow()
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
        self.sent.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        let lag = self.outstanding();
        self.latencies().look(lag);
    }

    /// A reading of this time has raised so many alerts, and they are shown.
    pub(super) fn add_alerts(&self, time: Timestamp, count: usize) {
        let Some(clock) = self.clock() else { return };
        let micros = clock.age_micros(time, Instant::now());
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.alerts.fetch_add(count, Ordering::Relaxed);
        self.latencies().add_alerts(micros, count);
    }

    /// Rows that were stored before the beginning.
    pub(super) fn warmed(&self) -> u64 {
        self.warmed.load(Ordering::Relaxed)
    }

    /// How many are sent, and how many stored.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.stored.load(Ordering::Relaxed))
    }

    /// How many alerts were raised.
    pub(crate) fn alerts(&self) -> u64 {
        self.alerts.load(Ordering::Relaxed)
    }

    /// How many are sent and not yet stored.
    pub(crate) fn outstanding(&self) -> u64 {
        let (sent, stored) = self.so_far();
        sent.saturating_sub(stored)
    }

    /// So far, within how many milliseconds half of the readings were stored, and 99 of 100.
    pub(crate) fn latencies_ms(&self) -> (f64, f64) {
        let latencies = self.latencies();
        let at = |quantile| millis(latencies.rows().value_at_quantile(quantile));
        (at(0.5), at(0.99))
    }

    /// What was measured since this was last asked.
    pub(crate) fn take_window(&self) -> Window {
        self.latencies().take_window()
    }

    /// The latencies to the row and to the alert, in microseconds.
    pub(crate) fn histograms(&self) -> (Histogram<u64>, Histogram<u64>) {
        let latencies = self.latencies();
        (latencies.rows().clone(), latencies.alerts().clone())
    }

    /// The most readings that were sent and not yet stored.
    pub(crate) fn largest_lag(&self) -> u64 {
        self.latencies().largest_lag()
    }

    /// When the last row was stored; the beginning where none was.
    pub(crate) fn last_stored(&self) -> Option<Instant> {
        self.latencies().last_stored()
    }

    fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Meter {
    fn batch_limits(&self) -> BatchLimits {
        self.store.batch_limits()
    }

    async fn epoch(&self) -> Result<Epoch, WriteError> {
        self.store.epoch().await
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        self.store.write(batch).await?;
        let rows = u64::try_from(batch.readings.len()).unwrap_or(u64::MAX);
        let Some(clock) = self.clock() else {
            self.warmed.fetch_add(rows, Ordering::Relaxed);
            return Ok(());
        };
        let now = Instant::now();
        self.latencies().add_rows(batch.readings.iter().map(|reading| clock.age_micros(reading.time(), now)), now);
        self.stored.fetch_add(rows, Ordering::Relaxed);
        // Rows that were not sent at full speed have taken no places; more than there were are never given back.
        let taken = MAX_BACKLOG.saturating_sub(self.room.available_permits());
        self.room.add_permits(batch.readings.len().min(taken));
        Ok(())
    }
}

pub(crate) fn millis(micros: u64) -> f64 {
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a figure for the eye")]
    let micros = micros as f64;
    micros / 1_000.0
}
