//! Ready means: the server answered a request of its own protocol. Each request is written here by hand, byte by byte,
//! so that this check shares no fault with the clients it prepares the ground for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::server::{Member, Role};

/// How long one look may take; a server that starts can accept a connection long before it answers.
const LOOK_LIMIT: Duration = Duration::from_secs(3);
/// The longest answer taken: these answers are some hundred bytes, and a wrong length must not fill the memory.
const ANSWER_LIMIT_BYTES: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("it does not answer ({0})")]
    Network(#[from] io::Error),
    #[error("it answered something else than {0}")]
    OddAnswer(&'static str),
    #[error("it does not list itself as a broker yet")]
    NoBroker,
}

/// Asks the server on `port` of its host whether it is ready for work.
pub(crate) fn check(member: Member, port: u16) -> Result<(), NotReady> {
    let mut stream = connect(SocketAddr::from((member.host(), port)))?;
    match member.role {
        Role::Zookeeper => ask_zookeeper(&mut stream),
        Role::Kafka => ask_kafka(&mut stream, port),
        Role::Cassandra | Role::SecureCassandra => ask_cassandra(&mut stream),
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, LOOK_LIMIT)?;
    stream.set_read_timeout(Some(LOOK_LIMIT))?;
    stream.set_write_timeout(Some(LOOK_LIMIT))?;
    Ok(stream)
}

const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;

/// `ApiVersions` (version 0), then `Metadata` (version 1): a broker that is not allowed to serve yet answers the first, but
/// is missing in the answer to the second.
fn ask_kafka(stream: &mut TcpStream, port: u16) -> Result<(), NotReady> {
    let mut versions = kafka_exchange(stream, API_VERSIONS, 0, 1, &[])?;
    if versions.i16() != Some(0) {
        return Err(NotReady::OddAnswer("ApiVersions without an error"));
    }
    let no_topics = 0_i32.to_be_bytes();
    let mut metadata = kafka_exchange(stream, METADATA, 1, 2, &no_topics)?;
    if metadata.lists_broker(port) { Ok(()) } else { Err(NotReady::NoBroker) }
}

fn kafka_exchange(
    stream: &mut TcpStream,
    api: i16,
    version: i16,
    correlation: i32,
    body: &[u8],
) -> Result<Answer, NotReady> {
    const CLIENT: &[u8; 5] = b"xtask";
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(correlation.to_be_bytes());
    request.extend(5_i16.to_be_bytes());
    request.extend(CLIENT);
    request.extend(body);
    let length = i32::try_from(request.len()).unwrap_or(i32::MAX);
    stream.write_all(&[&length.to_be_bytes()[..], &request].concat())?;

    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = read_answer(stream, u32::from_be_bytes(length))?;
    if answer.i32() == Some(correlation) { Ok(answer) } else { Err(NotReady::OddAnswer("the answer to our request")) }
}

const CQL_VERSION_4: u8 = 4;
const STARTUP: u8 = 0x01;
const READY: u8 = 0x02;
const AUTHENTICATE: u8 = 0x03;
const OPTIONS: u8 = 0x05;
const SUPPORTED: u8 = 0x06;
const QUERY: u8 = 0x07;
const RESULT: u8 = 0x08;
const AUTH_RESPONSE: u8 = 0x0f;
const AUTH_SUCCESS: u8 = 0x10;

/// OPTIONS, then STARTUP. A node that asks for a password is as ready as one that does not.
fn ask_cassandra(stream: &mut TcpStream) -> Result<(), NotReady> {
    if cql_exchange(stream, OPTIONS, &[])? != SUPPORTED {
        return Err(NotReady::OddAnswer("SUPPORTED"));
    }
    let mut options = Vec::from(1_u16.to_be_bytes());
    options.extend(b"\x00\x0bCQL_VERSION\x00\x053.0.0");
    match cql_exchange(stream, STARTUP, &options)? {
        READY | AUTHENTICATE => Ok(()),
        _ => Err(NotReady::OddAnswer("READY")),
    }
}

/// Logs in at the node of Cassandra on `port` of its host, and has it carry out one statement there.
pub(crate) fn tell_cassandra(member: Member, port: u16, login: [&str; 2], cql: &str) -> Result<(), NotReady> {
    /// Any one replica has to agree.
    const CONSISTENCY_ONE: [u8; 3] = [0, 1, 0];
    let mut stream = connect(SocketAddr::from((member.host(), port)))?;
    ask_cassandra(&mut stream)?;
    let [user, password] = login;
    let proof = format!("\0{user}\0{password}");
    if cql_exchange(&mut stream, AUTH_RESPONSE, &long_bytes(proof.as_bytes()))? != AUTH_SUCCESS {
        return Err(NotReady::OddAnswer("AUTH_SUCCESS"));
    }
    let query = [&long_bytes(cql.as_bytes())[..], &CONSISTENCY_ONE].concat();
    match cql_exchange(&mut stream, QUERY, &query)? {
        RESULT => Ok(()),
        _ => Err(NotReady::OddAnswer("RESULT")),
    }
}

/// Bytes, or a long text, with their length before them.
fn long_bytes(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Sends one frame and returns the opcode of the answer.
fn cql_exchange(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> Result<u8, NotReady> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let header = [CQL_VERSION_4, 0, 0, 0, opcode];
    stream.write_all(&[&header[..], &length.to_be_bytes(), body].concat())?;
    let mut answer = [0; 9];
    stream.read_exact(&mut answer)?;
    let [version, _, _, _, opcode, length @ ..] = answer;
    if version != CQL_VERSION_4 | 0x80 {
        return Err(NotReady::OddAnswer("a CQL frame"));
    }
    read_answer(stream, u32::from_be_bytes(length))?;
    Ok(opcode)
}

/// The one question that `ZooKeeper` answers without being told that it may.
fn ask_zookeeper(stream: &mut TcpStream) -> Result<(), NotReady> {
    stream.write_all(b"srvr")?;
    let mut start = [0; 17];
    stream.read_exact(&mut start)?;
    if &start == b"Zookeeper version" { Ok(()) } else { Err(NotReady::OddAnswer("its version")) }
}

fn read_answer(stream: &mut TcpStream, length: u32) -> Result<Answer, NotReady> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > ANSWER_LIMIT_BYTES {
        return Err(NotReady::OddAnswer("an answer of a sensible length"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(Answer { bytes, at: 0 })
}

/// An answer's bytes, read from front to back; `None` past the end.
#[derive(Debug)]
struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take(2)?.try_into().ok().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take(4)?.try_into().ok().map(i32::from_be_bytes)
    }

    /// Skips a text, which may be null (length -1).
    fn skip_text(&mut self) -> Option<()> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        self.take(length).map(drop)
    }

    /// Whether one of the brokers of a `Metadata` answer listens on `port`.
    fn lists_broker(&mut self, port: u16) -> bool {
        let count = self.i32().unwrap_or(0);
        (0..count).map_while(|_| self.broker_port()).any(|listed| listed == i32::from(port))
    }

    /// Node id, host, port, rack.
    fn broker_port(&mut self) -> Option<i32> {
        self.i32()?;
        self.skip_text()?;
        let port = self.i32()?;
        self.skip_text()?;
        Some(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(ports: &[i32]) -> Answer {
        let mut bytes = Vec::from(i32::try_from(ports.len()).unwrap_or_default().to_be_bytes());
        for port in ports {
            bytes.extend(1_i32.to_be_bytes());
            bytes.extend(b"\x00\x09127.0.0.1");
            bytes.extend(port.to_be_bytes());
            bytes.extend((-1_i16).to_be_bytes());
        }
        Answer { bytes, at: 0 }
    }

    #[test]
    fn a_broker_is_ready_only_when_it_lists_itself() {
        assert!(metadata(&[9093]).lists_broker(9093));
        assert!(metadata(&[9095, 9093]).lists_broker(9093));
        assert!(!metadata(&[9095]).lists_broker(9093));
        assert!(!metadata(&[]).lists_broker(9093));
    }

    #[test]
    fn an_answer_that_is_cut_short_lists_nobody() {
        let mut whole = metadata(&[9093]);
        whole.bytes.truncate(12);
        assert!(!whole.lists_broker(9093));
    }
}
