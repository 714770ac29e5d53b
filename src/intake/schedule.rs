//! When the next messages are due.

use std::time::Duration;

/// The most messages that are made, sent and acknowledged together: some 4 MB, so that each of six partitions, which
/// patients never fill evenly, mostly gets requests that are large enough not to be held back, also when they are compressed.
pub const MAX_BATCH: u64 = 20_000;

/// A pace that is kept from its start: message n is due n intervals after it, so that delays do not add up.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    made: u64,
}

impl Schedule {
    /// One message per `interval`, the first at once; as fast as they are taken where it is zero.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval, made: 0 }
    }

    /// When the next message is due, since the start.
    #[must_use]
    pub fn next_due(&self) -> Duration {
        self.due(self.made)
    }

    /// Takes what is due `elapsed` after the start: as many as came due, at most [`MAX_BATCH`] and `limit`.
    pub fn take(&mut self, elapsed: Duration, limit: u64) -> u64 {
        let limit = limit.min(MAX_BATCH);
        // The difference is small where the sender keeps up, so counting is cheap.
        let count = (0..limit).take_while(|ahead| self.due(self.made.saturating_add(*ahead)) <= elapsed).count();
        let count = u64::try_from(count).unwrap_or(limit);
        self.made = self.made.saturating_add(count);
        count
    }

    fn due(&self, number: u64) -> Duration {
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(number));
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_message_is_due_at_once_and_the_next_after_one_interval() {
        let mut schedule = Schedule::new(SECOND);
        assert_eq!(schedule.take(Duration::ZERO, 10), 1);
        assert_eq!(schedule.next_due(), SECOND);
        assert_eq!(schedule.take(SECOND / 2, 10), 0);
    }

    #[test]
    fn what_came_due_meanwhile_is_taken_together_and_the_pace_does_not_drift() {
        let mut schedule = Schedule::new(SECOND);
        assert_eq!(schedule.take(SECOND * 7 / 2, 10), 4);
        assert_eq!(schedule.next_due(), SECOND * 4);
    }

    #[test]
    fn an_interval_of_zero_fills_whole_batches() {
        let mut schedule = Schedule::new(Duration::ZERO);
        assert_eq!(schedule.take(Duration::ZERO, u64::MAX), MAX_BATCH);
        assert_eq!(schedule.take(Duration::ZERO, 3), 3);
    }

    #[test]
    fn a_huge_interval_overflows_nowhere() {
        let mut schedule = Schedule::new(Duration::MAX);
        assert_eq!(schedule.take(SECOND, 5), 1);
        assert_eq!(schedule.next_due(), Duration::MAX);
    }
}
