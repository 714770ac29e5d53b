//! R3: Cassandra killed under load, with its periodic commit log, and started again on the same folder.
//!
//! The last kill takes the consumer with it: what it had committed is all that its successor knows, so every reading
//! below must be in the table. A second run has a bug planted: a consumer that does not notice the restart, and so does not
//! write again what Cassandra had acknowledged and forgotten, commits it, and the readers must see that it is nowhere.

use std::ops::Range;

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::stack::{End, Part};
use crate::error::Error;
use crate::worker::Worker;

/// Without an end of its own, for all practical purposes, so that every kill falls among writes. Five kills, each with the
/// restart some 35 s after the one before, meet half a million readings.
const LOAD: Load = Load { messages: 20_000_000, rate: 3_000 };
/// Sometimes longer than the settle time, so that something is committed; sometimes shorter.
const UP_MILLIS: Range<u64> = 4_000..28_000;

/// Kills it again and again while messages flow.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run, LOAD)?;
    let mut consumer = flow.scene.consumer_of(&run.verdict)?;
    while run.schedule.next() {
        let (up, down) = (run.schedule.millis(UP_MILLIS), run.schedule.millis(200..3_000));
        run.stand.pause(up)?;
        consumer.must_run()?;
        run.stack.end(Part::Store, End::Kill, run.stand)?;
        run.stand.pause(down)?;
        run.stack.start_again(Part::Store, run.stand)?;
        run.verdict.fault("kills");
        run.verdict.got_on(flow.gets_on()?);
    }
    if !run.is_planted() {
        kill_both(run, &mut consumer, &flow)?;
        consumer = flow.scene.consumer(&[])?;
    }
    flow.stop_sending()?;
    flow.scene.drain(vec![consumer])?;
    run.verdict.conclude(flow.check_many()?);
    Ok(())
}

/// Kills the consumer and Cassandra at one moment, and looks whether all is there that was committed.
fn kill_both(run: &mut Run<'_>, consumer: &mut Worker, flow: &Flow<'_>) -> Result<(), Error> {
    run.stand.pause(run.schedule.millis(UP_MILLIS))?;
    run.stack.end(Part::Store, End::Kill, run.stand)?;
    consumer.kill()?;
    run.stack.start_again(Part::Store, run.stand)?;
    run.verdict.fault("kills with the consumer");
    run.verdict.look(&flow.check_many()?);
    Ok(())
}
