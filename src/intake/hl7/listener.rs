//! Listens for senders, and serves each on a connection of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use super::figures::Figures;
use super::lane::{LETTERS_WAITING, Parcel, READINGS_WAITING, keep_letters, send_readings};
use super::notice::{Notice, Notices};
use super::sender::Sender;
use super::session::{ROOM_PIECES, Session};
use crate::advice::{Advice, Code};
use crate::kafka::dead_letters::{DeadLetterTopic, Numbers};
use crate::kafka::producer::{Cluster, Outgoing, Producer};
use crate::pipeline::dead_letters::DeadLetter;
use crate::shutdown::{DRAIN_LIMIT, Shutdown};
use crate::tls::ServerTls;

/// More than the monitors of a hospital's gateway, or of the beds of a ward without one.
const MAX_CONNECTIONS: usize = 1024;
/// Who does not come to the end of TLS by then is nobody who wants to send.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// When a connection cannot be taken the next try comes after this.
const CROWDED_PAUSE: Duration = Duration::from_millis(100);

/// Why nobody can be listened to.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Address(SocketAddr, #[source] io::Error),
}

impl Advice for ListenError {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hint(&self) -> Option<String> {
        let Self::Address(_, source) = self;
        Some(match source.kind() {
            io::ErrorKind::AddrInUse => {
                "something listens there already; choose another address with --mllp".to_owned()
            }
            _ => "choose another address with --mllp".to_owned(),
        })
    }
}

/// What all connections share.
pub(super) struct Hall {
    pub(super) sender: Sender,
    pub(super) figures: Arc<Figures>,
    pub(super) notices: Notices,
    /// For messages that are larger than most, in pieces.
    pub(super) room: Arc<Semaphore>,
    pub(super) readings: mpsc::Sender<Parcel<Outgoing>>,
    pub(super) letters: mpsc::Sender<Parcel<DeadLetter>>,
    /// For each message, also of another process, its own.
    pub(super) numbers: Numbers,
}

/// Listens, and has not begun to take anybody in.
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    tls: Option<ServerTls>,
}

impl Listener {
    /// Listens on `address`, where port 0 takes a free one; inside TLS where that is given.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(address: SocketAddr, tls: Option<ServerTls>) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Address(address, source);
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Self { tcp, address, tls })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` asks to stop. Then nothing more is read, what was read is kept and answered, and all
    /// connections are closed. What is told goes to `hear`.
    pub async fn serve<C: Cluster + 'static>(
        self,
        sender: Sender,
        producer: Producer<C>,
        dead_letters: DeadLetterTopic,
        figures: Arc<Figures>,
        shutdown: &Shutdown,
        mut hear: impl FnMut(&Notice) + Send,
    ) where
        C::Link: 'static,
    {
        let (notices, mut told) = Notices::new();
        let (readings, of_readings) = mpsc::channel(READINGS_WAITING);
        let (letters, of_letters) = mpsc::channel(LETTERS_WAITING);
        let numbers = Numbers::of_process();
        let room = Arc::new(Semaphore::new(ROOM_PIECES));
        let hall = Arc::new(Hall { sender, figures, notices, room, readings, letters, numbers });
        let mut lanes = JoinSet::new();
        let shared = Arc::clone(&hall);
        lanes.spawn(async move { send_readings(producer, of_readings, &shared).await });
        let shared = Arc::clone(&hall);
        lanes.spawn(async move { keep_letters(dead_letters, of_letters, &shared).await });
        let mut sessions = JoinSet::new();
        let serving = async {
            self.take_in(&hall, &mut sessions, shutdown).await;
            let drained = async {
                while let Some(ended) = sessions.join_next().await {
                    pass_on(ended);
                }
            };
            // Who is not served by then sends again.
            let _ = timeout(DRAIN_LIMIT, drained).await;
            sessions.shutdown().await;
        };
        tokio::pin!(serving);
        loop {
            tokio::select! {
                () = &mut serving => break,
                Some(notice) = told.recv() => hear(&notice),
                Some(ended) = lanes.join_next() => pass_on(ended),
            }
        }
        lanes.shutdown().await;
        while let Ok(notice) = told.try_recv() {
            hear(&notice);
        }
    }

    async fn take_in(&self, hall: &Arc<Hall>, sessions: &mut JoinSet<()>, shutdown: &Shutdown) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        hall.figures.listens.store(true, Relaxed);
        loop {
            tokio::select! {
                () = shutdown.wait() => break,
                Some(ended) = sessions.join_next() => pass_on(ended),
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                            hall.figures.turned_away.fetch_add(1, Relaxed);
                            hall.notices.tell_at_times(Notice::Full(peer));
                            continue;
                        };
                        let (hall, tls, shutdown) = (Arc::clone(hall), self.tls.clone(), shutdown.clone());
                        sessions.spawn(async move {
                            let open = hall.figures.enter();
                            enter(stream, peer, tls, hall, &shutdown).await;
                            drop((place, open));
                        });
                    }
                    // It has gone already.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        hall.notices.tell_at_times(Notice::Crowded(error.to_string()));
                        sleep(CROWDED_PAUSE).await;
                    }
                },
            }
        }
    }
}

async fn enter(stream: TcpStream, peer: SocketAddr, tls: Option<ServerTls>, hall: Arc<Hall>, shutdown: &Shutdown) {
    // An answer must not wait for more.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return Session::new(stream, peer, hall).run(shutdown).await };
    match timeout(HANDSHAKE_LIMIT, tls.accept(stream)).await {
        Ok(Ok(stream)) => Session::new(stream, peer, hall).run(shutdown).await,
        Ok(Err(_)) | Err(_) => drop(hall.figures.dropped.fetch_add(1, Relaxed)),
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
