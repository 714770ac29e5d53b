//! Where servers are: hosts and ports as they are typed.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::advice::BadValue;

/// The Kafka brokers to ask first, each as `host:port`; at least one. An IPv6 address keeps its brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers(Vec<String>);

impl Brokers {
    /// Takes a comma-separated list of `HOST:PORT`.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        text.split(',').map(|address| host_and_port(address, None)).collect::<Result<_, _>>().map(Self)
    }

    /// The addresses.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether all of them are on this machine.
    pub fn are_loopback(&self) -> bool {
        self.0.iter().all(|address| is_loopback(address))
    }
}

impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// One address that others are told to come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Takes `HOST:PORT`. Made to be a clap `value_parser`.
    ///
    /// # Errors
    /// A [`BadValue`] where it is no address, or one such as `0.0.0.0` that leads everybody to their own machine.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        let (host, port) = parts(text, None)?;
        let host = bare(host).to_owned();
        if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
            let problem = format!("'{text}' leads everybody to their own machine");
            return Err(BadValue::new(problem, "write the name or address by which others reach this machine"));
        }
        Ok(Self { host, port })
    }

    /// A name or an address; an IPv6 address has no brackets here.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; never 0 where it was typed.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Whether `address` (`host:port`) is on this machine by its name alone: no name but `localhost` is asked for.
pub fn is_loopback(address: &str) -> bool {
    let host = split_port(address).map_or(address, |(host, _)| host);
    let bare = bare(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The host of `host:port`; an IPv6 address has no brackets here.
pub fn host_of(address: &str) -> &str {
    bare(split_port(address).map_or(address, |(host, _)| host))
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

pub(crate) fn host_and_port(text: &str, default_port: Option<u16>) -> Result<String, BadValue> {
    parts(text, default_port).map(|(host, port)| format!("{host}:{port}"))
}

/// Takes `HOST:PORT`, where HOST is a name, an IPv4 address or an IPv6 address in brackets.
fn parts(text: &str, default_port: Option<u16>) -> Result<(&str, u16), BadValue> {
    let text = text.trim();
    let fix = "write HOST:PORT, as in localhost:9093 or [::1]:9093, several separated by commas";
    let fault = |problem: &str| BadValue::new(format!("'{text}' {problem}"), fix);
    let (host, port) = split_port(text).ok_or_else(|| fault("is no address"))?;
    if !is_host(host) {
        return Err(fault("is no address"));
    }
    let port = match (port, default_port) {
        (Some(port), _) => port.parse().ok().filter(|port| *port > 0),
        (None, Some(port)) => Some(port),
        (None, None) => return Err(fault("names no port")),
    };
    Ok((host, port.ok_or_else(|| fault("names no port between 1 and 65535"))?))
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
    let inner = bare(host);
    if inner.len() < host.len() {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem<T: std::fmt::Debug>(parsed: Result<T, BadValue>) -> String {
        parsed.unwrap_err().problem
    }

    #[test]
    fn brokers_are_a_list_of_hosts_with_ports() {
        let brokers = Brokers::parse("kafka-1.ward:9093, 10.0.0.7:65535,[::1]:1").unwrap();
        assert_eq!(brokers.as_slice(), ["kafka-1.ward:9093", "10.0.0.7:65535", "[::1]:1"]);
        assert_eq!(brokers.to_string(), "kafka-1.ward:9093,10.0.0.7:65535,[::1]:1");
    }

    #[test]
    fn a_broker_is_a_host_with_a_port_between_1_and_65535() {
        for address in ["localhost", "[::1]"] {
            assert_eq!(problem(Brokers::parse(address)), format!("'{address}' names no port"));
        }
        for address in ["a:0", "a:65536", "a:", "a:-1", "a:x", "[::1]:0", "a:1:2"] {
            assert_eq!(problem(Brokers::parse(address)), format!("'{address}' names no port between 1 and 65535"));
        }
        for address in [":1", "a b:1", "[::g]:1", "[]:1", "[::1:1", "http://a:1", "", "ü:1"] {
            assert!(Brokers::parse(address).is_err(), "{address}");
        }
        assert_eq!(problem(Brokers::parse("a:1,")), "'' is no address");
    }

    #[test]
    fn what_others_are_told_is_one_host_with_a_port() {
        let told = |text| Endpoint::parse(text).unwrap();
        assert_eq!((told("ward-7.local:19093").host(), told("ward-7.local:19093").port()), ("ward-7.local", 19093));
        assert_eq!((told("[::1]:1").host(), told("[::1]:1").to_string().as_str()), ("::1", "[::1]:1"));
        assert_eq!(Endpoint::from(SocketAddr::from(([127, 0, 0, 1], 7))), told("127.0.0.1:7"));
        for bad in ["ward-7", "a:1,b:2", "a:0", ":1"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
        for address in ["0.0.0.0:9093", "[::]:9093"] {
            assert_eq!(problem(Endpoint::parse(address)), format!("'{address}' leads everybody to their own machine"));
        }
    }

    #[test]
    fn this_machine_is_localhost_and_the_loopback_addresses_and_nothing_else() {
        for here in ["localhost:9093", "LOCALHOST:1", "127.0.0.1:9093", "127.1.2.3:1", "[::1]:9093"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["kafka-1:9093", "10.0.0.7:9093", "localhost.example.org:1", "[fe80::1]:1", "0.0.0.0:1"] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
        assert!(!Brokers::parse("localhost:1,kafka-1:1").unwrap().are_loopback());
    }
}
