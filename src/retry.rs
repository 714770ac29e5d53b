//! How long to wait between attempts, and when to tell of them.

use std::time::Duration;

/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause: a server that is back is found within this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Trouble is told when this many attempts have failed, after about a second, and then once for every so many.
const FIRST_TELLING: u32 = 4;
const ATTEMPTS_BETWEEN_TELLINGS: u32 = 30;

/// How long to wait when so many attempts have failed. There is no last attempt.
#[must_use]
pub fn pause_before(failed: u32) -> Duration {
    match failed.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => {
            FIRST_PAUSE.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
        }
    }
}

/// Whether the operator should hear that so many attempts have failed.
#[must_use]
pub fn is_worth_telling(failed: u32) -> bool {
    failed >= FIRST_TELLING && (failed - FIRST_TELLING).is_multiple_of(ATTEMPTS_BETWEEN_TELLINGS)
}

/// Counts attempts that failed in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failed: u32,
}

impl Backoff {
    /// Notes that an attempt failed, and gives the pause before the next.
    pub fn next_pause(&mut self) -> Duration {
        self.failed = self.failed.saturating_add(1);
        pause_before(self.failed)
    }

    /// Whether the operator should hear of the attempts that failed so far.
    #[must_use]
    pub fn is_worth_telling(self) -> bool {
        is_worth_telling(self.failed)
    }

    /// Notes that an attempt went well.
    pub fn reset(&mut self) {
        self.failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_100_ms_to_1_s_and_no_further() {
        let pauses: Vec<_> = [0, 1, 2, 3, 4, 5, 40, u32::MAX].map(|failed| pause_before(failed).as_millis()).into();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
    }

    #[test]
    fn short_trouble_is_not_told_and_long_trouble_now_and_then() {
        let told: Vec<_> = (0..70).filter(|failed| is_worth_telling(*failed)).collect();
        assert_eq!(told, [4, 34, 64]);
    }
}
