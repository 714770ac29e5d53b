//! Alarms while consumers come and go: none is lost, doubled, or ends when it should not.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::unavailable::Stall;
use crate::chaos::Run;
use crate::chaos::harness::{COMMAND_LIMIT, Deployment, END_LIMIT, MANY_LIMIT};
use crate::error::{Error, Result};
use crate::signals;
use crate::worker::Worker;

const SCRIPT: &str = "chaos_alarms.py";
const PARTITIONS: u32 = 4;
/// Readings a second: ten of each patient.
const RATE: &str = "400";
/// Nobody kills the store here.
const OPTIONS: &[&str] = &["--durability-delay", "0s", "--session-timeout", "2s"];
/// Longer than a session.
const STOPPED: Duration = Duration::from_millis(3_500);
/// The longest delay of the rules, the 2 s that a reading may be late, and a little more.
const DUE: Duration = Duration::from_secs(6);
const MOST: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill,
    Join,
    Leave,
    /// A zombie: it finds out later that its partitions are somebody else's.
    Stop,
    /// The store is away, and may be when a consumer is killed.
    Stall,
    /// Another version of the rules, which changes nothing for those that raise alarms.
    Rules,
}

/// R19: readings raise alarms at once and after delays, while consumers are killed, join, leave and stand still, the store
/// is away, and rules are changed. In the end the store has the alarms that an evaluator finds which has all readings at
/// once: no other ones, each with its start, its end and its peak.
///
/// Two bugs are planted: state that is kept after a revocation, and readings that count twice when they come again.
pub(in crate::chaos) fn changed(run: &mut Run<'_>) -> Result<()> {
    let deployment = Deployment::make(run.harness, run.addresses()?, PARTITIONS)?;
    let mut ward = Ward { ledger: deployment.file("ledger"), deployment, version: 0 };
    ward.apply(run)?;
    let seed = run.schedule.below(1_000_000).to_string();
    let at = &ward.deployment.at;
    let mut sender = run.harness.start_script(SCRIPT, &["send", &at.brokers, &at.topic, &seed, RATE, &ward.ledger])?;
    let mut members = vec![ward.member(run)?, ward.member(run)?];
    while run.schedule.next() {
        signals::pause(run.schedule.millis(300..1_500))?;
        ward.make(draw(run, members.len()), run, &mut members)?;
        sender.must_run()?;
        members.iter_mut().try_for_each(Worker::must_run)?;
    }
    sender.end(Signal::TERM, MANY_LIMIT)?;
    ward.deployment.drain(members)?;
    // What is pending at the end is due by the clock.
    signals::pause(DUE)?;
    ward.deployment.consume()?;
    run.verdict.conclude(ward.deployment.check(SCRIPT, &["check", &ward.deployment.at.reader, &ward.ledger])?);
    Ok(())
}

fn draw(run: &mut Run<'_>, members: usize) -> Fault {
    let fault = match run.schedule.below(10) {
        // With a bug: its partitions come back to it, with what happened meanwhile.
        _ if run.is_planted() => Fault::Stop,
        0..3 => Fault::Kill,
        3 => Fault::Join,
        4 => Fault::Leave,
        5..7 => Fault::Stop,
        7 => Fault::Rules,
        _ => Fault::Stall,
    };
    match fault {
        Fault::Join if members == MOST => Fault::Leave,
        Fault::Leave if members == 1 => Fault::Join,
        fault => fault,
    }
}

struct Ward<'a> {
    deployment: Deployment<'a>,
    ledger: String,
    /// Of the rules.
    version: u32,
}

impl Ward<'_> {
    /// One that prints what becomes of alarms into its log; with the bug that is planted, if any.
    fn member(&self, run: &Run<'_>) -> Result<Worker> {
        match run.verdict.planted {
            Some(bug) => self.deployment.tampered(&[&["--bug", bug], OPTIONS].concat()),
            None => self.deployment.showing_consumer(&[OPTIONS, &["--alerts", "changes"]].concat()),
        }
    }

    fn apply(&mut self, run: &Run<'_>) -> Result<()> {
        self.version += 1;
        let text = run.harness.run_script(SCRIPT, &["rules", &self.version.to_string()], COMMAND_LIMIT)?;
        let path = self.deployment.file("toml");
        std::fs::write(&path, text).map_err(Error::file("write", Path::new(&path)))?;
        let words = ["rules", "apply", &path, "--by", "chaos", "--reason", "a change"];
        run.harness.run("vitals rules", &run.harness.vitals(&self.deployment.at, &words), COMMAND_LIMIT).map(drop)
    }

    fn make(&mut self, fault: Fault, run: &mut Run<'_>, members: &mut Vec<Worker>) -> Result<()> {
        let count = u32::try_from(members.len()).unwrap_or_default();
        let at = usize::try_from(run.schedule.below(count)).unwrap_or_default();
        match fault {
            Fault::Kill => {
                members.swap_remove(at).kill()?;
                members.push(self.member(run)?);
                run.verdict.fault("kills");
            }
            Fault::Join => {
                members.push(self.member(run)?);
                run.verdict.fault("joins");
            }
            Fault::Leave => {
                let mut member = members.swap_remove(at);
                member.signal(Signal::INT);
                let status = member.wait_for_end(END_LIMIT)?;
                // On a busy machine it may say that what it could not store in time is read again.
                if !status.and_then(|status| status.code()).is_some_and(|code| matches!(code, 0 | 130)) {
                    run.verdict.breaks(format!("a leaving member ended with {status:?}\n{}", member.tail()));
                }
                run.verdict.fault("leaves");
            }
            Fault::Stop => {
                if let Some(zombie) = members.get(at) {
                    zombie.signal(Signal::STOP);
                    signals::pause(STOPPED)?;
                    zombie.signal(Signal::CONT);
                }
                run.verdict.fault("consumers stopped");
            }
            Fault::Stall => {
                let stalled = Stall::begin(run, &self.deployment.at)?;
                signals::pause(run.schedule.millis(500..4_000))?;
                if run.schedule.coin() {
                    members.swap_remove(at).kill()?;
                    members.push(self.member(run)?);
                    run.verdict.fault("kills while the store was away");
                } else {
                    run.verdict.fault("stores away");
                }
                stalled.end(run)?;
            }
            Fault::Rules => {
                self.apply(run)?;
                run.verdict.fault("changes of rules");
            }
        }
        Ok(())
    }
}
