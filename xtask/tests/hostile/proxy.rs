//! A proxy before the broker that harms what goes through it, one for each session, and what can be done to a frame.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, FindCoordinatorRequest, MetadataRequest};
use kafka_protocol::protocol::StrBytes;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vitals::kafka::wire;

use super::frame::{self, Request};

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
        let (listener, address) = frame::listener().await;
        let mut rng = StdRng::seed_from_u64(seed);
        // Some sessions come far before they are harmed.
        let spared = rng.random_range(0..12);
        let harmed = Arc::new(AtomicUsize::new(0));
        let dice = Arc::new(Mutex::new(Dice { rng, spared }));
        let harming = Shared { address, direction, dice, harmed: Arc::clone(&harmed) };
        let carry = move |client, broker| Connection { client, broker, shared: harming.clone() }.run();
        let mut serving = JoinSet::new();
        serving.spawn(frame::serve(listener, broker, carry));
        Self { address, harmed, _serving: serving }
    }

    pub(crate) fn brokers(&self) -> Vec<String> {
        vec![self.address.to_string()]
    }

    pub(crate) fn harmed(&self) -> usize {
        self.harmed.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Shared {
    address: SocketAddr,
    direction: Direction,
    dice: Arc<Mutex<Dice>>,
    harmed: Arc<AtomicUsize>,
}

/// What decides, for all connections of a session.
struct Dice {
    rng: StdRng,
    /// How many frames still pass unharmed.
    spared: u32,
}

impl Shared {
    /// The frame as it was changed; `None` where it goes through as it is.
    fn harm(&self, frame: &Bytes, is_fit: impl Fn(&Bytes) -> bool) -> Option<Harmed> {
        let mut dice = self.dice.lock().expect("no panic while it is held");
        if dice.spared > 0 {
            dice.spared -= 1;
            return None;
        }
        if dice.rng.random_bool(0.5) {
            return None;
        }
        let harmed = Some(harm(frame, &mut dice.rng)).filter(|harmed| is_fit(&harmed.bytes))?;
        self.harmed.fetch_add(1, Ordering::Relaxed);
        Some(harmed)
    }
}

struct Connection {
    client: TcpStream,
    broker: TcpStream,
    shared: Shared,
}

impl Connection {
    async fn run(mut self) -> io::Result<()> {
        while let Some(sent) = frame::read(&mut self.client).await? {
            let request = Request::parse(sent);
            let harmed = match self.shared.direction {
                // Whatever it says, it has to be for this broker.
                Direction::Requests => self.shared.harm(&request.frame, |_| true),
                Direction::Answers => None,
            };
            if !send(&mut self.broker, &request.frame, harmed).await? {
                break;
            }
            let Some(answer) = frame::ask(&self.client, &mut self.broker).await? else { break };
            if !self.answer(&request, answer).await? {
                break;
            }
        }
        Ok(())
    }

    /// `false` where the connection is over.
    async fn answer(&mut self, request: &Request, answer: Bytes) -> io::Result<bool> {
        // Requests that were harmed before may have brought answers to others, which this would not understand.
        let is_ours = is_readable(request, &answer, |_, _| true);
        let answer = if is_ours { frame::naming(self.shared.address, request, answer) } else { answer };
        let harmed = match self.shared.direction {
            Direction::Answers => self.shared.harm(&answer, |harmed| self.stays_here(request, harmed)),
            Direction::Requests => None,
        };
        send(&mut self.client, &answer, harmed).await
    }

    /// Whether an answer names no other broker than us: a flipped bit must not send the client into the world.
    fn stays_here(&self, request: &Request, harmed: &Bytes) -> bool {
        let ours = frame::host_and_port(self.shared.address);
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

/// Sends a frame, or what it was harmed to; `false` where the connection is over.
async fn send(to: &mut TcpStream, frame: &Bytes, harmed: Option<Harmed>) -> io::Result<bool> {
    let Some(harmed) = harmed else { return frame::write(to, frame).await.map(|()| true) };
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

/// What goes over the wire in place of a frame, and whether the connection stands afterwards.
struct Harmed {
    bytes: Bytes,
    then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    Close,
    /// Nothing, with the connection open.
    Silence,
    Zeros(usize),
}

/// Numbers that are no lengths.
const LIES: &[[u8; 4]] = &[
    [0x7f, 0xff, 0xff, 0xff],
    [0xff; 4],
    [0x80, 0, 0, 0],
    [0, 0xff, 0xff, 0xff],
    [0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0xfe],
];

/// The same as varints.
const COMPACT_LIES: &[&[u8]] = &[b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x80", b"\0"];

/// An answer that goes on and on, but is no longer than what is taken.
const ENDLESS_BYTES: i32 = 8 * 1024 * 1024;

/// Does something to `frame`, which stands without its length.
fn harm(frame: &Bytes, rng: &mut StdRng) -> Harmed {
    let mut body = frame.to_vec();
    let place = |rng: &mut StdRng, body: &[u8]| rng.random_range(0..=body.len());
    let mut then = Then::GoOn;
    match rng.random_range(0..100) {
        0..35 => {
            for _ in 0..rng.random_range(1..5) {
                let at = place(rng, &body);
                body.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.random_range(0..8));
            }
        }
        35..50 => {
            let (at, lie) = (place(rng, &body), LIES.choose(rng).unwrap());
            body.iter_mut().skip(at).zip(lie).for_each(|(byte, lie)| *byte = *lie);
        }
        50..62 => {
            let (at, lie) = (place(rng, &body), COMPACT_LIES.choose(rng).unwrap());
            drop(body.splice(at..at, lie.iter().copied()));
        }
        62..68 => body.truncate(place(rng, frame)),
        68..72 => body.extend((0..rng.random_range(1..200)).map(|_| rng.random::<u8>())),
        72..76 => body.iter_mut().take(4).for_each(|byte| *byte = rng.random()),
        76..79 => {
            let from = place(rng, &body);
            body.iter_mut().skip(from).for_each(|byte| *byte = rng.random());
        }
        other => return beyond_the_frame(frame, other, rng),
    }
    if body.len() < frame.len() && rng.random_bool(0.3) {
        then = Then::Close;
    }
    Harmed { bytes: with_length(i32::try_from(body.len()).unwrap(), &body), then }
}

/// Lies about the frame itself.
fn beyond_the_frame(frame: &Bytes, choice: u32, rng: &mut StdRng) -> Harmed {
    let length = i32::try_from(frame.len()).unwrap();
    let half = &frame[..frame.len() / 2];
    let (bytes, then) = match choice {
        79..84 => (with_length(length, half), Then::Close),
        84..88 => (with_length(length + rng.random_range(1..1_000), frame), Then::Close),
        88..92 => (with_length(*[i32::MAX, i32::MIN, -1, 0].choose(rng).unwrap(), frame), Then::GoOn),
        92..96 => ([with_length(length, frame), with_length(length, frame)].concat().into(), Then::GoOn),
        96..98 => (Bytes::new(), Then::Close),
        98 if rng.random_bool(0.2) => (with_length(length, half), Then::Silence),
        99 if rng.random_bool(0.2) => {
            (with_length(ENDLESS_BYTES, frame), Then::Zeros(usize::try_from(ENDLESS_BYTES).unwrap()))
        }
        _ => {
            let mut noise = vec![0; rng.random_range(1..300)];
            rng.fill_bytes(&mut noise);
            (noise.into(), Then::Close)
        }
    };
    Harmed { bytes, then }
}

fn with_length(length: i32, body: &[u8]) -> Bytes {
    let mut whole = BytesMut::with_capacity(body.len() + 4);
    whole.put_i32(length);
    whole.put_slice(body);
    whole.freeze()
}
