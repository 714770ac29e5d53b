//! What is behind an address: whether it resolves, whether somebody listens there, who, and whether it is HTTP.

mod holder;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

pub use holder::{Holder, holder};

/// How long a name may take to become addresses.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(1);
/// How long an address may take to accept a connection.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long a web server may take to show that it is one.
pub const GREETING_LIMIT: Duration = Duration::from_millis(500);

/// Why nobody can be talked to there.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The name has no address.
    #[error("the name in {address} cannot be resolved ({reason})")]
    Unresolved {
        /// As it was given: `host:port`.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// Nobody listens.
    #[error("nothing listens on {address}")]
    Refused {
        /// As it was given.
        address: String,
    },
    /// Nobody answers at all: a firewall, or a machine that is off.
    #[error("{address} does not take a connection within {} s", CONNECT_LIMIT.as_secs())]
    Silent {
        /// As it was given.
        address: String,
    },
    /// The connection failed in another way.
    #[error("{address} cannot be reached ({reason})")]
    Unreached {
        /// As it was given.
        address: String,
        /// What the system said.
        reason: String,
    },
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
}
