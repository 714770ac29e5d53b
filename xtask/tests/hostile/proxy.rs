//! A proxy before the broker that harms what goes through it, one for each session.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, FindCoordinatorRequest, MetadataRequest};
use kafka_protocol::protocol::StrBytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vitals::kafka::wire;

use super::frame::{self, Request};
use super::harm::{Harmed, Then, harm};
use super::route;

/// What is harmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What the broker says.
    Answers,
    /// What the client says.
    Requests,
}

/// One endless answer at a time, so that the memory of all sessions together has a limit.
static ENDLESS: Semaphore = Semaphore::const_new(1);

pub(crate) struct Proxy {
    address: SocketAddr,
    harmed: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(broker: SocketAddr, direction: Direction, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut rng = StdRng::seed_from_u64(seed);
        // Some sessions come far before they are harmed.
        let spared = rng.random_range(0..12);
        let harmed = Arc::new(AtomicUsize::new(0));
        let mind = Arc::new(Mutex::new(Mind { rng, spared }));
        let place = Place { address, direction, mind, harmed: Arc::clone(&harmed) };
        let carry = move |client, broker| Line { client, broker, place: place.clone() }.run();
        let mut serving = JoinSet::new();
        serving.spawn(frame::serve(listener, broker, carry));
        Self { address, harmed, _serving: serving }
    }

    pub(crate) fn brokers(&self) -> Vec<String> {
        vec![self.address.to_string()]
    }

    /// How many frames were harmed.
    pub(crate) fn harmed(&self) -> usize {
        self.harmed.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Place {
    address: SocketAddr,
    direction: Direction,
    mind: Arc<Mutex<Mind>>,
    harmed: Arc<AtomicUsize>,
}

/// What decides, for all connections of a session.
struct Mind {
    rng: StdRng,
    /// How many frames still pass unharmed.
    spared: u32,
}

impl Place {
    /// The frame as it was changed; `None` where it goes through as it is.
    fn harm(&self, frame: &Bytes, is_fit: impl Fn(&Bytes) -> bool) -> Option<Harmed> {
        let mut mind = self.mind.lock().expect("no panic while it is held");
        if mind.spared > 0 {
            mind.spared -= 1;
            return None;
        }
        if mind.rng.random_bool(0.5) {
            return None;
        }
        let harmed = Some(harm(frame, &mut mind.rng)).filter(|harmed| is_fit(&harmed.bytes))?;
        self.harmed.fetch_add(1, Ordering::Relaxed);
        Some(harmed)
    }
}

struct Line {
    client: TcpStream,
    broker: TcpStream,
    place: Place,
}

impl Line {
    async fn run(mut self) -> io::Result<()> {
        while let Some(sent) = frame::read(&mut self.client).await? {
            let request = Request::parse(sent);
            let harmed = match self.place.direction {
                // Whatever it says, it has to be for this broker.
                Direction::Requests => self.place.harm(&request.frame, |_| true),
                Direction::Answers => None,
            };
            match harmed {
                Some(harmed) => {
                    if !send(&mut self.broker, harmed).await? {
                        return Ok(());
                    }
                }
                None => frame::write(&mut self.broker, &request.frame).await?,
            }
            let Some(answer) = frame::ask(&self.client, &mut self.broker).await? else { return Ok(()) };
            if !self.answer(&request, answer).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// `false` where the connection is over.
    async fn answer(&mut self, request: &Request, answer: Bytes) -> io::Result<bool> {
        // Requests that were harmed before may have brought answers to others, which this would not understand.
        let is_ours = is_readable(request, &answer, |_, _| true);
        let answer = if is_ours { route::through(self.place.address, request, answer) } else { answer };
        let harmed = match self.place.direction {
            Direction::Answers => self.place.harm(&answer, |harmed| self.stays_here(request, harmed)),
            Direction::Requests => None,
        };
        match harmed {
            Some(harmed) => send(&mut self.client, harmed).await,
            None => frame::write(&mut self.client, &answer).await.map(|()| true),
        }
    }

    /// Whether an answer names no other broker than us: a flipped bit must not send the client into the world.
    fn stays_here(&self, request: &Request, harmed: &Bytes) -> bool {
        let ours = route::of(self.place.address);
        let behind_length = harmed.get(4..).map(Bytes::copy_from_slice).unwrap_or_default();
        let names_us = |host: &StrBytes, port: i32| (host, port) == (&ours.0, ours.1);
        !is_readable(request, &behind_length, |_, _| true) || is_readable(request, &behind_length, names_us)
    }
}

/// Whether `answer` is one to `request`, and every address in it fits.
fn is_readable(request: &Request, answer: &Bytes, fits: impl Fn(&StrBytes, i32) -> bool) -> bool {
    let mut answer = answer.clone();
    if wire::response_header(&mut answer, request.api.response_header_version(request.version)).is_err() {
        return false;
    }
    match request.api {
        ApiKey::Metadata => wire::response::<MetadataRequest>(&mut answer, request.version)
            .is_ok_and(|told| told.brokers.iter().all(|broker| fits(&broker.host, broker.port))),
        ApiKey::FindCoordinator => wire::response::<FindCoordinatorRequest>(&mut answer, request.version)
            .is_ok_and(|told| fits(&told.host, told.port)),
        // Others name nobody.
        _ => true,
    }
}

/// `false` where the connection is over.
async fn send(to: &mut TcpStream, harmed: Harmed) -> io::Result<bool> {
    to.write_all(&harmed.bytes).await?;
    match harmed.then {
        Then::GoOn => return Ok(true),
        Then::Close => {}
        Then::Silence => frame::hung_up(to).await,
        Then::Zeros(count) => {
            let _alone = ENDLESS.acquire().await;
            let zeros = vec![0; 64 * 1024];
            for _ in 0..count / zeros.len() {
                to.write_all(&zeros).await?;
            }
        }
    }
    Ok(false)
}
