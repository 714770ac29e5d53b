//! Messages per second, now and over the last two minutes.

use std::collections::BTreeMap;

/// So far back the rate is remembered, in seconds: as much as the widest screen shows.
const HISTORY_SECONDS: i64 = 120;

/// The rate is taken over so many whole seconds: long enough to see a ward that sends once a second.
const RATE_SECONDS: i64 = 5;

/// How many messages came in each of the last seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Rate {
    counts: BTreeMap<i64, u32>,
}

impl Rate {
    /// Counts one message of this `second` since 1970. One that lies too far back is of no interest any more.
    pub(super) fn count(&mut self, second: i64) {
        let newest = self.counts.last_key_value().map_or(second, |(newest, _)| second.max(*newest));
        if second > newest - HISTORY_SECONDS {
            let count = self.counts.entry(second).or_default();
            *count = count.saturating_add(1);
        }
        while self.counts.first_key_value().is_some_and(|(oldest, _)| *oldest <= newest - HISTORY_SECONDS) {
            self.counts.pop_first();
        }
    }

    /// Messages per second over the last whole seconds before `now`.
    pub(super) fn per_second(&self, now: i64) -> f64 {
        let counted: u32 = self.counts.range(now - RATE_SECONDS..now).map(|(_, count)| *count).sum();
        f64::from(counted) / 5.0
    }

    /// The counts of the last `seconds` whole seconds before `now`, oldest first.
    pub(super) fn history(&self, now: i64, seconds: u16) -> Vec<u32> {
        let seconds = i64::from(seconds).min(HISTORY_SECONDS);
        (now - seconds..now).map(|second| self.counts.get(&second).copied().unwrap_or(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(seconds: impl IntoIterator<Item = i64>) -> Rate {
        let mut rate = Rate::default();
        seconds.into_iter().for_each(|second| rate.count(second));
        rate
    }

    #[test]
    fn the_rate_is_that_of_the_last_whole_seconds_and_sinks_to_zero() {
        let rate = rate([95, 96, 97, 98, 99, 99, 99, 100, 100]);
        assert!((rate.per_second(100) - 1.4).abs() < 1e-9, "the second 100 is not over yet");
        assert!((rate.per_second(103) - 1.2).abs() < 1e-9);
        assert!(rate.per_second(106).abs() < 1e-9);
    }

    #[test]
    fn the_history_has_a_place_for_every_second() {
        assert_eq!(rate([97, 99, 99]).history(100, 4), [0, 1, 0, 2]);
    }

    #[test]
    fn what_lies_too_far_back_is_forgotten() {
        let rate = rate((0..1_000).chain([5]));
        assert_eq!(rate.counts.len(), 120);
        assert_eq!(rate.counts.first_key_value(), Some((&880, &1)));
    }
}
