//! How often each may ask: so many at once, and so many a second from then on.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Of so many it is remembered at most how often they have asked.
const MAX_KNOWN: usize = 4_096;

/// What each may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// At once.
    pub(super) burst: u32,
    /// One more after this.
    pub(super) every: Duration,
}

/// How often each of those who are known has asked.
#[derive(Debug)]
pub(super) struct Rates<K> {
    rate: Rate,
    /// Until when each pays for what was asked: with nothing to pay it need not be known.
    paid_at: HashMap<K, Instant>,
}

impl<K: Eq + Hash> Rates<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, paid_at: HashMap::new() }
    }

    /// Whether `who` may ask once more now.
    pub(super) fn take(&mut self, who: K) -> bool {
        let now = Instant::now();
        if self.paid_at.len() >= MAX_KNOWN && !self.paid_at.contains_key(&who) {
            self.paid_at.retain(|_, paid_at| *paid_at > now);
            if self.paid_at.len() >= MAX_KNOWN {
                // So many at once are not thousands of people.
                return false;
            }
        }
        let paid_at = self.paid_at.entry(who).or_insert(now);
        let paid = (*paid_at).max(now) + self.rate.every;
        let is_free = paid - now <= self.rate.every * self.rate.burst;
        if is_free {
            *paid_at = paid;
        }
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_and_one_more_each_time() {
        let mut rates = Rates::new(Rate { burst: 3, every: Duration::from_secs(2) });
        assert_eq!([0; 5].map(|_| rates.take("a")), [true, true, true, false, false]);
        assert!(rates.take("b"), "each by itself");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!([0; 2].map(|_| rates.take("a")), [true, false]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!([0; 4].map(|_| rates.take("a")), [true, true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_come_once_do_not_fill_the_memory() {
        let mut rates = Rates::new(Rate { burst: 1, every: Duration::from_secs(1) });
        for who in 0..MAX_KNOWN {
            assert!(rates.take(who));
        }
        assert!(!rates.take(MAX_KNOWN));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(rates.take(MAX_KNOWN));
        assert_eq!(rates.paid_at.len(), 1);
    }
}
