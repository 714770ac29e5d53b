//! Who listens on a port, out of /proc.

use std::fmt;
use std::fs;

use crate::process;

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

/// Whoever listens on `port`, on whatever address.
pub(crate) fn of(port: u16) -> Owner {
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
