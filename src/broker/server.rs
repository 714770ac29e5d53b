//! Connections: a request comes in, its answer goes out, one after the other on each connection.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use tokio_rustls::server::TlsStream;

use super::dispatch::{self, Outcome};
use super::flush::Flush;
use super::notice::{Notice, Notices};
use super::state::State;
use super::users::{Login, PAUSE_AFTER_FAILURE};

/// The longest request: well above the largest dead letter.
const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;
/// Whoever is not let in yet says no more than this at once.
const MAX_LOGIN_BYTES: usize = 64 * 1024;
/// A request gets so much room before its first byte came.
const FIRST_READ_BYTES: usize = 64 * 1024;
/// More clients than one machine's ward has.
const MAX_CONNECTIONS: usize = 256;
/// A connection on which nothing was asked for so long is closed, as Kafka does: its place is for others.
const IDLE_LIMIT: Duration = Duration::from_secs(10 * 60);
/// A client that neither sends on in the middle of a request, nor takes any of its answer, is gone after this: what it
/// holds of our memory must come back.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// Who does not come to the end of TLS by then is nobody who wants in.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Who has not come in by then gives its place to others.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);
/// How often appends are brought to the disk that somebody should have waited for, but whose client has gone.
const LEFT_INTERVAL: Duration = Duration::from_secs(1);
/// When a connection cannot be taken the next try comes after this: soon enough for who waits, and rare enough for the
/// processor.
const CROWDED_PAUSE: Duration = Duration::from_millis(100);
/// There is room again when connections were taken for so long: at the limit each end of one makes room for one.
const ROOMY_AFTER: Duration = Duration::from_secs(1);
/// How often old records are looked for.
const RETENTION_INTERVAL: Duration = Duration::from_secs(30);

/// Serves until it is told to stop, or dropped.
pub(super) async fn serve(listener: TcpListener, state: Arc<State>, mut stopped: watch::Receiver<()>) {
    // Ends by itself: what it has begun on the disk is done when this returns.
    let mut upkeep = tokio::spawn(keep_up(Arc::clone(&state), stopped.clone()));
    let mut tasks = JoinSet::new();
    let timers = Arc::clone(&state);
    tasks.spawn(async move { timers.groups.run().await });
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut crowd = Crowd::default();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => {
                let pause = crowd.judge(accepted.as_ref().err(), &state.notices);
                let Ok((stream, peer)) = accepted else {
                    sleep(pause).await;
                    continue;
                };
                // A client that finds no place is disconnected, and comes again.
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    let (state, open) = (Arc::clone(&state), state.traffic.enter());
                    tasks.spawn(async move {
                        // The client is gone, or does not speak the protocol: nobody is there to be told.
                        let _ = enter(stream, peer, state).await;
                        drop((place, open));
                    });
                } else {
                    state.traffic.turn_away();
                }
            }
            Some(ended) = tasks.join_next() => pass_on(ended),
            ended = &mut upkeep => return pass_on(ended),
        }
    }
    tasks.shutdown().await;
    pass_on(upkeep.await);
}

/// Whether connections can be taken.
#[derive(Default)]
struct Crowd {
    /// When the last one could not, since it was told.
    refused: Option<Instant>,
}

impl Crowd {
    /// Tells of trouble when it begins and when it is over, and gives how long to wait before the next try: a connection
    /// that cannot be taken is still there.
    fn judge(&mut self, error: Option<&io::Error>, notices: &Notices) -> Duration {
        let quiet = self.refused.is_none_or(|last| last.elapsed() >= ROOMY_AFTER);
        match error {
            // It has gone already, and makes room by that.
            Some(error) if error.kind() == io::ErrorKind::ConnectionAborted => Duration::ZERO,
            Some(error) => {
                if self.refused.replace(Instant::now()).is_none() {
                    notices.tell(Notice::Crowded(error.to_string()));
                }
                CROWDED_PAUSE
            }
            None => {
                if quiet && self.refused.take().is_some() {
                    notices.tell(Notice::Roomy);
                }
                Duration::ZERO
            }
        }
    }
}

/// A panic of a task is one of the whole.
fn pass_on(ended: Result<(), JoinError>) {
    if let Err(failed) = ended
        && failed.is_panic()
    {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// Flushes and retention, for as long as the broker runs.
async fn keep_up(state: Arc<State>, mut stopped: watch::Receiver<()>) {
    let every = match state.topics.flush {
        Flush::BeforeAck => LEFT_INTERVAL,
        Flush::Every(span) => span,
    };
    let (mut flush, mut retention) = (interval(every), interval(RETENTION_INTERVAL));
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = flush.tick() => {
                let (was_any, refused) = state.topics.flush_all().await;
                for notice in refused {
                    state.notices.tell_once(notice);
                }
                if was_any {
                    state.wake_fetches();
                }
            }
            _ = retention.tick() => {
                let topics = Arc::clone(&state.topics);
                pass_on(tokio::task::spawn_blocking(move || topics.retain()).await);
            }
        }
    }
}

/// A connection's two ways.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Waits until the client closes the connection. One that has sent its next request already is not watched.
    fn hung_up(&mut self) -> impl Future<Output = ()> + Send;
}

impl Stream for TcpStream {
    async fn hung_up(&mut self) {
        match self.peek(&mut [0]).await {
            Ok(0) | Err(_) => {}
            Ok(_) => pending().await,
        }
    }
}

/// What comes next has to be read to be seen, so it is kept.
impl Stream for BufReader<TlsStream<TcpStream>> {
    async fn hung_up(&mut self) {
        match self.fill_buf().await {
            Ok([]) | Err(_) => {}
            Ok(_) => pending().await,
        }
    }
}

async fn enter(stream: TcpStream, peer: SocketAddr, state: Arc<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let login = Login::of(state.entrance.users.as_ref());
    let Some(tls) = state.entrance.tls.clone() else { return Connection { stream, peer, login, state }.run().await };
    let stream = BufReader::new(timeout(HANDSHAKE_LIMIT, tls.accept(stream)).await??);
    Connection { stream, peer, login, state }.run().await
}

struct Connection<S> {
    stream: S,
    peer: SocketAddr,
    login: Login,
    state: Arc<State>,
}

impl<S: Stream> Connection<S> {
    /// Answers requests until the client goes, or sends what is none.
    async fn run(mut self) -> io::Result<()> {
        let deadline = Instant::now() + LOGIN_LIMIT;
        while let Some(frame) = self.next_frame(deadline).await? {
            let answer = tokio::select! {
                answer = dispatch::answer(&self.state, self.peer, &mut self.login, frame) => answer,
                // A client that has gone must not be waited for, least of all by the other members of its group.
                () = self.stream.hung_up() => break,
            };
            match answer {
                Some(Outcome::Response { head, body }) if self.login.is_in() => self.write(head.chain(body)).await?,
                Some(Outcome::Response { head, body }) => timeout_at(deadline, self.write(head.chain(body))).await??,
                Some(Outcome::Silence) => {}
                // As Kafka does with what it does not understand.
                None => break,
            }
            if self.login.has_failed() {
                break;
            }
        }
        if self.login.has_failed() {
            // Nobody gets the place earlier by hanging up.
            sleep(PAUSE_AFTER_FAILURE).await;
        }
        Ok(())
    }

    /// Before the deadline, as long as nobody is let in.
    async fn next_frame(&mut self, deadline: Instant) -> io::Result<Option<Bytes>> {
        if self.login.is_in() {
            return self.read_frame(MAX_REQUEST_BYTES).await;
        }
        timeout_at(deadline, self.read_frame(MAX_LOGIN_BYTES)).await?
    }

    async fn read_frame(&mut self, limit: usize) -> io::Result<Option<Bytes>> {
        let length = match timeout(IDLE_LIMIT, self.stream.read_i32()).await? {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= limit) else {
            return Ok(None);
        };
        let mut frame = BytesMut::with_capacity(length.min(FIRST_READ_BYTES));
        while frame.len() < length {
            let room = u64::try_from(length - frame.len()).unwrap_or(u64::MAX);
            if timeout(STALL_LIMIT, (&mut self.stream).take(room).read_buf(&mut frame)).await?? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(frame.freeze()))
    }

    /// One write where the system allows it: an answer must not wait for the acknowledgement of its head.
    async fn write(&mut self, mut answer: impl Buf) -> io::Result<()> {
        while answer.has_remaining() {
            timeout(STALL_LIMIT, self.stream.write_buf(&mut answer)).await??;
        }
        timeout(STALL_LIMIT, self.stream.flush()).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{Broker, Config};

    /// After how long the broker closes the connection of a client that says this and no more.
    async fn closed_after(said: &[u8]) -> Duration {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::alone(folder.path().join("broker"), Flush::default());
        let broker = Broker::start(config).await.expect("started");
        let mut client = TcpStream::connect(broker.address()).await.expect("connected");
        let begin = Instant::now();
        client.write_all(said).await.expect("said");
        assert_eq!(client.read(&mut [0]).await.expect("closed"), 0);
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_in_the_middle_of_a_request_is_not_waited_for() {
        let passed = closed_after(b"\0\0\0\x20\0\x03").await;
        assert!(passed >= STALL_LIMIT && passed < IDLE_LIMIT, "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_for_nothing_gives_its_place_to_others() {
        assert!(closed_after(b"").await >= IDLE_LIMIT);
    }
}
