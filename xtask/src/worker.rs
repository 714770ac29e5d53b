//! A program that works beside this one until it is ended.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::error::Error;
use crate::job;
use crate::process::{self, Identity};
use crate::services::log_tail::{LogTail, SHOWN_WITH_ERRORS};
use crate::signals::Interrupt;

/// How often a wait that is measured looks again.
const LOOK_AGAIN_SOON: Duration = Duration::from_millis(5);

/// Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    what: &'static str,
    child: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts it. Call it from a thread that lives as long (see [`Life::EndsWithParent`](process::Life)).
    pub(crate) fn start(what: &'static str, command: &[OsString], log: &Path) -> Result<Self, Error> {
        let mut command = job::prepared(what, command, log)?;
        // A debug build takes seconds on a busy machine to find a trace, which is shown to nobody.
        command.env("RUST_LIB_BACKTRACE", "0");
        Ok(Self { what, child: command.spawn().map_err(Error::start(what))?, log: log.to_owned() })
    }

    /// Ends it by SIGKILL, and says whether it still ran.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.must_run()?;
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(Error::start(self.what))
    }

    /// An error that shows its log, unless it runs.
    pub(crate) fn must_run(&mut self) -> Result<(), Error> {
        self.ended_by_itself()?.map_or(Ok(()), |status| Err(self.ended(status)))
    }

    /// How it has ended by itself, if it has.
    pub(crate) fn ended_by_itself(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(Error::start(self.what))
    }

    /// Asks it to end, and waits until it has come to a good end.
    pub(crate) fn end(&mut self, signal: Signal, limit: Duration, interrupt: &Interrupt) -> Result<(), Error> {
        self.signal(signal);
        self.wait(limit, interrupt)
    }

    /// Sends it a signal; one that has ended already is noticed by who waits for it.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Which process it is; `None` when it has ended.
    pub(crate) fn identity(&self) -> Option<Identity> {
        Identity::of(self.child.id())
    }

    /// Waits until it has come to a good end by itself.
    pub(crate) fn wait(&mut self, limit: Duration, interrupt: &Interrupt) -> Result<(), Error> {
        self.wait_for(limit, interrupt, |status| status.success())
    }

    /// Waits until it has killed itself.
    pub(crate) fn wait_for_death(&mut self, limit: Duration, interrupt: &Interrupt) -> Result<(), Error> {
        self.wait_for(limit, interrupt, |status| status.signal() == Some(Signal::KILL.as_raw()))
    }

    fn wait_for(
        &mut self,
        limit: Duration,
        interrupt: &Interrupt,
        is_wanted: fn(ExitStatus) -> bool,
    ) -> Result<(), Error> {
        match self.wait_for_end(limit, interrupt)? {
            Some(status) if is_wanted(status) => Ok(()),
            Some(status) => Err(self.ended(status)),
            None => Err(Error::too_long(self.what, limit, &self.log)),
        }
    }

    /// Waits until it has ended in whatever way; `None` where it still runs.
    pub(crate) fn wait_for_end(&mut self, limit: Duration, interrupt: &Interrupt) -> Result<Option<ExitStatus>, Error> {
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
    pub(crate) fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    fn ended(&self, status: ExitStatus) -> Error {
        Error::failed(self.what, &format!("ended by itself with {status}"), &self.log, "")
    }

    /// The most memory that it had at once, in bytes; `None` when it has ended.
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        process::peak_bytes(self.child.id())
    }

    /// Waits until it has printed a line that begins so.
    pub(crate) fn wait_for_line(
        &mut self,
        beginning: &str,
        limit: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), Error> {
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
                return Err(Error::too_long(self.what, limit, &self.log));
            }
            std::thread::sleep(LOOK_AGAIN_SOON);
        }
    }

    /// Where it prints to.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// What it has printed so far, as far as it is text.
    pub(crate) fn said(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines that it printed.
    pub(crate) fn tail(&self) -> LogTail {
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
