//! When the next messages are due.

use std::time::Duration;

/// A schedule that is kept from its start: message n is due n intervals after it, whoever sends it, so that delays do not
/// add up. The messages go round, and a sender has some of the places of each round: so several senders keep one schedule
/// and need not talk with each other.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    /// In rising order.
    places: Vec<u64>,
    round: u64,
    taken: usize,
}

impl Schedule {
    /// One message per `interval`, the first at once; as fast as they are taken where it is zero.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self::shared(interval, vec![0], 1)
    }

    /// The part of a sender that has these `places`, in rising order, of the `round` messages of each round.
    #[must_use]
    pub fn shared(interval: Duration, places: Vec<u64>, round: u64) -> Self {
        Self { interval, places, round, taken: 0 }
    }

    /// When the next message is due, since the start; never where there are no places.
    #[must_use]
    pub fn next_due(&self) -> Duration {
        let rounds = self.taken.checked_div(self.places.len()).and_then(|rounds| u64::try_from(rounds).ok());
        let place = self.taken.checked_rem(self.places.len()).and_then(|at| self.places.get(at));
        let (Some(rounds), Some(place)) = (rounds, place) else { return Duration::MAX };
        let number = rounds.saturating_mul(self.round).saturating_add(*place);
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(number));
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// Takes the next message where it is due `elapsed` after the start, and tells when it was due.
    pub fn take(&mut self, elapsed: Duration) -> Option<Duration> {
        let due = self.next_due();
        if due > elapsed {
            return None;
        }
        self.taken = self.taken.saturating_add(1);
        Some(due)
    }
}

/// How many messages are due in `length`, of all senders together.
#[must_use]
pub fn due_within(length: Duration, interval: Duration) -> u64 {
    u64::try_from(length.as_nanos().div_ceil(interval.as_nanos().max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn take_all(schedule: &mut Schedule, elapsed: Duration) -> Vec<u64> {
        std::iter::from_fn(|| schedule.take(elapsed)).map(|due| due.as_secs()).collect()
    }

    #[test]
    fn the_first_message_is_due_at_once_and_the_next_after_one_interval() {
        let mut schedule = Schedule::new(SECOND);
        assert_eq!(take_all(&mut schedule, Duration::ZERO), [0]);
        assert_eq!(schedule.next_due(), SECOND);
        assert_eq!(schedule.take(SECOND / 2), None);
    }

    #[test]
    fn what_came_due_meanwhile_is_taken_together_and_the_schedule_does_not_drift() {
        let mut schedule = Schedule::new(SECOND);
        assert_eq!(take_all(&mut schedule, SECOND * 7 / 2), [0, 1, 2, 3]);
        assert_eq!(schedule.next_due(), SECOND * 4);
    }

    #[test]
    fn with_an_interval_of_zero_there_is_always_one_due() {
        let mut schedule = Schedule::new(Duration::ZERO);
        assert!((0..1_000).all(|_| schedule.take(Duration::ZERO) == Some(Duration::ZERO)));
    }

    #[test]
    fn a_huge_interval_overflows_nowhere() {
        let mut schedule = Schedule::new(Duration::MAX);
        assert_eq!(take_all(&mut schedule, SECOND), [0]);
        assert_eq!(schedule.next_due(), Duration::MAX);
    }

    #[test]
    fn two_senders_together_keep_the_whole_schedule() {
        let mut all = take_all(&mut Schedule::shared(SECOND, vec![0, 2], 3), SECOND * 5);
        all.extend(take_all(&mut Schedule::shared(SECOND, vec![1], 3), SECOND * 5));
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_sender_without_places_never_sends() {
        assert_eq!(Schedule::shared(SECOND, Vec::new(), 3).next_due(), Duration::MAX);
    }

    #[test]
    fn the_end_itself_is_not_within() {
        let tenth = SECOND / 10;
        assert_eq!(due_within(SECOND, tenth), 10);
        assert_eq!(due_within(Duration::from_millis(1001), tenth), 11);
    }
}
