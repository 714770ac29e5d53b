//! R14: a panic in `vitals consume`, at a point of a reading's way or in a thread beside it. It ends through the drain with
//! 70, the fault is told once, nothing is committed that is not stored, and the group is left: the next member takes over
//! at once.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::signalled::{FIRST_LIMIT, ROOM, hangs};
use crate::chaos::stand::{COMMAND_LIMIT, END_LIMIT};
use crate::error::Error;
use crate::worker::Worker;

/// What is stored counts as settled, since nobody kills the store here.
const OPTIONS: &[&str] = &["--durability-delay", "0s"];
/// The code of a fault of ours.
const BUG: i32 = 70;
/// How it is told.
const TOLD: &str = "error: vitals failed at ";
/// How long the next member may take to its first commit where the group has been left: else it is the session time-out,
/// 10 s, and more.
const PROMISE: Duration = Duration::from_secs(3);

/// The points of the tampered consumer, and the one before which it has done something up to so often.
const POINTS: &[(&str, u32)] =
    &[("decoded", 40), ("fetched", 10), ("stored", 40), ("after-commit", 3), ("before-commit", 3), ("joining", 1)];

/// Lets one after another panic while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run, Load::endless(1_000))?;
    flow.wait_for_messages()?;
    let (mut slowest_end, mut slowest_next) = (Duration::ZERO, Duration::ZERO);
    while run.schedule.next() {
        let Some(took) = panic(run, &flow)? else { return Ok(()) };
        slowest_end = slowest_end.max(took);
        run.verdict.look(&flow.check()?);
        let (mut next, after) = flow.successor(OPTIONS)?;
        slowest_next = slowest_next.max(after.unwrap_or(Duration::MAX));
        next.end(Signal::TERM, END_LIMIT, run.stand.interrupt())?;
    }
    run.verdict.measured(format!("ended {:.1} s after the panic at the latest", slowest_end.as_secs_f64()));
    let seconds = slowest_next.min(END_LIMIT).as_secs_f64();
    run.verdict.measured(format!("the next member took {seconds:.1} s at most to its first commit"));
    if slowest_next > PROMISE + ROOM {
        run.verdict.breaks("the next member had to wait: the group was not left");
    }
    let (last, _) = flow.successor(OPTIONS)?;
    flow.finish(last, &mut run.verdict)
}

/// Has one panic, and tells how long it took to end; `None` where it did not.
fn panic(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<Option<Duration>, Error> {
    let turn = usize::try_from(run.schedule.made()).unwrap_or_default();
    let (point, up_to) = POINTS.get(turn % POINTS.len()).copied().unwrap_or(("decoded", 1));
    let is_elsewhere = run.schedule.below(4) == 0;
    let way = if is_elsewhere { "panic-elsewhere" } else { "panic" };
    let after = (1 + run.schedule.below(up_to)).to_string();
    let options = [OPTIONS, &["--die-at", point, "--die-by", way, "--die-after", &after]].concat();
    let mut consumer = flow.scene.tampered(&options)?;
    consumer.wait_for_line(TOLD, COMMAND_LIMIT, run.stand.interrupt())?;
    let begun = Instant::now();
    let status = consumer.wait_for_end(FIRST_LIMIT + ROOM, run.stand.interrupt())?;
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
