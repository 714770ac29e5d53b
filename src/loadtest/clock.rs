//! The clock of a load test: moments that are due, as the times of readings, and how long ago they were.
//!
//! A reading carries the moment at which it was to be sent. Both that moment and the later ones that are compared with it
//! come from one monotonic clock, which stood at the system's time when the load test began: a step of the system's clock
//! changes no latency.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::reading::Timestamp;
use crate::reading::reject::Reject;

/// Stands still for nobody. Copies show the same time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
    began_utc: DateTime<Utc>,
}

impl Clock {
    /// Begins now.
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), began_utc: Utc::now() }
    }

    /// When it began.
    pub(crate) fn began_utc(self) -> DateTime<Utc> {
        self.began_utc
    }

    /// How long it runs.
    pub(crate) fn elapsed(self) -> Duration {
        self.began.elapsed()
    }

    /// The moment so long after the beginning, to wait for it.
    pub(crate) fn instant(self, due: Duration) -> Instant {
        self.began + due
    }

    /// The same moment for people and programs.
    pub(super) fn utc(self, due: Duration) -> DateTime<Utc> {
        self.began_utc + due
    }

    /// How many microseconds before `now` the moment `time` was; 0 where it was still to come.
    pub(super) fn age_micros(self, time: Timestamp, now: Instant) -> u64 {
        let began = self.began_utc.timestamp_micros();
        let elapsed = i64::try_from(now.saturating_duration_since(self.began).as_micros()).unwrap_or(i64::MAX);
        u64::try_from(began.saturating_add(elapsed).saturating_sub(time.as_micros())).unwrap_or_default()
    }

    /// The time of a reading that is due then.
    ///
    /// # Errors
    /// [`Reject::Timestamp`] where the system's clock stands outside the years 1 to 9999.
    pub(super) fn timestamp(self, due: Duration) -> Result<Timestamp, Reject> {
        Timestamp::from_utc(self.utc(due))
    }
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
}
