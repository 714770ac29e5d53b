//! Places that all who ask share, and of which no token has more than a part.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::Shares;

/// So many in all, and fewer for one.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_one: Shares<Arc<str>>,
}

/// Some of them, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    all: OwnedSemaphorePermit,
    own: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(all: usize, of_one: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_one: Shares::of(of_one) }
    }

    /// So many now, for the token of this name; where nobody has to show one, nobody is told from others.
    pub(super) fn try_take(&self, who: Option<Arc<str>>, count: u32) -> Option<Held> {
        let own = match who {
            Some(who) => Some(self.of_one.share(who).try_acquire_many_owned(count).ok()?),
            None => None,
        };
        Some(Held { all: Arc::clone(&self.all).try_acquire_many_owned(count).ok()?, own })
    }

    /// The same, when there are so many.
    pub(super) async fn take(&self, who: Option<Arc<str>>, count: u32) -> Option<Held> {
        // Who waits for their own holds up nobody else.
        let own = match who {
            Some(who) => Some(self.of_one.share(who).acquire_many_owned(count).await.ok()?),
            None => None,
        };
        Some(Held { all: Arc::clone(&self.all).acquire_many_owned(count).await.ok()?, own })
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.all.available_permits()
    }
}

impl Held {
    /// Joins what the same one has of the same places.
    pub(super) fn merge(&mut self, more: Self) {
        self.all.merge(more.all);
        match (&mut self.own, more.own) {
            (Some(own), Some(more)) => own.merge(more),
            (own, more) => *own = own.take().or(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_a_part_and_nobody_who_is_not_told_from_others_has_less_than_all() {
        let places = Places::new(10, 4);
        let (anna, bo) = (|| Some(Arc::from("Anna")), || Some(Arc::from("Bo")));
        let mut held = places.try_take(anna(), 3).expect("places");
        held.merge(places.try_take(anna(), 1).expect("a place"));
        assert!(places.try_take(anna(), 1).is_none());
        let others = places.try_take(bo(), 4).expect("places");
        assert!(places.try_take(None, 3).is_none() && places.try_take(None, 2).is_some());
        drop(held);
        assert!(places.try_take(anna(), 4).is_some() && places.free() == 6);
        drop(others);
        assert!(places.try_take(None, 10).is_some());
    }
}
