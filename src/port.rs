//! What is behind an address: whether it resolves, whether somebody listens there, who, and whether it is HTTP.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, fs, io};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How long a name may take to become addresses.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(1);
/// How long an address may take to accept a connection.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long a web server may take to show that it is one.
pub const GREETING_LIMIT: Duration = Duration::from_millis(500);

/// Why nobody can be talked to there.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    #[error("the name in {address} cannot be resolved ({reason})")]
    Unresolved { address: String, reason: String },
    #[error("nothing listens on {address}")]
    Refused { address: String },
    /// Nobody answers at all: a firewall, or a machine that is off.
    #[error("{address} does not take a connection within {} s", CONNECT_LIMIT.as_secs())]
    Silent { address: String },
    #[error("{address} cannot be reached ({reason})")]
    Unreached { address: String, reason: String },
}

/// The addresses of `host:port`.
pub async fn resolve(address: &str) -> Result<Vec<SocketAddr>, PortError> {
    let unresolved = |reason: String| PortError::Unresolved { address: address.to_owned(), reason };
    let found = timeout(RESOLVE_LIMIT, lookup_host(address)).await.map_err(|_| unresolved("no answer".to_owned()))?;
    let found: Vec<_> = found.map_err(|error| unresolved(error.to_string()))?.collect();
    if found.is_empty() { Err(unresolved("no address".to_owned())) } else { Ok(found) }
}

/// The first of the addresses of `host:port` that takes a connection.
pub async fn open(address: &str) -> Result<SocketAddr, PortError> {
    let mut fault = PortError::Silent { address: address.to_owned() };
    for resolved in resolve(address).await? {
        match timeout(CONNECT_LIMIT, TcpStream::connect(resolved)).await {
            Ok(Ok(_)) => return Ok(resolved),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fault = PortError::Refused { address: address.to_owned() };
            }
            Ok(Err(error)) => {
                fault = PortError::Unreached { address: address.to_owned(), reason: error.to_string() };
            }
            Err(_) => {}
        }
    }
    Err(fault)
}

/// Whether a web server answers there.
pub async fn speaks_http(address: SocketAddr) -> bool {
    let greet = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n").await?;
        let mut start = [0; 5];
        stream.read_exact(&mut start).await?;
        io::Result::Ok(&start == b"HTTP/")
    };
    timeout(GREETING_LIMIT, greet).await.is_ok_and(|answer| answer.unwrap_or(false))
}

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its program's name.
    pub program: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.program, self.pid)
    }
}

/// Whoever listens on `port` of this machine, on whatever address, as far as the system shows it. Linux shows it in /proc,
/// to the user whose process it is; elsewhere nothing is known.
pub fn holder(port: u16) -> Option<Holder> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_sockets(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let pid = all_pids().find(|pid| has_one_of(*pid, &sockets))?;
    let program = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Holder { pid, program: program.trim().to_owned() })
}

/// The inodes of the sockets that listen on `port`, out of the text of /proc/net/tcp.
fn listening_sockets(table: &str, port: u16) -> Vec<u64> {
    let ending = format!(":{port:04X}");
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Fields: number, own address, other address, state (0A is listening), …, the tenth is the inode.
        let listens = *fields.get(3)? == "0A" && fields.get(1)?.ends_with(&ending);
        if listens { fields.get(9)?.parse().ok() } else { None }
    };
    table.lines().filter_map(socket).collect()
}

fn all_pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn has_one_of(pid: u32, sockets: &[String]) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_port_that_is_listened_on_is_open_and_another_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(open(&address.to_string()).await.unwrap(), address);
        drop(listener);
        assert!(matches!(open(&address.to_string()).await, Err(PortError::Refused { .. })));
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_told() {
        assert!(matches!(open("no-such-host.invalid:1").await, Err(PortError::Unresolved { .. })));
    }

    #[tokio::test]
    async fn a_web_server_is_known_by_its_greeting() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await.unwrap();
        });
        assert!(speaks_http(address).await);
        served.await.unwrap();
        assert!(!speaks_http(address).await);
    }

    const TABLE: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2385 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:2385 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1";

    #[test]
    fn only_the_listening_socket_of_the_port_counts() {
        assert_eq!(listening_sockets(TABLE, 9093), [4711]);
        assert!(listening_sockets(TABLE, 9042).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = holder(listener.local_addr().unwrap().port());
        assert_eq!(found.map(|holder| holder.pid), Some(std::process::id()));
    }
}
