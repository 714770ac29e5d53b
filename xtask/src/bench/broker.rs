//! The embedded broker as a process: `vitals up`.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use super::error::{BenchError, file_error};
use super::usage::Usage;
use crate::job;
use crate::process::{self, Life, Place};
use crate::services::log_tail::{LogTail, SHOWN_WITH_ERRORS};
use crate::services::ready;
use crate::services::server::Role;
use crate::signals::Interrupt;

const WHAT: &str = "vitals up";
/// Hundreds of times what it takes.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// Short against what is measured.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// Killed when it is dropped.
#[derive(Debug)]
pub(super) struct EmbeddedBroker {
    child: Child,
    address: String,
    started: Duration,
}

impl EmbeddedBroker {
    /// Starts it on `folder` and a free port, and comes back when it has answered.
    pub(super) fn start(binary: &Path, folder: &Path, port: u16, interrupt: &Interrupt) -> Result<Self, BenchError> {
        let address = format!("127.0.0.1:{port}");
        let start_error = |source| BenchError::Start { what: WHAT, source };
        let mut command =
            process::command(binary.as_os_str(), Place::OwnSession, Life::EndsWithParent).map_err(start_error)?;
        command.args(["up", "--listen", &address, "--data"]).arg(folder);
        let log = log(folder);
        job::log_into(&mut command, &log).map_err(file_error("write", &log))?;
        let begun = Instant::now();
        let mut broker = Self { child: command.spawn().map_err(start_error)?, address, started: Duration::ZERO };
        while ready::check(Role::Kafka, port).is_err() {
            broker.must_live(begun, &log)?;
            interrupt.check()?;
            std::thread::sleep(LOOK_AGAIN);
        }
        broker.started = begun.elapsed();
        Ok(broker)
    }

    /// From the start of the process to its first answers: what it speaks, and that it is there.
    pub(super) fn started(&self) -> Duration {
        self.started
    }

    /// `host:port`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What it has used.
    pub(super) fn usage(&self) -> Result<Usage, BenchError> {
        Usage::of(self.child.id()).filter(|usage| !usage.has_ended).ok_or(BenchError::NoServer)
    }

    fn must_live(&mut self, begun: Instant, log: &Path) -> Result<(), BenchError> {
        let tail = || LogTail::read(log, SHOWN_WITH_ERRORS);
        match self.child.try_wait() {
            Ok(None) if begun.elapsed() < READY_LIMIT => Ok(()),
            Ok(None) => Err(BenchError::TooLong { what: WHAT, limit: READY_LIMIT, log: tail() }),
            Ok(Some(status)) => Err(BenchError::Failed { what: WHAT, status, log: tail() }),
            Err(source) => Err(BenchError::Start { what: WHAT, source }),
        }
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        // Nobody needs its records any more. An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Beside its folder, so that the folder is as it would be without the log.
fn log(folder: &Path) -> PathBuf {
    folder.with_extension("log")
}
