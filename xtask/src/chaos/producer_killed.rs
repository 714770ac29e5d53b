//! R16: `vitals produce` killed in the middle: what it has reported as sent is in the topic.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::ChaosError;
use super::fault::Fault;
use super::findings::Findings;
use super::schedule::Schedule;
use super::stack::Stack;
use super::stand::Stand;
use super::verdict::Verdict;
use super::worker::Worker;

const WHAT: &str = "vitals produce";
/// What making a topic and tables may take.
const INIT_LIMIT: Duration = Duration::from_secs(60);
/// What reading the topic may take.
const CHECK_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Kills one after another, and reads the topic.
pub(super) fn run(stack: &mut dyn Stack, stand: &Stand, mut schedule: Schedule) -> Result<Verdict, ChaosError> {
    let begun = Instant::now();
    let at = stack.addresses("r16")?;
    stand.run("vitals init", &stand.vitals(&at, &["init"]), INIT_LIMIT)?;
    let command = stand.vitals(&at, &["produce", "--mode", "random", "--interval", "0"]);
    let mut logs: Vec<PathBuf> = Vec::new();
    while schedule.next() {
        let log = stand.log(WHAT);
        let mut producer = Worker::start(WHAT, &command, &[], &log)?;
        stand.pause(schedule.millis(50..1_200))?;
        producer.kill()?;
        logs.push(log);
    }
    let mut arguments = vec![at.brokers.clone(), at.topic.clone()];
    arguments.extend(logs.iter().map(|log| log.display().to_string()));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let findings = Findings::of(stand, "chaos_sent.py", &stand.script("chaos_sent.py", &arguments), CHECK_LIMIT)?;
    let (fault, faults) = (Fault::R16, schedule.made());
    Ok(Verdict { fault, stack: stack.kind(), planted: None, faults, stalls: 0, findings, took: begun.elapsed() })
}
