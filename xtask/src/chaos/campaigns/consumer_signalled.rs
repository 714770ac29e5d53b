//! R14: SIGINT or SIGTERM for `vitals consume` at random moments, also while its store stands still, and a second one.
//!
//! A consumer that ends with 0 has committed all that it has shown; one that was cut short (130) because the store took
//! nothing has committed what is stored and has everything below it. In a second run the planted bug is a settle time
//! that nobody lives to see: such a consumer ends with 0, and has committed nothing.

use std::process::ExitStatus;
use std::time::Instant;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::left::Left;
use crate::chaos::run::Run;
use crate::chaos::signalled::{Ends, FIRST_LIMIT, ROOM, SECOND_LIMIT, draw, hangs};
use crate::chaos::stack::Kind;
use crate::chaos::stall::Stall;
use crate::chaos::watch::Watch;
use crate::error::Error;
use crate::worker::Worker;

/// What is stored counts as settled, since nobody kills the store here. A consumer that was ended at once is given up
/// soon.
const OPTIONS: &[&str] = &["--durability-delay", "0s", "--session-timeout", "2s"];

const PLANTED_OPTIONS: &[&str] = &["--durability-delay", "1h", "--session-timeout", "2s"];

/// What is done to a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Stalled,
    Twice,
}

/// Signals one after another while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run, Load::endless(500))?;
    let watch = Watch::start(run.stand, &flow.scene.at)?;
    flow.wait_for_messages()?;
    let mut ends = Ends::default();
    while run.schedule.next() {
        // Every one of them, however few there are.
        let way = match run.schedule.made() % 4 {
            2 => Way::Stalled,
            3 => Way::Twice,
            _ => Way::Plain,
        };
        let consumer = flow.scene.showing_consumer(if run.is_planted() { PLANTED_OPTIONS } else { OPTIONS })?;
        signal(run, &flow, consumer, way, &mut ends)?;
    }
    ends.conclude(&mut run.verdict);
    let last = flow.scene.consumer(OPTIONS)?;
    run.verdict.got_on(flow.gets_on()?);
    flow.finish(last, &mut run.verdict)?;
    watch.end(run.stand, &mut run.verdict)
}

fn signal(run: &mut Run<'_>, flow: &Flow<'_>, mut consumer: Worker, way: Way, ends: &mut Ends) -> Result<(), Error> {
    let life = match (run.stack.kind(), way) {
        // Long enough for something to be in flight.
        (Kind::Embedded, Way::Stalled) => 1_000..2_500,
        (Kind::Embedded, _) => 20..2_000,
        (Kind::Servers, _) => 500..5_000,
    };
    run.stand.pause(run.schedule.millis(life))?;
    let stall = if way == Way::Stalled { Some(Stall::begin(run, &flow.scene.at)?) } else { None };
    run.stand.pause(run.schedule.millis(0..800))?;
    let signal = draw(run);
    let asked = Instant::now();
    consumer.signal(signal);
    if way == Way::Twice {
        run.stand.pause(run.schedule.millis(0..100))?;
        consumer.signal(signal);
    }
    let limit = if way == Way::Twice { SECOND_LIMIT } else { FIRST_LIMIT };
    let status = consumer.wait_for_end(limit + ROOM, run.stand.interrupt())?;
    let took = asked.elapsed();
    run.verdict.fault(match way {
        Way::Plain => "signals",
        Way::Stalled => "signals while the store stood still",
        Way::Twice => "pairs of signals",
    });
    stall.map_or(Ok(()), |stall| stall.end(run))?;
    let Some(status) = status else { return hangs(run, &mut consumer, limit) };
    ends.note(way == Way::Stalled, took);
    judge(run, flow, &consumer, way, status, ends)
}

fn judge(
    run: &mut Run<'_>,
    flow: &Flow<'_>,
    consumer: &Worker,
    way: Way,
    status: ExitStatus,
    ends: &mut Ends,
) -> Result<(), Error> {
    let left = Left::of_last(run.stand, &flow.scene.at, consumer.log())?;
    // What was on its way when a consumer was cut short may be stored later, and nobody is told: Cassandra goes on with
    // what has reached it. Nothing of that is left where all was finished, or where the store took nothing.
    let nothing_comes_later = match way {
        Way::Plain => status.success(),
        Way::Stalled => status.success() || run.stack.kind() == Kind::Embedded,
        Way::Twice => false,
    };
    if nothing_comes_later && !left.uncommitted.is_empty() {
        run.verdict.breaks(format!("stored and not committed at the end: {:?}", left.uncommitted));
    }
    match status.code() {
        Some(0) if left.repeated > 0 => {
            run.verdict.breaks(format!("a clean end, and {} messages are read again", left.repeated));
        }
        Some(0) => ends.clean(way == Way::Plain && left.taken > 0),
        Some(130) => ends.cut_short(way == Way::Plain),
        // It had not yet begun to listen.
        None if consumer.said().is_empty() => ends.early(),
        _ => run.verdict.breaks(format!("ended with {status}\n{}", consumer.tail())),
    }
    Ok(())
}
