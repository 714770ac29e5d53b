//! Latencies and the lag: of the whole load test, and of the present stretch of it.

use hdrhistogram::{CreationError, Histogram};
use tokio::time::Instant;

/// Latencies are kept to three digits.
const DIGITS: u8 = 3;

/// What was measured, in microseconds.
pub(super) struct Latencies {
    rows: Histogram<u64>,
    alerts: Histogram<u64>,
    window: Histogram<u64>,
    largest_lag: u64,
    window_lag: u64,
    last_stored: Option<Instant>,
}

/// What was measured in a stretch of the load test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    /// Half of its readings were stored within so many microseconds, and 99 of 100; `None` where none was.
    pub(crate) latency_us: Option<(u64, u64)>,
    /// The most readings that were sent and not yet stored.
    pub(crate) largest_lag: u64,
}

impl Latencies {
    pub(super) fn new() -> Result<Self, CreationError> {
        Ok(Self {
            rows: Histogram::new(DIGITS)?,
            alerts: Histogram::new(DIGITS)?,
            window: Histogram::new(DIGITS)?,
            largest_lag: 0,
            window_lag: 0,
            last_stored: None,
        })
    }

    pub(super) fn add_rows(&mut self, micros: impl Iterator<Item = u64>, now: Instant) {
        for micros in micros {
            // They grow with what they record; what they cannot hold took centuries.
            let _ = self.rows.record(micros);
            let _ = self.window.record(micros);
        }
        self.last_stored = Some(now);
    }

    pub(super) fn add_alerts(&mut self, micros: u64, count: u64) {
        let _ = self.alerts.record_n(micros, count);
    }

    pub(super) fn look(&mut self, lag: u64) {
        self.largest_lag = self.largest_lag.max(lag);
        self.window_lag = self.window_lag.max(lag);
    }

    pub(super) fn take_window(&mut self) -> Window {
        let at = |quantile| self.window.value_at_quantile(quantile);
        let latency_us = (!self.window.is_empty()).then(|| (at(0.5), at(0.99)));
        self.window.reset();
        Window { latency_us, largest_lag: std::mem::take(&mut self.window_lag) }
    }

    pub(super) fn rows(&self) -> &Histogram<u64> {
        &self.rows
    }

    pub(super) fn alerts(&self) -> &Histogram<u64> {
        &self.alerts
    }

    pub(super) fn largest_lag(&self) -> u64 {
        self.largest_lag
    }

    pub(super) fn last_stored(&self) -> Option<Instant> {
        self.last_stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_what_came_since_the_one_before_and_the_whole_holds_all() {
        let mut latencies = Latencies::new().expect("histograms");
        latencies.add_rows([1000].into_iter(), Instant::now());
        latencies.look(7);
        assert_eq!(latencies.take_window(), Window { latency_us: Some((1000, 1000)), largest_lag: 7 });
        latencies.add_rows([3000].into_iter(), Instant::now());
        latencies.look(2);
        assert_eq!(latencies.take_window().largest_lag, 2);
        assert_eq!(latencies.take_window(), Window { latency_us: None, largest_lag: 0 });
        assert_eq!((latencies.rows().len(), latencies.largest_lag()), (2, 7));
    }
}
