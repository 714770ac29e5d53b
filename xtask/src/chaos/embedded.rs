//! The embedded broker as a process, and an `SQLite` file for each campaign.
//!
//! It tells all its clients one address: once it has been linked, those that are not ours go through the link too.

use std::ffi::OsString;
use std::path::PathBuf;

use rustix::process::Signal;

use super::stack::{Addresses, End, Kind, Part, Stack};
use super::stand::{END_LIMIT, Stand};
use crate::embedded_broker::{self, EmbeddedBroker};
use crate::error::Error;
use crate::link::{Link, Trouble};
use crate::process::Identity;

/// The broker's, among the data of the run.
const BROKER_FOLDER: &str = "broker";

/// `vitals up` on one port for good.
#[derive(Debug)]
pub(super) struct Embedded {
    port: u16,
    folder: PathBuf,
    broker: EmbeddedBroker,
    link: Option<Link>,
}

impl Embedded {
    /// Starts it on an empty folder and a free port.
    pub(super) fn start(stand: &Stand) -> Result<Self, Error> {
        let (port, folder) = (stand.port()?, stand.folder().path().join("data"));
        Ok(Self { port, folder, broker: broker(stand, port, None)?, link: None })
    }

    fn signal(&self, part: Part, signal: Signal) -> Result<(), Error> {
        match part {
            Part::Broker => self.broker.worker.signal(signal),
            Part::Store => return Err(Error::NoServer("store that is a process")),
        }
        Ok(())
    }

    /// Starts it again after its end, on what it has kept.
    fn restart(&mut self, stand: &Stand) -> Result<(), Error> {
        self.broker = broker(stand, self.port, self.linked_port())?;
        Ok(())
    }

    fn linked_port(&self) -> Option<u16> {
        self.link.as_ref().map(|link| link.address().port())
    }
}

/// Waits until it has answered: a broker names the address that it advertises, so it is asked there.
fn broker(stand: &Stand, port: u16, advertised: Option<u16>) -> Result<EmbeddedBroker, Error> {
    let command = embedded_broker::command(stand.binary(), &stand.path(BROKER_FOLDER), port, advertised);
    EmbeddedBroker::start(&command, advertised.unwrap_or(port), &stand.log("vitals up"), stand.interrupt())
}

impl Stack for Embedded {
    fn kind(&self) -> Kind {
        Kind::Embedded
    }

    fn addresses(&self, name: &str) -> Result<Addresses, Error> {
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

    fn link(&mut self, direct: &Addresses, stand: &Stand) -> Result<Addresses, Error> {
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

    fn spoil(&self, part: Part, trouble: Option<Trouble>) -> Result<(), Error> {
        match (part, &self.link) {
            (Part::Broker, Some(link)) => {
                link.set(trouble);
                Ok(())
            }
            _ => Err(Error::NoServer("link")),
        }
    }

    fn unlink(&mut self, stand: &Stand) -> Result<(), Error> {
        self.link = None;
        self.end(Part::Broker, End::Stop, stand)?;
        self.restart(stand)
    }

    fn end(&mut self, part: Part, end: End, stand: &Stand) -> Result<(), Error> {
        match (part, end) {
            (Part::Broker, End::Kill) => self.broker.worker.kill(),
            (Part::Broker, End::Stop) => self.broker.worker.end(Signal::TERM, END_LIMIT, stand.interrupt()),
            (Part::Store, _) => Err(Error::NoServer("store that is a process")),
        }
    }

    fn tool(&self, _: &str, _: &[&str]) -> Option<Vec<OsString>> {
        None
    }

    fn pause(&mut self, part: Part) -> Result<(), Error> {
        self.signal(part, Signal::STOP)
    }

    fn resume(&mut self, part: Part) -> Result<(), Error> {
        self.signal(part, Signal::CONT)
    }

    fn process(&self, part: Part) -> Option<Identity> {
        if part == Part::Broker { self.broker.worker.identity() } else { None }
    }

    fn own_broker(&self) -> Option<Identity> {
        self.broker.worker.identity()
    }

    fn start_again(&mut self, part: Part, stand: &Stand) -> Result<(), Error> {
        if part == Part::Store {
            return Err(Error::NoServer("store that is a process"));
        }
        self.restart(stand)
    }
}
