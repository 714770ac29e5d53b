//! A program that works beside the faults until it is ended.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::error::{ChaosError, file_error};
use crate::job;
use crate::process::{self, Identity, LOOK_AGAIN, Life, Place};
use crate::services::log_tail::{LogTail, SHOWN_WITH_ERRORS};
use crate::signals::Interrupt;

/// How often a wait that is measured looks again.
const LOOK_AGAIN_SOON: Duration = Duration::from_millis(5);

/// Killed when it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    what: &'static str,
    child: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts it. Call it from the main thread (see [`Life::EndsWithParent`]).
    pub(super) fn start(
        what: &'static str,
        command: &[OsString],
        environment: &[(String, OsString)],
        log: &Path,
    ) -> Result<Self, ChaosError> {
        let start_error = |source| ChaosError::Start { what, source };
        let (program, arguments) = command.split_first().ok_or(ChaosError::NoServer(what))?;
        let mut command = process::command(program, Place::OwnSession, Life::EndsWithParent).map_err(start_error)?;
        // A debug build takes seconds on a busy machine to find a trace, which is shown to nobody.
        command.env("RUST_LIB_BACKTRACE", "0");
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        job::log_into(&mut command, log).map_err(file_error("write", log))?;
        Ok(Self { what, child: command.spawn().map_err(start_error)?, log: log.to_owned() })
    }

    /// Ends it by SIGKILL, and says whether it still ran.
    pub(super) fn kill(&mut self) -> Result<(), ChaosError> {
        self.must_run()?;
        let wait_error = |source| ChaosError::Start { what: self.what, source };
        self.child.kill().map_err(wait_error)?;
        self.child.wait().map(drop).map_err(wait_error)
    }

    /// An error that shows its log, unless it runs.
    pub(super) fn must_run(&mut self) -> Result<(), ChaosError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(status)),
            Err(source) => Err(ChaosError::Start { what: self.what, source }),
        }
    }

    /// How it has ended by itself, if it has.
    pub(super) fn ended_by_itself(&mut self) -> Result<Option<ExitStatus>, ChaosError> {
        self.child.try_wait().map_err(|source| ChaosError::Start { what: self.what, source })
    }

    /// Asks it to end, and waits until it has come to a good end.
    pub(super) fn end(&mut self, signal: Signal, limit: Duration, interrupt: &Interrupt) -> Result<(), ChaosError> {
        self.signal(signal);
        self.wait(limit, interrupt)
    }

    /// Sends it a signal; one that has ended already is noticed by who waits for it.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Which process it is; `None` when it has ended.
    pub(super) fn identity(&self) -> Option<Identity> {
        Identity::of(self.child.id())
    }

    /// Waits until it has come to a good end by itself.
    pub(super) fn wait(&mut self, limit: Duration, interrupt: &Interrupt) -> Result<(), ChaosError> {
        self.wait_for(limit, interrupt, |status| status.success())
    }

    /// Waits until it has killed itself.
    pub(super) fn wait_for_death(&mut self, limit: Duration, interrupt: &Interrupt) -> Result<(), ChaosError> {
        self.wait_for(limit, interrupt, |status| status.signal() == Some(Signal::KILL.as_raw()))
    }

    fn wait_for(
        &mut self,
        limit: Duration,
        interrupt: &Interrupt,
        is_wanted: fn(ExitStatus) -> bool,
    ) -> Result<(), ChaosError> {
        let deadline = Instant::now() + limit;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if is_wanted(status) => return Ok(()),
                Ok(Some(status)) => return Err(self.ended(status)),
                Ok(None) if Instant::now() >= deadline => {
                    return Err(ChaosError::TooLong { what: self.what, limit, log: self.tail() });
                }
                Ok(None) => interrupt.check()?,
                Err(source) => return Err(ChaosError::Start { what: self.what, source }),
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until it has ended in whatever way; `None` where it still runs.
    pub(super) fn wait_for_end(
        &mut self,
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<Option<ExitStatus>, ChaosError> {
        let deadline = Instant::now() + limit;
        loop {
            match self.ended_by_itself()? {
                None if Instant::now() < deadline => interrupt.check()?,
                status => return Ok(status),
            }
            std::thread::sleep(LOOK_AGAIN_SOON);
        }
    }

    /// Its process, also after its end.
    pub(super) fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    fn ended(&self, status: ExitStatus) -> ChaosError {
        ChaosError::Ended { what: self.what, status, log: self.tail() }
    }

    /// The most memory that it had at once, in bytes; `None` when it has ended.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        process::peak_bytes(self.child.id())
    }

    /// Waits until it has printed a line that begins so.
    pub(super) fn wait_for_line(
        &mut self,
        beginning: &str,
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), ChaosError> {
        let deadline = Instant::now() + limit;
        loop {
            // Looked at first: what it has printed before its end counts.
            let ended = self.must_run();
            if self.said().lines().any(|found| found.starts_with(beginning)) {
                return Ok(());
            }
            ended?;
            interrupt.check()?;
            if Instant::now() >= deadline {
                return Err(ChaosError::TooLong { what: self.what, limit, log: self.tail() });
            }
            std::thread::sleep(LOOK_AGAIN_SOON);
        }
    }

    /// Where it prints to.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// What it has printed so far, as far as it is text.
    pub(super) fn said(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines that it printed.
    pub(super) fn tail(&self) -> LogTail {
        LogTail::read(&self.log, SHOWN_WITH_ERRORS)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
