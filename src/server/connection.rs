//! Connections: how many, how large what they say, and for how long they may be silent.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::access::Peer;
use super::traffic::{OpenConnection, Traffic};
use crate::tls::ServerTls;

/// A thousand who look on, and as many requests beside them. Who finds no place is disconnected.
const MAX_CONNECTIONS: usize = 2_048;
/// From one other machine: more than a ward's screens behind one address have, and few enough for a machine that wants all.
const MAX_OF_ONE: usize = 256;
/// From the connection, or the answer before, to the end of a request's head.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// Who takes nothing of an answer for so long is disconnected.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// What is held of one connection at most.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// A browser sends some twenty.
const MAX_HEADERS: usize = 100;
/// Who does not come to the end of TLS by then is nobody who wants in.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// When a connection cannot be taken the next try comes after this.
const CROWDED_PAUSE: Duration = Duration::from_millis(100);

/// What somebody is told who speaks as if there were no TLS.
const IN_THE_CLEAR: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\r\n\
    this port speaks TLS: the address begins with https\n";

/// Answers until it is dropped, and everybody who has asked with it.
pub(super) async fn serve(listener: TcpListener, tls: Option<ServerTls>, paths: Router, traffic: Arc<Traffic>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let guests = Arc::new(Guests::default());
    let mut exchanges = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let peer = Peer(peer.ip().to_canonical());
                    let place = Arc::clone(&places).try_acquire_owned().ok();
                    if let Some(place) = place.and_then(|place| Some((place, Guests::take(&guests, peer.0)?))) {
                        let (tls, paths, open) = (tls.clone(), paths.clone(), traffic.enter());
                        exchanges.spawn(async move {
                            // Who is too slow, or gone, is not waited for.
                            let _ = enter(stream, tls, (peer, open), paths).await;
                            drop(place);
                        });
                    } else {
                        traffic.turned_away.fetch_add(1, Relaxed);
                    }
                }
                Err(_) => sleep(CROWDED_PAUSE).await,
            },
            Some(_) = exchanges.join_next() => {}
        }
    }
}

/// Whose connection it is, while it is open.
type Guested = (Peer, OpenConnection);

async fn enter(mut stream: TcpStream, tls: Option<ServerTls>, peer: Guested, paths: Router) -> Option<()> {
    // What changes is small, and is to be seen at once.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return exchange(stream, peer, paths).await.ok() };
    let mut first = [0];
    let begun = async {
        if stream.peek(&mut first).await.ok()? == 1 && first[0].is_ascii_alphabetic() {
            let _ = stream.write_all(IN_THE_CLEAR).await;
            return None;
        }
        tls.accept(stream).await.ok()
    };
    let stream = timeout(HANDSHAKE_LIMIT, begun).await.ok()??;
    exchange(stream, peer, paths).await.ok()
}

async fn exchange<S>(stream: S, (peer, open): Guested, paths: Router) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    http.max_buf_size(MAX_BUFFER_BYTES).max_headers(MAX_HEADERS);
    let paths = TowerToHyperService::new(paths);
    let answering = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        paths.call(request)
    });
    http.serve_connection(TokioIo::new(Impatient::new(stream, open)), answering).await
}

/// How many connections each other machine has.
#[derive(Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

/// One of them.
struct Guest(Arc<Guests>, IpAddr);

impl Guests {
    /// A connection of that machine, unless it has too many.
    fn take(guests: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let mut counts = guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= MAX_OF_ONE && !address.is_loopback() {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Guest(Arc::clone(guests), address))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Self(guests, address) = self;
        let mut counts = guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(address);
            }
        }
    }
}

/// A stream that fails where the other side takes nothing for too long, and whose bytes are counted.
struct Impatient<S> {
    stream: S,
    open: OpenConnection,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncWrite + Unpin> Impatient<S> {
    fn new(stream: S, open: OpenConnection) -> Self {
        Self { stream, open, waiting: None }
    }

    /// Counts what was sent, where the other side takes it in time.
    fn sent(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = outcome {
            self.open.note_sent(count);
        }
        self.judge(context, outcome)
    }

    /// Passes an outcome on, unless it has been waited for too long.
    fn judge<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let by = Instant::now() + WRITE_LIMIT;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(by)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.open.note_received(buffer.filled().len() - before);
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.sent(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[test]
    fn one_machine_does_not_take_all_places() {
        let (guests, there) = (Arc::new(Guests::default()), IpAddr::from([10, 0, 0, 1]));
        let mut taken: Vec<_> = (0..MAX_OF_ONE).map_while(|_| Guests::take(&guests, there)).collect();
        assert_eq!(taken.len(), MAX_OF_ONE);
        assert!(Guests::take(&guests, there).is_none());
        assert!(Guests::take(&guests, [10, 0, 0, 2].into()).is_some());
        drop(taken.pop());
        assert!(Guests::take(&guests, there).is_some());
        drop(taken);
        assert!(guests.0.lock().expect("counts").is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_and_who_takes_slowly_is_not() {
        let (near, mut far) = duplex(8);
        let traffic = Arc::new(Traffic::default());
        let mut near = Impatient::new(near, traffic.enter());
        let reading = tokio::spawn(async move {
            let mut bytes = [0; 8];
            for _ in 0..3 {
                sleep(WRITE_LIMIT / 2).await;
                far.read_exact(&mut bytes).await.expect("bytes");
            }
            far
        });
        near.write_all(&[0; 32]).await.expect("taken slowly");
        let begun = Instant::now();
        let error = near.write_all(&[0; 32]).await.expect_err("not taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let sent = traffic.sent_bytes.load(Relaxed);
        assert!((24..64).contains(&sent), "{sent}");
        assert!(begun.elapsed() >= WRITE_LIMIT && begun.elapsed() < 2 * WRITE_LIMIT, "{:?}", begun.elapsed());
        drop(reading.await.expect("a reader"));
    }
}
