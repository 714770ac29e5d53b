//! R4: bad links between `vitals consume` and each of its servers. The sender and the readers go round them.

use std::time::Instant;

use super::error::ChaosError;
use super::fault::Fault;
use super::flow::{Flow, Load};
use super::link::Trouble;
use super::schedule::Schedule;
use super::stack::{Part, Stack};
use super::stand::Stand;
use super::verdict::Verdict;
use crate::say;

/// Without an end of its own, for all practical purposes.
const LOAD: Load = Load { messages: 5_000_000, rate: 1_000 };

/// Spoils a link and heals it, again and again, while messages flow.
pub(super) fn run(stack: &mut dyn Stack, stand: &Stand, mut schedule: Schedule) -> Result<Verdict, ChaosError> {
    let begun = Instant::now();
    let at = stack.addresses("r4")?;
    let linked = stack.linked(&at)?;
    let mut flow = Flow::start(stand, at, LOAD)?;
    let mut consumer = flow.consumer_at(&linked, &[])?;
    let mut stalls = u32::from(!flow.gets_on()?);
    while schedule.next() {
        let part = if schedule.coin() { Part::Broker } else { Part::Store };
        let trouble = Trouble::draw(&mut schedule);
        let (up, bad) = (schedule.millis(100..2_000), schedule.millis(500..9_000));
        stand.pause(up)?;
        stack.spoil(part, Some(trouble))?;
        stand.pause(bad)?;
        stack.spoil(part, None)?;
        if !flow.gets_on()? {
            say::talk(&format!("work did not go on in time after {trouble:?} of the {part:?}'s link"));
            stalls += 1;
        }
        consumer.must_run()?;
    }
    flow.stop_sending()?;
    stalls += u32::from(!flow.drain(consumer)?);
    let (fault, faults, findings) = (Fault::R4, schedule.made(), flow.check()?);
    Ok(Verdict { fault, stack: stack.kind(), planted: None, faults, stalls, findings, took: begun.elapsed() })
}
