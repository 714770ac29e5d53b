//! R6: partitions taken away from a member that could not store what it had taken up of them, since the store was away.
//!
//! A member that is not ours joins meanwhile, gets half of them, and does nothing with them. What was not stored may not
//! be committed. The planted bug is a member that goes on committing what it no longer has.

use std::time::Duration;

use rustix::process::Signal;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::stall::Stall;
use crate::error::Error;
use crate::worker::Worker;

/// Without an end of its own, for all practical purposes.
const LOAD: Load = Load { messages: 5_000_000, rate: 2_000 };
/// How long a commit that should not be would take at most, on a busy machine.
const COMMIT_TIME: Duration = Duration::from_secs(2);
/// What the guest may take to leave.
const END_LIMIT: Duration = Duration::from_secs(15);

/// Has a guest join while the store is away.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run.stand, run.addresses()?, LOAD)?;
    flow.wait_for_messages()?;
    let mut member = start(run, &flow)?;
    while run.schedule.next() {
        flow.members(1)?;
        let stalled = Stall::begin(run, flow.addresses())?;
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
    flow.wait_until_drained(&mut member)?;
    run.verdict.conclude(flow.check()?);
    Ok(())
}

fn start(run: &Run<'_>, flow: &Flow<'_>) -> Result<Worker, Error> {
    match run.verdict.planted {
        Some(bug) => flow.tampered(&["--bug", bug]),
        None => flow.consumer(&[]),
    }
}
