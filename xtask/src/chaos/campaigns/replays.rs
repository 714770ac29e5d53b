//! R13: the same patient and time five times with different signs, read again and again.
//!
//! A model that is not ours computes what the table has to hold: sign by sign, the message later in the partition wins.
//! After every replay the table, as another reader sees it, must be that, and the export must be byte for byte the one
//! before. Some replays are the same group's, set back to the beginning, some another's; one to three members share the
//! work. In a second run the last replay is cut short, which leaves signs that were written over: that must be noticed.

use crate::chaos::findings::Findings;
use crate::chaos::flow::DRAIN_LIMIT;
use crate::chaos::run::Run;
use crate::chaos::scene::{EAGER, Scene};
use crate::chaos::stand::COMMAND_LIMIT;
use crate::error::Error;

const SCRIPT: &str = "chaos_merge.py";
/// So many keys are added at a time, each with five messages.
const KEYS: u32 = 400;
/// So often everything is read before more is added.
const REPLAYS: u32 = 10;
/// So many messages are too few of those that a replay has to read.
const TOO_FEW: &str = "1000";
const PARTITIONS: u32 = 6;

/// Reads everything again and again.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut scene = Scene::make(run.stand, run.addresses()?, PARTITIONS)?;
    let (seed, ledger) = (run.schedule.below(1_000_000).to_string(), scene.file("ledger"));
    let (mut sent, mut exported, mut all) = (0, None, Findings::default());
    while run.schedule.next() {
        if (run.schedule.made() - 1).is_multiple_of(REPLAYS) {
            let (first, count) = (sent.to_string(), KEYS.to_string());
            let (brokers, topic) = (&*scene.at.brokers, &*scene.at.topic);
            scene.send(SCRIPT, &["send", brokers, topic, &seed, &first, &count, &ledger])?;
            sent += KEYS;
            exported = None;
        }
        replay(run, &mut scene)?;
        let export = export(&scene)?;
        if exported.as_ref().is_some_and(|before| *before != export) {
            run.verdict.breaks(format!("replay {} left another table than the one before", run.schedule.made()));
        }
        exported = Some(export);
        all.add(check(&scene, &seed, &ledger)?);
    }
    if run.is_planted() {
        seek_to_the_beginning(&scene)?;
        scene.vitals(&format!("consume --quiet --max {TOO_FEW}"), DRAIN_LIMIT)?;
        export(&scene)?;
        all.add(check(&scene, &seed, &ledger)?);
    }
    run.verdict.conclude(all);
    Ok(())
}

/// Reads all messages, by some members of a group that has committed none of them.
fn replay(run: &mut Run<'_>, scene: &mut Scene<'_>) -> Result<(), Error> {
    if run.schedule.made() > 1 && run.schedule.coin() {
        seek_to_the_beginning(scene)?;
    } else {
        scene.at.group = format!("{}-{}", scene.at.topic, run.schedule.made());
    }
    // Each that joins costs the others a heartbeat.
    let members = if run.schedule.coin() { 1 } else { 2 + run.schedule.below(2) };
    let members = (0..members).map(|_| scene.consumer(EAGER)).collect::<Result<Vec<_>, _>>()?;
    scene.drain(members)?;
    run.verdict.fault("replays");
    Ok(())
}

fn seek_to_the_beginning(scene: &Scene<'_>) -> Result<(), Error> {
    scene.vitals("group seek --to earliest", COMMAND_LIMIT).map(drop)
}

fn check(scene: &Scene<'_>, seed: &str, ledger: &str) -> Result<Findings, Error> {
    scene.check(SCRIPT, &["check", &scene.at.reader, seed, ledger, &scene.file("csv")])
}

/// The export as bytes.
fn export(scene: &Scene<'_>) -> Result<Vec<u8>, Error> {
    let path = scene.export()?;
    std::fs::read(&path).map_err(Error::file("read", path.as_ref()))
}
