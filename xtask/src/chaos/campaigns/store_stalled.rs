//! R10: the store stalls with a large backlog before the consumer: what it holds stays within its limit, it stays in
//! its group, and when the store is back it goes on.
//!
//! The first part of the backlog are messages with one sign, which take the most memory for their size; the rest are
//! large. Two bugs are planted in turn: a consumer that reads on whatever room there is, and one that takes a failed
//! write for a good one.

use std::time::{Duration, Instant};

use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::stall::Stall;
use crate::error::Error;
use crate::worker::Worker;

/// As fast as they can be sent.
const RATE: u32 = 1_000_000;
/// How long sending them may take.
const SEND_LIMIT: Duration = Duration::from_secs(10 * 60);
/// How much memory the consumer may have.
const MEMORY_LIMIT_MIB: u64 = 128;
const MIB: u64 = 1024 * 1024;
/// How often its memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is waiting, and for how long it has to.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    /// Messages of 0.1 kB,
    small: u32,
    /// and of 16 kB behind them.
    large: u32,
    /// How long the store is away.
    stall: Duration,
}

/// 0.3 GB.
const USUAL: Backlog = Backlog { small: 500_000, large: 16_000, stall: Duration::from_secs(30) };
/// 2 GB.
const AT_NIGHT: Backlog = Backlog { small: 2_000_000, large: 115_000, stall: Duration::from_secs(10 * 60) };
/// Too many for its memory.
const FOR_A_QUEUE: Backlog = Backlog { small: 500_000, large: 0, stall: Duration::from_secs(30) };
/// Longer than the 5 s after which a write to a locked file fails, and more than is stored before the file can be locked.
const FOR_AN_ERROR: Backlog = Backlog { small: 500_000, large: 0, stall: Duration::from_secs(10) };

/// Stalls the store again and again while there is a backlog.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let backlog = match run.verdict.planted {
        Some("unbounded-queue") => FOR_A_QUEUE,
        Some(_) => FOR_AN_ERROR,
        None if run.night => AT_NIGHT,
        None => USUAL,
    };
    let load = Load { messages: backlog.small + backlog.large, rate: RATE };
    let mut flow = Flow::start_padded(run, load, backlog.small)?;
    flow.wait_for_sender(SEND_LIMIT)?;
    let mut consumer = flow.scene.consumer_of(&run.verdict)?;
    while run.schedule.next() {
        stall(run, &flow, &mut consumer, backlog.stall)?;
        if run.is_planted() && run.verdict.is_broken() {
            return Ok(());
        }
        run.verdict.got_on(flow.gets_on()?);
    }
    flow.scene.wait_until_drained(std::slice::from_mut(&mut consumer))?;
    judge_memory(run, &mut consumer)?;
    flow.scene.drain(vec![consumer])?;
    run.verdict.conclude(flow.check()?);
    Ok(())
}

fn stall(run: &mut Run<'_>, flow: &Flow<'_>, consumer: &mut Worker, length: Duration) -> Result<(), Error> {
    let members = flow.members(1)?;
    let stalled = Stall::begin(run, &flow.scene.at)?;
    let end = Instant::now() + length;
    // A bug need not be watched for longer than it takes to see it.
    while Instant::now() < end && !(run.is_planted() && peak_mib(consumer)? > MEMORY_LIMIT_MIB) {
        run.stand.pause(LOOK_EVERY)?;
    }
    if flow.members(1)? != members {
        run.verdict.breaks("the member lost its place in the group while the store was away");
    }
    if run.is_planted() {
        judge_memory(run, consumer)?;
        run.verdict.look(&flow.check()?);
    }
    stalled.end(run)?;
    run.verdict.fault("stalls");
    Ok(())
}

/// What it had in memory at most.
fn peak_mib(consumer: &mut Worker) -> Result<u64, Error> {
    consumer.must_run()?;
    Ok(consumer.peak_bytes().unwrap_or_default().div_ceil(MIB))
}

fn judge_memory(run: &mut Run<'_>, consumer: &mut Worker) -> Result<(), Error> {
    let peak = peak_mib(consumer)?;
    run.verdict.measured(format!("its memory was {peak} MiB at most"));
    if peak > MEMORY_LIMIT_MIB {
        run.verdict.breaks(format!("its memory was {peak} MiB at most, and {MEMORY_LIMIT_MIB} MiB are promised"));
    }
    Ok(())
}
