//! The ward on a screen, and its data for programs: one process, one port, HTTP/1.
//!
//! - [`Server`]: listens, and reads what it shows; it is in no group, and commits nothing
//! - `feeds`: the topic of readings, the topic of alarms, the store, into the `hub`
//! - `hub`: the `ward` as it is, and a stream of what changes, made into JSON once for all who look on
//! - [`tokens`]: who may come, and as what; `access`: who is let in; `login`: how a browser is
//! - `ingest`: what programs send, into the topic
//! - `api`: the paths below `/api/v1`; `fhir`: those below `/fhir`; `page`: the files of the screen
//! - `places`: what all share, and no token has alone; `rates`: how often one may ask; `traffic`: what is asked, counted
//!
//! Showing never holds up storing: consumers do not know of it, and who looks on too slowly is left behind.

mod access;
mod api;
mod audit;
mod encoding;
mod feeds;
mod fhir;
mod guard;
mod hub;
mod ingest;
mod login;
mod page;
mod parameters;
mod places;
mod problem;
mod rates;
mod records;
pub mod tokens;
mod traffic;
mod ward;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::access::Access;
use self::audit::Logins;
use self::feeds::Opened;
use self::hub::Hub;
use self::ingest::{Figures, Ingest};
use self::places::Places;
use self::problem::Problem;
use self::rates::{Rate, Rates};
use self::traffic::Traffic;
use crate::advice::{Advice, Code};
use crate::alarm::rules::RuleSet;
use crate::health::{self, Exposition, Kind, Subject};
use crate::http::{self, Limits};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::store::AnyStore;
use crate::tls::ServerTls;

/// What those who come may do.
const CONNECTIONS: Limits = Limits {
    // A thousand who look on, and as many requests beside them.
    connections: 2_048,
    // More than a ward's screens behind one address have, and few enough for a machine that wants all.
    of_one_machine: 256,
    head: Duration::from_secs(30),
    write: Duration::from_secs(10),
    exchange: None,
    buffer_bytes: 64 * 1024,
    // A browser sends some twenty.
    headers: 100,
};

/// Streams that are open at the same time: a thousand are promised.
const STREAMS: usize = 1_200;
/// Those of one token: the screens of a ward, and not those of all.
const STREAMS_OF_ONE: usize = 32;

/// Questions to the store at the same time.
const READS_AT_ONCE: usize = 32;

/// Answers of readings that are on their way at the same time, each as fast as who asked takes it: each holds two pages of
/// rows.
const DOWNLOADS_AT_ONCE: usize = 64;

/// How often it is noted that somebody has asked for everything.
const LOOK_NOTED: Rate = Rate { burst: 1, every: Duration::from_secs(60) };

/// How long a request waits for its turn to read, and for the store.
const TURN_LIMIT: Duration = Duration::from_secs(2);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Whoever comes to it could be anybody.
    #[error("{0} can be reached from other machines, where what is said could be read, and nobody says who they are")]
    Reachable(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
}

impl Advice for ServeError {
    fn code(&self) -> Code {
        match self {
            Self::Reachable(_) => Code::Usage,
            Self::Listen(..) => Code::Unreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Reachable(address) => format!(
                "`vitals serve` and `vitals up` take --tls-cert and --tls-key; or listen on 127.0.0.1:{port} and come to it \
                 by a tunnel: ssh -L {port}:127.0.0.1:{port} HOST",
                port = address.port()
            ),
            Self::Listen(_, source) if source.kind() == io::ErrorKind::AddrInUse => {
                "something listens there already, perhaps another `vitals`: choose another port, or 0 for a free one"
                    .to_owned()
            }
            Self::Listen(..) => "choose another address".to_owned(),
        })
    }
}

/// What an answer is made of.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    hub: Arc<Hub>,
    access: Arc<Access>,
    store: Arc<Opened>,
    reads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    streams: Places,
    ingest: Ingest,
    /// Of whom it was noted that they have asked for everything, by the name of their token.
    noted: Mutex<Rates<Arc<str>>>,
    logins: Logins,
}

impl Shared {
    fn new(settings: &Settings, ingest: Ingest, hub: &Arc<Hub>, access: &Arc<Access>, store: &Arc<Opened>) -> Self {
        Self {
            settings: settings.clone(),
            hub: Arc::clone(hub),
            access: Arc::clone(access),
            store: Arc::clone(store),
            reads: Arc::new(Semaphore::new(READS_AT_ONCE)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS_AT_ONCE)),
            streams: Places::new(STREAMS, STREAMS_OF_ONE),
            ingest,
            noted: Mutex::new(Rates::new(LOOK_NOTED)),
            logins: Logins::new(),
        }
    }

    /// The store, where it could be opened.
    fn store(&self) -> Result<&Arc<AnyStore>, Problem> {
        let away = || Problem::away("the store could not be opened yet").hint("/readyz tells why");
        self.store.get().ok_or_else(away)
    }

    /// A place among those who read from the store.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Self::turn_among(&self.reads).await
    }

    /// A place among those who take readings, for as long as they take.
    async fn download(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Self::turn_among(&self.downloads).await
    }

    async fn turn_among(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = timeout(TURN_LIMIT, Arc::clone(places).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| Problem::crowded("too many read at the same time"))
    }

    /// Asks the store, in turn, and no longer than it may take.
    async fn ask<T, E>(&self, question: impl Future<Output = Result<T, E>>) -> Result<T, Problem>
    where
        Problem: From<E>,
    {
        let _turn = self.turn().await?;
        let late = |_| Problem::away(format!("the store has not answered in {} s", ANSWER_LIMIT.as_secs()));
        Ok(timeout(ANSWER_LIMIT, question).await.map_err(late)??)
    }
}

/// Whoever asks is answered until this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    has_tls: bool,
    hub: Arc<Hub>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Whether to listen on `address`, with or without TLS.
    ///
    /// # Errors
    /// It can be reached by others, and there is no TLS.
    pub fn judge(address: SocketAddr, has_tls: bool) -> Result<(), ServeError> {
        if address.ip().is_loopback() || has_tls { Ok(()) } else { Err(ServeError::Reachable(address)) }
    }

    /// Begins to listen on `address`, where port 0 takes a free one, and to read what is shown: from the brokers and the
    /// store of `settings`, whether they are there yet or not. Inside TLS it answers whoever has a token, else everybody.
    ///
    /// # Errors
    /// The address cannot be listened on, or can be reached by others and there is no TLS.
    pub async fn start(
        settings: &Settings,
        (address, tls): (SocketAddr, Option<ServerTls>),
        shutdown: &Shutdown,
    ) -> Result<Self, ServeError> {
        Self::judge(address, tls.is_some())?;
        let listening = |source| ServeError::Listen(address, source);
        let listener = TcpListener::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let hub = Arc::new(Hub::new(RuleSet::classic(settings.limits)));
        let store = Arc::new(Opened::new());
        let access = Arc::new(if tls.is_some() { Access::by_token(address.port()) } else { Access::Local });
        let (ingest, lane) = Ingest::of(settings);
        let traffic = Arc::new(Traffic::default());
        let told = Told { hub: Arc::clone(&hub), ingest: Arc::clone(&ingest.figures), traffic: Arc::clone(&traffic) };
        let health = health::routes(Arc::new(told), shutdown.clone());
        let shared = Arc::new(Shared::new(settings, ingest, &hub, &access, &store));
        let paths = api::paths().merge(fhir::paths()).merge(login::paths()).with_state(shared);
        let paths = guard::around(paths.merge(page::paths()).merge(health), Arc::clone(&access));
        let paths = traffic::counted(paths, Arc::clone(&traffic));
        let has_tls = tls.is_some();
        let mut tasks = JoinSet::new();
        tasks.spawn(feeds::read_readings(settings.clone(), Arc::clone(&hub)));
        tasks.spawn(feeds::read_alarms(settings.clone(), Arc::clone(&hub)));
        tasks.spawn(access.follow(Arc::clone(&store), Arc::clone(&hub)));
        tasks.spawn(feeds::ask_store(settings.clone(), Arc::clone(&hub), store));
        tasks.spawn(lane.run());
        tasks.spawn(feeds::publish(Arc::clone(&hub)));
        let counted = Arc::clone(&traffic.connections);
        tasks.spawn(http::serve(listener, tls, &CONNECTIONS, counted, paths));
        Ok(Self { address, has_tls, hub, _tasks: tasks })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a browser is given.
    pub fn url(&self) -> String {
        format!("http{}://{}", if self.has_tls { "s" } else { "" }, self.address)
    }

    /// How it does, in a few words.
    pub fn status(&self) -> String {
        let (beds, watchers) = (self.hub.look(|ward, _| ward.count()), self.hub.watchers());
        format!("shows {beds} beds to {watchers} on {}", self.url())
    }
}

/// What the server tells of its health.
struct Told {
    hub: Arc<Hub>,
    ingest: Arc<Figures>,
    traffic: Arc<Traffic>,
}

impl Subject for Told {
    fn reasons(&self) -> Vec<String> {
        self.hub.troubles()
    }

    fn metrics(&self, to: &mut Exposition) {
        let (readings, refused) = self.hub.counts();
        let help = "Readings that were read to be shown.";
        to.family("vitals_shown_readings_total", Kind::Counter, help).sample(&[], readings);
        let ahead = self.hub.look(|ward, _| ward.ahead());
        let help = "Readings that were not shown, because they are more than 5 min ahead of the clock.";
        to.family("vitals_shown_ahead_total", Kind::Counter, help).sample(&[], ahead);
        let help = "Messages of the topic that could not be read to be shown.";
        to.family("vitals_shown_refused_total", Kind::Counter, help).sample(&[], refused);
        let beds = self.hub.look(|ward, _| ward.count());
        to.family("vitals_beds", Kind::Gauge, "Beds on the screen.").sample(&[], beds);
        let watchers = self.hub.watchers();
        to.family("vitals_streams", Kind::Gauge, "Open streams of those who look on.").sample(&[], watchers);
        let help = "Events that one who looked on too slowly was not told, before the whole ward was told again.";
        to.family("vitals_streams_skipped_events_total", Kind::Counter, help).sample(&[], self.hub.skipped());
        self.traffic.show(to);
        self.ingest.show(to);
    }
}
