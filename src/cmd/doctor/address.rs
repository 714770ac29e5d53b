//! The first two checks of any server: its name, and its port.

use std::net::SocketAddr;

use super::check::Sheet;
use crate::diagnose::Problem;
use crate::port::{self, PortError};

/// What is asked for, and what to say where it is not there.
pub(super) struct Servers<'a> {
    /// As `host:port`; one that answers is enough.
    pub(super) addresses: &'a [String],
    /// The check of the names.
    pub(super) address_check: &'static str,
    /// The check of the ports.
    pub(super) port_check: &'static str,
    /// The option that names them.
    pub(super) option: &'static str,
    /// What starts them.
    pub(super) start: String,
}

const UNRESOLVED: &str = "nobody can be asked there";
const CLOSED: &str = "nothing can be sent, read or stored there";
const NOT_ALL: &str = "when the others go, nobody finds the way";

/// Looks whether the names resolve and somebody listens. Gives who does; none where the checks failed.
pub(super) async fn examine(servers: &Servers<'_>, sheet: &mut Sheet) -> Vec<(String, SocketAddr)> {
    let mut resolved = Vec::new();
    let mut faults = Vec::new();
    for address in servers.addresses {
        match port::resolve(address).await {
            Ok(found) => resolved.push((address, found)),
            Err(fault) => faults.push(fault),
        }
    }
    let names = || resolved.iter().map(|(address, found)| named(address, found)).collect::<Vec<_>>().join(", ");
    let cure = format!("correct {}, or the name in /etc/hosts or DNS", servers.option);
    note(sheet, servers.address_check, (names(), &faults), (UNRESOLVED, &cure));
    if resolved.is_empty() {
        return Vec::new();
    }
    examine_ports(servers, sheet, &resolved).await
}

async fn examine_ports(
    servers: &Servers<'_>,
    sheet: &mut Sheet,
    resolved: &[(&String, Vec<SocketAddr>)],
) -> Vec<(String, SocketAddr)> {
    let mut open = Vec::new();
    let mut faults = Vec::new();
    for (address, _) in resolved {
        match port::open(address).await {
            Ok(found) => open.push(((*address).clone(), found)),
            Err(fault) => faults.push(fault),
        }
    }
    let held: Vec<_> = open.iter().map(|(address, found)| held(address, *found)).collect();
    note(sheet, servers.port_check, (held.join(", "), &faults), (CLOSED, &servers.start));
    open
}

/// One that is there is enough, but the others are worth a word.
fn note(sheet: &mut Sheet, name: &'static str, found: (String, &[PortError]), advice: (&'static str, &str)) {
    let ((found, faults), (why, cure)) = (found, advice);
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    match (found.is_empty(), faults.is_empty()) {
        (_, true) => sheet.ok(name, found),
        (true, false) => sheet.fail(name, Problem::new(texts.join("; "), cure), why),
        (false, false) => sheet.warn(name, Problem::new(format!("{found}; but {}", texts.join("; ")), cure), NOT_ALL),
    }
}

fn named(address: &str, found: &[SocketAddr]) -> String {
    let mut ips: Vec<_> = found.iter().map(|address| address.ip().to_string()).collect();
    ips.dedup();
    // A name that is an address tells nothing new.
    if ips.iter().any(|ip| address.contains(ip.as_str())) {
        return address.to_owned();
    }
    format!("{address} is {}", ips.join(" and "))
}

fn held(address: &str, found: SocketAddr) -> String {
    let holder = if found.ip().is_loopback() { port::holder(found.port()) } else { None };
    holder.map_or_else(|| format!("{address} is open"), |holder| format!("{address} is open, held by {holder}"))
}
