//! A broker for one machine, that speaks the Kafka protocol.
//!
//! It lets everything run without a server: the same client code talks to it as to Kafka. It is no Kafka: there is no
//! replication, no transaction, and whoever is let in may do everything. It is for trying, for tests, and for a ward on
//! one machine.
//!
//! In reading order:
//! - `server`: connections, one request after the other; [`users`]: who is let in
//! - `dispatch`: from a request's frame to its response, and what is answered in which version
//! - `topics`, `records`: the requests about topics and about records
//! - `groups`: consumer groups
//! - [`notice`]: what whoever runs it should know; `traffic`: what is counted
//! - `state`: what is shared; `buffers`: memory for large responses
//! - `log`: one partition's records on disk, and which batches are repeats; [`folder`]: everything else on disk;
//!   [`flush`]: when it is there

pub mod flush;
pub mod folder;
pub mod notice;

mod buffers;
mod dispatch;
mod groups;
mod log;
mod records;
mod server;
mod state;
mod topics;
mod traffic;
pub mod users;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use self::flush::Flush;
use self::folder::{Folder, FolderError};
use self::notice::{Notice, Notices};
use self::state::State;
pub use self::traffic::Traffic;
use self::users::Users;
use crate::address::Endpoint;
use crate::advice::{Advice, Code};
use crate::tls::ServerTls;

/// Where a broker keeps its records, and where it listens.
#[derive(Debug)]
pub struct Config {
    /// Its folder; made if it is not there.
    pub folder: PathBuf,
    /// Its address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that clients are told to come to, where that is not the one it listens on: they come through a
    /// tunnel, a mapped port or a proxy.
    pub advertise: Option<Endpoint>,
    /// When what it acknowledges reaches the disk.
    pub flush: Flush,
    /// Who is let in, and how.
    pub entrance: Entrance,
}

impl Config {
    /// For this program alone: on a free port of this machine.
    pub fn alone(folder: PathBuf, flush: Flush) -> Self {
        let listen = ([127, 0, 0, 1], 0).into();
        Self { folder, listen, advertise: None, flush, entrance: Entrance::default() }
    }
}

/// Who is let in, and how. By itself everybody, in the clear.
#[derive(Debug, Default)]
pub struct Entrance {
    /// Inside TLS.
    pub tls: Option<ServerTls>,
    /// By a password.
    pub users: Option<Users>,
}

/// Why the broker cannot start, or cannot do something on disk.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A partition's log cannot be used.
    #[error("the log in {}", .0.display())]
    Log(PathBuf, #[source] io::Error),
}

impl Advice for BrokerError {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Listen(_, source) if source.kind() == io::ErrorKind::AddrInUse => Some(
                "something listens there already: another `vitals up`, or Kafka; choose another address with --listen"
                    .into(),
            ),
            Self::Listen(..) => Some("choose another address with --listen".into()),
            Self::Folder(error) => error.hint(),
            Self::Log(..) => Some("check the folder's rights and the room on its disk".into()),
        }
    }
}

/// A broker that runs until it is stopped or dropped.
pub struct Broker {
    state: Arc<State>,
    address: SocketAddr,
    serving: JoinHandle<()>,
    /// Changes, or goes, when everything shall end.
    running: watch::Sender<()>,
    notices: mpsc::Receiver<Notice>,
}

impl Broker {
    /// Opens the folder, mends what a crash has left, and begins to serve.
    pub async fn start(config: Config) -> Result<Self, BrokerError> {
        let listening = |source| BrokerError::Listen(config.listen, source);
        let listener = TcpListener::bind(config.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let folder = Folder::open(&config.folder)?;
        let advertised = config.advertise.unwrap_or_else(|| address.into());
        let (tell, notices) = Notices::new();
        let state = Arc::new(State::new(folder, config.flush, advertised, config.entrance, tell)?);
        let (running, stopped) = watch::channel(());
        let serving = tokio::spawn(server::serve(listener, Arc::clone(&state), stopped));
        Ok(Self { state, address, serving, running, notices })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it tells its clients to come.
    pub fn advertised(&self) -> &Endpoint {
        &self.state.advertised
    }

    /// The id of its cluster, which begins with `vitals-` and is kept in its folder.
    pub fn cluster_id(&self) -> &str {
        &self.state.cluster_id
    }

    /// What it counts of what it does.
    pub fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.state.traffic)
    }

    /// Waits for the next thing that whoever runs it should know. Cancel safe.
    pub async fn notice(&mut self) -> Notice {
        match self.notices.recv().await {
            Some(notice) => notice,
            None => pending().await,
        }
    }

    /// Ends all connections, and brings everything to the disk; what the disk refuses. Another broker can have the folder
    /// then.
    pub async fn stop(mut self) -> Vec<Notice> {
        self.running.send_replace(());
        // A fault of the server has been told.
        let _ = (&mut self.serving).await;
        self.state.topics.flush_all().await.1
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
