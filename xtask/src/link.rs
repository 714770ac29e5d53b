//! A TCP proxy between `vitals` and a server, that spoils what it carries: for campaigns and for tests.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

/// How often a quiet connection looks whether something has changed.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long it may take until somebody listens again, also where somebody else has taken the port for a moment.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);
/// What is carried in one piece at most.
const PIECE_BYTES: usize = 32 * 1024;
/// No frame of either protocol fits into so little.
const SLICE_BYTES: usize = 7;
/// Longer than a round trip ever takes on one machine, shorter than the clients' limits.
const DELAY: Duration = Duration::from_millis(300);
/// 64 KB/s.
const NARROW: (usize, Duration) = (3_200, Duration::from_millis(50));

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Connections are ended, and new ones at once.
    Down,
    /// The same by a reset instead of an end.
    Reset,
    /// Connections are ended, and nobody listens.
    Refused,
    /// Connections stay, and carry nothing until it is over.
    Silence,
    /// Connections stay, and never carry anything again; new ones are as ever. So it is with a server that lost its
    /// power, or a firewall that forgot.
    Forgotten,
    /// All connections are ended when so many bytes have passed, once.
    CutAfter(i64),
    /// Bytes come in slices.
    Slices,
    /// Each piece comes late.
    Delay,
    /// 64 KB/s.
    Narrow,
}

/// A link to a server. Dropping it ends its connections.
#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    trouble: Mutex<Option<Trouble>>,
    /// How many bytes may still pass before a cut.
    left: AtomicI64,
    /// Counts connections.
    made: AtomicU64,
    /// Connections below this number end,
    cut_below: AtomicU64,
    /// and those below this one carry nothing.
    forgotten_below: AtomicU64,
    /// Directions of connections that are open.
    open: AtomicU64,
    carried_bytes: AtomicU64,
    /// Nobody listens.
    is_closed: AtomicBool,
    ended: AtomicBool,
}

impl Link {
    /// Carries what comes to the port `from` of 127.0.0.1, or to a free one where that is 0, on to the server.
    pub(crate) fn start(from: u16, server: &str) -> io::Result<Self> {
        let listener = listen(from)?;
        let (address, state) = (listener.local_addr()?, Arc::new(State::default()));
        let (server, shared) = (server.to_owned(), Arc::clone(&state));
        thread::spawn(move || serve(listener, address.port(), &server, &shared));
        Ok(Self { address, state })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this is wrong with it; `None` heals it: then somebody listens when this returns.
    pub(crate) fn set(&self, trouble: Option<Trouble>) {
        if let Some(Trouble::CutAfter(bytes)) = trouble {
            self.state.left.store(bytes, Ordering::SeqCst);
        }
        *self.state.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        match trouble {
            Some(Trouble::Down | Trouble::Reset | Trouble::Refused) => self.state.cut(),
            Some(Trouble::Forgotten) => self.state.forget(),
            _ => {}
        }
        let begun = Instant::now();
        while trouble != Some(Trouble::Refused)
            && self.state.is_closed.load(Ordering::SeqCst)
            && begun.elapsed() < LISTENS_WITHIN
        {
            thread::sleep(LOOK_AGAIN);
        }
    }
}

#[allow(dead_code, reason = "only tests ask for it")]
impl Link {
    /// How many connections there were.
    pub(crate) fn made(&self) -> u64 {
        self.state.made.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> u64 {
        self.state.open.load(Ordering::SeqCst).div_ceil(2)
    }

    /// How many bytes came in both directions.
    pub(crate) fn carried_bytes(&self) -> u64 {
        self.state.carried_bytes.load(Ordering::SeqCst)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn trouble(&self) -> Option<Trouble> {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it still is that nobody is to listen; then nobody does.
    fn closes(&self) -> bool {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let is_refused = *trouble == Some(Trouble::Refused);
        self.is_closed.fetch_or(is_refused, Ordering::SeqCst);
        is_refused
    }

    fn cut(&self) {
        self.cut_below.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    fn forget(&self) {
        self.forgotten_below.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    fn carries(&self, number: u64) -> bool {
        !self.has_ended() && number >= self.cut_below.load(Ordering::SeqCst)
    }

    fn has_forgotten(&self, number: u64) -> bool {
        number < self.forgotten_below.load(Ordering::SeqCst)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(listener: TcpListener, from: u16, server: &str, state: &Arc<State>) {
    let mut listener = Some(listener);
    while !state.has_ended() {
        match (&listener, state.trouble()) {
            (Some(_), Some(Trouble::Refused)) if state.closes() => listener = None,
            (None, Some(Trouble::Refused)) => thread::sleep(LOOK_AGAIN),
            (None, _) => match listen(from) {
                Ok(fresh) => {
                    listener = Some(fresh);
                    state.is_closed.store(false, Ordering::SeqCst);
                }
                Err(_) => thread::sleep(LOOK_AGAIN),
            },
            (Some(open), trouble) => match open.accept() {
                Ok((client, _)) => take(client, server, trouble, state),
                Err(_) => thread::sleep(LOOK_AGAIN),
            },
        }
    }
}

fn take(client: TcpStream, server: &str, trouble: Option<Trouble>, state: &Arc<State>) {
    match trouble {
        Some(Trouble::Down) => {}
        Some(Trouble::Reset) => reset_when_closed(&client),
        // A server that is away is what the client sees as a connection that ends.
        _ => _ = connect(client, server, state),
    }
}

fn connect(client: TcpStream, server: &str, state: &Arc<State>) -> io::Result<()> {
    // Taken before anything is carried: a cut that comes meanwhile must end both directions.
    let number = state.made.fetch_add(1, Ordering::SeqCst);
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK_AGAIN))?;
    }
    let back = (server.try_clone()?, client.try_clone()?);
    for (from, to) in [(client, server), back] {
        let state = Arc::clone(state);
        state.open.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            carry(from, to, &state, number);
            state.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &State, number: u64) {
    let mut buffer = vec![0; PIECE_BYTES];
    while state.carries(number) {
        let piece = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        state.carried_bytes.fetch_add(u64::try_from(piece.len()).unwrap_or_default(), Ordering::SeqCst);
        while state.trouble() == Some(Trouble::Silence) && state.carries(number) {
            thread::sleep(LOOK_AGAIN);
        }
        // What comes is thrown away, so that the end of a connection is noticed.
        if !state.has_forgotten(number) && pass(&mut to, piece, state).is_err() {
            break;
        }
    }
    let is_reset = state.trouble() == Some(Trouble::Reset);
    for stream in [&from, &to] {
        if is_reset {
            reset_when_closed(stream);
        } else {
            // One that has ended already cannot be ended again.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Makes that its end is a reset instead of a farewell, and takes what was on its way with it.
fn reset_when_closed(stream: &TcpStream) {
    // A connection that has ended already needs no reset.
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

fn pass(to: &mut TcpStream, piece: &[u8], state: &State) -> io::Result<()> {
    match state.trouble() {
        Some(Trouble::CutAfter(_)) => cut_after(to, piece, state),
        Some(Trouble::Slices) => piece.chunks(SLICE_BYTES).try_for_each(|slice| to.write_all(slice)),
        Some(Trouble::Delay) => {
            thread::sleep(DELAY);
            to.write_all(piece)
        }
        Some(Trouble::Narrow) => piece.chunks(NARROW.0).try_for_each(|slice| {
            thread::sleep(NARROW.1);
            to.write_all(slice)
        }),
        Some(Trouble::Down | Trouble::Reset | Trouble::Refused) => Err(ErrorKind::ConnectionAborted.into()),
        Some(Trouble::Silence | Trouble::Forgotten) | None => to.write_all(piece),
    }
}

/// The piece that the limit falls into is cut there; later ones pass.
fn cut_after(to: &mut TcpStream, piece: &[u8], state: &State) -> io::Result<()> {
    let length = i64::try_from(piece.len()).unwrap_or(i64::MAX);
    let before = state.left.fetch_sub(length, Ordering::SeqCst);
    if before < 0 || before >= length {
        return to.write_all(piece);
    }
    let kept = usize::try_from(before).unwrap_or_default();
    to.write_all(piece.get(..kept).unwrap_or_default())?;
    state.cut();
    Err(ErrorKind::ConnectionAborted.into())
}
