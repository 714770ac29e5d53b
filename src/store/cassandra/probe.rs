//! Is there a Cassandra, and does it let us in?
//!
//! The driver's `build()` never returns when nothing listens, when something else listens, or when a password is asked
//! for. So a short conversation comes first, by hand: OPTIONS and STARTUP of the CQL protocol v4. Every step has a time
//! limit, and all nodes are asked at once, so that the answer is there within [`RESOLVE_LIMIT`] + [`CONNECT_LIMIT`] +
//! [`ANSWER_LIMIT`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
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
    #[error("it asks for a password ({authenticator}), which vitals does not support yet")]
    WantsPassword {
        /// The server's authenticator, the last part of its class name.
        authenticator: String,
    },
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
    let mut asked: FuturesUnordered<_> = nodes.iter().map(|node| probe_node(node)).collect();
    let mut usable = Vec::new();
    let mut faults = Vec::new();
    while let Some(answer) = next(&mut asked, !usable.is_empty()).await {
        match answer {
            Ok(address) => usable.push(address),
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

async fn probe_node(node: &str) -> Result<SocketAddr, NodeFault> {
    reach(node).await.map_err(|fault| NodeFault { node: node.to_owned(), fault })
}

async fn reach(node: &str) -> Result<SocketAddr, Fault> {
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

struct Response {
    opcode: u8,
    body: Vec<u8>,
}

impl Response {
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
async fn ask(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> Result<Response, Fault> {
    exchange(stream, opcode, body).await.unwrap_or(Err(Fault::NotCql))
}

/// A frame is: version, flags, stream (two bytes), opcode, length of the body (four bytes), body.
async fn exchange(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> io::Result<Result<Response, Fault>> {
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
    Ok(Ok(Response { opcode, body }))
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
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a server does with a connection.
    enum Behaviour {
        /// Accepts and says nothing.
        Silence,
        /// Answers every request with the next of these.
        Answers(Vec<Vec<u8>>),
        /// Ends the connection.
        End,
    }

    async fn serve(behaviour: Behaviour) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            match behaviour {
                Behaviour::Silence => std::future::pending().await,
                Behaviour::End => {}
                Behaviour::Answers(answers) => {
                    for answer in answers {
                        let mut request = [0; 256];
                        let length = stream.read(&mut request).await.unwrap();
                        assert!(length > 0, "the probe left early");
                        stream.write_all(&answer).await.unwrap();
                    }
                    let mut rest = Vec::new();
                    stream.read_to_end(&mut rest).await.unwrap();
                }
            }
        });
        node
    }

    fn frame(opcode: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![REQUEST_V4 | RESPONSE_BIT, 0, 0, 0, opcode];
        frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(body);
        frame
    }

    fn text(text: &str) -> Vec<u8> {
        let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    async fn fault(node: &str) -> Fault {
        match probe(&[node.to_owned()]).await {
            Err(CassandraError::NoNode(faults)) => faults.into_iter().next().unwrap().fault,
            other => panic!("{other:?}"),
        }
    }

    /// A port that was free a moment ago.
    async fn closed_port() -> String {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
    }

    #[tokio::test]
    async fn a_server_that_is_ready_can_be_used() {
        let node = serve(Behaviour::Answers(vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_READY, &[])])).await;
        assert_eq!(probe(std::slice::from_ref(&node)).await, Ok(vec![node.parse().unwrap()]));
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_told() {
        assert_eq!(fault(&closed_port().await).await, Fault::Refused);
        assert!(matches!(fault("no-such-host.invalid:9042").await, Fault::Unresolved(_)));
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_says_nothing_is_silent_within_five_seconds() {
        let node = serve(Behaviour::Silence).await;
        let start = tokio::time::Instant::now();
        assert_eq!(fault(&node).await, Fault::Silent);
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_server_that_is_no_cassandra_or_does_not_let_us_in_is_told() {
        let authenticator = text("org.apache.cassandra.auth.PasswordAuthenticator");
        let version = [&0x000A_u32.to_be_bytes()[..], &text("Invalid or unsupported protocol version (4)")].concat();
        let cases = [
            ("a web server", vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()], Fault::NotCql),
            ("absurd length", vec![vec![0x84, 0, 0, 0, OPCODE_SUPPORTED, 0x7f, 0xff, 0xff, 0xff]], Fault::NotCql),
            (
                "a password",
                vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_AUTHENTICATE, &authenticator)],
                Fault::WantsPassword { authenticator: "PasswordAuthenticator".to_owned() },
            ),
            (
                "an error",
                vec![frame(OPCODE_ERROR, &version)],
                Fault::Refuses("Invalid or unsupported protocol version (4)".to_owned()),
            ),
        ];
        for (case, answers, expected) in cases {
            assert_eq!(fault(&serve(Behaviour::Answers(answers)).await).await, expected, "{case}");
        }
        assert_eq!(fault(&serve(Behaviour::End).await).await, Fault::NotCql, "it hangs up");
    }

    #[tokio::test]
    async fn one_node_that_is_ready_is_enough() {
        let ready = serve(Behaviour::Answers(vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_READY, &[])])).await;
        let nodes = [closed_port().await, ready.clone()];
        assert_eq!(probe(&nodes).await, Ok(vec![ready.parse().unwrap()]));
    }

    #[tokio::test]
    async fn a_silent_node_does_not_hold_up_one_that_is_ready() {
        let ready = serve(Behaviour::Answers(vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_READY, &[])])).await;
        let start = tokio::time::Instant::now();
        assert_eq!(probe(&[serve(Behaviour::Silence).await, ready.clone()]).await, Ok(vec![ready.parse().unwrap()]));
        assert!(start.elapsed() < ANSWER_LIMIT);
    }

    #[tokio::test]
    async fn every_node_is_named_when_none_can_be_used() {
        let nodes = [closed_port().await, serve(Behaviour::End).await];
        let text = probe(&nodes).await.unwrap_err().to_string();
        assert!(text.contains(&format!("{}: nothing listens there", nodes[0])), "{text}");
        assert!(text.contains(&format!("{}: what listens there does not speak CQL", nodes[1])), "{text}");
    }
}
