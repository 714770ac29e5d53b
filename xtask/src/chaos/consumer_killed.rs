//! R1: `vitals consume` killed at random moments: while it joins, fetches, stores, commits.

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

/// Kills it again and again while messages flow.
pub(super) fn run(stack: &mut dyn Stack, stand: &Stand, mut schedule: Schedule) -> Result<Verdict, ChaosError> {
    let begun = Instant::now();
    let mut flow = Flow::start(stand, stack.addresses("r1")?, LOAD)?;
    let mut looks = Findings::default();
    while schedule.next() {
        let mut consumer = flow.consumer(if schedule.coin() { EAGER } else { OPTIONS })?;
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
    let consumer = flow.consumer(OPTIONS)?;
    let mut stalls = u32::from(!flow.gets_on()?);
    flow.stop_sending()?;
    stalls += u32::from(!flow.drain(consumer)?);
    let mut findings = flow.check()?;
    findings.add_look(&looks);
    let (fault, faults) = (Fault::R1, schedule.made());
    Ok(Verdict { fault, stack: stack.kind(), planted: None, faults, stalls, findings, took: begun.elapsed() })
}
