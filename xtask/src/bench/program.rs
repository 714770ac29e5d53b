//! A program that is run to its end, with the time and the memory it took.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::usage::Usage;
use crate::error::Error;
use crate::job;
use crate::signals::Interrupt;

/// Many times what the slowest of them takes.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// How long a running program is left alone between two looks, as a part of the time it has run: its end is seen to a
/// hundredth, and a short run costs few looks.
const LOOK_AGAIN_PART: u32 = 100;
const LOOK_AGAIN_SOONEST: Duration = Duration::from_micros(500);
const LOOK_AGAIN_LATEST: Duration = Duration::from_millis(5);

/// What to run.
#[derive(Debug)]
pub(super) struct Program<'a> {
    /// How it is called in messages.
    pub(super) what: &'static str,
    /// Program and arguments.
    pub(super) command: &'a [OsString],
    /// Added to the environment.
    pub(super) environment: &'a [(&'static str, OsString)],
    /// Whether what it says on stdout is dropped, being as long as what it sends.
    pub(super) is_chatty: bool,
    /// Gets what it says.
    pub(super) log: &'a Path,
}

/// What it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// From the start of the process to its end.
    pub(super) elapsed: Duration,
    /// Processor time and memory.
    pub(super) usage: Usage,
}

impl Program<'_> {
    /// Runs it to a good end. Call it from the main thread (see [`EndsWithParent`](crate::process::Life)).
    pub(super) fn run(&self, interrupt: &Interrupt) -> Result<Taken, Error> {
        let start_error = Error::start(self.what);
        let mut command = job::prepared(self.what, self.command, self.log)?;
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.is_chatty {
            command.stdout(Stdio::null());
        }
        let begun = Instant::now();
        let mut child = command.spawn().map_err(&start_error)?;
        let usage = self.watch(&child, begun, interrupt);
        let elapsed = begun.elapsed();
        if usage.is_err() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill();
        }
        let status = child.wait().map_err(start_error)?;
        let usage = usage?;
        if status.success() {
            Ok(Taken { elapsed, usage })
        } else {
            Err(Error::failed(self.what, &format!("ended with {status}"), self.log, ""))
        }
    }

    /// What it said.
    pub(super) fn output(&self) -> Result<String, Error> {
        fs::read_to_string(self.log).map_err(Error::file("read", self.log))
    }

    /// Waits for the end. The process is left for the caller to notice, since its figures go with it.
    fn watch(&self, child: &Child, begun: Instant, interrupt: &Interrupt) -> Result<Usage, Error> {
        let mut peak_bytes = 0;
        loop {
            let usage = Usage::of(child.id()).ok_or(Error::NoServer(self.what))?;
            peak_bytes = usage.peak_bytes.max(peak_bytes);
            if usage.has_ended {
                return Ok(Usage { peak_bytes, ..usage });
            }
            if begun.elapsed() >= LIMIT {
                return Err(Error::too_long(self.what, LIMIT, self.log));
            }
            interrupt.check()?;
            std::thread::sleep((begun.elapsed() / LOOK_AGAIN_PART).clamp(LOOK_AGAIN_SOONEST, LOOK_AGAIN_LATEST));
        }
    }
}
