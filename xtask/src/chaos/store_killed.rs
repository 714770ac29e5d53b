//! R3: Cassandra killed under load, with its periodic commit log, and started again on the same folder.
//!
//! The last kill takes the consumer with it: what it had committed is all that its successor knows, so every reading
//! below must be in the table. A second run has a bug planted, in that nothing waits for the commit log: a consumer that
//! commits what Cassandra has only acknowledged loses readings, and the readers must see that.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::error::ChaosError;
use super::fault::Fault;
use super::findings::Findings;
use super::flow::{Flow, Load};
use super::schedule::Schedule;
use super::stack::{End, Part, Stack};
use super::stand::Stand;
use super::verdict::Verdict;
use super::worker::Worker;

/// Enough that every kill falls among writes: with the restart it takes about 30 s.
const LOAD: Load = Load { messages: 500_000, rate: 3_000 };
/// The planted bug shows with less.
const PLANTED_LOAD: Load = Load { messages: 200_000, ..LOAD };
/// Sometimes longer than the settle time, so that something is committed; sometimes shorter.
const UP_MILLIS: Range<u64> = 4_000..28_000;
/// How long sending them may take, on a machine that is too busy for the rate.
const SEND_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Which consumer is attacked.
#[derive(Debug, Clone, Copy)]
struct Attack {
    name: &'static str,
    planted: Option<&'static str>,
    load: Load,
    options: &'static [&'static str],
}

const HONEST: Attack = Attack { name: "r3", planted: None, load: LOAD, options: &[] };
const PLANTED: Attack = Attack {
    name: "r3_planted",
    planted: Some("no settle time"),
    load: PLANTED_LOAD,
    options: &["--settle-time", "0s"],
};

/// Attacks `vitals` as it is.
pub(super) fn run(stack: &mut dyn Stack, stand: &Stand, schedule: Schedule) -> Result<Verdict, ChaosError> {
    HONEST.run(stack, stand, schedule)
}

/// Attacks the one with the bug.
pub(super) fn run_planted(stack: &mut dyn Stack, stand: &Stand, schedule: Schedule) -> Result<Verdict, ChaosError> {
    PLANTED.run(stack, stand, schedule)
}

impl Attack {
    fn run(self, stack: &mut dyn Stack, stand: &Stand, mut schedule: Schedule) -> Result<Verdict, ChaosError> {
        let begun = Instant::now();
        let mut flow = Flow::start(stand, stack.addresses(self.name)?, self.load)?;
        let mut consumer = flow.consumer(self.options)?;
        let mut stalls = 0;
        while schedule.next() {
            let (up, down) = (schedule.millis(UP_MILLIS), schedule.millis(200..3_000));
            stand.pause(up)?;
            consumer.must_run()?;
            stack.end(Part::Store, End::Kill, stand)?;
            stand.pause(down)?;
            stack.start_again(Part::Store, stand)?;
            stalls += u32::from(!flow.gets_on()?);
        }
        let look = kill_both(stack, stand, &mut schedule, &mut consumer, &flow)?;
        let consumer = flow.consumer(self.options)?;
        flow.wait_for_sender(SEND_LIMIT)?;
        stalls += u32::from(!flow.drain(consumer)?);
        let mut findings = flow.check()?;
        findings.add_look(&look);
        let (fault, faults) = (Fault::R3, schedule.made() + 1);
        Ok(Verdict {
            fault,
            stack: stack.kind(),
            planted: self.planted,
            faults,
            stalls,
            findings,
            took: begun.elapsed(),
        })
    }
}

/// Kills the consumer and Cassandra at one moment, and looks whether all is there that was committed.
fn kill_both(
    stack: &mut dyn Stack,
    stand: &Stand,
    schedule: &mut Schedule,
    consumer: &mut Worker,
    flow: &Flow<'_>,
) -> Result<Findings, ChaosError> {
    stand.pause(schedule.millis(UP_MILLIS))?;
    stack.end(Part::Store, End::Kill, stand)?;
    consumer.kill()?;
    stack.start_again(Part::Store, stand)?;
    flow.check()
}
