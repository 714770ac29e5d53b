//! A TCP proxy between `vitals` and a server, that spoils what it carries.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt;

use super::trouble::Trouble;

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
    /// Counts connections.
    made: AtomicU64,
    /// Connections below this number end,
    cut_below: AtomicU64,
    /// and those below this one carry nothing.
    forgotten_below: AtomicU64,
    ended: AtomicBool,
}

impl Link {
    /// Carries what comes to the port `from` on to the port `to`.
    pub(super) fn start(from: u16, to: u16) -> io::Result<Self> {
        let listener = listen(from)?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || serve(listener, from, to, &shared));
        Ok(Self { state })
    }

    /// From now on this is wrong with it; `None` heals it.
    pub(super) fn set(&self, trouble: Option<Trouble>) {
        if let Some(Trouble::CutAfter(bytes)) = trouble {
            self.state.left.store(bytes, Ordering::SeqCst);
        }
        *self.state.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        match trouble {
            Some(Trouble::Down | Trouble::Reset | Trouble::Refused) => self.state.cut(),
            Some(Trouble::Forgotten) => self.state.forget(),
            _ => {}
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

    fn cut(&self) {
        self.cut_below.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    fn forget(&self) {
        self.forgotten_below.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Whether a connection goes on.
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

fn serve(listener: TcpListener, from: u16, to: u16, state: &Arc<State>) {
    let mut listener = Some(listener);
    while !state.has_ended() {
        match (&listener, state.trouble()) {
            (Some(_), Some(Trouble::Refused)) => listener = None,
            (None, Some(Trouble::Refused)) => thread::sleep(LOOK_AGAIN),
            (None, _) => match listen(from) {
                Ok(fresh) => listener = Some(fresh),
                Err(_) => thread::sleep(LOOK_AGAIN),
            },
            (Some(open), trouble) => match open.accept() {
                Ok((client, _)) => take(client, to, trouble, state),
                Err(_) => thread::sleep(LOOK_AGAIN),
            },
        }
    }
}

fn take(client: TcpStream, to: u16, trouble: Option<Trouble>, state: &Arc<State>) {
    match trouble {
        Some(Trouble::Down) => {}
        Some(Trouble::Reset) => reset_when_closed(&client),
        // A server that is away is what the client sees as a connection that ends.
        _ => _ = connect(client, to, state),
    }
}

fn connect(client: TcpStream, to: u16, state: &Arc<State>) -> io::Result<()> {
    // Taken before anything is carried: a cut that comes meanwhile must end both directions.
    let number = state.made.fetch_add(1, Ordering::SeqCst);
    let server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to)))?;
    for stream in [&client, &server] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK_AGAIN))?;
    }
    let back = (server.try_clone()?, client.try_clone()?);
    for (from, to) in [(client, server), back] {
        let state = Arc::clone(state);
        thread::spawn(move || carry(from, to, &state, number));
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

    /// How a read ends once this is wrong.
    fn ends_with(trouble: Trouble) -> io::Result<usize> {
        let (link, mut client) = echo();
        assert_eq!(comes_back(&mut client, b"before").expect("an answer"), b"before");
        link.set(Some(trouble));
        client.read(&mut [0])
    }

    #[test]
    fn a_connection_ends_by_a_farewell_or_by_a_reset() {
        assert_eq!(ends_with(Trouble::Down).expect("a farewell"), 0);
        assert_eq!(ends_with(Trouble::Reset).expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn nobody_listens_until_a_refusing_link_heals() {
        let (link, client) = echo();
        let there = client.peer_addr().expect("an address");
        link.set(Some(Trouble::Refused));
        // The listener is closed a moment later.
        while TcpStream::connect(there).is_ok() {
            thread::sleep(LOOK_AGAIN);
        }
        link.set(None);
        let mut again = loop {
            match TcpStream::connect(there) {
                Ok(client) => break client,
                Err(_) => thread::sleep(LOOK_AGAIN),
            }
        };
        assert_eq!(comes_back(&mut again, b"again").expect("an answer"), b"again");
    }

    #[test]
    fn a_forgotten_connection_stays_silent_and_a_new_one_does_not() {
        let (link, mut client) = echo();
        assert_eq!(comes_back(&mut client, b"before").expect("an answer"), b"before");
        link.set(Some(Trouble::Forgotten));
        link.set(None);
        client.set_read_timeout(Some(LOOK_AGAIN * 5)).expect("a limit");
        assert!(comes_back(&mut client, b"after").is_err());
        let mut fresh = TcpStream::connect(client.peer_addr().expect("an address")).expect("connected");
        assert_eq!(comes_back(&mut fresh, b"fresh").expect("an answer"), b"fresh");
    }

    #[test]
    fn a_cut_comes_after_so_many_bytes() {
        let (link, mut client) = echo();
        link.set(Some(Trouble::CutAfter(3)));
        assert!(comes_back(&mut client, b"seven..").is_err());
    }
}
