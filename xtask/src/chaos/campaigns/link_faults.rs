//! R4: bad links between `vitals consume` and each of its servers. The sender and the readers go round them.

use crate::chaos::error::ChaosError;
use crate::chaos::flow::{Flow, Load};
use crate::chaos::link::Trouble;
use crate::chaos::run::Run;
use crate::chaos::stack::Part;

/// Without an end of its own, for all practical purposes.
const LOAD: Load = Load { messages: 5_000_000, rate: 1_000 };

/// Spoils a link and heals it, again and again, while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), ChaosError> {
    let at = run.addresses()?;
    let linked = run.stack.linked(&at)?;
    let mut flow = Flow::start(run.stand, at, LOAD)?;
    let mut consumer = flow.consumer_at(&linked, &[])?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        let part = if run.schedule.coin() { Part::Broker } else { Part::Store };
        let trouble = Trouble::draw(&mut run.schedule);
        let (up, bad) = (run.schedule.millis(100..2_000), run.schedule.millis(500..9_000));
        run.stand.pause(up)?;
        run.stack.spoil(part, Some(trouble))?;
        run.stand.pause(bad)?;
        run.stack.spoil(part, None)?;
        run.verdict.fault(trouble.name());
        run.verdict.got_on(flow.gets_on()?);
        consumer.must_run()?;
    }
    flow.stop_sending()?;
    flow.drain(consumer)?;
    run.verdict.conclude(flow.check()?);
    Ok(())
}
