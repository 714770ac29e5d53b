//! R5: a consumer stopped by SIGSTOP past its session, while another takes over from it, and continued: a zombie. The
//! broker and Cassandra stopped for a while.
//!
//! What the zombie commits late would take the group back: a watcher sees that. In a second run the planted bug is a
//! member on `librdkafka` that does so.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::stack::{Kind, Part};
use crate::chaos::stall::Stall;
use crate::chaos::watch::Watch;
use crate::error::Error;
use crate::worker::Worker;

/// How a campaign stops consumers.
#[derive(Debug, Clone, Copy)]
struct Stops {
    /// Nobody kills the store here, so a settle time of zero is safe: a zombie has more to commit.
    options: &'static [&'static str],
    session: Duration,
    /// How long a consumer is stopped at least, and until another has taken over.
    least: Duration,
    /// For the report.
    kind: &'static str,
}

const SHORT: Stops = Stops {
    options: &["--durability-delay", "0s", "--session-timeout", "2s"],
    session: Duration::from_secs(2),
    least: Duration::ZERO,
    kind: "consumers stopped",
};
/// With the default session time-out.
const MINUTE: Stops = Stops {
    options: &["--durability-delay", "0s"],
    session: Duration::from_secs(10),
    least: Duration::from_secs(60),
    kind: "consumers stopped for 60 s",
};

/// Stops one after another while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let parts: &[_] = match (run.stack.kind(), run.is_planted()) {
        (_, true) => &[None],
        (Kind::Embedded, false) => &[None, Some(Part::Broker)],
        (Kind::Servers, false) => &[None, Some(Part::Broker), Some(Part::Store)],
    };
    stop(run, SHORT, parts)
}

/// Stops consumers for a minute each.
pub(in crate::chaos) fn for_a_minute(run: &mut Run<'_>) -> Result<(), Error> {
    stop(run, MINUTE, &[None])
}

fn stop(run: &mut Run<'_>, stops: Stops, parts: &[Option<Part>]) -> Result<(), Error> {
    let mut flow = Flow::start(run, Load::endless(1_000))?;
    let watch = Watch::start(run.stand, &flow.scene.at)?;
    let mut other = flow.scene.consumer(stops.options)?;
    let mut zombie =
        if run.is_planted() { flow.foreign_member("stale")? } else { flow.scene.consumer(stops.options)? };
    flow.members(2)?;
    let mut part = parts.iter().cycle().copied();
    while run.schedule.next() {
        run.stand.pause(run.schedule.millis(100..1_500))?;
        match part.next().flatten() {
            None => stop_consumer(run, stops, &flow, &zombie)?,
            Some(part) => stop_server(run, stops, &flow, part)?,
        }
        other.must_run()?;
        zombie.must_run()?;
        run.verdict.look(&flow.check()?);
        if !run.is_planted() && run.schedule.coin() {
            std::mem::swap(&mut other, &mut zombie);
        }
    }
    flow.stop_sending()?;
    flow.leave(zombie)?;
    flow.scene.drain(vec![other])?;
    run.verdict.conclude(flow.check()?);
    watch.end(run.stand, &mut run.verdict)
}

/// Until another has taken over everything, and somewhat longer. Who is stopped in the middle of a transaction of
/// `SQLite` keeps the other from storing: then work goes on when it does.
fn stop_consumer(run: &mut Run<'_>, stops: Stops, flow: &Flow<'_>, zombie: &Worker) -> Result<(), Error> {
    let begun = Instant::now();
    zombie.signal(Signal::STOP);
    let holds_the_store = Stall::is_on(run, &flow.scene.at)?;
    let least = if holds_the_store {
        run.verdict.fault("consumers stopped as they wrote");
        stops.least.max(stops.session)
    } else {
        run.verdict.fault(stops.kind);
        let taken_over = flow.gets_on_everywhere()?.map(|_| begun.elapsed().saturating_sub(stops.session));
        run.verdict.got_on(taken_over);
        stops.least
    };
    run.stand.pause(least.saturating_sub(begun.elapsed()) + run.schedule.millis(0..2_000))?;
    let begun = Instant::now();
    zombie.signal(Signal::CONT);
    // It is a member again when it has found out, and the others have shared with it.
    flow.members(2)?;
    run.verdict.got_on(flow.gets_on()?.map(|_| begun.elapsed()));
    Ok(())
}

/// For less than a session, or more.
fn stop_server(run: &mut Run<'_>, stops: Stops, flow: &Flow<'_>, part: Part) -> Result<(), Error> {
    let longer = if run.schedule.coin() { stops.session } else { Duration::ZERO };
    run.stack.pause(part)?;
    run.stand.pause(longer + run.schedule.millis(500..3_000))?;
    run.stack.resume(part)?;
    run.verdict.fault(match part {
        Part::Broker => "brokers stopped",
        Part::Store => "stores stopped",
    });
    run.verdict.got_on(flow.gets_on()?);
    flow.members(2)?;
    Ok(())
}
