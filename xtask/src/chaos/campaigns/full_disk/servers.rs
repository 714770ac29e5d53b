//! R11: no room for Kafka's log and for Cassandra's commit log.
//!
//! A limit on the size of their files is set while they run, and each does what it does when its disk refuses a write:
//! Kafka takes its only log folder offline and ends, Cassandra stops its transports and stays, as its
//! `commit_failure_policy` says. What the campaign then does is the operator's part: it makes room and starts the server
//! again. `vitals consume` is left alone.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::{FULL_BYTES, limit_files};
use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::stack::{End, Part};
use crate::error::Error;
use crate::process::LOOK_AGAIN;
use crate::worker::Worker;

/// Without an end of its own, for all practical purposes. At this rate a segment of Cassandra's commit log is full soon.
const LOAD: Load = Load { messages: 20_000_000, rate: 3_000 };
/// How long a server may take to notice: a commit log is written on to its segment's end, and to that of the next one.
const NOTICE_LIMIT: Duration = Duration::from_secs(3 * 60);
/// What the consumer says when rows are not taken.
const STORE_TOLD: &str = "the store did not take the rows";

/// Fills one after the other, and makes room again.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut flow = Flow::start(run, LOAD)?;
    let mut consumer = flow.scene.consumer(&[])?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        // In turn, so that a short run has both.
        let part = if run.schedule.made().is_multiple_of(2) { Part::Broker } else { Part::Store };
        let up = run.schedule.millis(500..5_000);
        run.stand.pause(up)?;
        fill(run, &mut consumer, part)?;
        // What is committed has to be there while the server is away, or at the latest when it is back.
        run.stack.end(part, End::Kill, run.stand)?;
        run.stack.start_again(part, run.stand)?;
        run.verdict.fault(match part {
            Part::Broker => "Kafkas without room",
            Part::Store => "Cassandras without room",
        });
        run.verdict.look(&flow.check_many()?);
        run.verdict.got_on(flow.gets_on()?);
        consumer.must_run()?;
    }
    flow.stop_sending()?;
    flow.scene.drain(vec![consumer])?;
    run.verdict.conclude(flow.check_many()?);
    Ok(())
}

/// Lets a server find that it has no room.
fn fill(run: &mut Run<'_>, consumer: &mut Worker, part: Part) -> Result<(), Error> {
    let server = run.stack.process(part).ok_or(Error::NoServer("such server"))?;
    let pid = i32::try_from(server.pid).ok().and_then(Pid::from_raw);
    let told = |consumer: &Worker| consumer.said().matches(STORE_TOLD).count();
    let (told_before, begun) = (told(consumer), Instant::now());
    limit_files(pid, Some(FULL_BYTES))?;
    loop {
        let has_noticed = match part {
            Part::Broker => !server.is_alive(),
            Part::Store => told(consumer) > told_before,
        };
        if has_noticed {
            return Ok(());
        }
        if begun.elapsed() > NOTICE_LIMIT {
            run.verdict
                .breaks(format!("{part:?} without room: nothing was told of it for {} s", NOTICE_LIMIT.as_secs()));
            return Ok(());
        }
        consumer.must_run()?;
        run.stand.pause(LOOK_AGAIN)?;
    }
}
