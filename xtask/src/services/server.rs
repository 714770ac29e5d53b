//! What the servers have in common.

use std::ffi::OsString;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::folder::StackFolder;
use super::java::{Bundle, Release};
use super::ready::NotReady;
use crate::error::Result;

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Apache ZooKeeper, only beside Kafka 3.
    Zookeeper,
    /// Apache Kafka.
    Kafka,
    /// Apache Cassandra.
    Cassandra,
    /// A second Cassandra, which wants a login, inside TLS and in the clear.
    #[serde(rename = "secure-cassandra")]
    SecureCassandra,
}

impl Role {
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Zookeeper => "zookeeper",
            Self::Kafka => "kafka",
            Self::Cassandra => "cassandra",
            Self::SecureCassandra => "secure_cassandra",
        }
    }

    pub(crate) fn port_option(self) -> &'static str {
        match self {
            Self::Zookeeper => "--zookeeper-port",
            Self::Kafka => "--kafka-port",
            Self::Cassandra | Self::SecureCassandra => "--cassandra-port",
        }
    }

    pub(crate) fn heap_option(self) -> &'static str {
        match self {
            Self::Zookeeper | Self::Kafka => "--kafka-heap",
            Self::Cassandra | Self::SecureCassandra => "--cassandra-heap",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Zookeeper => "ZooKeeper",
            Self::Kafka => "Kafka",
            Self::Cassandra => "Cassandra",
            Self::SecureCassandra => "Cassandra+login",
        })
    }
}

/// One server of a stack: what it is, and which of several that work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) role: Role,
    /// From 1 on; it listens on 127.0.0.NUMBER.
    #[serde(default = "first")]
    pub(crate) number: u8,
}

fn first() -> u8 {
    1
}

impl Member {
    pub(crate) fn host(self) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 0, self.number)
    }

    /// `kafka`, `kafka-2`: for its own files.
    pub(crate) fn file_name(self) -> String {
        self.numbered(self.role.file_name())
    }

    /// A file or folder of this name, one for each of several.
    pub(crate) fn numbered(self, name: &str) -> String {
        if self.number == 1 { name.to_owned() } else { format!("{name}-{}", self.number) }
    }
}

/// The only one, or the first of several.
impl From<Role> for Member {
    fn from(role: Role) -> Self {
        Self { role, number: 1 }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => self.role.fmt(out),
            number => out.pad(&format!("{} {number}", self.role)),
        }
    }
}

/// Java for several on one machine, which have little memory and few processors each.
pub(crate) const SPARING: [&str; 2] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// How one server of a stack is laid out and started.
pub(crate) trait Server: fmt::Debug {
    fn member(&self) -> Member;
    /// Where its clients connect, on its [host](Member::host).
    fn port(&self) -> u16;
    /// Whether it joins those of its kind before it, which have to answer first.
    fn joins(&self) -> bool {
        false
    }
    /// What has to be done once it answers, before others join it.
    fn when_ready(&self, _folder: &StackFolder) -> Result<(), NotReady> {
        Ok(())
    }
    fn bundle(&self) -> &'static Bundle;
    fn version(&self) -> &'static str {
        self.bundle().version
    }
    fn java(&self) -> Release {
        Release::Installed
    }
    /// Writes its configuration and makes its folders.
    fn write_configuration(&self, folder: &StackFolder) -> Result<()>;
    /// Arguments of `java` for something that must have run to its end before the server starts.
    fn first_run(&self, _folder: &StackFolder, _jars: &Path) -> Option<Vec<OsString>> {
        None
    }
    /// What else there is to say of it.
    fn told(&self, _folder: &StackFolder) -> Vec<String> {
        Vec::new()
    }
    /// What else the tests find in their environment.
    fn environment(&self, _folder: &StackFolder) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Arguments of `java` for the server itself.
    fn arguments(&self, folder: &StackFolder, jars: &Path) -> Vec<OsString>;
}

/// `-cp` and its value: folders that come first, then every jar of `jars`.
pub(crate) fn class_path(first: &[&Path], jars: &Path) -> [OsString; 2] {
    let mut value = OsString::new();
    for folder in first {
        value.push(folder);
        value.push(":");
    }
    value.push(jars.join("*"));
    ["-cp".into(), value]
}

pub(crate) fn with_path(text: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(text);
    argument.push(path);
    argument
}

/// A `file:` address as Java reads it.
pub(crate) fn file_address(path: &Path) -> String {
    let encoded = path.display().to_string().replace('%', "%25").replace(' ', "%20");
    format!("file://{encoded}")
}
