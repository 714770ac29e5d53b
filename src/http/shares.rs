//! What one of many may have of places that all share.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So few are remembered without a look whether they still have anything.
const FEW: usize = 64;

/// The share of each: so many places, for as long as each is held.
#[derive(Debug)]
pub struct Shares<K> {
    each: usize,
    known: Mutex<Known<K>>,
}

#[derive(Debug)]
struct Known<K> {
    of: HashMap<K, Arc<Semaphore>>,
    /// With so many it is looked who has nothing any more.
    tidied_at: usize,
}

impl<K: Eq + Hash> Shares<K> {
    /// Of `each` places.
    pub fn of(each: usize) -> Self {
        Self { each, known: Mutex::new(Known { of: HashMap::new(), tidied_at: FEW }) }
    }

    /// One more for `who`, unless they have their share.
    pub fn take(&self, who: K) -> Option<OwnedSemaphorePermit> {
        self.share(who).try_acquire_owned().ok()
    }

    /// The share of `who`, to wait for a part of it. It is forgotten with the last that holds anything of it.
    pub fn share(&self, who: K) -> Arc<Semaphore> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.of.len() >= known.tidied_at {
            // What is held holds its semaphore.
            known.of.retain(|_, share| Arc::strong_count(share) > 1);
            known.tidied_at = FEW.max(2 * known.of.len());
        }
        Arc::clone(known.of.entry(who).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_than_a_share_and_it_comes_back() {
        let shares = Shares::of(3);
        let mut taken: Vec<_> = (0..5).map_while(|_| shares.take("one")).collect();
        assert_eq!(taken.len(), 3);
        assert!(shares.take("another").is_some());
        drop(taken.pop());
        assert!(shares.take("one").is_some());
    }

    #[test]
    fn who_has_nothing_is_forgotten_and_who_has_something_is_not() {
        let shares = Shares::of(1);
        let held = shares.take(0).expect("a place");
        for who in 1..10 * FEW {
            drop(shares.take(who));
        }
        assert!(shares.known.lock().expect("shares").of.len() <= FEW + 1);
        assert!(shares.take(0).is_none());
        drop(held);
        assert!(shares.take(0).is_some());
    }
}
