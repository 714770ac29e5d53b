//! The embedded broker as a process, and an `SQLite` file for each campaign.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::error::ChaosError;
use super::link::Trouble;
use super::stack::{Addresses, End, Kind, Part, Stack};
use super::stand::Stand;
use super::worker::Worker;
use crate::services::ready;
use crate::services::server::Role;

const WHAT: &str = "vitals up";
/// Hundreds of times what a start takes.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// What a clean end may take.
const END_LIMIT: Duration = Duration::from_secs(20);
/// Short against a start.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// `vitals up` on one port for good.
#[derive(Debug)]
pub(super) struct Embedded {
    port: u16,
    folder: PathBuf,
    broker: Worker,
}

impl Embedded {
    /// Starts it on an empty folder and a free port.
    pub(super) fn start(stand: &Stand) -> Result<Self, ChaosError> {
        let (port, folder) = (stand.port()?, stand.folder().path().join("data"));
        let broker = broker(stand, port)?;
        let mut embedded = Self { port, folder, broker };
        embedded.wait_until_ready(stand)?;
        Ok(embedded)
    }

    fn signal(&self, part: Part, signal: Signal) -> Result<(), ChaosError> {
        match part {
            Part::Broker => self.broker.signal(signal),
            Part::Store => return Err(ChaosError::NoServer("store that is a process")),
        }
        Ok(())
    }

    fn wait_until_ready(&mut self, stand: &Stand) -> Result<(), ChaosError> {
        let deadline = Instant::now() + READY_LIMIT;
        while ready::check(Role::Kafka, self.port).is_err() {
            self.broker.must_run()?;
            if Instant::now() >= deadline {
                return Err(ChaosError::TooLong { what: WHAT, limit: READY_LIMIT, log: self.broker.tail() });
            }
            stand.pause(LOOK_AGAIN)?;
        }
        Ok(())
    }
}

fn broker(stand: &Stand, port: u16) -> Result<Worker, ChaosError> {
    let mut command = vec![OsString::from(stand.binary())];
    command.extend(["up", "--listen", &format!("127.0.0.1:{port}"), "--data"].map(OsString::from));
    command.push(stand.path("broker").into());
    stand.start(WHAT, &command)
}

impl Stack for Embedded {
    fn kind(&self) -> Kind {
        Kind::Embedded
    }

    fn addresses(&self, name: &str) -> Result<Addresses, ChaosError> {
        let store = format!("sqlite:{}", self.folder.join(format!("{name}.db")).display());
        Ok(Addresses {
            brokers: format!("127.0.0.1:{}", self.port),
            reader: store.clone(),
            store,
            topic: format!("chaos.{name}"),
            group: format!("chaos-{name}"),
        })
    }

    fn spoil(&self, _: Part, _: Option<Trouble>) -> Result<(), ChaosError> {
        Err(ChaosError::NoServer("link"))
    }

    fn linked(&self, _: &Addresses) -> Result<Addresses, ChaosError> {
        // It tells its clients the address that it listens on: they would go round any proxy.
        Err(ChaosError::NoServer("link"))
    }

    fn end(&mut self, part: Part, end: End, stand: &Stand) -> Result<(), ChaosError> {
        match (part, end) {
            (Part::Broker, End::Kill) => self.broker.kill(),
            (Part::Broker, End::Stop) => self.broker.end(Signal::TERM, END_LIMIT, stand.interrupt()),
            (Part::Store, _) => Err(ChaosError::NoServer("store that is a process")),
        }
    }

    fn tool(&self, _: &str, _: &[&str]) -> Option<Vec<OsString>> {
        None
    }

    fn pause(&mut self, part: Part) -> Result<(), ChaosError> {
        self.signal(part, Signal::STOP)
    }

    fn resume(&mut self, part: Part) -> Result<(), ChaosError> {
        self.signal(part, Signal::CONT)
    }

    fn start_again(&mut self, part: Part, stand: &Stand) -> Result<(), ChaosError> {
        if part == Part::Store {
            return Err(ChaosError::NoServer("store that is a process"));
        }
        self.broker = broker(stand, self.port)?;
        self.wait_until_ready(stand)
    }
}
