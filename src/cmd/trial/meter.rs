//! Measures what passes into a store.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::{CreationError, Histogram};
use tokio::time::Instant;

use crate::store::{AnyStore, Batch, BatchLimits, Epoch, Store, WriteError};

/// Latencies are kept to three digits.
const DIGITS: u8 = 3;

/// A store with a meter before it.
pub(in crate::cmd) struct Meter<'a> {
    store: &'a AnyStore,
    counts: Mutex<Counts>,
}

struct Counts {
    latencies_us: Histogram<u64>,
    sent: u64,
    largest_lag: u64,
    began: Instant,
    last_stored: Instant,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cmd) struct Figures {
    /// From the first reading sent to the last one stored.
    pub(in crate::cmd) seconds: f64,
    /// Readings that the broker acknowledged.
    pub(in crate::cmd) sent: u64,
    /// Readings that are stored.
    pub(in crate::cmd) stored: u64,
    /// Alerts raised.
    pub(in crate::cmd) alerts: u64,
    /// Readings stored per second.
    pub(in crate::cmd) rate_per_second: f64,
    /// Half of the readings took no longer.
    pub(in crate::cmd) latency_p50_ms: f64,
    /// Of a hundred readings ninety-nine took no longer.
    pub(in crate::cmd) latency_p99_ms: f64,
    /// No reading took longer.
    pub(in crate::cmd) latency_max_ms: f64,
    /// The most readings that were sent and not yet stored.
    pub(in crate::cmd) largest_lag: u64,
}

impl<'a> Meter<'a> {
    pub(in crate::cmd) fn over(store: &'a AnyStore) -> Result<Self, CreationError> {
        let now = Instant::now();
        let counts =
            Counts { latencies_us: Histogram::new(DIGITS)?, sent: 0, largest_lag: 0, began: now, last_stored: now };
        Ok(Self { store, counts: Mutex::new(counts) })
    }

    /// The first reading is about to be sent.
    pub(in crate::cmd) fn begin(&self) {
        self.counts().began = Instant::now();
    }

    /// So many more readings are acknowledged by the broker.
    pub(in crate::cmd) fn sent(&self, count: usize) {
        self.counts().sent += u64::try_from(count).unwrap_or(u64::MAX);
    }

    /// Looks how many are on their way.
    pub(in crate::cmd) fn look(&self) {
        let lag = self.outstanding();
        let mut counts = self.counts();
        counts.largest_lag = counts.largest_lag.max(lag);
    }

    /// How many are sent, and how many stored.
    pub(in crate::cmd) fn so_far(&self) -> (u64, u64) {
        let counts = self.counts();
        (counts.sent, counts.latencies_us.len())
    }

    /// So far, within how many milliseconds half of the readings were stored, and 99 of 100.
    pub(in crate::cmd) fn latencies_ms(&self) -> (f64, f64) {
        let counts = self.counts();
        let at = |quantile| to_f64(counts.latencies_us.value_at_quantile(quantile)) / 1_000.0;
        (at(0.5), at(0.99))
    }

    /// How many are sent and not yet stored.
    pub(in crate::cmd) fn outstanding(&self) -> u64 {
        let counts = self.counts();
        counts.sent.saturating_sub(counts.latencies_us.len())
    }

    pub(in crate::cmd) fn figures(&self, alerts: u64) -> Figures {
        let counts = self.counts();
        let seconds = counts.last_stored.saturating_duration_since(counts.began).as_secs_f64();
        let stored = counts.latencies_us.len();
        let millis = |micros: u64| to_f64(micros) / 1_000.0;
        Figures {
            seconds,
            sent: counts.sent,
            stored,
            alerts,
            rate_per_second: if seconds > 0.0 { to_f64(stored) / seconds } else { 0.0 },
            latency_p50_ms: millis(counts.latencies_us.value_at_quantile(0.5)),
            latency_p99_ms: millis(counts.latencies_us.value_at_quantile(0.99)),
            latency_max_ms: millis(counts.latencies_us.max()),
            largest_lag: counts.largest_lag,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Meter<'_> {
    fn batch_limits(&self) -> BatchLimits {
        self.store.batch_limits()
    }

    async fn epoch(&self) -> Result<Epoch, WriteError> {
        self.store.epoch().await
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        self.store.write(batch).await?;
        let now = chrono::Utc::now().timestamp_micros();
        let mut counts = self.counts();
        for reading in &batch.readings {
            let micros = u64::try_from(now - reading.time().as_micros()).unwrap_or_default();
            // It grows with what it records; what it cannot hold took centuries.
            let _ = counts.latencies_us.record(micros);
        }
        counts.last_stored = Instant::now();
        Ok(())
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a figure for the eye")]
fn to_f64(value: u64) -> f64 {
    value as f64
}
