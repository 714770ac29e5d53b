//! Free ports, and whether a wished port is free.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, fs, io};

use super::server::Member;
use crate::error::{Error, Result};
use crate::process;

/// Below the ports that Linux hands to outgoing connections (32768 and up), which could take a chosen one before its
/// server listens.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// Hands out free ports, none of them twice.
#[derive(Debug)]
pub(crate) struct FreePorts {
    next: u16,
    left: u16,
}

impl FreePorts {
    /// Starts somewhere else each time, so that two processes seldom look at the same ports.
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let spread = now.subsec_micros() + std::process::id().wrapping_mul(7_919) % 100_000;
        let count = LAST - FIRST + 1;
        let offset = u16::try_from(spread % u32::from(count)).unwrap_or_default();
        Self { next: FIRST + offset, left: count }
    }

    /// A port of 127.0.0.1 that nobody listens on.
    pub(crate) fn take(&mut self) -> Result<u16> {
        while self.left > 0 {
            let port = self.next;
            self.left -= 1;
            self.next = if port == LAST { FIRST } else { port + 1 };
            if listen(Ipv4Addr::LOCALHOST, port).is_ok() {
                return Ok(port);
            }
        }
        Err(Error::NoFreePort { from: FIRST, to: LAST })
    }
}

/// An error that names who has the port, unless it is free.
pub(crate) fn must_be_free(member: Member, port: u16) -> Result<()> {
    let option = member.role.port_option();
    match listen(member.host(), port) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(Error::PortTaken { member, port, owner: owner_of(port), option })
        }
        Err(source) => Err(Error::PortRefused { member, port, option, source }),
    }
}

fn listen(host: Ipv4Addr, port: u16) -> io::Result<()> {
    TcpListener::bind((host, port)).map(drop)
}

/// At most this much of a command line is shown: a Java server's is many screens long.
const SHOWN_CHARACTERS: usize = 100;

/// The process that listens on a port, as far as this user may see it.
#[derive(Debug)]
pub(crate) enum Owner {
    /// Pid and command line.
    Process { pid: u32, command: String },
    /// Another user's process, most likely.
    Unknown,
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, command } => write!(out, "pid {pid} ({command})"),
            Self::Unknown => out.write_str("a process that this user may not look at"),
        }
    }
}

pub(crate) fn owner_of(port: u16) -> Owner {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_sockets(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    all_pids().find(|pid| has_one_of(*pid, &sockets)).map_or(Owner::Unknown, |pid| Owner::Process {
        pid,
        command: shortened(&process::command_line(pid).unwrap_or_default()),
    })
}

/// The inodes of the sockets that listen on `port`, out of the text of /proc/net/tcp.
fn listening_sockets(table: &str, port: u16) -> Vec<u64> {
    let ending = format!(":{port:04X}");
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Fields: number, own address, other address, state (0A is listening), …, the tenth is the inode.
            let own = fields.get(1)?;
            let listens = *fields.get(3)? == "0A" && own.ends_with(&ending);
            if listens { fields.get(9)?.parse().ok() } else { None }
        })
        .collect()
}

fn all_pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn has_one_of(pid: u32, sockets: &[String]) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

fn shortened(command: &str) -> String {
    if command.chars().count() <= SHOWN_CHARACTERS {
        return command.to_owned();
    }
    command.chars().take(SHOWN_CHARACTERS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::server::Role;

    #[test]
    fn a_port_is_never_handed_out_twice() -> Result<()> {
        let mut ports = FreePorts::new();
        let mut taken: Vec<u16> = (0..50).map(|_| ports.take()).collect::<Result<_, _>>()?;
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 50);
        Ok(())
    }

    #[test]
    fn a_taken_port_is_refused_with_the_pid_of_its_owner() -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let message = must_be_free(Role::Kafka.into(), port).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(&format!("pid {}", std::process::id())), "{message}");
        assert!(message.contains("--kafka-port"), "{message}");
        Ok(())
    }

    const TABLE: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2385 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:2385 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 00000000:2352 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0";

    #[test]
    fn only_the_listening_socket_of_the_port_counts() {
        assert_eq!(listening_sockets(TABLE, 9093), [4711]);
        assert_eq!(listening_sockets(TABLE, 9042), [4713]);
        assert!(listening_sockets(TABLE, 2181).is_empty());
    }
}
