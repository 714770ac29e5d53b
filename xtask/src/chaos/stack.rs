//! What a campaign works on.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;

use super::embedded::Embedded;
use super::servers::Servers;
use super::stand::Stand;
use crate::error::Error;
use crate::link::Trouble;
use crate::process::Identity;
use crate::services::fresh::FreshStacks;

/// Which kind of stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// The embedded broker and `SQLite`
    Embedded,
    /// Kafka 4.3.1 and Cassandra 5.0.8
    Servers,
}

impl Kind {
    /// As an option and as a part of a folder's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Servers => "servers",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// Which of its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Kafka, or the embedded broker.
    Broker,
    /// Cassandra.
    Store,
}

/// How a process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and the time it needs.
    Stop,
}

/// Where a campaign's messages go.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    /// `--brokers`.
    pub(super) brokers: String,
    /// `--store`.
    pub(super) store: String,
    /// The store, as the reader that is not ours is told it.
    pub(super) reader: String,
    /// `--topic`.
    pub(super) topic: String,
    /// `--group`.
    pub(super) group: String,
}

/// Servers that can be broken; dropping it ends all of them.
pub(super) trait Stack {
    fn kind(&self) -> Kind;
    /// A topic, a group and tables of their own for each campaign; `name` holds letters, digits and `_`.
    fn addresses(&self, name: &str) -> Result<Addresses, Error>;
    /// Where the broker keeps a partition: segments in Kafka's format.
    fn partition_folder(&self, topic: &str, partition: u32) -> PathBuf;
    /// The same servers, through links that can be spoiled.
    fn link(&mut self, direct: &Addresses, stand: &Stand) -> Result<Addresses, Error>;
    /// Which processes have a link, once they have been [linked](Self::link).
    fn linked_parts(&self) -> &'static [Part];
    /// Makes the link to a process bad, or heals it.
    fn spoil(&self, part: Part, trouble: Option<Trouble>) -> Result<(), Error>;
    /// The servers are as they were before they were linked.
    fn unlink(&mut self, stand: &Stand) -> Result<(), Error>;
    /// Ends a process; what it has kept stays.
    fn end(&mut self, part: Part, end: End, stand: &Stand) -> Result<(), Error>;
    /// The command of a tool that comes with Kafka, by its Java class; none where there is no Kafka.
    fn tool(&self, class: &str, arguments: &[&str]) -> Option<Vec<OsString>>;
    /// Stops a process where it stands, without ending it.
    fn pause(&mut self, part: Part) -> Result<(), Error>;
    /// Lets a paused process go on.
    fn resume(&mut self, part: Part) -> Result<(), Error>;
    /// A process, where the part is one.
    fn process(&self, part: Part) -> Option<Identity>;
    /// The broker, where it is a program of ours.
    fn own_broker(&self) -> Option<Identity>;
    /// Starts an ended process again on what it has kept, and comes back when it has answered.
    fn start_again(&mut self, part: Part, stand: &Stand) -> Result<(), Error>;
}

/// Starts a stack of this kind.
pub(super) fn start(kind: Kind, stand: &Stand, fresh: &mut FreshStacks) -> Result<Box<dyn Stack>, Error> {
    Ok(match kind {
        Kind::Embedded => Box::new(Embedded::start(stand)?),
        Kind::Servers => Box::new(Servers::start(stand, fresh)?),
    })
}
