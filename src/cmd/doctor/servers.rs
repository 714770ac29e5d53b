//! The first checks of any server: its name, its port, and whether it is what is looked for.

use std::net::SocketAddr;

use chrono::Utc;
use futures::future::join_all;

use super::Checks;
use crate::address::host_of;
use crate::advice::Advice as _;
use crate::diagnose::{self, Finding, Problem};
use crate::kafka::config::Access;
use crate::kafka::connection::Connection;
use crate::kafka::error::KafkaError;
use crate::port;
use crate::store::cassandra::CassandraError;
use crate::store::cassandra::NodeAccess;
use crate::store::cassandra::probe::{self, Fault};
use crate::tls::{Certificate, Tls, TlsFiles};

/// What is asked for, and what to say where it is not there.
pub(super) struct Servers<'a> {
    /// As `host:port`; one that answers is enough.
    pub(super) addresses: &'a [String],
    pub(super) address_check: &'static str,
    pub(super) port_check: &'static str,
    pub(super) option: &'static str,
    pub(super) start: String,
}

impl Servers<'_> {
    /// Looks whether the names resolve and somebody listens. Gives who does; none where the checks failed.
    pub(super) async fn reach(&self, checks: &mut Checks) -> Vec<(String, SocketAddr)> {
        let (mut resolved, mut named, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for address in self.addresses {
            match port::resolve(address).await {
                Ok(found) => {
                    named.push(with_ips(address, &found));
                    resolved.push(address);
                }
                Err(fault) => faults.push(fault.to_string()),
            }
        }
        let fix = format!("correct {}, or the name in /etc/hosts or DNS", self.option);
        checks.note(self.address_check, Finding::any_of(named.join(", "), &faults, &fix, "nobody can be asked there"));
        if resolved.is_empty() {
            return Vec::new();
        }
        let (mut open, mut held, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for address in resolved {
            match port::open(address).await {
                Ok(found) => {
                    held.push(with_holder(address, found));
                    open.push((address.clone(), found));
                }
                Err(fault) => faults.push(fault.to_string()),
            }
        }
        let why = "nothing can be sent, read or stored there";
        checks.note(self.port_check, Finding::any_of(held.join(", "), &faults, &self.start, why));
        open
    }
}

/// The certificates that servers show, and ours; those who are not believed are told by other checks.
pub(super) async fn certificates(
    open: &[(String, SocketAddr)],
    tls: Option<&Tls>,
    files: Option<&TlsFiles>,
) -> Option<Finding> {
    let looks = open.iter().map(async |(address, found)| {
        let shown = tls?.look(*found, host_of(address)).await.ok()??;
        Some((address.clone(), shown))
    });
    let mut shown: Vec<_> = join_all(looks).await.into_iter().flatten().collect();
    if let Some(path) = files.and_then(|files| files.certificate.as_ref())
        && let Ok(own) = Certificate::of_file(path)
    {
        shown.push((path.display().to_string(), own));
    }
    diagnose::certificates::judge(&shown, Utc::now())
}

fn with_ips(address: &str, found: &[SocketAddr]) -> String {
    let mut ips: Vec<_> = found.iter().map(|address| address.ip().to_string()).collect();
    ips.dedup();
    // A name that is an address tells nothing new.
    if ips.iter().any(|ip| address.contains(ip.as_str())) {
        return address.to_owned();
    }
    format!("{address} is {}", ips.join(" and "))
}

fn with_holder(address: &str, found: SocketAddr) -> String {
    let holder = if found.ip().is_loopback() { port::holder(found.port()) } else { None };
    holder.map_or_else(|| format!("{address} is open"), |holder| format!("{address} is open, held by {holder}"))
}

/// Asks each of the open addresses by itself whether it speaks Kafka. `None` where there is none.
pub(super) async fn speaks_kafka(open: &[(String, SocketAddr)], access: &Access) -> Option<Finding> {
    let answers = join_all(open.iter().map(|(address, found)| ask(address, *found, access))).await;
    let (mut speaking, mut others, mut fix) = (Vec::new(), Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(address) => speaking.push(address),
            Err(problem) => {
                others.push(problem.what);
                fix = fix.or(Some(problem.fix));
            }
        }
    }
    if open.is_empty() {
        return None;
    }
    let spoken = match speaking.join(",") {
        none if none.is_empty() => none,
        addresses => format!("{addresses} speaks the Kafka protocol"),
    };
    let why = "nothing can be sent or read there; what is no broker gets lost there, or does harm";
    Some(Finding::any_of(spoken, &others, &fix.unwrap_or_default(), why))
}

/// Who answers there where it is not Kafka, or what it did.
async fn ask<'a>(address: &'a str, found: SocketAddr, access: &Access) -> Result<&'a str, Problem> {
    let Err(error) = Connection::open(address, access).await else { return Ok(address) };
    let port = || KafkaError::Protocol { address: address.to_owned(), what: String::new() }.hint().unwrap_or_default();
    let hangs = "if that is Kafka, restart it; else name the brokers with --brokers HOST:PORT";
    if port::speaks_http(found).await {
        return Err(Problem::new(format!("{address} is a web server, and not Kafka"), port()));
    }
    Err(match &error {
        KafkaError::Protocol { .. } if is_cassandra(found).await => {
            Problem::new(format!("{address} is Cassandra, and not Kafka"), port())
        }
        KafkaError::TimedOut { .. } => Problem::new(format!("{address} takes connections, and answers nothing"), hangs),
        KafkaError::Io { .. } => Problem::new(format!("{address} closes connections before it answers"), hangs),
        error => Problem::of(error),
    })
}

async fn is_cassandra(address: SocketAddr) -> bool {
    match probe::probe(&[address.to_string()], &NodeAccess::default()).await {
        Ok(_) => true,
        Err(CassandraError::NoNode(faults)) => {
            faults.iter().any(|node| matches!(node.fault, Fault::WantsPassword { .. } | Fault::Refuses(_)))
        }
        Err(_) => false,
    }
}
