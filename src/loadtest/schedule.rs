//! Who sends which reading of a common schedule.
//!
//! Reading n of a load test is due n intervals after its beginning, whoever sends it. The readings go round the
//! patients, and each sender has some of the patients: so a sender's readings have fixed places in each round, and the
//! senders need not talk with each other.

use std::time::Duration;

/// The places of one sender in each round, in rising order.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    places: Vec<u64>,
    round: u64,
    interval: Duration,
    made: usize,
}

impl Schedule {
    /// A sender with these `places` of the `round` readings of each round, one reading of which is due per `interval`.
    pub(super) fn new(places: Vec<u64>, round: u64, interval: Duration) -> Self {
        Self { places, round, interval, made: 0 }
    }

    /// When the sender's next reading is due, since the beginning; never where it has no places.
    pub(super) fn next_due(&self) -> Duration {
        let rounds = self.made.checked_div(self.places.len()).and_then(|rounds| u64::try_from(rounds).ok());
        let place = self.made.checked_rem(self.places.len()).and_then(|at| self.places.get(at));
        let (Some(rounds), Some(place)) = (rounds, place) else { return Duration::MAX };
        let number = rounds.saturating_mul(self.round).saturating_add(*place);
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(number));
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// The next reading is made.
    pub(super) fn advance(&mut self) {
        self.made = self.made.saturating_add(1);
    }
}

/// How many readings are due in `length`, of all senders together.
pub(super) fn due_within(length: Duration, interval: Duration) -> u64 {
    u64::try_from(length.as_nanos().div_ceil(interval.as_nanos().max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Duration = Duration::from_millis(100);

    fn dues(mut schedule: Schedule, count: usize) -> Vec<u128> {
        let next = || {
            let due = schedule.next_due().as_millis();
            schedule.advance();
            due
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn two_senders_together_keep_the_whole_schedule() {
        let mut all = dues(Schedule::new(vec![0, 2], 3, TENTH), 4);
        all.extend(dues(Schedule::new(vec![1], 3, TENTH), 2));
        all.sort_unstable();
        assert_eq!(all, [0, 100, 200, 300, 400, 500]);
    }

    #[test]
    fn a_sender_without_places_never_sends() {
        assert_eq!(Schedule::new(Vec::new(), 3, TENTH).next_due(), Duration::MAX);
    }

    #[test]
    fn the_first_reading_is_due_at_once_and_the_end_itself_is_not_within() {
        assert_eq!(due_within(Duration::from_secs(1), TENTH), 10);
        assert_eq!(due_within(Duration::from_millis(1001), TENTH), 11);
    }
}
