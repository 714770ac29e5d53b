//! The bug: it reads on, whether or not there is room, so that memory grows with the backlog while the store is away.

use vitals::ledger::Position;
use vitals::pipeline::source::{Event, Source};

/// A source that always has more.
pub(crate) struct UnboundedQueue<'a, S>(pub(crate) &'a mut S);

impl<S: Source + Send> Source for UnboundedQueue<'_, S> {
    type Error = S::Error;

    async fn next(&mut self, _room: bool) -> Result<Event, S::Error> {
        self.0.next(true).await
    }

    async fn commit(&mut self, assignment: u64, positions: Vec<Position>) {
        self.0.commit(assignment, positions).await;
    }

    async fn rewind(&mut self, assignment: u64) {
        self.0.rewind(assignment).await;
    }

    async fn released(&mut self, assignment: u64) {
        self.0.released(assignment).await;
    }
}
