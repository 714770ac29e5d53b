//! Which trouble a link has, and for how long.

use std::time::Duration;

use super::schedule::Schedule;
use crate::link::Trouble;

impl Trouble {
    /// For the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Down => "links down",
            Self::Reset => "resets",
            Self::Refused => "refusals",
            Self::Silence => "silent links",
            Self::Forgotten => "dead connections",
            Self::CutAfter(_) => "cuts",
            Self::Slices => "slices",
            Self::Delay => "delays",
            Self::Narrow => "narrow links",
        }
    }

    /// One of them.
    pub(super) fn draw(schedule: &mut Schedule) -> Self {
        match schedule.below(9) {
            0 => Self::Down,
            1 => Self::Reset,
            2 => Self::Refused,
            3 => Self::Silence,
            4 => Self::Forgotten,
            5 => Self::CutAfter(i64::from(schedule.below(100_000))),
            6 => Self::Slices,
            7 => Self::Delay,
            _ => Self::Narrow,
        }
    }

    /// One that lets nothing through as long as it lasts.
    pub(super) fn draw_outage(schedule: &mut Schedule) -> Self {
        match schedule.below(4) {
            0 => Self::Down,
            1 => Self::Reset,
            2 => Self::Refused,
            _ => Self::Silence,
        }
    }

    /// How long it lasts. Many lengths are short, since each moment has its own trouble; a silence is sometimes longer
    /// than a request may take (5 s), and than a session lasts (10 s).
    pub(super) fn length(self, schedule: &mut Schedule) -> Duration {
        let is_long = match self {
            Self::Silence => schedule.below(3) == 0,
            Self::Down | Self::Reset | Self::Refused => schedule.below(6) == 0,
            _ => false,
        };
        schedule.millis(if is_long { 5_500..13_000 } else { 100..2_000 })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    use super::*;
    use crate::link::Link;

    /// Longer than a link takes to notice that something has changed.
    const SOON: Duration = Duration::from_millis(100);

    /// A link to a server that sends back whatever it gets, and a connection through it.
    fn echo() -> (Link, TcpStream) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let there = server.local_addr().expect("an address").to_string();
        thread::spawn(move || {
            for client in server.incoming().flatten() {
                let back = client.try_clone().expect("a second handle");
                thread::spawn(move || io::copy(&mut &client, &mut &back));
            }
        });
        let link = Link::start(0, &there).expect("started");
        let client = TcpStream::connect(link.address()).expect("connected");
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
        client.set_read_timeout(Some(SOON)).expect("a limit");
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
        let (link, _client) = echo();
        let there = link.address();
        link.set(Some(Trouble::Refused));
        // The listener is closed a moment later.
        while TcpStream::connect(there).is_ok() {
            thread::sleep(SOON);
        }
        link.set(None);
        let mut again = loop {
            match TcpStream::connect(there) {
                Ok(client) => break client,
                Err(_) => thread::sleep(SOON),
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
        client.set_read_timeout(Some(SOON)).expect("a limit");
        assert!(comes_back(&mut client, b"after").is_err());
        let mut fresh = TcpStream::connect(link.address()).expect("connected");
        assert_eq!(comes_back(&mut fresh, b"fresh").expect("an answer"), b"fresh");
    }

    #[test]
    fn a_cut_comes_after_so_many_bytes() {
        let (link, mut client) = echo();
        link.set(Some(Trouble::CutAfter(3)));
        assert!(comes_back(&mut client, b"seven..").is_err());
    }
}
