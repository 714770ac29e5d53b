//! The bug: what was fetched is committed as soon as it was fetched. Killed before it is stored, it is nowhere.

use std::collections::{BTreeMap, VecDeque};

use vitals::ledger::Position;
use vitals::pipeline::source::{Chunk, Event, Fetched, MembershipEvent, Source};

/// A source that commits by itself.
pub(crate) struct CommitBeforeStore<'a, S> {
    inner: &'a mut S,
    /// By partition of the present assignment, where what was fetched ends.
    fetched: BTreeMap<i32, i64>,
    /// What was fetched and is not handed on yet, because its commit has no answer.
    held: VecDeque<Event>,
    asking: Asking,
}

/// The commit of what was fetched last.
#[derive(Debug, Clone, Copy)]
enum Asking {
    Nothing,
    ToAsk(u64, Position),
    Asked,
}

impl<'a, S: Source> CommitBeforeStore<'a, S> {
    /// Around a real source.
    pub(crate) fn over(inner: &'a mut S) -> Self {
        Self { inner, fetched: BTreeMap::new(), held: VecDeque::new(), asking: Asking::Nothing }
    }

    fn fetched(&mut self, chunk: Chunk) {
        let Chunk { assignment, partition, next_offset, .. } = chunk;
        self.fetched.insert(partition, next_offset);
        self.held.push_back(Event::Fetched(Fetched::Chunk(chunk)));
        self.asking = Asking::ToAsk(assignment, Position::at(partition, next_offset));
    }
}

impl<S: Source + Send> Source for CommitBeforeStore<'_, S> {
    type Error = S::Error;

    /// The state is changed between two waits alone, so that no event is lost when one of them is dropped.
    async fn next(&mut self, room: bool) -> Result<Event, S::Error> {
        loop {
            match self.asking {
                Asking::Nothing => {
                    if let Some(event) = self.held.pop_front() {
                        return Ok(event);
                    }
                }
                Asking::ToAsk(assignment, position) => {
                    self.inner.commit(assignment, vec![position]).await;
                    self.asking = Asking::Asked;
                }
                Asking::Asked => {}
            }
            let has_time = matches!(self.asking, Asking::Nothing);
            match self.inner.next(room && has_time).await? {
                Event::Fetched(Fetched::Chunk(chunk)) => self.fetched(chunk),
                event => {
                    match &event {
                        Event::Membership(MembershipEvent::Assigned { .. } | MembershipEvent::Lost) => {
                            self.fetched.clear();
                        }
                        Event::Membership(MembershipEvent::Committed(_) | MembershipEvent::CommitRefused) => {
                            self.asking = Asking::Nothing;
                        }
                        _ => {}
                    }
                    return Ok(event);
                }
            }
        }
    }

    /// Never takes back what it has committed too early.
    async fn commit(&mut self, assignment: u64, mut positions: Vec<Position>) {
        for position in &mut positions {
            let fetched = self.fetched.get(&position.partition).copied().unwrap_or(position.offset);
            *position = Position::at(position.partition, position.offset.max(fetched));
        }
        self.inner.commit(assignment, positions).await;
    }

    async fn rewind(&mut self, assignment: u64) {
        self.inner.rewind(assignment).await;
    }

    async fn released(&mut self, assignment: u64) {
        self.inner.released(assignment).await;
    }
}
