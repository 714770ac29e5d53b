//! Kafka and Cassandra, each alone, with the settings that `cargo xtask services` gives them: the commit log is synced
//! periodically.
//!
//! Each can be reached through a link as well. Kafka tells its clients where to go, so it has a second listener, whose
//! address is that of its link.

use std::ffi::OsString;
use std::path::PathBuf;

use super::stack::{Addresses, End, Kind, Part, Stack};
use super::stand::Stand;
use crate::error::Error;
use crate::link::{Link, Trouble};
use crate::process::{Identity, Life};
use crate::services::folder::StackFolder;
use crate::services::fresh::FreshStacks;
use crate::services::options::{ServerSetting, StackOptions};
use crate::services::server::{Role, class_path};
use crate::services::stack::Stack as RunningServers;

/// Both servers.
#[derive(Debug)]
pub(super) struct Servers {
    stack: RunningServers,
    folder: StackFolder,
    kafka: Link,
    cassandra: Link,
}

impl Servers {
    /// Starts both on free ports.
    pub(super) fn start(stand: &Stand, fresh: &mut FreshStacks) -> Result<Self, Error> {
        let ports = KafkaPorts {
            plain: stand.port()?,
            behind_link: stand.port()?,
            link: stand.port()?,
            controller: stand.port()?,
        };
        let (cassandra, cassandra_link) = (stand.port()?, stand.port()?);
        let options = StackOptions {
            kafka_port: Some(ports.plain),
            cassandra_port: Some(cassandra),
            kafka_set: ports.settings(),
            // A disk without room is noticed at the next segment.
            cassandra_set: ServerSetting::list(&[("commitlog_segment_size", "4MiB")]),
            ..StackOptions::small()
        };
        let servers = fresh.servers(&options)?;
        let stack = RunningServers::start(stand.folder().clone(), servers, Life::EndsWithParent, stand.interrupt())?;
        let folder = stand.folder().clone();
        Ok(Self {
            stack,
            folder,
            kafka: super::link(ports.link, ports.behind_link)?,
            cassandra: super::link(cassandra_link, cassandra)?,
        })
    }

    fn port(&self, role: Role) -> Result<u16, Error> {
        self.stack.port(role).ok_or(Error::NoServer("such server"))
    }
}

impl Stack for Servers {
    fn kind(&self) -> Kind {
        Kind::Servers
    }

    fn addresses(&self, name: &str) -> Result<Addresses, Error> {
        let (kafka, cassandra) = (self.port(Role::Kafka)?, self.port(Role::Cassandra)?);
        Ok(Addresses {
            brokers: format!("127.0.0.1:{kafka}"),
            store: format!("cassandra://127.0.0.1:{cassandra}/chaos_{name}"),
            reader: format!("cassandra:127.0.0.1:{cassandra}/chaos_{name}"),
            topic: format!("chaos.{name}"),
            group: format!("chaos-{name}"),
        })
    }

    fn partition_folder(&self, topic: &str, partition: u32) -> PathBuf {
        self.folder.data("kafka-kraft").join(format!("{topic}-{partition}"))
    }

    fn spoil(&self, part: Part, trouble: Option<Trouble>) -> Result<(), Error> {
        match part {
            Part::Broker => self.kafka.set(trouble),
            Part::Store => self.cassandra.set(trouble),
        }
        Ok(())
    }

    fn link(&mut self, direct: &Addresses, _: &Stand) -> Result<Addresses, Error> {
        let port = self.port(Role::Cassandra)?;
        let store = direct.store.replace(&format!(":{port}/"), &format!(":{}/", self.cassandra.address().port()));
        Ok(Addresses { brokers: self.kafka.address().to_string(), store, ..direct.clone() })
    }

    fn linked_parts(&self) -> &'static [Part] {
        &[Part::Broker, Part::Store]
    }

    fn unlink(&mut self, _: &Stand) -> Result<(), Error> {
        // Who does not ask for the links does not meet them.
        Ok(())
    }

    fn end(&mut self, part: Part, end: End, _: &Stand) -> Result<(), Error> {
        match end {
            End::Kill => self.stack.kill(role(part))?,
            End::Stop => self.stack.stop(role(part))?,
        }
        Ok(())
    }

    fn tool(&self, class: &str, arguments: &[&str]) -> Option<Vec<OsString>> {
        let mut command = vec![self.stack.java().clone()];
        command.extend(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"].map(OsString::from));
        command.extend(class_path(&[], &self.stack.jars(Role::Kafka)?));
        command.extend([class].iter().chain(arguments).map(OsString::from));
        Some(command)
    }

    fn pause(&mut self, part: Part) -> Result<(), Error> {
        self.stack.pause(role(part));
        Ok(())
    }

    fn resume(&mut self, part: Part) -> Result<(), Error> {
        self.stack.resume(role(part));
        Ok(())
    }

    fn process(&self, part: Part) -> Option<Identity> {
        self.stack.pid(role(part)).and_then(Identity::of)
    }

    fn own_broker(&self) -> Option<Identity> {
        None
    }

    fn start_again(&mut self, part: Part, stand: &Stand) -> Result<(), Error> {
        self.stack.start_again(role(part), stand.interrupt())
    }
}

/// Where Kafka listens.
#[derive(Debug, Clone, Copy)]
struct KafkaPorts {
    plain: u16,
    /// Who comes here is told to come to `link`.
    behind_link: u16,
    link: u16,
    controller: u16,
}

impl KafkaPorts {
    fn settings(self) -> Vec<ServerSetting> {
        let Self { plain, behind_link, link, controller } = self;
        let listen = |linked| format!("PLAINTEXT://127.0.0.1:{plain},LINK://127.0.0.1:{linked}");
        let listeners = format!("{},CONTROLLER://127.0.0.1:{controller}", listen(behind_link));
        ServerSetting::list(&[
            ("listeners", &listeners),
            ("advertised.listeners", &listen(link)),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,LINK:PLAINTEXT,CONTROLLER:PLAINTEXT"),
            // As the embedded broker: a member that is away is given up in seconds.
            ("group.min.session.timeout.ms", "1000"),
            ("controller.quorum.voters", &format!("1@127.0.0.1:{controller}")),
        ])
    }
}

fn role(part: Part) -> Role {
    match part {
        Part::Broker => Role::Kafka,
        Part::Store => Role::Cassandra,
    }
}
