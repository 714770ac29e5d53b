//! A TCP proxy between `vitals` and a server, that spoils what it carries.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::schedule::Schedule;

/// How often a quiet connection looks whether something has changed.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
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
pub(super) enum Trouble {
    /// Connections are ended, and new ones at once.
    Down,
    /// Connections stay, and carry nothing.
    Silence,
    /// All connections are ended when so many bytes have passed, once.
    CutAfter(i64),
    /// Bytes come in slices.
    Slices,
    /// Each piece comes late.
    Delay,
    /// 64 KB/s.
    Narrow,
}

impl Trouble {
    /// For the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Down => "links down",
            Self::Silence => "silent links",
            Self::CutAfter(_) => "cuts",
            Self::Slices => "slices",
            Self::Delay => "delays",
            Self::Narrow => "narrow links",
        }
    }

    /// One of them.
    pub(super) fn draw(schedule: &mut Schedule) -> Self {
        match schedule.below(6) {
            0 => Self::Down,
            1 => Self::Silence,
            2 => Self::CutAfter(i64::from(schedule.below(200_000))),
            3 => Self::Slices,
            4 => Self::Delay,
            _ => Self::Narrow,
        }
    }
}

/// A link to a server on this machine. Dropping it ends its connections.
#[derive(Debug)]
pub(super) struct Link {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    trouble: Mutex<Option<Trouble>>,
    /// How many bytes may still pass before a cut.
    left: AtomicI64,
    /// Rises with every cut: connections of earlier numbers end.
    cuts: AtomicU64,
    ended: AtomicBool,
}

impl Link {
    /// Carries what comes to the port `from` on to the port `to`.
    pub(super) fn start(from: u16, to: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, from))?;
        listener.set_nonblocking(true)?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || listen(&listener, to, &shared));
        Ok(Self { state })
    }

    /// From now on this is wrong with it; `None` heals it.
    pub(super) fn set(&self, trouble: Option<Trouble>) {
        if let Some(Trouble::CutAfter(bytes)) = trouble {
            self.state.left.store(bytes, Ordering::SeqCst);
        }
        *self.state.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        if trouble == Some(Trouble::Down) {
            self.state.cuts.fetch_add(1, Ordering::SeqCst);
        }
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

    /// Whether a connection has to hold back what it carries.
    fn is_silent(&self, cuts: u64) -> bool {
        self.trouble() == Some(Trouble::Silence) && !self.has_ended() && self.cuts() == cuts
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }
}

fn listen(listener: &TcpListener, to: u16, state: &Arc<State>) {
    while !state.has_ended() {
        match listener.accept() {
            Ok((client, _)) if state.trouble() != Some(Trouble::Down) => {
                // A server that is away is what the client sees as a connection that ends.
                let _ = connect(client, to, state);
            }
            Ok(_) => {}
            Err(_) => thread::sleep(LOOK_AGAIN),
        }
    }
}

fn connect(client: TcpStream, to: u16, state: &Arc<State>) -> io::Result<()> {
    let server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to)))?;
    // Taken before anything is carried: a cut that comes meanwhile must end both directions.
    let cuts = state.cuts();
    for stream in [&client, &server] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK_AGAIN))?;
    }
    let back = (server.try_clone()?, client.try_clone()?);
    for (from, to) in [(client, server), back] {
        let state = Arc::clone(state);
        thread::spawn(move || carry(from, to, &state, cuts));
    }
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &State, cuts: u64) {
    let mut buffer = vec![0; PIECE_BYTES];
    while !state.has_ended() && state.cuts() == cuts {
        let piece = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        while state.is_silent(cuts) {
            thread::sleep(LOOK_AGAIN);
        }
        if pass(&mut to, piece, state).is_err() {
            break;
        }
    }
    for stream in [&from, &to] {
        // One that has ended already cannot be ended again.
        let _ = stream.shutdown(Shutdown::Both);
    }
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
        Some(Trouble::Down) => Err(ErrorKind::ConnectionAborted.into()),
        Some(Trouble::Silence) | None => to.write_all(piece),
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
    state.cuts.fetch_add(1, Ordering::SeqCst);
    Err(ErrorKind::ConnectionAborted.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::ports::FreePorts;

    /// A link to a server that sends back whatever it gets, and a connection through it.
    fn echo() -> (Link, TcpStream) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let to = server.local_addr().expect("an address").port();
        thread::spawn(move || {
            for client in server.incoming().flatten() {
                let back = client.try_clone().expect("a second handle");
                thread::spawn(move || io::copy(&mut &client, &mut &back));
            }
        });
        let from = FreePorts::new().take().expect("a port");
        let link = Link::start(from, to).expect("started");
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, from)).expect("connected");
        (link, client)
    }

    fn comes_back(client: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        client.write_all(text)?;
        let mut back = vec![0; text.len()];
        client.read_exact(&mut back)?;
        Ok(back)
    }

    #[test]
    fn what_comes_in_slices_comes_whole() {
        let (link, mut client) = echo();
        link.set(Some(Trouble::Slices));
        let text = b"a frame that is longer than one slice";
        assert_eq!(comes_back(&mut client, text).expect("an answer"), text);
    }

    #[test]
    fn a_silent_link_carries_nothing_until_it_heals() {
        let (link, mut client) = echo();
        assert_eq!(comes_back(&mut client, b"before").expect("an answer"), b"before");
        link.set(Some(Trouble::Silence));
        client.set_read_timeout(Some(LOOK_AGAIN * 5)).expect("a limit");
        assert!(comes_back(&mut client, b"after").is_err());
        link.set(None);
        client.set_read_timeout(None).expect("no limit");
        let mut late = [0; 5];
        client.read_exact(&mut late).expect("what waited");
        assert_eq!(&late, b"after");
    }

    #[test]
    fn a_cut_comes_after_so_many_bytes() {
        let (link, mut client) = echo();
        link.set(Some(Trouble::CutAfter(3)));
        assert!(comes_back(&mut client, b"seven..").is_err());
    }
}
