//! R14: SIGINT or SIGTERM for `vitals produce` at random moments, also while the broker stands still: it ends in time,
//! and what it has reported as sent is in the topic.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Instant;

use super::producer_killed::{SENT, WHAT, compare};
use crate::chaos::run::Run;
use crate::chaos::signalled::{Ends, FIRST_LIMIT, ROOM, draw, hangs};
use crate::chaos::stack::Part;
use crate::chaos::stand::COMMAND_LIMIT;
use crate::error::Error;
use crate::worker::Worker;

/// Signals one after another, and reads the topic.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let (stand, at) = (run.stand, run.addresses()?);
    stand.run("vitals init", &stand.vitals(&at, &["init"]), COMMAND_LIMIT)?;
    let command = stand.vitals(&at, &["produce", "--mode", "random", "--interval", "0"]);
    let (mut logs, mut ends): (Vec<PathBuf>, _) = (Vec::new(), Ends::default());
    while run.schedule.next() {
        let mut producer = stand.start(WHAT, &command)?;
        logs.push(producer.log().to_owned());
        if run.schedule.made() % 2 == 1 {
            producer.wait_for_line(SENT, COMMAND_LIMIT, stand.interrupt())?;
        }
        stand.pause(run.schedule.millis(20..1_500))?;
        let is_stalled = run.schedule.made() % 4 == 2;
        if is_stalled {
            run.stack.pause(Part::Broker)?;
            stand.pause(run.schedule.millis(0..800))?;
        }
        let signal = draw(run);
        let asked = Instant::now();
        producer.signal(signal);
        let status = producer.wait_for_end(FIRST_LIMIT + ROOM, stand.interrupt())?;
        ends.note(is_stalled, asked.elapsed());
        if is_stalled {
            run.stack.resume(Part::Broker)?;
        }
        run.verdict.fault(if is_stalled { "signals while the broker stood still" } else { "signals" });
        match status {
            Some(status) => judge(run, &producer, is_stalled, status, &mut ends),
            None => hangs(run, &mut producer, FIRST_LIMIT)?,
        }
    }
    ends.conclude(&mut run.verdict);
    run.verdict.conclude(compare(stand, &at, &logs)?);
    Ok(())
}

fn judge(run: &mut Run<'_>, producer: &Worker, is_stalled: bool, status: ExitStatus, ends: &mut Ends) {
    let printed = producer.said();
    let sent = printed.lines().filter(|line| line.starts_with(SENT)).count();
    let says = |text: &str| printed.lines().any(|line| line.contains(text));
    match status.code() {
        // All that it had made is acknowledged, and it says how much that was.
        Some(0) if says(&format!("sent {sent} message")) => ends.clean(!is_stalled && sent > 0),
        // It says what may not be in the topic.
        Some(4) if says("not acknowledged") => ends.cut_short(!is_stalled),
        // It was not connected yet.
        Some(130) if sent == 0 => ends.early(),
        None if printed.is_empty() => ends.early(),
        _ => run.verdict.breaks(format!("{WHAT} reported {sent} as sent and ended with {status}\n{}", producer.tail())),
    }
}
