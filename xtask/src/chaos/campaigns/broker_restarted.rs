//! R2: the broker restarted under load, half of the time by a kill. No process of ours may end by it.

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::stack::{End, Part};
use crate::error::Error;

/// Restarts it again and again while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run, Load::endless(2_000))?;
    let mut consumer = flow.scene.consumer(&[])?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        let (up, down) = (run.schedule.millis(100..2_500), run.schedule.millis(0..1_500));
        let (end, kind) = if run.schedule.coin() { (End::Kill, "kills") } else { (End::Stop, "restarts") };
        run.stand.pause(up)?;
        run.stack.end(Part::Broker, end, run.stand)?;
        run.stand.pause(down)?;
        run.stack.start_again(Part::Broker, run.stand)?;
        run.verdict.fault(kind);
        run.verdict.got_on(flow.gets_on()?);
        consumer.must_run()?;
    }
    flow.finish(consumer, &mut run.verdict)
}
