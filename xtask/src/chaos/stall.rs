//! A store that answers nobody for a while, and is there again with all that it had.

use std::time::Duration;

use rustix::process::Signal;

use super::error::ChaosError;
use super::run::Run;
use super::stack::{Addresses, Kind, Part};
use super::worker::Worker;

/// How long the lock may take to be had: others write all the time.
const LOCK_LIMIT: Duration = Duration::from_secs(60);
/// How long letting go of it may take.
const END_LIMIT: Duration = Duration::from_secs(10);
const WHAT: &str = "chaos_lock.py";

/// A stall under way; on the embedded stack it ends when this is dropped.
#[derive(Debug)]
pub(super) enum Stall {
    /// Another program has the only lock that `SQLite` gives to writers.
    Locked(Worker),
    /// Cassandra is stopped.
    Paused,
}

impl Stall {
    /// From now on nothing can be written.
    pub(super) fn begin(run: &mut Run<'_>, at: &Addresses) -> Result<Self, ChaosError> {
        if run.stack.kind() == Kind::Servers {
            run.stack.pause(Part::Store)?;
            return Ok(Self::Paused);
        }
        let path = at.store.trim_start_matches("sqlite:");
        let mut holder = run.stand.start(WHAT, &run.stand.script(WHAT, &[path]))?;
        holder.wait_for_line("locked", LOCK_LIMIT, run.stand.interrupt())?;
        Ok(Self::Locked(holder))
    }

    /// From now on it can again.
    pub(super) fn end(self, run: &mut Run<'_>) -> Result<(), ChaosError> {
        match self {
            Self::Locked(mut holder) => holder.end(Signal::TERM, END_LIMIT, run.stand.interrupt()),
            Self::Paused => run.stack.resume(Part::Store),
        }
    }
}
