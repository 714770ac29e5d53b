//! R1: `vitals consume` killed: at random moments, and, as a tampered one that kills itself, at named points of a
//! reading's way. Now and then the readers look, and the time is taken that a successor needs for its first commit.
//!
//! In a second run the planted bug is that a consumer commits what it has only fetched. Killed before it stores anything,
//! it leaves readings behind that are committed and nowhere.

use std::time::Duration;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::schedule::Schedule;
use crate::chaos::stack::Kind;
use crate::chaos::stand::COMMAND_LIMIT;
use crate::error::Error;

/// A static member comes back at once; another one would wait until the group has given up on the killed one.
const OPTIONS: &[&str] = &["--instance-id", "chaos"];
/// Commits at once. Nobody kills the store here, so this must be as safe; without it a consumer of Cassandra seldom lives
/// long enough to commit anything that could be missing.
const EAGER: &[&str] = &["--instance-id", "chaos", "--durability-delay", "0s"];
/// After so many kills the readers look whether all is there that was committed.
const LOOK_EVERY: u32 = 5;

/// How long a static member's successor may take to its first row, by the promise,
const STATIC_PROMISE: Duration = Duration::from_secs(3);
/// and another one's: the session time-out, and 2 s.
const DYNAMIC_PROMISE: Duration = Duration::from_secs(10 + 2);
/// What a busy machine may add.
const ROOM: Duration = Duration::from_secs(10);

/// Where a consumer is killed.
#[derive(Debug, Clone, Copy)]
enum Kill {
    AtRandom,
    /// A point of the tampered consumer, by its name; it is the one before which it has done something up to so often.
    At {
        point: &'static str,
        up_to: u32,
        kind: &'static str,
    },
}

const ALL_POINTS: [Kill; 6] = [
    Kill::At { point: "joining", up_to: 1, kind: "kills while joining" },
    Kill::At { point: "fetched", up_to: 10, kind: "kills when fetched" },
    BEFORE_THE_STORE,
    Kill::At { point: "stored", up_to: 40, kind: "kills when stored" },
    Kill::At { point: "before-commit", up_to: 3, kind: "kills before a commit" },
    Kill::At { point: "after-commit", up_to: 3, kind: "kills after a commit" },
];
const BEFORE_THE_STORE: Kill = Kill::At { point: "decoded", up_to: 40, kind: "kills when decoded" };
/// For the six named points.
const RANDOM_MOMENTS: usize = 4;

/// Kills it again and again while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run, Load::endless(2_000))?;
    flow.wait_for_messages()?;
    if let Some(bug) = run.verdict.planted {
        return find(run, &flow, bug);
    }
    let (mut kills, mut successors) = (Vec::new(), Vec::new());
    while run.schedule.next() {
        let kill = draw(&mut kills, &mut run.schedule);
        let options = if run.schedule.coin() { EAGER } else { OPTIONS };
        kill.make(run, &flow, options)?;
        if run.schedule.made().is_multiple_of(LOOK_EVERY) {
            run.verdict.look(&flow.check()?);
            successors.push(replace(run, &flow, options)?);
        }
    }
    // Not a static member: the group has to give up on the killed one first.
    let (consumer, after) = flow.successor(&[])?;
    judge(run, "a static successor", &successors, STATIC_PROMISE);
    judge(run, "any other successor", &[after], DYNAMIC_PROMISE);
    flow.finish(consumer, &mut run.verdict)
}

/// Kills one with the bug, where that must show.
fn find(run: &mut Run<'_>, flow: &Flow<'_>, bug: &'static str) -> Result<(), Error> {
    while run.schedule.next() {
        BEFORE_THE_STORE.make(run, flow, &["--instance-id", "chaos", "--bug", bug])?;
    }
    run.verdict.look(&flow.check()?);
    Ok(())
}

/// The next one, out of each point and some random moments in any order.
fn draw(kills: &mut Vec<Kill>, schedule: &mut Schedule) -> Kill {
    if kills.is_empty() {
        kills.extend(ALL_POINTS);
        kills.extend([Kill::AtRandom; RANDOM_MOMENTS]);
    }
    let count = u32::try_from(kills.len()).unwrap_or(u32::MAX);
    let index = usize::try_from(schedule.below(count)).unwrap_or_default();
    kills.swap_remove(index.min(kills.len() - 1))
}

impl Kill {
    fn make(self, run: &mut Run<'_>, flow: &Flow<'_>, options: &[&str]) -> Result<(), Error> {
        let Self::At { point, up_to, kind } = self else {
            let mut consumer = flow.scene.consumer(options)?;
            let life = match run.stack.kind() {
                Kind::Embedded => 50..1_500,
                Kind::Servers => 500..8_000,
            };
            run.stand.pause(run.schedule.millis(life))?;
            consumer.kill()?;
            run.verdict.fault("kills at random moments");
            return Ok(());
        };
        let after = (1 + run.schedule.below(up_to)).to_string();
        let options = [options, &["--die-at", point, "--die-after", &after]].concat();
        flow.scene.tampered(&options)?.wait_for_death(COMMAND_LIMIT, run.stand.interrupt())?;
        run.verdict.fault(kind);
        Ok(())
    }
}

/// Takes the time of a killed member's successor, which is killed as soon as it has got on.
fn replace(run: &mut Run<'_>, flow: &Flow<'_>, options: &[&str]) -> Result<Option<Duration>, Error> {
    let (mut consumer, after) = flow.successor(options)?;
    consumer.kill()?;
    run.verdict.fault("kills of a successor");
    Ok(after)
}

/// How long successors took to their first commit; `None` is longer than anybody waited.
fn judge(run: &mut Run<'_>, who: &str, took: &[Option<Duration>], promise: Duration) {
    let slowest = took.iter().flatten().max().copied().unwrap_or_default();
    let (seconds, promised) = (slowest.as_secs_f64(), promise.as_secs());
    let figure = format!("{who} took {seconds:.1} s at most to its first commit ({promised} s are promised)");
    if slowest > promise + ROOM || took.contains(&None) {
        run.verdict.breaks(figure.clone());
    }
    run.verdict.measured(figure);
}
