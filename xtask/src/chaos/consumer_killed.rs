//! R1: `vitals consume` killed at random moments: while it joins, fetches, stores, commits.
//!
//! In a second run the planted bug is in how it is started: at the end of the topic instead of its beginning, so that
//! what was sent before is passed over. The readers must see that.

use std::time::Instant;

use super::error::ChaosError;
use super::fault::Fault;
use super::findings::Findings;
use super::flow::{Flow, Load};
use super::schedule::Schedule;
use super::stack::{Kind, Stack};
use super::stand::Stand;
use super::verdict::Verdict;

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
pub(super) fn run(stack: &mut dyn Stack, stand: &Stand, schedule: Schedule) -> Result<Verdict, ChaosError> {
    attack(stack, stand, schedule, None)
}

/// The same, with the bug.
pub(super) fn run_planted(stack: &mut dyn Stack, stand: &Stand, schedule: Schedule) -> Result<Verdict, ChaosError> {
    attack(stack, stand, schedule, Some("starts at end"))
}

fn attack(
    stack: &mut dyn Stack,
    stand: &Stand,
    mut schedule: Schedule,
    planted: Option<&'static str>,
) -> Result<Verdict, ChaosError> {
    let begun = Instant::now();
    let at = stack.addresses(if planted.is_some() { "r1_planted" } else { "r1" })?;
    let mut flow = Flow::start(stand, at, LOAD)?;
    let [usual, eager] = if planted.is_some() { [PASSING_OVER; 2] } else { [OPTIONS, EAGER] };
    // What the bug passes over has to be there.
    flow.wait_for_messages()?;
    let mut looks = Findings::default();
    while schedule.next() {
        let mut consumer = flow.consumer(if schedule.coin() { eager } else { usual })?;
        stand.pause(match stack.kind() {
            Kind::Embedded => schedule.millis(50..1_500),
            Kind::Servers => schedule.millis(500..8_000),
        })?;
        consumer.kill()?;
        if schedule.made().is_multiple_of(LOOK_EVERY) {
            looks.add_look(&flow.check()?);
        }
    }
    if !schedule.made().is_multiple_of(LOOK_EVERY) {
        looks.add_look(&flow.check()?);
    }
    let consumer = flow.consumer(usual)?;
    let mut stalls = u32::from(!flow.gets_on()?);
    flow.stop_sending()?;
    stalls += u32::from(!flow.drain(consumer)?);
    let mut findings = flow.check()?;
    findings.add_look(&looks);
    let (fault, faults) = (Fault::R1, schedule.made());
    Ok(Verdict { fault, stack: stack.kind(), planted, faults, stalls, findings, took: begun.elapsed() })
}
