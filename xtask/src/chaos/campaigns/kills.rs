//! Consumers, brokers, stores and producers that are killed.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::chaos::Run;
use crate::chaos::flow::{Flow, Load};
use crate::chaos::harness::{COMMAND_LIMIT, Harness, MANY_LIMIT};
use crate::chaos::schedule::Schedule;
use crate::chaos::stack::{Addresses, End, Kind, Part};
use crate::chaos::verdict::Findings;
use crate::error::Result;
use crate::signals;
use crate::worker::Worker;

/// A static member comes back at once; another one would wait until the group has given up on the killed one.
const STATIC: &[&str] = &["--instance-id", "chaos"];
/// Commits at once. Nobody kills the store here, so this must be as safe; without it a consumer of Cassandra seldom
/// lives long enough to commit anything that could be missing.
const EAGER_STATIC: &[&str] = &["--instance-id", "chaos", "--durability-delay", "0s"];
/// After so many kills the readers look whether all is there that was committed.
const KILLS_BETWEEN_CHECKS: u32 = 5;

/// How long a static member's successor may take to its first row, by the promise,
const STATIC_PROMISE: Duration = Duration::from_secs(3);
/// and another one's: the session time-out, and 2 s.
const DYNAMIC_PROMISE: Duration = Duration::from_secs(10 + 2);
/// What a busy machine may add.
const SUCCESSOR_ROOM: Duration = Duration::from_secs(10);

/// A successor hears up to five minutes of readings again before its first commit. What is timed here is a debug build on
/// a machine that plays another campaign at the same time: with 2,000 a second it took 24 s there, and 2 s alone.
const LOAD: Load = Load::endless(500);

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

/// R1: `vitals consume` killed: at random moments, and, as a tampered one that kills itself, at named points of a
/// reading's way. Now and then the readers look, and the time is taken that a successor needs for its first commit.
///
/// In a second run the planted bug is that a consumer commits what it has only fetched. Killed before it stores
/// anything, it leaves readings behind that are committed and nowhere.
pub(in crate::chaos) fn consumer(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, LOAD)?;
    flow.wait_for_messages()?;
    if let Some(bug) = run.verdict.planted {
        return find_commit_before_store(run, &flow, bug);
    }
    let (mut kills, mut successors) = (Vec::new(), Vec::new());
    while run.schedule.next() {
        let kill = draw_kill(&mut kills, &mut run.schedule);
        let options = if run.schedule.coin() { EAGER_STATIC } else { STATIC };
        kill.make(run, &flow, options)?;
        if run.schedule.made().is_multiple_of(KILLS_BETWEEN_CHECKS) {
            run.verdict.look(&flow.check()?);
            successors.push(replace_killed(run, &flow, options)?);
        }
    }
    // Not a static member: the group has to give up on the killed one first.
    let (consumer, after) = flow.successor(&[])?;
    judge_successors(run, "a static successor", &successors, STATIC_PROMISE);
    judge_successors(run, "any other successor", &[after], DYNAMIC_PROMISE);
    flow.finish(consumer, &mut run.verdict)
}

/// Kills one with the bug, where that must show.
fn find_commit_before_store(run: &mut Run<'_>, flow: &Flow<'_>, bug: &'static str) -> Result<()> {
    while run.schedule.next() {
        BEFORE_THE_STORE.make(run, flow, &["--instance-id", "chaos", "--bug", bug])?;
    }
    run.verdict.look(&flow.check()?);
    Ok(())
}

/// The next one, out of each point and some random moments in any order.
fn draw_kill(kills: &mut Vec<Kill>, schedule: &mut Schedule) -> Kill {
    if kills.is_empty() {
        kills.extend(ALL_POINTS);
        kills.extend([Kill::AtRandom; RANDOM_MOMENTS]);
    }
    let count = u32::try_from(kills.len()).unwrap_or(u32::MAX);
    let index = usize::try_from(schedule.below(count)).unwrap_or_default();
    kills.swap_remove(index.min(kills.len() - 1))
}

impl Kill {
    fn make(self, run: &mut Run<'_>, flow: &Flow<'_>, options: &[&str]) -> Result<()> {
        let Self::At { point, up_to, kind } = self else {
            let mut consumer = flow.deployment.consumer(options)?;
            let life = match run.stack.kind() {
                Kind::Embedded => 50..1_500,
                Kind::Servers | Kind::Cluster => 500..8_000,
            };
            signals::pause(run.schedule.millis(life))?;
            consumer.kill()?;
            run.verdict.fault("kills at random moments");
            return Ok(());
        };
        let after = (1 + run.schedule.below(up_to)).to_string();
        let options = [options, &["--die-at", point, "--die-after", &after]].concat();
        flow.deployment.tampered(&options)?.wait_for_death(COMMAND_LIMIT)?;
        run.verdict.fault(kind);
        Ok(())
    }
}

/// Takes the time of a killed member's successor, which is killed as soon as it has got on.
fn replace_killed(run: &mut Run<'_>, flow: &Flow<'_>, options: &[&str]) -> Result<Option<Duration>> {
    let (mut consumer, after) = flow.successor(options)?;
    consumer.kill()?;
    run.verdict.fault("kills of a successor");
    Ok(after)
}

/// How long successors took to their first commit; `None` is longer than anybody waited.
fn judge_successors(run: &mut Run<'_>, who: &str, took: &[Option<Duration>], promise: Duration) {
    let slowest = took.iter().flatten().max().copied().unwrap_or_default();
    let (seconds, promised) = (slowest.as_secs_f64(), promise.as_secs());
    let figure = format!("{who} took {seconds:.1} s at most to its first commit ({promised} s are promised)");
    if slowest > promise + SUCCESSOR_ROOM || took.contains(&None) {
        run.verdict.breaks(figure.clone());
    }
    run.verdict.measured(figure);
}

/// R2: the broker restarted under load, half of the time by a kill. No process of ours may end by it.
pub(in crate::chaos) fn broker(run: &mut Run<'_>) -> Result<()> {
    let flow = Flow::start(run, Load::endless(2_000))?;
    let consumer = flow.deployment.consumer(&[])?;
    flow.outlast(run, consumer, |run| {
        let (up, down) = (run.schedule.millis(100..2_500), run.schedule.millis(0..1_500));
        let (end, kind) = if run.schedule.coin() { (End::Kill, "kills") } else { (End::Stop, "restarts") };
        signals::pause(up)?;
        run.stack.end(Part::Broker, end)?;
        signals::pause(down)?;
        run.stack.start_again(Part::Broker, run.harness)?;
        run.verdict.fault(kind);
        Ok(())
    })
}

/// Without an end of its own, for all practical purposes, so that every kill falls among writes. Five kills, each with
/// the restart some 35 s after the one before, meet half a million readings.
const STORE_LOAD: Load = Load { messages: 20_000_000, rate: 3_000 };
/// Sometimes longer than the durability delay, so that something is committed; sometimes shorter.
const UP_MILLIS: Range<u64> = 4_000..28_000;

/// R3: Cassandra killed under load, with its periodic commit log, and started again on the same folder.
///
/// The last kill takes the consumer with it: what it had committed is all that its successor knows, so every reading
/// below must be in the table. A second run has a bug planted: a consumer that does not notice the restart, and so does
/// not write again what Cassandra had acknowledged and forgotten, commits it, and the readers must see that it is
/// nowhere.
pub(in crate::chaos) fn store(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, STORE_LOAD)?;
    let mut consumer = flow.deployment.consumer_of(&run.verdict)?;
    while run.schedule.next() {
        let (up, down) = (run.schedule.millis(UP_MILLIS), run.schedule.millis(200..3_000));
        signals::pause(up)?;
        consumer.must_run()?;
        run.stack.end(Part::Store, End::Kill)?;
        signals::pause(down)?;
        run.stack.start_again(Part::Store, run.harness)?;
        run.verdict.fault("kills");
        run.verdict.got_on(flow.gets_on()?);
    }
    if !run.is_planted() {
        kill_both(run, &mut consumer, &flow)?;
        consumer = flow.deployment.consumer(&[])?;
    }
    flow.stop_sending()?;
    flow.deployment.drain(vec![consumer])?;
    run.verdict.conclude(flow.check_many()?);
    Ok(())
}

/// Kills the consumer and Cassandra at one moment, and looks whether all is there that was committed.
fn kill_both(run: &mut Run<'_>, consumer: &mut Worker, flow: &Flow<'_>) -> Result<()> {
    signals::pause(run.schedule.millis(UP_MILLIS))?;
    run.stack.end(Part::Store, End::Kill)?;
    consumer.kill()?;
    run.stack.start_again(Part::Store, run.harness)?;
    run.verdict.fault("kills with the consumer");
    run.verdict.look(&flow.check_many()?);
    Ok(())
}

pub(super) const PRODUCER: &str = "vitals produce";
const TOPIC_READER: &str = "chaos_sent.py";

/// What it reports as sent. Every other one has got so far: one that is killed earlier has made no promise.
pub(super) const SENT: &str = "SENT ";

/// R16: `vitals produce` killed in the middle: what it has reported as sent is in the topic.
pub(in crate::chaos) fn producer(run: &mut Run<'_>) -> Result<()> {
    let (harness, at) = (run.harness, run.addresses()?);
    harness.run("vitals init", &harness.vitals(&at, &["init"]), COMMAND_LIMIT)?;
    let command = harness.vitals(&at, &["produce", "--mode", "random", "--interval", "0"]);
    let mut logs: Vec<PathBuf> = Vec::new();
    while run.schedule.next() {
        let log = harness.log(PRODUCER);
        let mut producer = Worker::start(PRODUCER, &command, &log)?;
        if run.schedule.made() % 2 == 1 {
            producer.wait_for_line(SENT, COMMAND_LIMIT)?;
        }
        signals::pause(run.schedule.millis(50..1_200))?;
        producer.kill()?;
        run.verdict.fault("kills");
        logs.push(log);
    }
    run.verdict.conclude(compare(harness, &at, &logs)?);
    Ok(())
}

/// Compares what producers have reported as sent with what is in the topic.
pub(super) fn compare(harness: &Harness, at: &Addresses, logs: &[PathBuf]) -> Result<Findings> {
    let mut arguments = vec![at.brokers.clone(), at.topic.clone()];
    arguments.extend(logs.iter().map(|log| log.display().to_string()));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    harness.found(TOPIC_READER, &arguments, MANY_LIMIT)
}
