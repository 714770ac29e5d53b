//! The embedded broker as a process, and an `SQLite` file for each campaign.
//!
//! It tells all its clients one address: once it has been linked, those that are not ours go through the link too.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::error::ChaosError;
use super::stack::{Addresses, End, Kind, Part, Stack};
use super::stand::Stand;
use super::worker::Worker;
use crate::link::{Link, Trouble};
use crate::process::Identity;
use crate::services::ready;
use crate::services::server::Role;

const WHAT: &str = "vitals up";
/// The broker's, among the data of the run.
const BROKER_FOLDER: &str = "broker";
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
    link: Option<Link>,
}

impl Embedded {
    /// Starts it on an empty folder and a free port.
    pub(super) fn start(stand: &Stand) -> Result<Self, ChaosError> {
        let (port, folder) = (stand.port()?, stand.folder().path().join("data"));
        let broker = broker(stand, port, None)?;
        let mut embedded = Self { port, folder, broker, link: None };
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

    /// Starts it again after its end, on what it has kept.
    fn restart(&mut self, stand: &Stand) -> Result<(), ChaosError> {
        self.broker = broker(stand, self.port, self.linked_port())?;
        self.wait_until_ready(stand)
    }

    fn linked_port(&self) -> Option<u16> {
        self.link.as_ref().map(|link| link.address().port())
    }

    fn wait_until_ready(&mut self, stand: &Stand) -> Result<(), ChaosError> {
        let deadline = Instant::now() + READY_LIMIT;
        // A broker names the address that it advertises: it is asked there.
        let port = self.linked_port().unwrap_or(self.port);
        while ready::check(Role::Kafka, port).is_err() {
            self.broker.must_run()?;
            if Instant::now() >= deadline {
                return Err(ChaosError::TooLong { what: WHAT, limit: READY_LIMIT, log: self.broker.tail() });
            }
            stand.pause(LOOK_AGAIN)?;
        }
        Ok(())
    }
}

fn broker(stand: &Stand, port: u16, advertised: Option<u16>) -> Result<Worker, ChaosError> {
    let mut command = vec![OsString::from(stand.binary())];
    command.extend(["up", "--listen", &format!("127.0.0.1:{port}"), "--data"].map(OsString::from));
    command.push(stand.path(BROKER_FOLDER).into());
    if let Some(advertised) = advertised {
        command.extend(["--advertise", &format!("127.0.0.1:{advertised}")].map(OsString::from));
    }
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

    fn partition_folder(&self, topic: &str, partition: u32) -> PathBuf {
        self.folder.join(BROKER_FOLDER).join("topics").join(topic).join(partition.to_string())
    }

    fn link(&mut self, direct: &Addresses, stand: &Stand) -> Result<Addresses, ChaosError> {
        let port = stand.port()?;
        self.link = Some(super::link(port, self.port)?);
        self.end(Part::Broker, End::Stop, stand)?;
        self.restart(stand)?;
        Ok(Addresses { brokers: format!("127.0.0.1:{port}"), ..direct.clone() })
    }

    fn linked_parts(&self) -> &'static [Part] {
        // SQLite is a file.
        &[Part::Broker]
    }

    fn spoil(&self, part: Part, trouble: Option<Trouble>) -> Result<(), ChaosError> {
        match (part, &self.link) {
            (Part::Broker, Some(link)) => {
                link.set(trouble);
                Ok(())
            }
            _ => Err(ChaosError::NoServer("link")),
        }
    }

    fn unlink(&mut self, stand: &Stand) -> Result<(), ChaosError> {
        self.link = None;
        self.end(Part::Broker, End::Stop, stand)?;
        self.restart(stand)
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

    fn process(&self, part: Part) -> Option<Identity> {
        if part == Part::Broker { self.broker.identity() } else { None }
    }

    fn own_broker(&self) -> Option<Identity> {
        self.broker.identity()
    }

    fn start_again(&mut self, part: Part, stand: &Stand) -> Result<(), ChaosError> {
        if part == Part::Store {
            return Err(ChaosError::NoServer("store that is a process"));
        }
        self.restart(stand)
    }
}
