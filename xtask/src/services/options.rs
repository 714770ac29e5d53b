//! What can be asked for when a stack starts, and the servers that this comes to.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::str::FromStr;

use clap::ValueEnum;

use super::cassandra::{Cassandra, CassandraRelease};
use super::kafka::{Kafka, KafkaLayout, Metadata, Zookeeper};
use super::ports::FreePorts;
use super::secure::{MOST_MEMBERS, SecureListeners};
use super::server::Server;
use crate::error::{Error, Result};

/// The ports that the README, compose.yaml and the defaults of `vitals` use.
const KAFKA_PORT: u16 = 9093;
const CASSANDRA_PORT: u16 = 9042;
const ZOOKEEPER_PORT: u16 = 2181;

/// Which servers start, and how.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct StackOptions {
    /// Kafka 4.3.1 (kraft), 3.4.1 with ZooKeeper (zookeeper), or 3.9.2 with ZooKeeper
    #[arg(long, value_enum, default_value = "kraft")]
    pub(crate) kafka: KafkaLayout,
    /// Cassandra 5.0.8, or 4.1.10 on a JDK 11 (fetched once, or of `JAVA_HOME_11`)
    #[arg(long, value_enum, default_value = "5.0")]
    pub(crate) cassandra: CassandraRelease,
    /// So many brokers that work together, on 127.0.0.1, .2 and so on; Kafka 4.3.1 alone
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_MEMBERS)))]
    pub(crate) brokers: u8,
    /// So many nodes of Cassandra that work together, on 127.0.0.1, .2 and so on; each after the first takes 20 s or more
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_MEMBERS)))]
    pub(crate) nodes: u8,
    /// Start only this server (with --kafka zookeeper, ZooKeeper belongs to Kafka)
    #[arg(long, value_enum)]
    pub(crate) only: Option<Only>,
    /// Kafka's port on 127.0.0.1 [default: 9093]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) kafka_port: Option<u16>,
    /// Cassandra's port on 127.0.0.1 [default: 9042]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) cassandra_port: Option<u16>,
    /// ZooKeeper's port on 127.0.0.1 [default: 2181]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) zookeeper_port: Option<u16>,
    /// Choose free ports for the servers whose port is not given
    #[arg(long)]
    pub(crate) free_ports: bool,
    /// Kafka listens on the four ports behind its own as well: in TLS, with a login, with both, for certificates; and a
    /// second Cassandra on the two ports behind the first one's: with a login, and with a login in TLS. Of several nodes
    /// there are only those with a login
    #[arg(long)]
    pub(crate) secure: bool,
    /// Several on one machine do with little memory and processor time, and are slower for it.
    #[arg(skip = true)]
    pub(crate) is_sparing: bool,
    /// Java heap of Kafka (and ZooKeeper)
    #[arg(long, value_name = "SIZE", default_value_t = HeapSize::default_for_kafka())]
    pub(crate) kafka_heap: HeapSize,
    /// Java heap of each node of Cassandra [default: 768m, of several 256m]
    #[arg(long, value_name = "SIZE")]
    pub(crate) cassandra_heap: Option<HeapSize>,
    /// A setting for Kafka's server.properties (repeatable; an empty VALUE takes ours away)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) kafka_set: Vec<ServerSetting>,
    /// A setting for cassandra.yaml (repeatable; VALUE is YAML, an empty one takes ours away)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) cassandra_set: Vec<ServerSetting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Kafka, and what it needs.
    Kafka,
    /// Cassandra.
    Cassandra,
}

impl StackOptions {
    /// Servers on free ports with the least memory that serves a test.
    pub(crate) fn small() -> Self {
        Self {
            kafka: KafkaLayout::Kraft,
            cassandra: CassandraRelease::Current,
            brokers: 1,
            nodes: 1,
            only: None,
            kafka_port: None,
            cassandra_port: None,
            zookeeper_port: None,
            free_ports: true,
            secure: false,
            is_sparing: true,
            kafka_heap: HeapSize("256m".to_owned()),
            cassandra_heap: Some(HeapSize("512m".to_owned())),
            kafka_set: Vec::new(),
            cassandra_set: Vec::new(),
        }
    }

    /// The servers asked for, in the order in which they start. Ports not given are the usual ones, or free ones.
    pub(crate) fn servers(&self, free: &mut FreePorts) -> Result<Vec<Box<dyn Server>>> {
        let mut servers: Vec<Box<dyn Server>> = Vec::new();
        if self.only != Some(Only::Kafka) {
            if !self.secure || self.nodes == 1 {
                servers.extend(self.cassandra(free)?);
            }
            if self.secure {
                servers.extend(self.secure_cassandra(free)?);
            }
        }
        if self.only != Some(Only::Cassandra) {
            let metadata = match self.kafka {
                KafkaLayout::Kraft => {
                    let controller_port =
                        self.inner_port(self.brokers, self.kafka_port.unwrap_or(KAFKA_PORT), 5, free)?;
                    Metadata::Kraft { controller_port, brokers: self.brokers }
                }
                beside @ (KafkaLayout::Zookeeper | KafkaLayout::LastZookeeper) => {
                    let port = self.port(self.zookeeper_port, ZOOKEEPER_PORT, free)?;
                    servers.push(Box::new(Zookeeper { beside, port, heap: self.kafka_heap.clone() }));
                    Metadata::Zookeeper { port }
                }
            };
            servers.extend(self.kafka(metadata, free)?);
        }
        Ok(servers)
    }

    fn cassandra(&self, free: &mut FreePorts) -> Result<Vec<Box<dyn Server>>> {
        let port = self.port(self.cassandra_port, CASSANDRA_PORT, free)?;
        let storage_port = self.inner_port(self.nodes, port, 3, free)?;
        Ok(self.nodes_on(port, None, storage_port))
    }

    /// On the two ports behind that of the other one.
    fn secure_cassandra(&self, free: &mut FreePorts) -> Result<Vec<Box<dyn Server>>> {
        let behind = self.cassandra_port.unwrap_or(CASSANDRA_PORT).saturating_add(1);
        let (port, tls_port) =
            if self.free_ports { (free.take()?, free.take()?) } else { (behind, behind.saturating_add(1)) };
        let storage_port = self.inner_port(self.nodes, port, 3, free)?;
        Ok(self.nodes_on(port, Some(tls_port), storage_port))
    }

    fn nodes_on(&self, port: u16, tls_port: Option<u16>, storage_port: u16) -> Vec<Box<dyn Server>> {
        let default = if self.nodes == 1 { HeapSize::default_for_cassandra } else { HeapSize::one_of_several_nodes };
        let node = |number| -> Box<dyn Server> {
            Box::new(Cassandra {
                release: self.cassandra,
                number,
                nodes: self.nodes,
                is_sparing: self.is_sparing && self.nodes > 1,
                port,
                storage_port,
                tls_port,
                heap: self.cassandra_heap.clone().unwrap_or_else(default),
                settings: self.cassandra_set.clone(),
            })
        };
        (1..=self.nodes).map(node).collect()
    }

    fn kafka(&self, metadata: Metadata, free: &mut FreePorts) -> Result<Vec<Box<dyn Server>>> {
        let wanted = [("--secure", self.secure), ("--brokers", self.brokers > 1)];
        if let Some((option, _)) = wanted.iter().find(|(_, wanted)| *wanted && self.kafka != KafkaLayout::Kraft) {
            return Err(Error::WithoutKraft(option));
        }
        let port = self.port(self.kafka_port, KAFKA_PORT, free)?;
        let secure = match self.secure {
            true if self.free_ports => Some(SecureListeners::on(free)?),
            true => Some(SecureListeners::behind(port)),
            false => None,
        };
        let broker = |number| -> Box<dyn Server> {
            Box::new(Kafka {
                layout: self.kafka,
                number,
                port,
                metadata,
                is_sparing: self.is_sparing && self.brokers > 1,
                secure,
                heap: self.kafka_heap.clone(),
                settings: self.kafka_set.clone(),
            })
        };
        Ok((1..=self.brokers).map(broker).collect())
    }

    /// Where servers find each other: one of several that comes back later has to find the others there again.
    fn inner_port(&self, of: u8, port: u16, behind: u16, free: &mut FreePorts) -> Result<u16> {
        if of > 1 && !self.free_ports { Ok(port.saturating_add(behind)) } else { free.take() }
    }

    fn port(&self, given: Option<u16>, usual: u16, free: &mut FreePorts) -> Result<u16> {
        match given {
            Some(port) => Ok(port),
            None if self.free_ports => free.take(),
            None => Ok(usual),
        }
    }
}

/// A Java heap: a number with `m` or `g`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeapSize(String);

#[derive(Debug, thiserror::Error)]
#[error("give a size such as 512m or 1g")]
pub(crate) struct HeapSizeError;

impl HeapSize {
    /// Enough for the group coordinator and some hundred partitions.
    pub(crate) fn default_for_kafka() -> Self {
        Self("384m".to_owned())
    }

    /// About 1 GB of memory in all.
    pub(crate) fn default_for_cassandra() -> Self {
        Self("768m".to_owned())
    }

    /// About 0.6 GB of memory in all.
    pub(crate) fn one_of_several_nodes() -> Self {
        Self("256m".to_owned())
    }

    /// What alarms are measured with: little enough that rows written for nothing show.
    pub(crate) fn one_gibibyte() -> Self {
        Self("1g".to_owned())
    }

    /// A quarter of this machine's memory, from the heap of the tests up to 8 GiB. A Cassandra that is installed takes as
    /// much by itself, or more: its start scripts have been giving a quarter up to 8 GiB, and later a half.
    pub(crate) fn installed_cassandra() -> Self {
        Self::quarter_of(memory_mib().unwrap_or_default())
    }

    fn quarter_of(memory_mib: u64) -> Self {
        Self(format!("{}m", (memory_mib / 4).clamp(768, 8192)))
    }

    /// The heap, and an early end rather than a server that lives on without memory.
    pub(crate) fn java_arguments(&self) -> Vec<OsString> {
        vec![format!("-Xmx{}", self.0).into(), "-XX:+ExitOnOutOfMemoryError".into()]
    }
}

fn memory_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

impl FromStr for HeapSize {
    type Err = HeapSizeError;

    fn from_str(text: &str) -> Result<Self, HeapSizeError> {
        let size = text.to_lowercase();
        let number = size.strip_suffix(['m', 'g']).ok_or(HeapSizeError)?;
        match number.parse::<u16>() {
            Ok(1..) => Ok(Self(size)),
            _ => Err(HeapSizeError),
        }
    }
}

impl std::fmt::Display for HeapSize {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// One line of a server's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerSetting {
    key: String,
    value: String,
}

#[derive(Debug, thiserror::Error)]
#[error("give KEY=VALUE on one line, for example log.retention.ms=60000")]
pub(crate) struct ServerSettingError;

impl ServerSetting {
    pub(crate) fn list(pairs: &[(&str, &str)]) -> Vec<Self> {
        pairs.iter().map(|(key, value)| Self { key: (*key).to_owned(), value: (*value).to_owned() }).collect()
    }

    /// A configuration file's text: the last setting of a key wins, an empty value leaves the key out.
    pub(crate) fn joined(ours: &[Self], theirs: &[Self], between: &str) -> String {
        let mut lines: Vec<&Self> = Vec::new();
        for setting in ours.iter().chain(theirs) {
            lines.retain(|earlier| earlier.key != setting.key);
            lines.push(setting);
        }
        let mut text = String::new();
        for Self { key, value } in lines.into_iter().filter(|setting| !setting.value.is_empty()) {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{key}{between}{value}");
        }
        text
    }
}

impl FromStr for ServerSetting {
    type Err = ServerSettingError;

    fn from_str(text: &str) -> Result<Self, ServerSettingError> {
        let (key, value) = text.split_once('=').ok_or(ServerSettingError)?;
        let key = key.trim();
        if key.is_empty() || text.contains('\n') {
            return Err(ServerSettingError);
        }
        Ok(Self { key: key.to_owned(), value: value.trim().to_owned() })
    }
}

/// A stack's name becomes a folder's name, so it holds letters, digits, `-` and `_` only.
pub(crate) fn stack_name(text: &str) -> Result<String, &'static str> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
        return Err("give 1 to 64 letters, digits, - or _");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_size_is_a_number_with_m_or_g() {
        for good in ["256m", "1g", "2G"] {
            assert!(good.parse::<HeapSize>().is_ok(), "{good}");
        }
        for bad in ["", "m", "0m", "256", "256k", "-1g", "1.5g", "1g -version"] {
            assert!(bad.parse::<HeapSize>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_installed_cassandra_has_a_quarter_of_the_memory() {
        let heaps = [0, 16_384, 65_536].map(|mib| HeapSize::quarter_of(mib).to_string());
        assert_eq!(heaps, ["768m", "4096m", "8192m"]);
    }

    #[test]
    fn a_server_setting_needs_a_key() {
        assert!("=1".parse::<ServerSetting>().is_err());
        assert!("no".parse::<ServerSetting>().is_err());
        assert!("a=1\nb=2".parse::<ServerSetting>().is_err());
        assert_eq!("a=b=c".parse::<ServerSetting>().ok().as_ref(), ServerSetting::list(&[("a", "b=c")]).first());
    }

    #[test]
    fn a_stack_name_cannot_leave_its_folder() {
        assert!(stack_name("ward-7_b").is_ok());
        for bad in ["", "..", "a/b", "a b", "ä"] {
            assert!(stack_name(bad).is_err(), "{bad}");
        }
    }
}
