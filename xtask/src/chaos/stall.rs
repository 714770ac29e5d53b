//! A store that takes nothing for a while, and does not end.

use rustix::process::Signal;

use super::run::Run;
use super::stack::{Addresses, Kind, Part};
use super::stand::{COMMAND_LIMIT, END_LIMIT};
use crate::error::Error;
use crate::worker::Worker;

/// Another program that writes to the `SQLite` file.
const WRITER: &str = "chaos_lock.py";
/// Looks whether a stopped program holds the file's lock.
const LOOKER: &str = "chaos_locked.py";

/// The store stands still until [`end`](Stall::end).
#[derive(Debug)]
pub(super) enum Stall {
    /// Another program holds the file's write lock.
    Locked(Worker),
    /// Cassandra is stopped.
    Stopped,
}

impl Stall {
    /// Comes back when the store takes nothing any more.
    pub(super) fn begin(run: &mut Run<'_>, at: &Addresses) -> Result<Self, Error> {
        match run.stack.kind() {
            Kind::Embedded => {
                let mut writer = run.stand.start(WRITER, &run.stand.script(WRITER, &[file(at)]))?;
                writer.wait_for_line("locked", COMMAND_LIMIT, run.stand.interrupt())?;
                Ok(Self::Locked(writer))
            }
            Kind::Servers => run.stack.pause(Part::Store).map(|()| Self::Stopped),
        }
    }

    /// Whether a program that was stopped in the middle of a transaction keeps all others from writing: `SQLite` has one
    /// writer at a time. Cassandra has many.
    pub(super) fn is_on(run: &Run<'_>, at: &Addresses) -> Result<bool, Error> {
        match run.stack.kind() {
            Kind::Embedded => {
                let printed = run.stand.run(LOOKER, &run.stand.script(LOOKER, &[file(at)]), COMMAND_LIMIT)?;
                Ok(printed.trim() == "yes")
            }
            Kind::Servers => Ok(false),
        }
    }

    /// The store takes again what comes.
    pub(super) fn end(self, run: &mut Run<'_>) -> Result<(), Error> {
        match self {
            Self::Locked(mut writer) => writer.end(Signal::TERM, END_LIMIT, run.stand.interrupt()),
            Self::Stopped => run.stack.resume(Part::Store),
        }
    }
}

fn file(at: &Addresses) -> &str {
    at.store.trim_start_matches("sqlite:")
}
