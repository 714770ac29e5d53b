//! Bad links between `vitals` and its servers.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::kills::{PRODUCER, SENT, compare};
use crate::chaos::Run;
use crate::chaos::flow::{Flow, Load};
use crate::chaos::harness::{COMMAND_LIMIT, END_LIMIT};
use crate::chaos::schedule::Schedule;
use crate::chaos::stack::{Addresses, Part};
use crate::error::{Error, Result};
use crate::link::Trouble;
use crate::process::LOOK_AGAIN;
use crate::signals;
use crate::worker::Worker;

impl Trouble {
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

/// R4: bad links between `vitals consume` and each of its servers.
///
/// The readers look when the links have healed. The sender goes round the links, but on the embedded stack, whose broker
/// has one address for everybody, it has to cope with them as well.
pub(in crate::chaos) fn consumer(run: &mut Run<'_>) -> Result<()> {
    let at = run.addresses()?;
    let linked = run.stack.link(&at, run.harness)?;
    let flow = Flow::start_at(run.harness, at, Load::endless(1_000))?;
    let consumer = flow.deployment.consumer_at(&linked, &[])?;
    flow.outlast(run, consumer, |run| {
        signals::pause(run.schedule.millis(50..1_000))?;
        spoil(run)
    })?;
    run.stack.unlink(run.harness)
}

/// Makes one link bad for a while.
pub(in crate::chaos) fn spoil(run: &mut Run<'_>) -> Result<()> {
    let part = draw_part(run.stack.linked_parts(), &mut run.schedule);
    let trouble = Trouble::draw(&mut run.schedule);
    let length = trouble.length(&mut run.schedule);
    spoil_for(run, part, trouble, length)?;
    run.verdict.fault(trouble.name());
    Ok(())
}

/// Makes this link bad for so long.
pub(in crate::chaos) fn spoil_for(run: &Run<'_>, part: Part, trouble: Trouble, length: Duration) -> Result<()> {
    run.stack.spoil(part, Some(trouble))?;
    signals::pause(length)?;
    run.stack.spoil(part, None)
}

fn draw_part(parts: &[Part], schedule: &mut Schedule) -> Part {
    let drawn = schedule.below(u32::try_from(parts.len()).unwrap_or(1));
    usize::try_from(drawn).ok().and_then(|drawn| parts.get(drawn)).copied().unwrap_or(Part::Broker)
}

/// What it prints for messages that were not acknowledged, when it gives up,
const GIVEN_UP: &str = "not acknowledged: message ";
/// and the exit code then.
const UNREACHABLE: i32 = 4;
/// How long it keeps trying, by its promise.
const PATIENCE: Duration = Duration::from_secs(30);
/// What its last request and a busy machine may add to that.
const PATIENCE_ROOM: Duration = Duration::from_secs(25);
/// Who gives up after a shorter fault had time to try again.
const SHORT: Duration = Duration::from_secs(15);
/// How long it is waited for a start, and for work to go on.
const PROGRESS_LIMIT: Duration = Duration::from_secs(40);
/// As fast as it can: so many that a fault falls among them, and that all of them fit into the reader's memory.
const FAST: &[&str] = &["--interval", "0", "--count", "20000"];
const STEADY: &[&str] = &["--interval", "0.002"];
/// The first of so many faults outlasts the producer's patience.
const LONG_EVERY: u32 = 12;

/// R4: bad links between `vitals produce` and the broker.
///
/// What it has reported as sent is in the topic. After a fault it goes on in time, or it has ended: then with exit code
/// 4, in its own time, and it has said which messages were not acknowledged. It gives up on none that it still had time
/// for.
pub(in crate::chaos) fn producer(run: &mut Run<'_>) -> Result<()> {
    let at = run.addresses_of("produce")?;
    let linked = run.stack.link(&at, run.harness)?;
    run.harness.run("vitals init", &run.harness.vitals(&at, &["init"]), COMMAND_LIMIT)?;
    let mut logs: Vec<PathBuf> = Vec::new();
    while run.schedule.next() {
        let log = run.harness.log(PRODUCER);
        one_producer(run, &linked, &log)?;
        logs.push(log);
    }
    run.verdict.conclude(compare(run.harness, &at, &logs)?);
    run.stack.unlink(run.harness)
}

/// One producer, whose link goes bad and heals.
fn one_producer(run: &mut Run<'_>, linked: &Addresses, log: &Path) -> Result<()> {
    let is_long = run.schedule.made() % LONG_EVERY == 1;
    let pace = if run.schedule.coin() && !is_long { FAST } else { STEADY };
    let (trouble, length) = if is_long {
        (Trouble::draw_outage(&mut run.schedule), PATIENCE + run.schedule.millis(2_000..8_000))
    } else {
        let trouble = Trouble::draw(&mut run.schedule);
        (trouble, trouble.length(&mut run.schedule))
    };
    let arguments: Vec<_> = ["produce", "--mode", "random"].iter().chain(pace).copied().collect();
    let mut sending = Sending { worker: Worker::start(PRODUCER, &run.harness.vitals(linked, &arguments), log)?, log };
    // It has reached the broker: before, a link that is down is a reason to end at once.
    sending.worker.wait_for_line(SENT, PROGRESS_LIMIT)?;
    signals::pause(run.schedule.millis(0..300))?;
    let begun = Instant::now();
    spoil_for(run, Part::Broker, trouble, length)?;
    run.verdict.fault(if is_long { "long outages" } else { trouble.name() });
    let got_on = sending.reports_after(sending.length()?)?;
    match sending.worker.ended_by_itself()? {
        Some(status) if !status.success() => gave_up(run, status, begun.elapsed(), length, log)?,
        Some(_) => run.verdict.got_on(got_on),
        None => {
            run.verdict.got_on(got_on);
            sending.worker.end(Signal::INT, END_LIMIT)?;
        }
    }
    Ok(())
}

/// Looks whether it had reason to end, and said so.
fn gave_up(run: &mut Run<'_>, status: ExitStatus, after: Duration, length: Duration, log: &Path) -> Result<()> {
    let said = std::fs::read(log).map_err(Error::file("read", log))?;
    let said = String::from_utf8_lossy(&said);
    let at = || format!("{} after a fault of {:.1} s ({})", status, length.as_secs_f64(), log.display());
    if status.code() != Some(UNREACHABLE) || !said.contains(GIVEN_UP) {
        run.verdict.breaks(format!("a producer ended without saying what was not sent: {}", at()));
    }
    if length < SHORT {
        run.verdict.breaks(format!("a producer gave up too early: {}", at()));
    }
    if after > PATIENCE + PATIENCE_ROOM {
        run.verdict.breaks(format!("a producer gave up late, after {:.0} s: {}", after.as_secs_f64(), at()));
    }
    Ok(())
}

struct Sending<'a> {
    worker: Worker,
    log: &'a Path,
}

impl Sending<'_> {
    fn length(&self) -> Result<u64> {
        Ok(std::fs::metadata(self.log).map_err(Error::file("read", self.log))?.len())
    }

    /// How long it takes to report something beyond this place in its log, or to end; `None` where nobody waited so
    /// long.
    fn reports_after(&mut self, place: u64) -> Result<Option<Duration>> {
        let begun = Instant::now();
        while begun.elapsed() < PROGRESS_LIMIT {
            if self.worker.ended_by_itself()?.is_some() || self.has_reported(place)? {
                return Ok(Some(begun.elapsed()));
            }
            signals::pause(LOOK_AGAIN)?;
        }
        Ok(None)
    }

    fn has_reported(&self, place: u64) -> Result<bool> {
        let error = || Error::file("read", self.log);
        let mut log = File::open(self.log).map_err(error())?;
        log.seek(SeekFrom::Start(place)).map_err(error())?;
        let mut said = Vec::new();
        log.read_to_end(&mut said).map_err(error())?;
        Ok(said.windows(SENT.len()).any(|window| window == SENT.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    use crate::link::Link;

    use super::*;

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
        let mut again = TcpStream::connect(there).expect("somebody listens at once");
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
