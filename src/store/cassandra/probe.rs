//! Is there a Cassandra, and does it let us in?
//!
//! The driver's `build()` never returns when nothing listens, when something else listens, or when a password is asked
//! for. So a short conversation comes first, by hand: OPTIONS and STARTUP of the CQL protocol v4. Every step has a time
//! limit, and all nodes are asked at once, so that the answer is there within [`RESOLVE_LIMIT`] + [`CONNECT_LIMIT`] +
//! [`ANSWER_LIMIT`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::error::CassandraError;

/// How long a name may take to become addresses.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(1);
/// How long the addresses of one node may take to accept a connection.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long a node may take to answer both requests. A server that collects garbage needs some of it.
pub const ANSWER_LIMIT: Duration = Duration::from_millis(2500);

/// An answer to OPTIONS or STARTUP is a few hundred bytes; who announces more does not speak CQL.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

const REQUEST_V4: u8 = 0x04;
const RESPONSE_BIT: u8 = 0x80;

const OPCODE_ERROR: u8 = 0x00;
const OPCODE_STARTUP: u8 = 0x01;
const OPCODE_READY: u8 = 0x02;
const OPCODE_AUTHENTICATE: u8 = 0x03;
const OPCODE_OPTIONS: u8 = 0x05;
const OPCODE_SUPPORTED: u8 = 0x06;

/// A string map of one entry: `CQL_VERSION` = `3.0.0`, which every server with protocol v4 takes.
const STARTUP_BODY: &[u8] = b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0";

/// Why a node cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The name has no address.
    #[error("its name cannot be resolved ({0})")]
    Unresolved(String),
    /// Nothing listens there.
    #[error("nothing listens there")]
    Refused,
    /// The connection failed in another way.
    #[error("it cannot be reached ({0})")]
    Unreached(String),
    /// It does not accept, or accepts and says nothing.
    #[error("it does not answer")]
    Silent,
    /// Something listens that is no Cassandra.
    #[error("what listens there does not speak CQL")]
    NotCql,
    /// It asks for a password.
    #[error("it asks for a password ({authenticator}), which vitals does not support yet")]
    WantsPassword {
        /// The server's authenticator, the last part of its class name.
        authenticator: String,
    },
    /// It answers with an error.
    #[error("it refuses: {0}")]
    Refuses(String),
}

/// A node that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{node}: {fault}")]
pub struct NodeFault {
    /// The node, as it was named: `host:port`.
    pub node: String,
    /// Why it cannot be used.
    pub fault: Fault,
}

impl NodeFault {
    /// What to do when no node can be used for these reasons.
    pub(super) fn advice(faults: &[Self]) -> String {
        let any = |wanted: fn(&Fault) -> bool| faults.iter().any(|node| wanted(&node.fault));
        let advice = if any(|fault| matches!(fault, Fault::WantsPassword { .. })) {
            "use a Cassandra without authentication (authenticator: AllowAllAuthenticator)"
        } else if any(|fault| matches!(fault, Fault::NotCql | Fault::Silent)) {
            "check host and port in --store: another program may listen there, or Cassandra is stuck"
        } else {
            "start the services: `cargo xtask services up` or `docker compose up -d`, and check --store"
        };
        advice.to_owned()
    }
}

/// Asks all `nodes` (`host:port`) at once and gives the addresses of those that can be used.
///
/// # Errors
/// [`CassandraError::NoNode`] with the reason of each node when none can be used.
pub async fn probe(nodes: &[String]) -> Result<Vec<SocketAddr>, CassandraError> {
    let answers = join_all(nodes.iter().map(|node| probe_node(node))).await;
    let mut usable = Vec::new();
    let mut faults = Vec::new();
    for (node, answer) in nodes.iter().zip(answers) {
        match answer {
            Ok(address) => usable.push(address),
            Err(fault) => faults.push(NodeFault { node: node.clone(), fault }),
        }
    }
    if usable.is_empty() { Err(CassandraError::NoNode(faults)) } else { Ok(usable) }
}

async fn probe_node(node: &str) -> Result<SocketAddr, Fault> {
    let addresses = timeout(RESOLVE_LIMIT, lookup_host(node))
        .await
        .map_err(|_| Fault::Unresolved("no answer".to_owned()))?
        .map_err(|error| Fault::Unresolved(error.to_string()))?;
    let mut stream = timeout(CONNECT_LIMIT, connect(addresses)).await.map_err(|_| Fault::Silent)??;
    let address = stream.peer_addr().map_err(|error| Fault::Unreached(error.to_string()))?;
    timeout(ANSWER_LIMIT, converse(&mut stream)).await.map_err(|_| Fault::Silent)??;
    Ok(address)
}

/// A name can have several addresses (`localhost` has two): the first that accepts is taken.
async fn connect(addresses: impl Iterator<Item = SocketAddr>) -> Result<TcpStream, Fault> {
    let mut fault = Fault::Unresolved("no address".to_owned());
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fault = Fault::Refused,
            Err(error) => fault = Fault::Unreached(error.to_string()),
        }
    }
    Err(fault)
}

async fn converse(stream: &mut TcpStream) -> Result<(), Fault> {
    let answer = ask(stream, OPCODE_OPTIONS, &[]).await?;
    if answer.opcode != OPCODE_SUPPORTED {
        return Err(answer.into_fault());
    }
    let answer = ask(stream, OPCODE_STARTUP, STARTUP_BODY).await?;
    if answer.opcode == OPCODE_READY { Ok(()) } else { Err(answer.into_fault()) }
}

struct Answer {
    opcode: u8,
    body: Vec<u8>,
}

impl Answer {
    fn into_fault(self) -> Fault {
        match self.opcode {
            OPCODE_AUTHENTICATE => Fault::WantsPassword { authenticator: class_name(&self.body) },
            // An error is a code of four bytes and a text.
            OPCODE_ERROR => Fault::Refuses(short_text(self.body.get(4..).unwrap_or_default())),
            _ => Fault::NotCql,
        }
    }
}

/// A connection that ends or breaks before a whole answer came was not to a Cassandra.
async fn ask(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> Result<Answer, Fault> {
    exchange(stream, opcode, body).await.unwrap_or(Err(Fault::NotCql))
}

/// A frame is: version, flags, stream (two bytes), opcode, length of the body (four bytes), body.
async fn exchange(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> io::Result<Result<Answer, Fault>> {
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut request = vec![REQUEST_V4, 0, 0, 0, opcode];
    request.extend_from_slice(&length.to_be_bytes());
    request.extend_from_slice(body);
    stream.write_all(&request).await?;

    let version = stream.read_u8().await?;
    if version & RESPONSE_BIT == 0 {
        return Ok(Err(Fault::NotCql));
    }
    let _flags = stream.read_u8().await?;
    let _stream = stream.read_u16().await?;
    let opcode = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= MAX_ANSWER_BYTES) else {
        return Ok(Err(Fault::NotCql));
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Ok(Answer { opcode, body }))
}

/// A text is its length in two bytes, then UTF-8.
fn short_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(2..).unwrap_or_default()).into_owned()
}

fn class_name(body: &[u8]) -> String {
    let name = short_text(body);
    name.rsplit('.').next().unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests;
