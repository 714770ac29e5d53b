//! R6: one to four `vitals consume` join, leave and are killed; members of other kinds join and leave beside them.
//!
//! What a member of another kind has read and committed is its own; what it has only read is read again by ours. In a
//! second run the planted bug is one that commits what nobody has read.

use rustix::process::Signal;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::foreign::Foreign;
use crate::chaos::left::Left;
use crate::chaos::run::Run;
use crate::chaos::stand::END_LIMIT;
use crate::chaos::watch::Watch;
use crate::error::Error;
use crate::worker::Worker;

/// Nobody kills the store here, so that a settle time of zero is safe: what a leaving member has stored it commits.
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

/// Makes one change after another while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run, Load::endless(1_000))?;
    let watch = Watch::start(run.stand, &flow.scene.at)?;
    let mut members = Members { ours: vec![flow.scene.showing_consumer(OPTIONS)?], ..Members::default() };
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        run.stand.pause(run.schedule.millis(100..1_800))?;
        let change = members.draw(run);
        members.make(change, run, &mut flow)?;
        members.ours.iter_mut().try_for_each(Worker::must_run)?;
        if run.schedule.made().is_multiple_of(LOOK_EVERY) {
            run.verdict.look(&flow.check()?);
        }
    }
    members.foreign.drain(..).try_for_each(|foreign| foreign.leave(run))?;
    run.verdict.got_on(flow.gets_on()?);
    flow.stop_sending()?;
    while members.ours.len() > 1 {
        members.leave(run, &flow)?;
    }
    members.ours.pop().map_or(Ok(()), |last| flow.scene.drain(vec![last]))?;
    run.verdict.measured(format!(
        "{} left, {} of them cut short, {} of {} messages to be read again",
        members.left, members.cut_short, members.repeated, members.taken
    ));
    run.verdict.conclude(flow.check()?);
    watch.end(run.stand, &mut run.verdict)
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

    fn make(&mut self, change: Change, run: &mut Run<'_>, flow: &mut Flow<'_>) -> Result<(), Error> {
        match change {
            Change::Join => {
                self.ours.push(flow.scene.showing_consumer(OPTIONS)?);
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
                self.foreign.pop().map_or(Ok(()), |foreign| foreign.leave(run))?;
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
    fn leave(&mut self, run: &mut Run<'_>, flow: &Flow<'_>) -> Result<(), Error> {
        let Some(mut member) = self.take_one(run) else { return Ok(()) };
        member.signal(Signal::INT);
        let status = member.wait_for_end(END_LIMIT, run.stand.interrupt())?;
        let left = Left::of(run.stand, &flow.scene.at, member.log())?;
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
