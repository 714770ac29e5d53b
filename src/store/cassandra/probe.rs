//! Is there a Cassandra, and does it let us in?
//!
//! The driver's `build()` never returns when nothing listens, when something else listens, or when we are not let in. So a
//! short conversation comes first, by hand: OPTIONS, STARTUP and the login of the CQL protocol v4. Every step has a time
//! limit, and all nodes are asked at once, so that the answer is there within [`RESOLVE_LIMIT`] + [`CONNECT_LIMIT`] +
//! [`ANSWER_LIMIT`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::access::{NodeAccess, NodeLogin};
use super::error::CassandraError;
use crate::address::host_of;
use crate::tls::{self, Refusal};

/// How long a name may take to become addresses.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(1);
/// How long the addresses of one node may take to accept a connection.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long a node may take to answer all requests, inside TLS where that is spoken. A server that collects garbage needs some of it.
pub const ANSWER_LIMIT: Duration = Duration::from_millis(2500);

/// How much longer a node is waited for when another one can be used already.
const GRACE: Duration = Duration::from_millis(200);

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
const OPCODE_AUTH_CHALLENGE: u8 = 0x0E;
const OPCODE_AUTH_RESPONSE: u8 = 0x0F;
const OPCODE_AUTH_SUCCESS: u8 = 0x10;

/// The code of an error of the login.
const BAD_CREDENTIALS: [u8; 4] = [0, 0, 1, 0];

/// The first byte of what a port of TLS says to somebody who does not speak it.
const TLS_ALERT: u8 = 0x15;

/// A string map of one entry: `CQL_VERSION` = `3.0.0`, which every server with protocol v4 takes.
const STARTUP_BODY: &[u8] = b"\x00\x01\x00\x0bCQL_VERSION\x00\x053.0.0";

/// Why a node cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each has its text")]
pub enum Fault {
    #[error("its name cannot be resolved ({0})")]
    Unresolved(String),
    #[error("nothing listens there")]
    Refused,
    #[error("it cannot be reached ({0})")]
    Unreached(String),
    #[error("it does not answer")]
    Silent,
    #[error("what listens there does not speak CQL")]
    NotCql,
    #[error("it hung up at the first request")]
    HungUp,
    #[error("it hung up at the first request inside TLS")]
    HungUpInside,
    #[error("it speaks TLS, and was spoken to without")]
    WantsTls,
    /// It is not believed to be who it should be, or does not believe us.
    #[error("it is not talked to: {problem}")]
    Tls { problem: String, fix: String, is_passing: bool, is_without_tls: bool },
    #[error("it asks for a password ({authenticator})")]
    WantsPassword {
        /// The server's authenticator, the last part of its class name.
        authenticator: String,
    },
    #[error("it asks for more than a password ({authenticator})")]
    Challenges {
        /// As above.
        authenticator: String,
    },
    /// The password is wrong, or the role may not log in.
    #[error("it does not let us in: {0}")]
    NotLetIn(String),
    #[error("it refuses: {0}")]
    Refuses(String),
}

impl Fault {
    /// Whether it may be over later. A password that is not known may be one that is being set up.
    fn is_passing(&self) -> bool {
        match self {
            Self::WantsTls | Self::WantsPassword { .. } | Self::Challenges { .. } => false,
            Self::Tls { is_passing, .. } => *is_passing,
            _ => true,
        }
    }

    /// What to do, where the fault itself tells.
    fn fix(&self) -> Option<&str> {
        Some(match self {
            Self::Tls { fix, .. } => fix,
            Self::WantsTls => {
                "speak TLS: --store-tls yes, or --store-ca FILE with the certificate of who signed the node's"
            }
            Self::NotLetIn(_) => "check --store-user and its password, and that the role has LOGIN = true",
            Self::WantsPassword { .. } => {
                "name a role with --store-user, and its password in VITALS_STORE_PASSWORD or --store-password-file"
            }
            Self::HungUp => {
                "a node that wants TLS does so: --store-tls yes, or --store-ca FILE; else check host and port in --store"
            }
            Self::HungUpInside => {
                "it may want a certificate of ours: --store-cert FILE and --store-key FILE; or it is being stopped"
            }
            Self::Challenges { .. } => "ask whoever runs the cluster: a role and its password are what is offered",
            Self::NotCql | Self::Silent => {
                "check host and port in --store: another program may listen there, or Cassandra is stuck"
            }
            Self::Unresolved(_) | Self::Refused | Self::Unreached(_) | Self::Refuses(_) => return None,
        })
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Tls {
            problem: refusal.to_string(),
            fix: refusal.hint("store"),
            is_passing: refusal.is_passing(),
            is_without_tls: refusal.is_without_tls(),
        }
    }
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
    /// Whether asking later can help.
    pub(super) fn is_passing(&self) -> bool {
        self.fault.is_passing()
    }

    /// What to do when no node can be used for these reasons.
    pub(super) fn advice(faults: &[Self]) -> String {
        let told = faults.iter().find_map(|node| node.fault.fix());
        let start = "start the services: `cargo xtask services up` or `docker compose up -d`, and check --store";
        told.unwrap_or(start).to_owned()
    }
}

/// Asks all `nodes` (`host:port`) at once and gives those that can be used, with where they are.
///
/// # Errors
/// [`CassandraError::NoNode`] with the reason of each node when none can be used.
pub async fn probe(nodes: &[String], access: &NodeAccess) -> Result<Vec<(SocketAddr, String)>, CassandraError> {
    let ask = async |node: &String| Ok((probe_node(node, host_of(node), access).await?, node.clone()));
    let mut asked: FuturesUnordered<_> = nodes.iter().map(ask).collect();
    let mut usable = Vec::new();
    let mut faults = Vec::new();
    while let Some(answer) = next(&mut asked, !usable.is_empty()).await {
        match answer {
            Ok(reached) => usable.push(reached),
            Err(fault) => faults.push(fault),
        }
    }
    if usable.is_empty() { Err(CassandraError::NoNode(faults)) } else { Ok(usable) }
}

/// The next answer. Once there is a node to go on with, the others get [`GRACE`] and no more: a silent node must not
/// hold up a connection to those that work.
async fn next<T>(asked: &mut FuturesUnordered<impl Future<Output = T>>, enough: bool) -> Option<T> {
    if enough { timeout(GRACE, asked.next()).await.ok().flatten() } else { asked.next().await }
}

/// Asks one node, whose certificate has to be for `name`.
pub(super) async fn probe_node(node: &str, name: &str, access: &NodeAccess) -> Result<SocketAddr, NodeFault> {
    reach(node, name, access).await.map_err(|fault| NodeFault { node: node.to_owned(), fault })
}

async fn reach(node: &str, name: &str, access: &NodeAccess) -> Result<SocketAddr, Fault> {
    let addresses = timeout(RESOLVE_LIMIT, lookup_host(node))
        .await
        .map_err(|_| Fault::Unresolved("no answer".to_owned()))?
        .map_err(|error| Fault::Unresolved(error.to_string()))?;
    let stream = timeout(CONNECT_LIMIT, connect(addresses)).await.map_err(|_| Fault::Silent)??;
    let address = stream.peer_addr().map_err(|error| Fault::Unreached(error.to_string()))?;
    timeout(ANSWER_LIMIT, talk(stream, name, access)).await.map_err(|_| Fault::Silent)??;
    Ok(address)
}

async fn talk(mut stream: TcpStream, name: &str, access: &NodeAccess) -> Result<(), Fault> {
    let login = access.login.as_ref();
    let Some(tls) = &access.tls else { return converse(&mut stream, login).await.map_err(Broken::in_the_clear) };
    let mut stream = tls.connect(stream, name).await?;
    // With TLS 1.3 a server says that it does not believe us when we think that all is well.
    converse(&mut stream, login).await.map_err(|broken| match broken {
        Broken::Off(error) if tls::is_told_by_tls(&error) => tls.refusal(name, error).into(),
        Broken::Off(_) => Fault::HungUpInside,
        Broken::Told(fault) => fault,
    })
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

/// Why a conversation ended early.
enum Broken {
    /// With an answer.
    Told(Fault),
    /// Without one.
    Off(io::Error),
}

impl Broken {
    fn in_the_clear(self) -> Fault {
        match self {
            Self::Told(fault) => fault,
            Self::Off(_) => Fault::HungUp,
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Off(error)
    }
}

async fn converse(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), login: Option<&NodeLogin>) -> Result<(), Broken> {
    let answer = ask(stream, OPCODE_OPTIONS, &[]).await?;
    if answer.opcode != OPCODE_SUPPORTED {
        return Err(answer.into_fault());
    }
    let mut answer = ask(stream, OPCODE_STARTUP, STARTUP_BODY).await?;
    if let (OPCODE_AUTHENTICATE, Some(login)) = (answer.opcode, login) {
        let authenticator = class_name(&answer.body);
        let proof = login.proof();
        let length = i32::try_from(proof.len()).map_err(io::Error::other)?;
        answer = ask(stream, OPCODE_AUTH_RESPONSE, &[&length.to_be_bytes()[..], &proof].concat()).await?;
        if answer.opcode == OPCODE_AUTH_CHALLENGE {
            return Err(Broken::Told(Fault::Challenges { authenticator }));
        }
    }
    if matches!(answer.opcode, OPCODE_READY | OPCODE_AUTH_SUCCESS) { Ok(()) } else { Err(answer.into_fault()) }
}

struct Response {
    opcode: u8,
    body: Vec<u8>,
}

impl Response {
    fn into_fault(self) -> Broken {
        Broken::Told(match self.opcode {
            OPCODE_AUTHENTICATE => Fault::WantsPassword { authenticator: class_name(&self.body) },
            // An error is a code of four bytes and a text.
            OPCODE_ERROR => {
                let text = short_text(self.body.get(4..).unwrap_or_default());
                // The same code stands for a cluster that cannot look now: that passes.
                let is_final = ["incorrect", "not permitted"].iter().any(|word| text.contains(word));
                if self.body.starts_with(&BAD_CREDENTIALS) && is_final {
                    Fault::NotLetIn(text)
                } else {
                    Fault::Refuses(text)
                }
            }
            _ => Fault::NotCql,
        })
    }
}

/// A frame is: version, flags, stream (two bytes), opcode, length of the body (four bytes), body.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), opcode: u8, body: &[u8]) -> Result<Response, Broken> {
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut request = vec![REQUEST_V4, 0, 0, 0, opcode];
    request.extend_from_slice(&length.to_be_bytes());
    request.extend_from_slice(body);
    stream.write_all(&request).await?;
    stream.flush().await?;

    let version = stream.read_u8().await?;
    let not_cql = || Broken::Told(Fault::NotCql);
    if version == TLS_ALERT {
        return Err(Broken::Told(Fault::WantsTls));
    }
    if version & RESPONSE_BIT == 0 {
        return Err(not_cql());
    }
    // What began like an answer and ends before its end is no answer.
    let begun = |_| not_cql();
    let _flags = stream.read_u8().await.map_err(begun)?;
    let _stream = stream.read_u16().await.map_err(begun)?;
    let opcode = stream.read_u8().await.map_err(begun)?;
    let length = stream.read_u32().await.map_err(begun)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_ANSWER_BYTES).ok_or_else(not_cql)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(begun)?;
    Ok(Response { opcode, body })
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
