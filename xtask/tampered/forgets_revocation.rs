//! The bug: partitions that were taken away are still committed, up to what had been taken up of them. The group takes
//! such a commit from any member of its present generation, so that their new owner is overtaken: what that one has not
//! stored yet will be skipped by whoever begins there.

use std::collections::BTreeMap;

use vitals::ledger::Position;
use vitals::pipeline::source::{Assigned, Event, Fetched, MembershipEvent, Source};

/// A source that does not forget.
pub(crate) struct ForgetsRevocation<'a, S> {
    inner: &'a mut S,
    /// By partition, where what was ever taken up ends.
    taken_up: BTreeMap<i32, i64>,
    /// What is to be committed of partitions that are not ours, with the assignment to do it in.
    stale: Option<(u64, Vec<Position>)>,
}

impl<'a, S: Source> ForgetsRevocation<'a, S> {
    /// Around a real source.
    pub(crate) fn over(inner: &'a mut S) -> Self {
        Self { inner, taken_up: BTreeMap::new(), stale: None }
    }

    fn remember_what_is_gone(&mut self, assignment: u64, partitions: &[Assigned]) {
        let is_ours = |partition: &i32| partitions.iter().any(|assigned| assigned.partition == *partition);
        let gone = self.taken_up.iter().filter(|(partition, _)| !is_ours(partition));
        let positions: Vec<_> = gone.map(|(partition, offset)| Position::at(*partition, *offset)).collect();
        self.stale = (!positions.is_empty()).then_some((assignment, positions));
    }
}

impl<S: Source + Send> Source for ForgetsRevocation<'_, S> {
    type Error = S::Error;

    async fn next(&mut self, room: bool) -> Result<Event, S::Error> {
        if let Some((assignment, positions)) = self.stale.clone() {
            self.inner.commit(assignment, positions).await;
            self.stale = None;
        }
        let event = self.inner.next(room).await?;
        match &event {
            Event::Fetched(Fetched::Chunk(chunk)) => {
                self.taken_up.insert(chunk.partition, chunk.next_offset);
            }
            Event::Membership(MembershipEvent::Assigned { assignment, partitions, .. }) => {
                self.remember_what_is_gone(*assignment, partitions);
            }
            _ => {}
        }
        Ok(event)
    }

    async fn commit(&mut self, assignment: u64, positions: Vec<Position>) {
        self.inner.commit(assignment, positions).await;
    }

    async fn rewind(&mut self, assignment: u64) {
        self.inner.rewind(assignment).await;
    }

    async fn released(&mut self, assignment: u64) {
        self.inner.released(assignment).await;
    }
}
