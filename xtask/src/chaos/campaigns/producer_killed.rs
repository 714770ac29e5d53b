//! R16: `vitals produce` killed in the middle: what it has reported as sent is in the topic.

use std::path::PathBuf;

use crate::chaos::findings::Findings;
use crate::chaos::run::Run;
use crate::chaos::stack::Addresses;
use crate::chaos::stand::{COMMAND_LIMIT, MANY_LIMIT, Stand};
use crate::error::Error;
use crate::worker::Worker;

pub(super) const WHAT: &str = "vitals produce";
/// Reads the topic.
const READER: &str = "chaos_sent.py";

/// What it reports as sent. Every other one has got so far: one that is killed earlier has made no promise.
pub(super) const SENT: &str = "SENT ";

/// Kills one after another, and reads the topic.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let (stand, at) = (run.stand, run.addresses()?);
    stand.run("vitals init", &stand.vitals(&at, &["init"]), COMMAND_LIMIT)?;
    let command = stand.vitals(&at, &["produce", "--mode", "random", "--interval", "0"]);
    let mut logs: Vec<PathBuf> = Vec::new();
    while run.schedule.next() {
        let log = stand.log(WHAT);
        let mut producer = Worker::start(WHAT, &command, &log)?;
        if run.schedule.made() % 2 == 1 {
            producer.wait_for_line(SENT, COMMAND_LIMIT, stand.interrupt())?;
        }
        stand.pause(run.schedule.millis(50..1_200))?;
        producer.kill()?;
        run.verdict.fault("kills");
        logs.push(log);
    }
    run.verdict.conclude(compare(stand, &at, &logs)?);
    Ok(())
}

/// Compares what producers have reported as sent with what is in the topic.
pub(super) fn compare(stand: &Stand, at: &Addresses, logs: &[PathBuf]) -> Result<Findings, Error> {
    let mut arguments = vec![at.brokers.clone(), at.topic.clone()];
    arguments.extend(logs.iter().map(|log| log.display().to_string()));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Findings::of(stand, READER, &stand.script(READER, &arguments), MANY_LIMIT)
}
