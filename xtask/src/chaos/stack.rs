//! What a campaign works on: the embedded broker and `SQLite`, or Kafka and Cassandra, one server of each or three.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;
use rustix::process::Signal;

use super::harness::{END_LIMIT, Harness};
use super::link;
use crate::embedded_broker::{self, EmbeddedBroker};
use crate::error::{Error, Result};
use crate::link::{Link, Trouble};
use crate::process::{self, Identity, Life};
use crate::services::folder::{FreshStacks, StackFolder};
use crate::services::options::{ServerSetting, StackOptions};
use crate::services::secure::{Access, SUPERUSER};
use crate::services::server::{Member, Role, Server};
use crate::services::stack::Stack as RunningServers;

/// The broker's, among the data of the run.
const BROKER_FOLDER: &str = "broker";
const NO_LINK: Error = Error::NoServer("link");
const NO_CLUSTER: Error = Error::NoServer("servers that work together");
const NO_STORE_PROCESS: Error = Error::NoServer("store that is a process");

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// The embedded broker and `SQLite`
    Embedded,
    /// Kafka 4.3.1 and Cassandra 5.0.8
    Servers,
    /// Three brokers and three nodes of them, which `vitals` comes to inside TLS and logged in
    Cluster,
}

impl Kind {
    /// As an option and as a part of a folder's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Servers => "servers",
            Self::Cluster => "cluster",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Kafka, or the embedded broker.
    Broker,
    /// Cassandra.
    Store,
}

impl Part {
    fn role(self) -> Role {
        match self {
            Self::Broker => Role::Kafka,
            Self::Store => Role::Cassandra,
        }
    }

    /// One of several, which want a login.
    fn member(self, number: u8) -> Member {
        let role = match self {
            Self::Broker => Role::Kafka,
            Self::Store => Role::SecureCassandra,
        };
        Member { role, number }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and the time it needs.
    Stop,
}

impl End {
    fn of_processes(self) -> fn(&[Identity]) -> Vec<Identity> {
        match self {
            Self::Kill => process::kill,
            Self::Stop => process::stop,
        }
    }
}

/// The options of `vitals` for a campaign, by their names.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    pub(super) brokers: String,
    pub(super) store: String,
    /// The store, as the reader that is not ours is told it.
    pub(super) reader: String,
    pub(super) topic: String,
    pub(super) group: String,
    /// Where `vitals` comes to the brokers otherwise than the readers, and to the store.
    pub(super) secure: Option<Access>,
}

/// Servers that can be broken; dropping it ends all of them.
#[derive(Debug)]
pub(super) struct Stack {
    folder: StackFolder,
    servers: Servers,
}

#[derive(Debug)]
enum Servers {
    /// `vitals up` on one port for good, and an `SQLite` file for each campaign. It tells all its clients one address:
    /// once it has been linked, those that are not ours go through the link too.
    Embedded { port: u16, broker: EmbeddedBroker, link: Option<Link> },
    /// Kafka and Cassandra, with the settings that `cargo xtask services` gives them: the commit log is synced
    /// periodically. Each can be reached through a link as well. Kafka tells its clients where to go, so it has a second
    /// listener, whose address is that of its link.
    Real { running: RunningServers, kafka: Link, cassandra: Link },
    /// A further node has not joined yet.
    Cluster { running: RunningServers, access: Access, reserve: Option<Box<dyn Server>> },
}

impl Stack {
    /// Starts it on an empty folder and free ports.
    pub(super) fn start(kind: Kind, harness: &Harness, fresh: &mut FreshStacks) -> Result<Self> {
        let servers = match kind {
            Kind::Embedded => {
                let port = harness.port()?;
                Servers::Embedded { port, broker: start_broker(harness, port, None)?, link: None }
            }
            Kind::Servers => start_servers(harness, fresh)?,
            Kind::Cluster => start_cluster(harness, fresh)?,
        };
        Ok(Self { folder: harness.folder.clone(), servers })
    }

    pub(super) fn kind(&self) -> Kind {
        match self.servers {
            Servers::Embedded { .. } => Kind::Embedded,
            Servers::Real { .. } => Kind::Servers,
            Servers::Cluster { .. } => Kind::Cluster,
        }
    }

    /// A topic, a group and tables of their own for each campaign; `name` holds letters, digits and `_`.
    pub(super) fn addresses(&self, name: &str) -> Result<Addresses> {
        let mut secure = None;
        let (brokers, store, reader) = match &self.servers {
            Servers::Embedded { port, .. } => {
                let store = format!("sqlite:{}", self.folder.data(&format!("{name}.db")).display());
                (format!("127.0.0.1:{port}"), store.clone(), store)
            }
            Servers::Real { running, .. } => {
                let table = format!("{}/chaos_{name}", running.address(Role::Cassandra)?);
                (running.address(Role::Kafka)?, format!("cassandra://{table}"), format!("cassandra:{table}"))
            }
            Servers::Cluster { running, access, .. } => {
                secure = Some(access.clone());
                let nodes = &access.nodes;
                let reader = format!("cassandra:{}", login(&running.address(Role::SecureCassandra)?));
                let (store, reader) = (format!("cassandra://{nodes}/chaos_{name}"), format!("{reader}/chaos_{name}"));
                (running.addresses(Role::Kafka, None), store, reader)
            }
        };
        let (topic, group) = (format!("chaos.{name}"), format!("chaos-{name}"));
        Ok(Addresses { brokers, store, reader, topic, group, secure })
    }

    /// Where the broker keeps a partition: segments in Kafka's format.
    pub(super) fn partition_folder(&self, topic: &str, partition: u32) -> PathBuf {
        match self.servers {
            Servers::Embedded { .. } => {
                self.folder.data(BROKER_FOLDER).join("topics").join(topic).join(partition.to_string())
            }
            Servers::Real { .. } | Servers::Cluster { .. } => {
                self.folder.data("kafka-kraft").join(format!("{topic}-{partition}"))
            }
        }
    }

    /// The same servers, through links that can be spoiled.
    pub(super) fn link(&mut self, direct: &Addresses, harness: &Harness) -> Result<Addresses> {
        match &mut self.servers {
            Servers::Embedded { port, link: linked, .. } => {
                let link_port = harness.port()?;
                *linked = Some(link(link_port, *port)?);
                self.end(Part::Broker, End::Stop)?;
                self.start_again(Part::Broker, harness)?;
                Ok(Addresses { brokers: format!("127.0.0.1:{link_port}"), ..direct.clone() })
            }
            Servers::Real { running, kafka, cassandra } => {
                let (own, linked) = (running.address(Role::Cassandra)?, cassandra.address().to_string());
                let store = direct.store.replace(&format!("{own}/"), &format!("{linked}/"));
                Ok(Addresses { brokers: kafka.address().to_string(), store, ..direct.clone() })
            }
            Servers::Cluster { .. } => Err(NO_LINK),
        }
    }

    /// Which processes have a link, once they have been [linked](Self::link). `SQLite` is a file.
    pub(super) fn linked_parts(&self) -> &'static [Part] {
        match self.kind() {
            Kind::Embedded => &[Part::Broker],
            Kind::Servers => &[Part::Broker, Part::Store],
            Kind::Cluster => &[],
        }
    }

    /// Makes the link to a process bad, or heals it.
    pub(super) fn spoil(&self, part: Part, trouble: Option<Trouble>) -> Result<()> {
        match (&self.servers, part) {
            (Servers::Embedded { link: Some(link), .. }, Part::Broker) => link.set(trouble),
            (Servers::Embedded { .. } | Servers::Cluster { .. }, _) => return Err(NO_LINK),
            (Servers::Real { kafka, .. }, Part::Broker) => kafka.set(trouble),
            (Servers::Real { cassandra, .. }, Part::Store) => cassandra.set(trouble),
        }
        Ok(())
    }

    /// The servers are as they were before they were linked. Who does not ask for the links of real ones does not meet
    /// them.
    pub(super) fn unlink(&mut self, harness: &Harness) -> Result<()> {
        let Servers::Embedded { link, .. } = &mut self.servers else { return Ok(()) };
        *link = None;
        self.end(Part::Broker, End::Stop)?;
        self.start_again(Part::Broker, harness)
    }

    /// Ends a process; what it has kept stays.
    pub(super) fn end(&mut self, part: Part, end: End) -> Result<()> {
        match (&mut self.servers, part, end) {
            (Servers::Embedded { .. }, Part::Store, _) => Err(NO_STORE_PROCESS),
            (Servers::Embedded { broker, .. }, _, End::Kill) => broker.worker.kill(),
            (Servers::Embedded { broker, .. }, _, End::Stop) => broker.worker.end(Signal::TERM, END_LIMIT),
            (Servers::Real { running, .. }, ..) => running.end(part.role(), end.of_processes()),
            (Servers::Cluster { .. }, ..) => self.end_member(part, 1, end),
        }
    }

    /// Ends one of several.
    pub(super) fn end_member(&mut self, part: Part, number: u8, end: End) -> Result<()> {
        let Servers::Cluster { running, .. } = &mut self.servers else { return Err(NO_CLUSTER) };
        running.end(part.member(number), end.of_processes())
    }

    /// Starts one of several again, and comes back when it has answered.
    pub(super) fn start_member(&mut self, part: Part, number: u8) -> Result<()> {
        let Servers::Cluster { running, .. } = &mut self.servers else { return Err(NO_CLUSTER) };
        running.start_again(part.member(number))
    }

    /// A further node joins those that are there; its number.
    pub(super) fn join(&mut self) -> Result<u8> {
        let Servers::Cluster { running, reserve, .. } = &mut self.servers else { return Err(NO_CLUSTER) };
        running.join(reserve.take().ok_or(NO_CLUSTER)?)?;
        Ok(LATER.number)
    }

    /// Where readers that are not ours find a node.
    pub(super) fn node(&self, number: u8) -> Result<String> {
        let Servers::Cluster { running, .. } = &self.servers else { return Err(NO_CLUSTER) };
        let member = Part::Store.member(number);
        Ok(login(&format!("{}:{}", member.host(), running.port(member)?)))
    }

    /// Where they find all that are there from the beginning, as one address.
    pub(super) fn nodes(&self) -> Result<String> {
        let nodes = (1..=MEMBERS).map(|number| self.node(number)).collect::<Result<Vec<_>>>()?;
        let places: Vec<_> = nodes.iter().filter_map(|node| node.rsplit('@').next()).collect();
        Ok(login(&places.join(",")))
    }

    /// Starts an ended process again on what it has kept, and comes back when it has answered.
    pub(super) fn start_again(&mut self, part: Part, harness: &Harness) -> Result<()> {
        match (&mut self.servers, part) {
            (Servers::Embedded { .. }, Part::Store) => Err(NO_STORE_PROCESS),
            (Servers::Embedded { port, broker, link }, _) => {
                let advertised = link.as_ref().map(|link| link.address().port());
                *broker = start_broker(harness, *port, advertised)?;
                Ok(())
            }
            (Servers::Real { running, .. }, _) => running.start_again(part.role()),
            (Servers::Cluster { .. }, _) => self.start_member(part, 1),
        }
    }

    /// The command of a tool that comes with Kafka, by its Java class; none where there is no Kafka.
    pub(super) fn kafka_tool(&self, class: &str, arguments: &[&str]) -> Option<Vec<OsString>> {
        let (Servers::Real { running, .. } | Servers::Cluster { running, .. }) = &self.servers else { return None };
        running.kafka_tool(&["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"], class, arguments).ok()
    }

    /// Stops a process where it stands, without ending it, or lets it go on.
    pub(super) fn signal(&self, part: Part, signal: Signal) -> Result<()> {
        if self.kind() == Kind::Embedded && part == Part::Store {
            return Err(NO_STORE_PROCESS);
        }
        self.process(part).into_iter().for_each(|process| process.signal(signal));
        Ok(())
    }

    /// A process, where the part is one.
    pub(super) fn process(&self, part: Part) -> Option<Identity> {
        match &self.servers {
            Servers::Embedded { .. } if part == Part::Store => None,
            Servers::Embedded { broker, .. } => broker.worker.identity(),
            Servers::Real { running, .. } => running.process(part.role()),
            Servers::Cluster { .. } => self.member(part, 1),
        }
    }

    /// The process of one of several.
    pub(super) fn member(&self, part: Part, number: u8) -> Option<Identity> {
        let Servers::Cluster { running, .. } = &self.servers else { return None };
        running.process(part.member(number))
    }

    /// The broker, where it is a program of ours.
    pub(super) fn own_broker(&self) -> Option<Identity> {
        self.process(Part::Broker).filter(|_| self.kind() == Kind::Embedded)
    }
}

/// Waits until it has answered: a broker names the address that it advertises, so it is asked there.
fn start_broker(harness: &Harness, port: u16, advertised: Option<u16>) -> Result<EmbeddedBroker> {
    let command = embedded_broker::command(&harness.binary, &harness.path(BROKER_FOLDER), port, advertised);
    EmbeddedBroker::start(&command, advertised.unwrap_or(port), &harness.log("vitals up"))
}

fn start_servers(harness: &Harness, fresh: &mut FreshStacks) -> Result<Servers> {
    let [plain, behind_link, kafka_link] = [harness.port()?, harness.port()?, harness.port()?];
    let [controller, cassandra, cassandra_link] = [harness.port()?, harness.port()?, harness.port()?];
    let listeners =
        format!("PLAINTEXT://127.0.0.1:{plain},LINK://127.0.0.1:{behind_link},CONTROLLER://127.0.0.1:{controller}");
    let options = StackOptions {
        kafka_port: Some(plain),
        cassandra_port: Some(cassandra),
        kafka_set: ServerSetting::list(&[
            ("listeners", &listeners),
            ("advertised.listeners", &format!("PLAINTEXT://127.0.0.1:{plain},LINK://127.0.0.1:{kafka_link}")),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,LINK:PLAINTEXT,CONTROLLER:PLAINTEXT"),
            // As the embedded broker: a member that is away is given up in seconds.
            ("group.min.session.timeout.ms", "1000"),
            ("controller.quorum.voters", &format!("1@127.0.0.1:{controller}")),
        ]),
        // A disk without room is noticed at the next segment.
        cassandra_set: ServerSetting::list(&[("commitlog_segment_size", "4MiB")]),
        ..StackOptions::small()
    };
    let servers = fresh.servers(&options)?;
    Ok(Servers::Real {
        running: RunningServers::start(harness.folder.clone(), servers, Life::EndsWithParent)?,
        kafka: link(kafka_link, behind_link)?,
        cassandra: link(cassandra_link, cassandra)?,
    })
}

/// So many brokers, and so many nodes.
pub(super) const MEMBERS: u8 = 3;
/// The node that joins later.
const LATER: Member = Member { role: Role::SecureCassandra, number: MEMBERS + 1 };

/// A node, as a reader that is not ours comes to it.
fn login(node: &str) -> String {
    format!("{SUPERUSER}:{SUPERUSER}@{node}")
}

fn start_cluster(harness: &Harness, fresh: &mut FreshStacks) -> Result<Servers> {
    let options = StackOptions {
        brokers: MEMBERS,
        nodes: LATER.number,
        secure: true,
        cassandra_heap: None,
        kafka_set: ServerSetting::list(&[
            ("group.min.session.timeout.ms", "1000"),
            // A broker that dies is given up after 6 s instead of 9 s; one that was the controller takes 2 s more.
            ("broker.session.timeout.ms", "6000"),
            ("broker.heartbeat.interval.ms", "1000"),
        ]),
        // As many as by default: with one a node that joins may have a small part of the ring.
        cassandra_set: ServerSetting::list(&[("num_tokens", "16")]),
        ..StackOptions::small()
    };
    let (reserve, servers): (Vec<_>, Vec<_>) =
        fresh.servers(&options)?.into_iter().partition(|server| server.member() == LATER);
    let running = RunningServers::start(harness.folder.clone(), servers, Life::EndsWithParent)?;
    let access = running.access(true)?;
    Ok(Servers::Cluster { running, access, reserve: reserve.into_iter().next() })
}
