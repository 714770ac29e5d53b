//! The points on a reading's way where the process kills itself, without a drain, a last commit or a word to the group;
//! or where something in it panics, which has to end it in order.

use std::sync::atomic::{AtomicU32, Ordering};

use clap::ValueEnum;
use rustix::process::{Signal, getpid, kill_process};

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

/// When the process ends; without a point never.
#[derive(Debug)]
pub(crate) struct Death {
    pub(crate) point: Option<Point>,
    pub(crate) way: Way,
    /// So many times the point is still to be passed, this one included.
    pub(crate) left: AtomicU32,
}

impl Death {
    pub(crate) fn pass(&self, point: Point) {
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
