//! The points on a reading's way where the process kills itself, without a drain, a last commit or a word to the group;
//! or where something in it panics, which has to end it in order.

use std::sync::atomic::{AtomicU32, Ordering};

use clap::ValueEnum;
use rustix::process::{Signal, getpid, kill_process};
use vitals::ledger::Position;
use vitals::pipeline::source::{Event, Fetched, MembershipEvent, Source};
use vitals::pipeline::store::{Batch, BatchLimits, Epoch, Store, WriteError};

/// Where it can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Point {
    /// The group has assigned partitions, and the pipeline does not know yet
    Joining,
    /// Records have come, and the pipeline does not know yet
    Fetched,
    /// Readings are about to be sent to the store
    Decoded,
    /// The store has acknowledged readings, and the pipeline does not know yet
    Stored,
    /// A commit is about to be asked for
    BeforeCommit,
    /// A commit was taken, and the pipeline does not know yet
    AfterCommit,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// By SIGKILL, without a word to anybody
    Kill,
    /// By a panic at the point itself
    Panic,
    /// By a panic in a thread of its own, while the point is passed
    PanicElsewhere,
}

/// When the process ends.
#[derive(Debug)]
pub(crate) struct Death {
    point: Option<Point>,
    way: Way,
    /// So many times the point is still to be passed, this one included.
    left: AtomicU32,
}

impl Death {
    /// At the `after`-th time that `point` is reached; without a point never.
    pub(crate) fn at(point: Option<Point>, way: Way, after: u32) -> Self {
        Self { point, way, left: AtomicU32::new(after.max(1)) }
    }

    fn pass(&self, point: Point) {
        if self.point == Some(point) && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.way.go();
        }
    }
}

impl Way {
    fn go(self) {
        match self {
            Self::Kill => {
                let _ = kill_process(getpid(), Signal::KILL);
                // The signal is on its way to every thread; this one goes no further.
                loop {
                    std::thread::park();
                }
            }
            Self::Panic => fail(),
            Self::PanicElsewhere => {
                let _ = std::thread::spawn(|| fail()).join();
            }
        }
    }
}

#[expect(clippy::panic, reason = "is what is planted")]
fn fail() -> ! {
    panic!("as planted")
}

/// A source that ends the process.
pub(crate) struct Mortal<'a, S> {
    pub(crate) inner: &'a mut S,
    pub(crate) death: &'a Death,
}

impl<S: Source + Send> Source for Mortal<'_, S> {
    type Error = S::Error;

    async fn next(&mut self, room: bool) -> Result<Event, S::Error> {
        let event = self.inner.next(room).await?;
        match &event {
            Event::Membership(MembershipEvent::Assigned { .. }) => self.death.pass(Point::Joining),
            Event::Fetched(Fetched::Chunk(_)) => self.death.pass(Point::Fetched),
            Event::Membership(MembershipEvent::Committed(_)) => self.death.pass(Point::AfterCommit),
            _ => {}
        }
        Ok(event)
    }

    async fn commit(&mut self, assignment: u64, positions: Vec<Position>) {
        self.death.pass(Point::BeforeCommit);
        self.inner.commit(assignment, positions).await;
    }

    async fn rewind(&mut self, assignment: u64) {
        self.inner.rewind(assignment).await;
    }

    async fn released(&mut self, assignment: u64) {
        self.inner.released(assignment).await;
    }
}

/// A store that ends the process.
pub(crate) struct MortalStore<'a, T> {
    pub(crate) inner: &'a T,
    pub(crate) death: &'a Death,
}

impl<T: Store> Store for MortalStore<'_, T> {
    fn batch_limits(&self) -> BatchLimits {
        // One patient each, so that a death falls between the batches of what was fetched together.
        BatchLimits { patients: 1, ..self.inner.batch_limits() }
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        self.death.pass(Point::Decoded);
        self.inner.write(batch).await?;
        self.death.pass(Point::Stored);
        Ok(())
    }

    async fn epoch(&self) -> Result<Epoch, WriteError> {
        self.inner.epoch().await
    }
}
