//! Where the servers are.

use std::fmt;
use std::net::Ipv6Addr;

use super::fault::Fault;

/// Cassandra's port for CQL, where an address names none.
const CASSANDRA_PORT: u16 = 9042;

/// The longest name of a keyspace that Cassandra takes.
const MAX_KEYSPACE_BYTES: usize = 48;

/// The Kafka brokers to ask first, each as `host:port`; at least one. An IPv6 address keeps its brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers(Vec<String>);

impl Brokers {
    /// Takes a comma-separated list of `HOST:PORT`.
    ///
    /// # Errors
    /// A [`Fault`] that names the first address that is none.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        text.split(',').map(|address| host_and_port(address, None)).collect::<Result<_, _>>().map(Self)
    }

    /// The addresses.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// The store that readings go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// `cassandra://HOST[:PORT],…/KEYSPACE`
    Cassandra {
        /// The nodes to ask first, each as `host:port`; at least one.
        nodes: Vec<String>,
        /// The keyspace: 1 to 48 letters, digits and underscores.
        keyspace: String,
    },
}

impl StoreAddress {
    /// Takes a store's address.
    ///
    /// # Errors
    /// A [`Fault`] that says which part is wrong. It never repeats what may be a password.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.starts_with("sqlite:") {
            return Err(Fault::new("the SQLite store is not built yet", format!("use {SHAPE}")));
        }
        let rest = text.strip_prefix("cassandra://").ok_or_else(|| Fault::new("is no store's address", use_shape()))?;
        if rest.contains('@') {
            return Err(Fault::new("an address with a user name is not supported", use_shape()));
        }
        let (nodes, keyspace) =
            rest.split_once('/').ok_or_else(|| Fault::new("the address names no keyspace", use_shape()))?;
        let nodes = nodes.split(',').map(|node| host_and_port(node, Some(CASSANDRA_PORT))).collect::<Result<_, _>>()?;
        Ok(Self::Cassandra { nodes, keyspace: parse_keyspace(keyspace)? })
    }
}

const SHAPE: &str = "cassandra://HOST[:PORT],…/KEYSPACE";

fn use_shape() -> String {
    format!("write {SHAPE}, as in cassandra://localhost:9042/hospital")
}

fn parse_keyspace(text: &str) -> Result<String, Fault> {
    let fits = !text.is_empty() && text.len() <= MAX_KEYSPACE_BYTES;
    if fits && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(text.to_owned());
    }
    let cure = format!("a keyspace's name has 1 to {MAX_KEYSPACE_BYTES} letters, digits and underscores");
    Err(Fault::new(format!("'{text}' is no name of a keyspace"), cure))
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cassandra { nodes, keyspace } => write!(f, "cassandra://{}/{keyspace}", nodes.join(",")),
        }
    }
}

/// Takes `HOST:PORT`, where HOST is a name, an IPv4 address or an IPv6 address in brackets.
fn host_and_port(text: &str, default_port: Option<u16>) -> Result<String, Fault> {
    let text = text.trim();
    let cure = "write HOST:PORT, as in localhost:9093 or [::1]:9093, several separated by commas";
    let fault = |problem: &str| Fault::new(format!("'{text}' {problem}"), cure);
    let (host, port) = split_port(text).ok_or_else(|| fault("is no address"))?;
    if !is_host(host) {
        return Err(fault("is no address"));
    }
    let port = match (port, default_port) {
        (Some(port), _) => port.parse().ok().filter(|port| *port > 0),
        (None, Some(port)) => Some(port),
        (None, None) => return Err(fault("names no port")),
    };
    let port: u16 = port.ok_or_else(|| fault("names no port between 1 and 65535"))?;
    Ok(format!("{host}:{port}"))
}

/// Splits at the colon before the port; the colons inside of brackets are part of the host.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    let after_brackets = if text.starts_with('[') { text.find(']')?.checked_add(1)? } else { 0 };
    let tail = text.get(after_brackets..)?;
    let Some(colon) = tail.find(':') else { return Some((text, None)) };
    let at = after_brackets.checked_add(colon)?;
    Some((text.get(..at)?, text.get(at..)?.strip_prefix(':')))
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}
