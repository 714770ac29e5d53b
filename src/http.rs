//! HTTP/1 for whoever comes: how many connections, how large what they say, and for how long they may be silent.
//!
//! - [`serve`]: takes connections, and answers on each by the paths that it is given
//! - [`Shares`]: what one of many may have of places that all share
//! - [`Connections`]: how many there are, and their bytes
//! - `impatient`: a stream whose other side has to take what is written

mod connections;
mod impatient;
mod shares;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use self::connections::{Connections, OpenConnection};
use self::impatient::Impatient;
pub use self::shares::Shares;
use crate::tls::ServerTls;

/// Who does not come to the end of TLS by then is nobody who wants in.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// When a connection cannot be taken the next try comes after this.
const CROWDED_PAUSE: Duration = Duration::from_millis(100);

/// What somebody is told who speaks as if there were no TLS.
const IN_THE_CLEAR: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\r\n\
    this port speaks TLS: the address begins with https\n";

/// What those who come may do to a server.
#[derive(Debug)]
pub struct Limits {
    /// Connections at the same time. Who finds no place is disconnected.
    pub connections: usize,
    /// The same from one other machine.
    pub of_one_machine: usize,
    /// From the connection, or the answer before, to the end of a request's head.
    pub head: Duration,
    /// Who takes nothing of an answer for so long is disconnected.
    pub write: Duration,
    /// From the connection to the last byte of its one answer; `None` where a connection goes on behind an answer.
    pub exchange: Option<Duration>,
    /// What is held of one connection at most: 8 KiB is the least that hyper takes.
    pub buffer_bytes: usize,
    /// Lines of a request's head.
    pub headers: usize,
}

/// Where a request comes from: every request has it among its extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// What a machine has its addresses from: of IPv6, where one machine has as many as it likes, the first 64 bits.
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            address @ IpAddr::V4(_) => address,
        }
    }
}

/// Answers by these paths until it is dropped, and everybody who has asked with it.
pub async fn serve(
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: &'static Limits,
    counted: Arc<Connections>,
    paths: Router,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let machines = Shares::of(limits.of_one_machine);
    let place_of = |peer: Peer| {
        let place = Arc::clone(&places).try_acquire_owned().ok()?;
        let own = if peer.0.is_loopback() { None } else { Some(machines.take(peer.0)?) };
        Some((place, own))
    };
    let mut exchanges = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let peer = Peer(peer.ip().to_canonical());
                    if let Some(place) = place_of(peer) {
                        let guest = Guest::of(peer, &counted, Some(place));
                        exchanges.spawn(enter(stream, tls.clone(), guest, limits, paths.clone()));
                    } else {
                        counted.turned_away.fetch_add(1, Relaxed);
                    }
                }
                Err(_) => sleep(CROWDED_PAUSE).await,
            },
            Some(_) = exchanges.join_next() => {}
        }
    }
}

/// Who has a connection, for as long as it is open.
#[derive(Debug)]
pub struct Guest {
    peer: Peer,
    open: OpenConnection,
    _place: Option<Place>,
}

impl Guest {
    /// Somebody who is counted, with the place that is kept for them.
    pub fn of(peer: Peer, counted: &Arc<Connections>, place: Option<Place>) -> Self {
        Self { peer, open: counted.enter(), _place: place }
    }
}

type Place = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// Who is too slow, or gone, is not waited for.
async fn enter(stream: TcpStream, tls: Option<ServerTls>, guest: Guest, limits: &Limits, paths: Router) -> Option<()> {
    // What changes is small, and is to be seen at once.
    let _ = stream.set_nodelay(true);
    match tls {
        None => exchange(stream, guest, limits, paths).await,
        Some(tls) => {
            exchange(timeout(HANDSHAKE_LIMIT, handshake(stream, tls)).await.ok()??, guest, limits, paths).await
        }
    }
}

async fn handshake(mut stream: TcpStream, tls: ServerTls) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 1 && first[0].is_ascii_alphabetic() {
        let _ = stream.write_all(IN_THE_CLEAR).await;
        return None;
    }
    tls.accept(stream).await.ok()
}

/// Answers on one connection, to its end; `None` where it was no good one.
pub async fn exchange<S>(stream: S, guest: Guest, limits: &Limits, paths: Router) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Guest { peer, open, _place } = guest;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).keep_alive(limits.exchange.is_none());
    http.max_buf_size(limits.buffer_bytes).max_headers(limits.headers);
    let paths = TowerToHyperService::new(paths);
    let answering = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        paths.call(request)
    });
    let exchange = http.serve_connection(TokioIo::new(Impatient::new(stream, open, limits.write)), answering);
    match limits.exchange {
        Some(limit) => timeout(limit, exchange).await.ok()?.ok(),
        None => exchange.await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_network_of_addresses_is_one() {
        let network = |address: &str| Peer(address.parse().expect("an address")).network().to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:2:ffff::1"), network("2001:db8:1:2::"));
        assert_ne!(network("2001:db8:1:3::1"), network("2001:db8:1:2::1"));
        assert_eq!(network("10.0.0.1"), "10.0.0.1");
    }
}
