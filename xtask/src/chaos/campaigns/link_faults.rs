//! R4: bad links between `vitals consume` and each of its servers.
//!
//! The readers look when the links have healed. The sender goes round the links, but on the embedded stack, whose broker
//! has one address for everybody, it has to cope with them as well.

use std::time::Duration;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::schedule::Schedule;
use crate::chaos::stack::Part;
use crate::error::Error;
use crate::link::Trouble;

/// Spoils a link and heals it, again and again, while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let at = run.addresses()?;
    let linked = run.stack.link(&at, run.stand)?;
    let mut flow = Flow::start_at(run.stand, at, Load::endless(1_000))?;
    let mut consumer = flow.scene.consumer_at(&linked, &[])?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        run.stand.pause(run.schedule.millis(50..1_000))?;
        spoil(run)?;
        run.verdict.got_on(flow.gets_on()?);
        consumer.must_run()?;
    }
    flow.finish(consumer, &mut run.verdict)?;
    run.stack.unlink(run.stand)
}

/// Makes one link bad for a while.
pub(in crate::chaos) fn spoil(run: &mut Run<'_>) -> Result<(), Error> {
    let part = part(run.stack.linked_parts(), &mut run.schedule);
    let trouble = Trouble::draw(&mut run.schedule);
    let length = trouble.length(&mut run.schedule);
    spoil_for(run, part, trouble, length)?;
    run.verdict.fault(trouble.name());
    Ok(())
}

/// Makes this link bad for so long.
pub(in crate::chaos) fn spoil_for(run: &Run<'_>, part: Part, trouble: Trouble, length: Duration) -> Result<(), Error> {
    run.stack.spoil(part, Some(trouble))?;
    run.stand.pause(length)?;
    run.stack.spoil(part, None)
}

fn part(parts: &[Part], schedule: &mut Schedule) -> Part {
    let drawn = schedule.below(u32::try_from(parts.len()).unwrap_or(1));
    usize::try_from(drawn).ok().and_then(|drawn| parts.get(drawn)).copied().unwrap_or(Part::Broker)
}
