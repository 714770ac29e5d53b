//! Connections as the driver asks for them: inside TLS with each node's own name, logged in, and within a time limit.
//!
//! The driver's own way inside TLS knows one name for all nodes. Its own login wants to be told the name of the server's
//! class beforehand; any other ends in a connection that is never made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use cdrs_tokio::cluster::connection_pool::{ConnectionPoolConfig, ConnectionPoolConfigBuilder};
use cdrs_tokio::cluster::session::DEFAULT_TRANSPORT_BUFFER_SIZE;
use cdrs_tokio::cluster::{ConnectionManager, GenericClusterConfig, KeyspaceHolder};
use cdrs_tokio::compression::Compression;
use cdrs_tokio::error::Error as DriverError;
use cdrs_tokio::frame::{Envelope, Opcode, Version};
use cdrs_tokio::frame_encoding::{FrameEncodingFactory as _, ProtocolFrameEncodingFactory};
use cdrs_tokio::future::BoxFuture;
use cdrs_tokio::transport::{CdrsTransport as _, TransportTcp};
use cdrs_tokio::types::CBytes;
use futures::FutureExt as _;
use futures::future::join_all;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::access::NodeAccess;
use super::probe::{CONNECT_LIMIT as REACH_LIMIT, RESOLVE_LIMIT};
use super::session::CONNECT_LIMIT;
use super::silent::SilentNodes;
use crate::address::host_of;
use crate::tls::Tls;

/// The protocol that every server since Cassandra 2.2 speaks.
pub(super) const VERSION: Version = Version::V4;

/// How many events of the cluster may wait to be looked at.
const EVENTS: usize = 128;

/// What connections are made of: the nodes as the user named them, and how they are spoken with.
#[derive(Clone)]
pub(super) struct ClusterConfig {
    pub(super) nodes: Arc<[String]>,
    pub(super) access: NodeAccess,
    /// Nodes that have answered, with where that was.
    pub(super) reached: Arc<[(SocketAddr, String)]>,
    /// Nodes that did not.
    pub(super) silent: Arc<SilentNodes>,
}

/// What a node is called inside TLS.
pub(super) struct Names {
    pub(super) name: String,
    /// Where it may listen as well.
    pub(super) elsewhere: Option<SocketAddr>,
}

impl ClusterConfig {
    /// The name that the certificate at `address` has to be for: that by which the user named it, else the address, which
    /// is all that its cluster tells of it. And where else it may be named: a node that has a port for TLS beside the
    /// other one (`native_transport_port_ssl`) tells the other one; of one that nobody named it is where the others have it.
    pub(super) async fn names_of(&self, address: SocketAddr) -> Names {
        if let Some((_, node)) = self.reached.iter().find(|(reached, _)| *reached == address) {
            return Names { name: host_of(node).to_owned(), elsewhere: None };
        }
        let lookups = self.nodes.iter().map(async |node| {
            let found = timeout(RESOLVE_LIMIT, lookup_host(node)).await.ok()?.ok()?;
            let found = found.filter(|found| found.ip() == address.ip()).collect::<Vec<_>>();
            found.iter().find(|found| **found == address).or(found.first()).map(|found| (*found, host_of(node)))
        });
        let named: Vec<_> = join_all(lookups).await.into_iter().flatten().collect();
        if let Some((found, host)) = named.iter().find(|(found, _)| *found == address).or(named.first()) {
            return Names { name: (*host).to_owned(), elsewhere: Some(*found).filter(|found| *found != address) };
        }
        let elsewhere = self.common_port().map(|port| SocketAddr::new(address.ip(), port));
        Names { name: address.ip().to_string(), elsewhere: elsewhere.filter(|place| *place != address) }
    }

    /// The port at which all nodes that the user named listen: one that joined later listens there too.
    fn common_port(&self) -> Option<u16> {
        let mut ports = self.nodes.iter().map(|node| node.rsplit_once(':')?.1.parse().ok());
        let first = ports.next()??;
        ports.all(|port| port == Some(first)).then_some(first)
    }
}

impl GenericClusterConfig<TransportTcp, Connections> for ClusterConfig {
    fn create_manager(&self, keyspace: Arc<KeyspaceHolder>) -> BoxFuture<'_, Result<Connections, DriverError>> {
        std::future::ready(Ok(Connections { config: self.clone(), keyspace })).boxed()
    }

    fn event_channel_capacity(&self) -> usize {
        EVENTS
    }

    fn version(&self) -> Version {
        VERSION
    }

    fn connection_pool_config(&self) -> ConnectionPoolConfig {
        ConnectionPoolConfigBuilder::new().build()
    }
}

/// Makes connections to the nodes of one cluster.
pub(super) struct Connections {
    config: ClusterConfig,
    /// The driver wants to be told of keyspaces that are chosen; none is.
    keyspace: Arc<KeyspaceHolder>,
}

/// A connection in the clear, on which nothing was said.
pub(super) async fn reach(address: SocketAddr) -> io::Result<TcpStream> {
    // What is not there must leave time for the next one.
    let stream = timeout(REACH_LIMIT, TcpStream::connect(address)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whom a connection tells what it meets.
struct Listeners {
    events: Option<Sender<Envelope>>,
    errors: Option<Sender<DriverError>>,
}

impl ConnectionManager<TransportTcp> for Connections {
    fn connection(
        &self,
        events: Option<Sender<Envelope>>,
        errors: Option<Sender<DriverError>>,
        address: SocketAddr,
    ) -> BoxFuture<'_, Result<TransportTcp, DriverError>> {
        let open = timeout(CONNECT_LIMIT, self.open(address, Listeners { events, errors }));
        async move {
            let opened = match open.await {
                Ok(opened) => opened,
                Err(_) => Err(DriverError::Timeout(format!("no connection to {address}"))),
            };
            match &opened {
                Ok(_) => self.config.silent.forget(address),
                Err(_) => self.config.silent.note(address),
            }
            opened
        }
        .boxed()
    }
}

impl Connections {
    async fn open(&self, address: SocketAddr, listeners: Listeners) -> Result<TransportTcp, DriverError> {
        let transport = match &self.config.access.tls {
            None => self.transport(reach(address).await?, address, listeners)?,
            Some(tls) => self.transport(self.inside(tls, address).await?, address, listeners)?,
        };
        self.enter(&transport).await?;
        Ok(transport)
    }

    async fn inside(&self, tls: &Tls, address: SocketAddr) -> Result<TlsStream<TcpStream>, DriverError> {
        let Names { name, elsewhere } = self.config.names_of(address).await;
        let mut told = match reach(address).await {
            Ok(stream) => match tls.connect(stream, &name).await {
                Ok(stream) => return Ok(stream),
                Err(refusal) if !refusal.is_without_tls() => {
                    return Err(DriverError::General(format!("{address}: {refusal}")));
                }
                Err(refusal) => DriverError::General(format!("{address}: {refusal}")),
            },
            // What is down is not somewhere else.
            Err(error) => return Err(error.into()),
        };
        if let Some(place) = elsewhere {
            match tls.connect(reach(place).await?, &name).await {
                Ok(stream) => return Ok(stream),
                Err(refusal) => told = DriverError::General(format!("{place}: {refusal}")),
            }
        }
        Err(told)
    }

    fn transport<S: AsyncRead + AsyncWrite + Send + Sync + 'static>(
        &self,
        stream: S,
        address: SocketAddr,
        Listeners { events, errors }: Listeners,
    ) -> io::Result<TransportTcp> {
        let frames = ProtocolFrameEncodingFactory;
        TransportTcp::with_stream(
            stream,
            address,
            Arc::clone(&self.keyspace),
            events,
            errors,
            Compression::None,
            frames.create_encoder(VERSION, Compression::None),
            frames.create_decoder(VERSION, Compression::None),
            DEFAULT_TRANSPORT_BUFFER_SIZE,
        )
    }

    /// Begins the conversation, and says who we are where that is asked.
    async fn enter(&self, transport: &TransportTcp) -> Result<(), DriverError> {
        let mut answer = transport.write_envelope(&Envelope::new_req_startup(None, VERSION), true).await?;
        if answer.opcode == Opcode::Authenticate {
            let login = self.config.access.login.as_ref();
            let login = login.ok_or_else(|| DriverError::General("it asks for a password".to_owned()))?;
            let proof = Envelope::new_req_auth_response(CBytes::new(login.proof()), VERSION);
            answer = transport.write_envelope(&proof, false).await?;
        }
        match answer.opcode {
            Opcode::Ready | Opcode::AuthSuccess => Ok(()),
            other => Err(DriverError::General(format!("it answers {other:?} to a login"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn elsewhere(nodes: &[&str], told: &str) -> Option<String> {
        let access = NodeAccess { tls: None, login: None, local_dc: None };
        let nodes = nodes.iter().map(|node| (*node).to_owned()).collect();
        let config = ClusterConfig { nodes, access, reached: Arc::default(), silent: Arc::default() };
        config.names_of(told.parse().unwrap()).await.elsewhere.map(|place| place.to_string())
    }

    #[tokio::test]
    async fn a_node_that_nobody_named_may_listen_where_the_others_do() {
        let named = ["127.0.0.1:9142", "127.0.0.2:9142"];
        assert_eq!(elsewhere(&named, "127.0.0.4:9042").await.as_deref(), Some("127.0.0.4:9142"));
        assert_eq!(elsewhere(&named, "127.0.0.4:9142").await, None, "it is asked there anyway");
        assert_eq!(elsewhere(&named, "127.0.0.2:9042").await.as_deref(), Some("127.0.0.2:9142"));
        assert_eq!(elsewhere(&["127.0.0.1:9142", "127.0.0.2:9042"], "127.0.0.4:9042").await, None);
    }
}
