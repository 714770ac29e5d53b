//! The embedded broker as a process: `vitals up`.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::process;
use crate::services::ready;
use crate::services::server::Role;
use crate::signals;
use crate::worker::Worker;

const WHAT: &str = "vitals up";
/// Hundreds of times what it takes.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// Short against what is measured.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct EmbeddedBroker {
    pub(crate) worker: Worker,
    /// From its start to its first answers: what it speaks, and that it is there.
    pub(crate) started: Duration,
}

/// How it is started on a folder; it can tell its clients another port than the one it listens on.
pub(crate) fn command(binary: &Path, folder: &Path, port: u16, advertised: Option<u16>) -> Vec<OsString> {
    let listen = format!("127.0.0.1:{port}");
    let mut command = process::command_of(binary, &["up", "--listen", &listen, "--data"]);
    command.push(folder.into());
    if let Some(advertised) = advertised {
        command.extend(["--advertise", &format!("127.0.0.1:{advertised}")].map(OsString::from));
    }
    command
}

impl EmbeddedBroker {
    /// Runs this [`command`], and comes back when it has answered at `port`, which it has to name as its own.
    pub(crate) fn start(command: &[OsString], port: u16, log: &Path) -> Result<Self> {
        let begun = Instant::now();
        let mut worker = Worker::start(WHAT, command, log)?;
        while ready::check(Role::Kafka.into(), port).is_err() {
            worker.must_run()?;
            if begun.elapsed() >= READY_LIMIT {
                return Err(Error::too_long(WHAT, READY_LIMIT, log));
            }
            signals::check()?;
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(Self { worker, started: begun.elapsed() })
    }
}
