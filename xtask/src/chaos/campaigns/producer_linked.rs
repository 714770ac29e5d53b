//! R4: bad links between `vitals produce` and the broker.
//!
//! What it has reported as sent is in the topic. After a fault it goes on in time, or it has ended: then with exit code
//! 4, in its own time, and it has said which messages were not acknowledged. It gives up on none that it still had time
//! for.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::link_faults::spoil_for;
use super::producer_killed::{SENT, WHAT, compare};
use crate::chaos::run::Run;
use crate::chaos::stack::{Addresses, Part};
use crate::chaos::stand::{COMMAND_LIMIT, END_LIMIT};
use crate::error::Error;
use crate::link::Trouble;
use crate::process::LOOK_AGAIN;
use crate::worker::Worker;

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

/// Spoils the link of one producer after the other.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let at = run.addresses_of("produce")?;
    let linked = run.stack.link(&at, run.stand)?;
    run.stand.run("vitals init", &run.stand.vitals(&at, &["init"]), COMMAND_LIMIT)?;
    let mut logs: Vec<PathBuf> = Vec::new();
    while run.schedule.next() {
        let log = run.stand.log(WHAT);
        one(run, &linked, &log)?;
        logs.push(log);
    }
    run.verdict.conclude(compare(run.stand, &at, &logs)?);
    run.stack.unlink(run.stand)
}

/// One producer, whose link goes bad and heals.
fn one(run: &mut Run<'_>, linked: &Addresses, log: &Path) -> Result<(), Error> {
    let is_long = run.schedule.made() % LONG_EVERY == 1;
    let pace = if run.schedule.coin() && !is_long { FAST } else { STEADY };
    let (trouble, length) = if is_long {
        (Trouble::draw_outage(&mut run.schedule), PATIENCE + run.schedule.millis(2_000..8_000))
    } else {
        let trouble = Trouble::draw(&mut run.schedule);
        (trouble, trouble.length(&mut run.schedule))
    };
    let arguments: Vec<_> = ["produce", "--mode", "random"].iter().chain(pace).copied().collect();
    let mut sending = Sending { worker: Worker::start(WHAT, &run.stand.vitals(linked, &arguments), log)?, log };
    if sending.reports_after(0, run)?.is_none() {
        run.verdict.breaks("a producer did not begin");
    }
    run.stand.pause(run.schedule.millis(0..300))?;
    let begun = Instant::now();
    spoil_for(run, Part::Broker, trouble, length)?;
    run.verdict.fault(if is_long { "long outages" } else { trouble.name() });
    let got_on = sending.reports_after(sending.length()?, run)?;
    match sending.worker.ended_by_itself()? {
        Some(status) if !status.success() => gave_up(run, status, begun.elapsed(), length, log)?,
        Some(_) => run.verdict.got_on(got_on),
        None => {
            run.verdict.got_on(got_on);
            sending.worker.end(Signal::INT, END_LIMIT, run.stand.interrupt())?;
        }
    }
    Ok(())
}

/// Looks whether it had reason to end, and said so.
fn gave_up(run: &mut Run<'_>, status: ExitStatus, after: Duration, length: Duration, log: &Path) -> Result<(), Error> {
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

/// A producer, and what it prints.
struct Sending<'a> {
    worker: Worker,
    log: &'a Path,
}

impl Sending<'_> {
    fn length(&self) -> Result<u64, Error> {
        Ok(std::fs::metadata(self.log).map_err(Error::file("read", self.log))?.len())
    }

    /// How long it takes to report something beyond this place in its log, or to end; `None` where nobody waited so
    /// long.
    fn reports_after(&mut self, place: u64, run: &Run<'_>) -> Result<Option<Duration>, Error> {
        let begun = Instant::now();
        while begun.elapsed() < PROGRESS_LIMIT {
            if self.worker.ended_by_itself()?.is_some() || self.has_reported(place)? {
                return Ok(Some(begun.elapsed()));
            }
            run.stand.pause(LOOK_AGAIN)?;
        }
        Ok(None)
    }

    fn has_reported(&self, place: u64) -> Result<bool, Error> {
        let error = || Error::file("read", self.log);
        let mut log = File::open(self.log).map_err(error())?;
        log.seek(SeekFrom::Start(place)).map_err(error())?;
        let mut said = Vec::new();
        log.read_to_end(&mut said).map_err(error())?;
        Ok(said.windows(SENT.len()).any(|window| window == SENT.as_bytes()))
    }
}
