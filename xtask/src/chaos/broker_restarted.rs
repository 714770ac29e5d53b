//! R2: the broker restarted under load, half of the time by a kill. No process of ours may end by it.

use std::time::Instant;

use super::error::ChaosError;
use super::fault::Fault;
use super::flow::{Flow, Load};
use super::schedule::Schedule;
use super::stack::{End, Part, Stack};
use super::stand::Stand;
use super::verdict::Verdict;

/// Without an end of its own, for all practical purposes.
const LOAD: Load = Load { messages: 5_000_000, rate: 2_000 };

/// Restarts it again and again while messages flow.
pub(super) fn run(stack: &mut dyn Stack, stand: &Stand, mut schedule: Schedule) -> Result<Verdict, ChaosError> {
    let begun = Instant::now();
    let mut flow = Flow::start(stand, stack.addresses("r2")?, LOAD)?;
    let mut consumer = flow.consumer(&[])?;
    let mut stalls = u32::from(!flow.gets_on()?);
    while schedule.next() {
        let (up, down) = (schedule.millis(100..2_500), schedule.millis(0..1_500));
        let end = if schedule.coin() { End::Kill } else { End::Stop };
        stand.pause(up)?;
        stack.end(Part::Broker, end, stand)?;
        stand.pause(down)?;
        stack.start_again(Part::Broker, stand)?;
        stalls += u32::from(!flow.gets_on()?);
        consumer.must_run()?;
    }
    flow.stop_sending()?;
    stalls += u32::from(!flow.drain(consumer)?);
    let (fault, faults, findings) = (Fault::R2, schedule.made(), flow.check()?);
    Ok(Verdict { fault, stack: stack.kind(), planted: None, faults, stalls, findings, took: begun.elapsed() })
}
