//! R1: `vitals consume` killed at random moments: while it joins, fetches, stores, commits.
//!
//! In a second run the planted bug is in how it is started: at the end of the topic instead of its beginning, so that
//! what was sent before is passed over. The readers must see that.

use crate::chaos::error::ChaosError;
use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::stack::Kind;

/// Without an end of its own, for all practical purposes.
const LOAD: Load = Load { messages: 5_000_000, rate: 2_000 };
/// A static member comes back at once; another one would wait until the group has given up on the killed one.
const OPTIONS: &[&str] = &["--instance-id", "chaos"];
/// Commits at once. Nobody kills the store here, so this must be as safe; without it a consumer of Cassandra seldom lives
/// long enough to commit anything that could be missing.
const EAGER: &[&str] = &["--instance-id", "chaos", "--settle-time", "0s"];
/// After so many kills the readers look whether all is there that was committed.
const LOOK_EVERY: u32 = 6;

const PASSING_OVER: &[&str] = &["--instance-id", "chaos", "--from", "latest"];

/// Kills it again and again while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), ChaosError> {
    let mut flow = Flow::start(run.stand, run.addresses()?, LOAD)?;
    let [usual, eager] = if run.is_planted() { [PASSING_OVER; 2] } else { [OPTIONS, EAGER] };
    // What the bug passes over has to be there.
    flow.wait_for_messages()?;
    while run.schedule.next() {
        let mut consumer = flow.consumer(if run.schedule.coin() { eager } else { usual })?;
        let life = match run.stack.kind() {
            Kind::Embedded => 50..1_500,
            Kind::Servers => 500..8_000,
        };
        run.stand.pause(run.schedule.millis(life))?;
        consumer.kill()?;
        run.verdict.fault("kills");
        if run.schedule.made().is_multiple_of(LOOK_EVERY) {
            run.verdict.look(&flow.check()?);
        }
    }
    if !run.schedule.made().is_multiple_of(LOOK_EVERY) {
        run.verdict.look(&flow.check()?);
    }
    let consumer = flow.consumer(usual)?;
    run.verdict.got_on(flow.gets_on()?);
    flow.stop_sending()?;
    flow.drain(consumer)?;
    run.verdict.conclude(flow.check()?);
    Ok(())
}
