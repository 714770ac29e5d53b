//! Who is in the group: members that come, go, stand still, or lose their partitions.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::unavailable::Stall;
use crate::chaos::Run;
use crate::chaos::flow::{Flow, Left, Load, Watch};
use crate::chaos::harness::{COMMAND_LIMIT, END_LIMIT};
use crate::chaos::stack::{Kind, Part};
use crate::error::Result;
use crate::signals;
use crate::worker::Worker;

/// Nobody kills the store here, so that a durability delay of zero is safe: what a leaving member has stored it
/// commits.
const OPTIONS: &[&str] = &["--durability-delay", "0s", "--session-timeout", "2s"];
/// So many of ours at most,
const MOST: usize = 4;
/// and so many of other kinds.
const MOST_FOREIGN: usize = 2;
/// After so many changes the readers look whether all is there that was committed.
const LOOK_EVERY: u32 = 5;

#[derive(Debug, Clone, Copy)]
enum Change {
    Join,
    Leave,
    Kill,
    ForeignJoins,
    ForeignLeaves,
}

/// R6: one to four `vitals consume` join, leave and are killed; members of other kinds join and leave beside them.
///
/// What a member of another kind has read and committed is its own; what it has only read is read again by ours. In a
/// second run the planted bug is one that commits what nobody has read.
pub(in crate::chaos) fn change(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, Load::endless(1_000))?;
    let watch = Watch::start(run.harness, &flow.deployment.at)?;
    let mut members = Members { ours: vec![flow.deployment.showing_consumer(OPTIONS)?], ..Members::default() };
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        signals::pause(run.schedule.millis(100..1_800))?;
        let change = members.draw(run);
        members.make(change, run, &mut flow)?;
        members.ours.iter_mut().try_for_each(Worker::must_run)?;
        if run.schedule.made().is_multiple_of(LOOK_EVERY) {
            run.verdict.look(&flow.check()?);
        }
    }
    members.foreign.drain(..).try_for_each(Foreign::leave)?;
    run.verdict.got_on(flow.gets_on()?);
    flow.stop_sending()?;
    while members.ours.len() > 1 {
        members.leave(run, &flow)?;
    }
    members.ours.pop().map_or(Ok(()), |last| flow.deployment.drain(vec![last]))?;
    run.verdict.measured(format!(
        "{} left, {} of them cut short, {} of {} messages to be read again",
        members.left, members.cut_short, members.repeated, members.taken
    ));
    run.verdict.conclude(flow.check()?);
    watch.end(&mut run.verdict)
}

/// Who is in the group, and how those were that have left.
#[derive(Debug, Default)]
struct Members {
    ours: Vec<Worker>,
    foreign: Vec<Foreign>,
    left: u32,
    cut_short: u32,
    taken: u64,
    repeated: u64,
}

impl Members {
    fn draw(&self, run: &mut Run<'_>) -> Change {
        let drawn = run.schedule.below(8);
        // Each kind has to join, however few changes there are.
        let must_be_foreign = run.is_planted() || [2, 4].contains(&run.schedule.made());
        let wanted = match drawn {
            _ if must_be_foreign => Change::ForeignJoins,
            0..3 => Change::Join,
            3..5 => Change::Leave,
            5 => Change::Kill,
            6 => Change::ForeignJoins,
            _ => Change::ForeignLeaves,
        };
        match wanted {
            Change::Join if self.ours.len() == MOST => Change::Leave,
            Change::Leave | Change::Kill if self.ours.len() == 1 => Change::Join,
            Change::ForeignJoins if self.foreign.len() == MOST_FOREIGN => Change::ForeignLeaves,
            Change::ForeignLeaves if self.foreign.is_empty() => Change::ForeignJoins,
            change => change,
        }
    }

    fn make(&mut self, change: Change, run: &mut Run<'_>, flow: &mut Flow<'_>) -> Result<()> {
        match change {
            Change::Join => {
                self.ours.push(flow.deployment.showing_consumer(OPTIONS)?);
                run.verdict.fault("joins");
            }
            Change::Leave => {
                self.leave(run, flow)?;
                run.verdict.fault("leaves");
            }
            Change::Kill => {
                self.take_one(run).map_or(Ok(()), |mut killed| killed.kill())?;
                run.verdict.fault("kills");
            }
            Change::ForeignJoins => {
                self.foreign.push(Foreign::join(run, flow)?);
                run.verdict.fault("foreign joins");
            }
            Change::ForeignLeaves => {
                self.foreign.pop().map_or(Ok(()), Foreign::leave)?;
                run.verdict.fault("foreign leaves");
            }
        }
        Ok(())
    }

    fn take_one(&mut self, run: &mut Run<'_>) -> Option<Worker> {
        let count = u32::try_from(self.ours.len()).unwrap_or_default();
        let at = usize::try_from(run.schedule.below(count)).unwrap_or_default();
        (at < self.ours.len()).then(|| self.ours.swap_remove(at))
    }

    /// Who leaves cleanly has committed all that it has taken up.
    fn leave(&mut self, run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
        let Some(mut member) = self.take_one(run) else { return Ok(()) };
        member.signal(Signal::INT);
        let status = member.wait_for_end(END_LIMIT)?;
        let left = Left::of(run.harness, &flow.deployment.at, &member.log)?;
        self.left += 1;
        self.taken += left.taken;
        self.repeated += left.repeated;
        match status.and_then(|status| status.code()) {
            Some(0) if left.repeated == 0 => {}
            Some(0) => run.verdict.breaks(format!("a clean leave: {} messages are read again", left.repeated)),
            // It says that what it could not store in time is read again.
            Some(130) => self.cut_short += 1,
            _ => run.verdict.breaks(format!("a leaving member ended with {status:?}\n{}", member.tail())),
        }
        Ok(())
    }
}

const JAVA: &str = "a Java member";
const JAVA_CLASS: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

#[derive(Debug)]
pub(super) struct Foreign {
    member: Worker,
    /// So begins a line that it prints when it is given a message.
    sign: &'static str,
}

impl Foreign {
    /// On `librdkafka`; where the stack has Kafka's own tools, mostly its console consumer, which commits nothing.
    pub(super) fn join(run: &mut Run<'_>, flow: &mut Flow<'_>) -> Result<Self> {
        let at = &flow.deployment.at;
        let arguments = ["--bootstrap-server", &at.brokers, "--topic", &at.topic, "--group", &at.group];
        let quiet =
            ["--command-property", "enable.auto.commit=false", "--command-property", "heartbeat.interval.ms=500"];
        let kind = match (run.is_planted(), run.schedule.coin()) {
            (true, _) => "ahead",
            (false, true) => "commits",
            (false, false) => "keeps",
        };
        match run.stack.kafka_tool(JAVA_CLASS, &[&arguments[..], &quiet].concat()) {
            Some(command) if !run.schedule.made().is_multiple_of(4) => {
                Ok(Self { member: run.harness.start(JAVA, &command)?, sign: "{" })
            }
            _ => Ok(Self { member: flow.foreign_member(kind)?, sign: "read " }),
        }
    }

    /// When it was given something: one that never took part shows nothing.
    pub(super) fn leave(mut self) -> Result<()> {
        self.member.wait_for_line(self.sign, COMMAND_LIMIT)?;
        self.member.signal(Signal::TERM);
        // Java ends with a code of its own.
        self.member.wait_for_end(COMMAND_LIMIT).map(drop)
    }
}

/// How a campaign stops consumers.
#[derive(Debug, Clone, Copy)]
struct Stops {
    /// Nobody kills the store here, so a durability delay of zero is safe: a zombie has more to commit.
    options: &'static [&'static str],
    session: Duration,
    /// How long a consumer is stopped at least, and until another has taken over.
    least: Duration,
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

/// R5: a consumer stopped by SIGSTOP past its session, while another takes over from it, and continued: a zombie. The
/// broker and Cassandra stopped for a while.
///
/// What the zombie commits late would take the group back: a watcher sees that. In a second run the planted bug is a
/// member on `librdkafka` that does so.
pub(in crate::chaos) fn stopped(run: &mut Run<'_>) -> Result<()> {
    let parts: &[_] = match (run.stack.kind(), run.is_planted()) {
        (_, true) => &[None],
        (Kind::Embedded, false) => &[None, Some(Part::Broker)],
        (Kind::Servers | Kind::Cluster, false) => &[None, Some(Part::Broker), Some(Part::Store)],
    };
    stop_by_turns(run, SHORT, parts)
}

pub(in crate::chaos) fn stopped_for_a_minute(run: &mut Run<'_>) -> Result<()> {
    stop_by_turns(run, MINUTE, &[None])
}

fn stop_by_turns(run: &mut Run<'_>, stops: Stops, parts: &[Option<Part>]) -> Result<()> {
    let mut flow = Flow::start(run, Load::endless(1_000))?;
    let watch = Watch::start(run.harness, &flow.deployment.at)?;
    let mut other = flow.deployment.consumer(stops.options)?;
    let mut zombie =
        if run.is_planted() { flow.foreign_member("stale")? } else { flow.deployment.consumer(stops.options)? };
    flow.members(2)?;
    let mut part = parts.iter().cycle().copied();
    while run.schedule.next() {
        signals::pause(run.schedule.millis(100..1_500))?;
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
    zombie.end(Signal::INT, END_LIMIT)?;
    flow.deployment.drain(vec![other])?;
    run.verdict.conclude(flow.check()?);
    watch.end(&mut run.verdict)
}

/// Until another has taken over everything, and somewhat longer. Who is stopped in the middle of a transaction of
/// `SQLite` keeps the other from storing: then work goes on when it does.
fn stop_consumer(run: &mut Run<'_>, stops: Stops, flow: &Flow<'_>, zombie: &Worker) -> Result<()> {
    let begun = Instant::now();
    zombie.signal(Signal::STOP);
    let holds_the_store = Stall::is_on(run, &flow.deployment.at)?;
    let least = if holds_the_store {
        run.verdict.fault("consumers stopped as they wrote");
        stops.least.max(stops.session)
    } else {
        run.verdict.fault(stops.kind);
        let taken_over = flow.gets_on_everywhere()?.map(|_| begun.elapsed().saturating_sub(stops.session));
        run.verdict.got_on(taken_over);
        stops.least
    };
    signals::pause(least.saturating_sub(begun.elapsed()) + run.schedule.millis(0..2_000))?;
    let begun = Instant::now();
    zombie.signal(Signal::CONT);
    // It is a member again when it has found out, and the others have shared with it.
    flow.members(2)?;
    run.verdict.got_on(flow.gets_on()?.map(|_| begun.elapsed()));
    Ok(())
}

/// For less than a session, or more.
fn stop_server(run: &mut Run<'_>, stops: Stops, flow: &Flow<'_>, part: Part) -> Result<()> {
    let longer = if run.schedule.coin() { stops.session } else { Duration::ZERO };
    run.stack.signal(part, Signal::STOP)?;
    signals::pause(longer + run.schedule.millis(500..3_000))?;
    run.stack.signal(part, Signal::CONT)?;
    run.verdict.fault(match part {
        Part::Broker => "brokers stopped",
        Part::Store => "stores stopped",
    });
    run.verdict.got_on(flow.gets_on()?);
    flow.members(2)?;
    Ok(())
}

/// How long a commit that should not be would take at most, on a busy machine.
const COMMIT_TIME: Duration = Duration::from_secs(2);

/// R6: partitions taken away from a member that could not store what it had taken up of them, since the store was away.
///
/// A member that is not ours joins meanwhile, gets half of them, and does nothing with them. What was not stored may
/// not be committed. The planted bug is a member that goes on committing what it no longer has.
pub(in crate::chaos) fn taken_away(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, Load::endless(2_000))?;
    flow.wait_for_messages()?;
    let mut member = flow.deployment.consumer_of(&run.verdict)?;
    while run.schedule.next() {
        flow.members(1)?;
        let stalled = Stall::begin(run, &flow.deployment.at)?;
        // It takes up what is sent meanwhile.
        signals::pause(run.schedule.millis(500..1_500))?;
        let mut guest = flow.guest()?;
        flow.members(2)?;
        signals::pause(COMMIT_TIME)?;
        run.verdict.look(&flow.check()?);
        run.verdict.fault("hand-overs with the store away");
        if run.is_planted() {
            return Ok(());
        }
        stalled.end(run)?;
        run.verdict.got_on(flow.gets_on()?);
        member.must_run()?;
        guest.end(Signal::TERM, END_LIMIT)?;
    }
    flow.stop_sending()?;
    flow.deployment.wait_until_drained(std::slice::from_mut(&mut member))?;
    run.verdict.conclude(flow.check()?);
    Ok(())
}
