//! Senders that are acknowledged, while what acknowledges them is killed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::chaos::Run;
use crate::chaos::harness::{COMMAND_LIMIT, Deployment, END_LIMIT, MANY_LIMIT};
use crate::chaos::stack::{End, Part};
use crate::error::{Error, Result};
use crate::process::LOOK_AGAIN;
use crate::services::hapi;
use crate::signals;
use crate::worker::Worker;

const CHECKER: &str = "chaos_hl7.py";
const PARTITIONS: u32 = 6;
/// So many messages at least, of all shapes,
const MESSAGES: &str = "10000";
/// with a bug fewer, since it is caught at the first kill;
const MESSAGES_FOR_A_BUG: &str = "1000";
/// on so many connections, together so many a second. A debug build takes more than that.
const CONNECTIONS: &str = "16";
const RATE: &str = "400";
/// As long as for messages that a producer sends.
const PROGRESS_LIMIT: Duration = Duration::from_secs(40);
/// Whatever was sent is acknowledged and stored soon after: killed members come back under the same name.
const CONSUMER: &[&str] = &["--instance-id", "chaos", "--durability-delay", "0s"];
/// What a listener says when it can be sent to.
const LISTENS: &str = "HL7 (MLLP) is listened for on ";

/// What is at work beside the broker.
struct Ward<'a> {
    deployment: Deployment<'a>,
    address: String,
    listener: Worker,
    consumer: Worker,
    /// HAPI.
    sender: Worker,
    /// What it was answered.
    ledger: PathBuf,
}

/// R21: `vitals listen hl7`, the broker and the consumer killed in any order, while HAPI sends messages of ten shapes, each
/// until it is answered.
///
/// Another program then looks for every reading of what was acknowledged, and for the dead letter of every message that was
/// refused. In a second run the listener answers before the topic has anything: what was on its way at a kill must be
/// missed.
pub(in crate::chaos) fn hl7(run: &mut Run<'_>) -> Result<()> {
    let mut ward = Ward::begin(run)?;
    run.verdict.got_on(ward.gets_on()?);
    while run.schedule.next() {
        signals::pause(run.schedule.millis(200..1_500))?;
        ward.kill_somebody(run)?;
        run.verdict.got_on(ward.gets_on()?);
    }
    ward.finish(run)
}

impl<'a> Ward<'a> {
    fn begin(run: &Run<'a>) -> Result<Self> {
        let hapi = hapi::HL7.ensure()?;
        let deployment = Deployment::make(run.harness, run.addresses()?, PARTITIONS)?;
        let (port, ledger) = (run.harness.port()?, deployment.file("ledger"));
        let address = format!("127.0.0.1:{port}");
        let listener = listen(run, &deployment, &address)?;
        let consumer = deployment.consumer(CONSUMER)?;
        let count = if run.is_planted() { MESSAGES_FOR_A_BUG } else { MESSAGES };
        let command = hapi.command(&["127.0.0.1", &port.to_string(), count, CONNECTIONS, RATE, &ledger]);
        let sender = run.harness.start("HAPI", &command)?;
        Ok(Self { deployment, address, listener, consumer, sender, ledger: ledger.into() })
    }

    /// Most often the listener; with a bug it alone.
    fn kill_somebody(&mut self, run: &mut Run<'_>) -> Result<()> {
        let down = run.schedule.millis(0..700);
        match if run.is_planted() { 0 } else { run.schedule.below(4) } {
            0 | 1 => {
                self.listener.kill()?;
                signals::pause(down)?;
                self.listener = listen(run, &self.deployment, &self.address)?;
                run.verdict.fault("kills of the listener");
            }
            2 => {
                run.stack.end(Part::Broker, End::Kill)?;
                signals::pause(down)?;
                run.stack.start_again(Part::Broker, run.harness)?;
                run.verdict.fault("kills of the broker");
            }
            _ => {
                self.consumer.kill()?;
                signals::pause(down)?;
                self.consumer = self.deployment.consumer(CONSUMER)?;
                run.verdict.fault("kills of the consumer");
            }
        }
        Ok(())
    }

    /// How long it takes until the sender has further answers; `None` where nobody waited so long.
    fn gets_on(&mut self) -> Result<Option<Duration>> {
        let (begun, before) = (Instant::now(), length(&self.ledger));
        while length(&self.ledger) == before {
            self.sender.must_run()?;
            if begun.elapsed() >= PROGRESS_LIMIT {
                return Ok(None);
            }
            signals::pause(LOOK_AGAIN)?;
        }
        Ok(Some(begun.elapsed()))
    }

    /// Lets the sender and the consumer come to the end, and compares.
    fn finish(mut self, run: &mut Run<'_>) -> Result<()> {
        let (ledger, at) = (self.ledger.display().to_string(), &self.deployment.at);
        let end = format!("{ledger}.end");
        std::fs::write(&end, "").map_err(Error::file("write", Path::new(&end)))?;
        self.sender.wait(MANY_LIMIT)?;
        if let Some(told) = self.sender.said().lines().find(|line| line.starts_with("answered: ")) {
            run.verdict.measured(told);
        }
        self.listener.must_run()?;
        self.deployment.drain(vec![self.consumer])?;
        self.listener.end(Signal::TERM, END_LIMIT)?;
        let findings = self.deployment.check(CHECKER, &[&at.brokers, &at.topic, &at.reader, &ledger])?;
        run.verdict.conclude(findings);
        Ok(())
    }
}

/// One with the bug that is planted, if any, as soon as it can be sent to.
fn listen(run: &Run<'_>, deployment: &Deployment<'_>, address: &str) -> Result<Worker> {
    let (harness, at) = (run.harness, &deployment.at);
    let command = match run.verdict.planted {
        Some(bug) => harness.tampered(at, &["--mllp", address, "--bug", bug]),
        None => harness.vitals(at, &["listen", "hl7", "--mllp", address, "--sender", "philips"]),
    };
    let mut listener = harness.start("vitals listen hl7", &command)?;
    listener.wait_for_line(LISTENS, COMMAND_LIMIT)?;
    Ok(listener)
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}
