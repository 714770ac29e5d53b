//! R6: partitions taken away from a member that could not store what it had taken up of them, since the store was away.
//!
//! A member that is not ours joins meanwhile, gets half of them, and does nothing with them. What was not stored may not
//! be committed. The planted bug is a member that goes on committing what it no longer has.

use std::time::Duration;

use rustix::process::Signal;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::stall::Stall;
use crate::chaos::stand::END_LIMIT;
use crate::error::Error;

/// How long a commit that should not be would take at most, on a busy machine.
const COMMIT_TIME: Duration = Duration::from_secs(2);

/// Has a guest join while the store is away.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run, Load::endless(2_000))?;
    flow.wait_for_messages()?;
    let mut member = flow.scene.consumer_of(&run.verdict)?;
    while run.schedule.next() {
        flow.members(1)?;
        let stalled = Stall::begin(run, &flow.scene.at)?;
        // It takes up what is sent meanwhile.
        run.stand.pause(run.schedule.millis(500..1_500))?;
        let mut guest = flow.guest()?;
        flow.members(2)?;
        run.stand.pause(COMMIT_TIME)?;
        run.verdict.look(&flow.check()?);
        run.verdict.fault("hand-overs with the store away");
        if run.is_planted() {
            return Ok(());
        }
        stalled.end(run)?;
        run.verdict.got_on(flow.gets_on()?);
        member.must_run()?;
        guest.end(Signal::TERM, END_LIMIT, run.stand.interrupt())?;
    }
    flow.stop_sending()?;
    flow.scene.wait_until_drained(std::slice::from_mut(&mut member))?;
    run.verdict.conclude(flow.check()?);
    Ok(())
}
