//! Frames: a length, and so many bytes; and what a proxy does with them.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, DescribeClusterResponse, FindCoordinatorResponse, MetadataResponse, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) struct Request {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// Everything, as it came.
    pub(crate) frame: Bytes,
    /// What stands behind the header.
    body: Bytes,
}

impl Request {
    pub(crate) fn parse(frame: Bytes) -> Self {
        let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let api = ApiKey::try_from(number(0)).expect("a known request");
        let version = number(2);
        let mut body = frame.clone();
        let header = RequestHeader::decode(&mut body, api.request_header_version(version)).unwrap();
        Self { api, version, correlation_id: header.correlation_id, frame, body }
    }

    /// What is asked for. It has to be of the type that belongs to the request's kind.
    pub(crate) fn decode<R: Decodable>(&self) -> R {
        R::decode(&mut self.body.clone(), self.version).unwrap()
    }

    pub(crate) fn answer(&self, response: &impl Encodable) -> Bytes {
        let mut frame = BytesMut::new();
        let header = ResponseHeader::default().with_correlation_id(self.correlation_id);
        header.encode(&mut frame, self.api.response_header_version(self.version)).unwrap();
        response.encode(&mut frame, self.version).expect("an answer");
        frame.freeze()
    }
}

/// The next frame without its length; `None` at the end.
pub(crate) async fn read(from: &mut TcpStream) -> io::Result<Option<Bytes>> {
    let length = match from.read_i32().await {
        Ok(length) => usize::try_from(length).unwrap(),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(Some(frame.into()))
}

pub(crate) async fn write(to: &mut TcpStream, frame: &Bytes) -> io::Result<()> {
    to.write_all(&with_length(frame)).await
}

pub(crate) fn with_length(frame: &Bytes) -> Bytes {
    let mut whole = BytesMut::with_capacity(frame.len() + 4);
    whole.put_i32(i32::try_from(frame.len()).unwrap());
    whole.put_slice(frame);
    whole.freeze()
}

/// Waits until the client closes the connection. One that has sent its next request already is not watched.
pub(crate) async fn hung_up(client: &TcpStream) {
    match client.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        Ok(_) => pending().await,
    }
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Takes clients for ever; each is carried with a connection of its own to the broker behind.
pub(crate) async fn serve<F>(listener: TcpListener, broker: SocketAddr, carry: impl Fn(TcpStream, TcpStream) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.unwrap();
                // A connection that breaks is nothing to tell: that is what this is for.
                let Ok(server) = TcpStream::connect(broker).await else { continue };
                for stream in [&client, &server] {
                    let _ = stream.set_nodelay(true);
                }
                connections.spawn(carry(client, server));
            }
            Some(ended) = connections.join_next() => if let Err(failed) = ended && failed.is_panic() {
                std::panic::resume_unwind(failed.into_panic());
            },
        }
    }
}

/// The broker's answer to a frame; `None` where the client does not wait for it.
pub(crate) async fn ask(client: &TcpStream, broker: &mut TcpStream) -> io::Result<Option<Bytes>> {
    tokio::select! {
        answer = read(broker) => answer,
        () = hung_up(client) => Ok(None),
    }
}

/// The answer to `request`, with the proxy's address in place of the broker's, so that no client goes around it.
pub(crate) fn naming(proxy: SocketAddr, request: &Request, answer: Bytes) -> Bytes {
    let (host, port) = host_and_port(proxy);
    match request.api {
        ApiKey::Metadata => changed(request, answer, |response: &mut MetadataResponse| {
            for broker in &mut response.brokers {
                (broker.host, broker.port) = (host.clone(), port);
            }
        }),
        ApiKey::FindCoordinator => changed(request, answer, |response: &mut FindCoordinatorResponse| {
            (response.host, response.port) = (host.clone(), port);
        }),
        ApiKey::DescribeCluster => changed(request, answer, |response: &mut DescribeClusterResponse| {
            for broker in &mut response.brokers {
                (broker.host, broker.port) = (host.clone(), port);
            }
        }),
        _ => answer,
    }
}

pub(crate) fn host_and_port(address: SocketAddr) -> (StrBytes, i32) {
    (StrBytes::from_string(address.ip().to_string()), address.port().into())
}

fn changed<R: Decodable + Encodable>(request: &Request, mut answer: Bytes, change: impl FnOnce(&mut R)) -> Bytes {
    ResponseHeader::decode(&mut answer, request.api.response_header_version(request.version)).unwrap();
    let mut response = R::decode(&mut answer, request.version).expect("an answer");
    change(&mut response);
    request.answer(&response)
}
