//! Programs that are asked to end, or that panic.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::kills::{PRODUCER, SENT, compare};
use super::unavailable::Stall;
use crate::chaos::Run;
use crate::chaos::flow::{Flow, Left, Load, Watch};
use crate::chaos::harness::{COMMAND_LIMIT, END_LIMIT};
use crate::chaos::stack::{Kind, Part};
use crate::chaos::verdict::Verdict;
use crate::error::Result;
use crate::signals;
use crate::worker::Worker;

/// Within this a program ends that was asked once, by the promise,
pub(super) const FIRST_LIMIT: Duration = Duration::from_secs(5);
/// and, which is "at once", within this when it was asked twice;
pub(super) const SECOND_LIMIT: Duration = Duration::from_secs(1);
/// a busy machine may add this.
pub(super) const ROOM: Duration = Duration::from_secs(3);

/// After so many ends without a clean one, though nothing stood still, there is none: a busy machine may be too slow
/// for one or two.
const ENOUGH: u32 = 3;

/// Either signal means the same.
pub(super) fn draw_signal(run: &mut Run<'_>) -> Signal {
    if run.schedule.coin() { Signal::INT } else { Signal::TERM }
}

pub(super) fn hangs(run: &mut Run<'_>, program: &mut Worker, limit: Duration) -> Result<()> {
    let limit = limit + ROOM;
    run.verdict.breaks(format!("has not ended {} s after the last signal\n{}", limit.as_secs(), program.tail()));
    program.kill()
}

#[derive(Debug, Default)]
pub(super) struct Ends {
    slowest: Duration,
    slowest_stalled: Duration,
    clean: u32,
    cut_short: u32,
    calm: Calm,
    early: u32,
}

/// Those that had something to finish while nothing stood still.
#[derive(Debug, Default)]
struct Calm {
    clean: u32,
    cut_short: u32,
}

impl Ends {
    /// How long it took from the first signal; `is_stalled` where something stood still that it needed.
    pub(super) fn note(&mut self, is_stalled: bool, took: Duration) {
        let slowest = if is_stalled { &mut self.slowest_stalled } else { &mut self.slowest };
        *slowest = took.max(*slowest);
    }

    /// With 0; `is_calm` where it had something to finish, and nothing stood still.
    pub(super) fn clean(&mut self, is_calm: bool) {
        self.clean += 1;
        self.calm.clean += u32::from(is_calm);
    }

    /// With 130, or whatever else says that not everything was finished.
    pub(super) fn cut_short(&mut self, is_calm: bool) {
        self.cut_short += 1;
        self.calm.cut_short += u32::from(is_calm);
    }

    /// By the signal itself, before the program listened to it.
    pub(super) fn early(&mut self) {
        self.early += 1;
    }

    /// A program that is cut short every time would satisfy everything else.
    pub(super) fn conclude(&self, verdict: &mut Verdict) {
        let Self { slowest, slowest_stalled, clean, cut_short, calm, early } = self;
        let [slowest, stalled] = [slowest, slowest_stalled].map(Duration::as_secs_f64);
        verdict.measured(format!(
            "ended after {slowest:.1} s at the latest, {stalled:.1} s with a server that stood still"
        ));
        verdict.measured(format!("{clean} ended cleanly, {cut_short} were cut short, {early} had not yet begun"));
        if calm.clean == 0 && calm.cut_short >= ENOUGH {
            verdict.breaks(format!("{} were cut short though nothing stood still, and none was not", calm.cut_short));
        }
    }
}

/// What is stored counts as settled, since nobody kills the store here. A consumer that was ended at once is given up
/// soon.
const IMPATIENT: &[&str] = &["--durability-delay", "0s", "--session-timeout", "2s"];

const PLANTED_OPTIONS: &[&str] = &["--durability-delay", "1h", "--session-timeout", "2s"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Stalled,
    Twice,
}

/// R14: SIGINT or SIGTERM for `vitals consume` at random moments, also while its store stands still, and a second one.
///
/// A consumer that ends with 0 has committed all that it has shown; one that was cut short (130) because the store took
/// nothing has committed what is stored and has everything below it. In a second run the planted bug is a durability
/// delay that nobody lives to see: such a consumer ends with 0, and has committed nothing.
pub(in crate::chaos) fn consumer_signalled(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, Load::endless(500))?;
    let watch = Watch::start(run.harness, &flow.deployment.at)?;
    flow.wait_for_messages()?;
    let mut ends = Ends::default();
    while run.schedule.next() {
        // Every one of them, however few there are.
        let way = match run.schedule.made() % 4 {
            2 => Way::Stalled,
            3 => Way::Twice,
            _ => Way::Plain,
        };
        let consumer = flow.deployment.showing_consumer(if run.is_planted() { PLANTED_OPTIONS } else { IMPATIENT })?;
        signal_consumer(run, &flow, consumer, way, &mut ends)?;
    }
    ends.conclude(&mut run.verdict);
    let last = flow.deployment.consumer(IMPATIENT)?;
    run.verdict.got_on(flow.gets_on()?);
    flow.finish(last, &mut run.verdict)?;
    watch.end(&mut run.verdict)
}

fn signal_consumer(run: &mut Run<'_>, flow: &Flow<'_>, mut consumer: Worker, way: Way, ends: &mut Ends) -> Result<()> {
    let life = match (run.stack.kind(), way) {
        // Long enough for something to be in flight.
        (Kind::Embedded, Way::Stalled) => 1_000..2_500,
        (Kind::Embedded, _) => 20..2_000,
        (Kind::Servers | Kind::Cluster, _) => 500..5_000,
    };
    signals::pause(run.schedule.millis(life))?;
    let stall = if way == Way::Stalled { Some(Stall::begin(run, &flow.deployment.at)?) } else { None };
    signals::pause(run.schedule.millis(0..800))?;
    let signal = draw_signal(run);
    let asked = Instant::now();
    consumer.signal(signal);
    if way == Way::Twice {
        signals::pause(run.schedule.millis(0..100))?;
        consumer.signal(signal);
    }
    let limit = if way == Way::Twice { SECOND_LIMIT } else { FIRST_LIMIT };
    let status = consumer.wait_for_end(limit + ROOM)?;
    let took = asked.elapsed();
    run.verdict.fault(match way {
        Way::Plain => "signals",
        Way::Stalled => "signals while the store stood still",
        Way::Twice => "pairs of signals",
    });
    stall.map_or(Ok(()), |stall| stall.end(run))?;
    let Some(status) = status else { return hangs(run, &mut consumer, limit) };
    ends.note(way == Way::Stalled, took);
    judge_consumer(run, flow, &consumer, way, status, ends)
}

fn judge_consumer(
    run: &mut Run<'_>,
    flow: &Flow<'_>,
    consumer: &Worker,
    way: Way,
    status: ExitStatus,
    ends: &mut Ends,
) -> Result<()> {
    let left = Left::of_last(run.harness, &flow.deployment.at, &consumer.log)?;
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

/// R14: SIGINT or SIGTERM for `vitals produce` at random moments, also while the broker stands still: it ends in time,
/// and what it has reported as sent is in the topic.
pub(in crate::chaos) fn producer_signalled(run: &mut Run<'_>) -> Result<()> {
    let (harness, at) = (run.harness, run.addresses()?);
    harness.run("vitals init", &harness.vitals(&at, &["init"]), COMMAND_LIMIT)?;
    let command = harness.vitals(&at, &["produce", "--mode", "random", "--interval", "0"]);
    let (mut logs, mut ends): (Vec<PathBuf>, _) = (Vec::new(), Ends::default());
    while run.schedule.next() {
        let mut producer = harness.start(PRODUCER, &command)?;
        logs.push(producer.log.clone());
        if run.schedule.made() % 2 == 1 {
            producer.wait_for_line(SENT, COMMAND_LIMIT)?;
        }
        signals::pause(run.schedule.millis(20..1_500))?;
        let is_stalled = run.schedule.made() % 4 == 2;
        if is_stalled {
            run.stack.signal(Part::Broker, Signal::STOP)?;
            signals::pause(run.schedule.millis(0..800))?;
        }
        let signal = draw_signal(run);
        let asked = Instant::now();
        producer.signal(signal);
        let status = producer.wait_for_end(FIRST_LIMIT + ROOM)?;
        ends.note(is_stalled, asked.elapsed());
        if is_stalled {
            run.stack.signal(Part::Broker, Signal::CONT)?;
        }
        run.verdict.fault(if is_stalled { "signals while the broker stood still" } else { "signals" });
        match status {
            Some(status) => judge_producer(run, &producer, is_stalled, status, &mut ends),
            None => hangs(run, &mut producer, FIRST_LIMIT)?,
        }
    }
    ends.conclude(&mut run.verdict);
    run.verdict.conclude(compare(harness, &at, &logs)?);
    Ok(())
}

fn judge_producer(run: &mut Run<'_>, producer: &Worker, is_stalled: bool, status: ExitStatus, ends: &mut Ends) {
    let printed = producer.said();
    let sent = printed.lines().filter(|line| line.starts_with(SENT)).count();
    let says = |text: &str| printed.lines().any(|line| line.contains(text));
    match status.code() {
        // All that it had made is acknowledged, and it says how much that was.
        Some(0) if says(&format!("sent {sent} message")) => ends.clean(!is_stalled && sent > 0),
        // It says what may not be in the topic.
        Some(4) if says("not acknowledged") => ends.cut_short(!is_stalled),
        // It was not connected yet.
        Some(130) if sent == 0 => ends.early(),
        None if printed.is_empty() => ends.early(),
        _ => run
            .verdict
            .breaks(format!("{PRODUCER} reported {sent} as sent and ended with {status}\n{}", producer.tail())),
    }
}

/// What is stored counts as settled, since nobody kills the store here.
const EAGER: &[&str] = &["--durability-delay", "0s"];
/// The code of a fault of ours.
const BUG: i32 = 70;
const PANIC_MESSAGE: &str = "error: vitals failed at ";
/// How long the next member may take to its first commit where the group has been left: else it is the session
/// time-out, 10 s, and more.
const SUCCESSOR_PROMISE: Duration = Duration::from_secs(3);

/// The points of the tampered consumer, and the one before which it has done something up to so often.
const POINTS: &[(&str, u32)] =
    &[("decoded", 40), ("fetched", 10), ("stored", 40), ("after-commit", 3), ("before-commit", 3), ("joining", 1)];

/// R14: a panic in `vitals consume`, at a point of a reading's way or in a thread beside it. It ends through the drain
/// with 70, the fault is told once, nothing is committed that is not stored, and the group is left: the next member
/// takes over at once.
pub(in crate::chaos) fn consumer_panicked(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, Load::endless(1_000))?;
    flow.wait_for_messages()?;
    let (mut slowest_end, mut slowest_next) = (Duration::ZERO, Duration::ZERO);
    while run.schedule.next() {
        let Some(took) = panic(run, &flow)? else { return Ok(()) };
        slowest_end = slowest_end.max(took);
        run.verdict.look(&flow.check()?);
        let (mut next, after) = flow.successor(EAGER)?;
        slowest_next = slowest_next.max(after.unwrap_or(Duration::MAX));
        next.end(Signal::TERM, END_LIMIT)?;
    }
    run.verdict.measured(format!("ended {:.1} s after the panic at the latest", slowest_end.as_secs_f64()));
    let seconds = slowest_next.min(END_LIMIT).as_secs_f64();
    run.verdict.measured(format!("the next member took {seconds:.1} s at most to its first commit"));
    if slowest_next > SUCCESSOR_PROMISE + ROOM {
        run.verdict.breaks("the next member had to wait: the group was not left");
    }
    let (last, _) = flow.successor(EAGER)?;
    flow.finish(last, &mut run.verdict)
}

/// Has one panic, and tells how long it took to end; `None` where it did not.
fn panic(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<Option<Duration>> {
    let turn = usize::try_from(run.schedule.made()).unwrap_or_default();
    let (point, up_to) = POINTS.get(turn % POINTS.len()).copied().unwrap_or(("decoded", 1));
    let is_elsewhere = run.schedule.below(4) == 0;
    let way = if is_elsewhere { "panic-elsewhere" } else { "panic" };
    let after = (1 + run.schedule.below(up_to)).to_string();
    let options = [EAGER, &["--die-at", point, "--die-by", way, "--die-after", &after]].concat();
    let mut consumer = flow.deployment.tampered(&options)?;
    consumer.wait_for_line(PANIC_MESSAGE, COMMAND_LIMIT)?;
    let begun = Instant::now();
    let status = consumer.wait_for_end(FIRST_LIMIT + ROOM)?;
    let took = begun.elapsed();
    run.verdict.fault(if is_elsewhere { "panics in a thread" } else { "panics on a reading's way" });
    let Some(status) = status else {
        hangs(run, &mut consumer, FIRST_LIMIT)?;
        return Ok(None);
    };
    if status.code() != Some(BUG) {
        run.verdict.breaks(format!("after a panic ({point}) it ended with {status}\n{}", consumer.tail()));
    }
    judge_words(run, &consumer);
    Ok(Some(took))
}

/// It is told once, with what to do about it.
fn judge_words(run: &mut Run<'_>, consumer: &Worker) {
    let said = consumer.said();
    let [errors, hints] = ["error: ", "hint: "].map(|word| said.lines().filter(|line| line.starts_with(word)).count());
    if (errors, hints) != (1, 1) {
        run.verdict.breaks(format!("a panic is told in {errors} errors and {hints} hints: {said}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::chaos::promises::Promise;

    use super::*;

    fn breaks(clean: u32, cut_short: u32, is_calm: bool) -> bool {
        let mut ends = Ends::default();
        (0..clean).for_each(|_| ends.clean(is_calm));
        (0..cut_short).for_each(|_| ends.cut_short(is_calm));
        let mut verdict = Verdict::begin(Promise::R14, Kind::Embedded, None);
        ends.conclude(&mut verdict);
        verdict.is_broken()
    }

    #[test]
    fn a_program_that_is_cut_short_every_time_breaks_the_promise() {
        assert!(breaks(0, ENOUGH, true));
        assert!(!breaks(1, ENOUGH, true));
    }

    #[test]
    fn few_ends_and_those_while_something_stood_still_say_nothing() {
        assert!(!breaks(0, ENOUGH - 1, true));
        assert!(!breaks(0, 100, false));
    }
}
