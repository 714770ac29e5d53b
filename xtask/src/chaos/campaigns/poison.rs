//! R7: messages that are no readings, of twelve classes, among as many readings, and as the last of every partition.
//!
//! They come with headers that are missing or no text, in batches of every codec, some as large as the broker takes
//! them; Kafka has transactions in between, half of which are aborted. The reader knows of every offset what was sent
//! there and why it is refused, and compares the dead letters byte for byte. In a second run the group is set behind the
//! first message of a partition: the one letter that is missing must be noticed.

use crate::chaos::findings::Findings;
use crate::chaos::run::Run;
use crate::chaos::scene::{EAGER, Scene};
use crate::chaos::stack::Kind;
use crate::chaos::stand::COMMAND_LIMIT;
use crate::error::Error;

const SCRIPT: &str = "chaos_poison.py";
/// Many poisoned messages at a time; each time ends with one in every partition, and that everything is committed.
const AT_A_TIME: u32 = 2_500;
/// After so many times a fresh topic is begun, so that a night needs no more room than an hour.
const TIMES: u32 = 20;
const PARTITIONS: u32 = 6;
const TRANSACTIONS: &str = "20";

/// Sends them while two members read, and looks for each.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut all = Findings::default();
    for number in 0_u32.. {
        let first = run.schedule.take(AT_A_TIME);
        if first == 0 {
            break;
        }
        all.add(poisoned_topic(run, &number.to_string(), first)?);
    }
    run.verdict.conclude(all);
    Ok(())
}

fn poisoned_topic(run: &mut Run<'_>, name: &str, first: u32) -> Result<Findings, Error> {
    let scene = Scene::make(run.stand, run.addresses_of(name)?, PARTITIONS)?;
    let (chance, ledger) = (run.schedule.below(1_000_000).to_string(), scene.file("ledger"));
    let (brokers, topic, store) = (&*scene.at.brokers, &*scene.at.topic, &*scene.at.reader);
    let send = |count: u32| scene.send(SCRIPT, &["send", brokers, topic, &chance, &count.to_string(), &ledger]);
    if run.stack.kind() == Kind::Servers {
        scene.send(SCRIPT, &["abort", brokers, topic, &chance, TRANSACTIONS])?;
    }
    send(first)?;
    run.verdict.faults("poisoned messages", first);
    if run.is_planted() {
        scene.vitals("group seek --to 1 --partition 0", COMMAND_LIMIT)?;
    }
    let mut consumers = vec![scene.consumer(EAGER)?, scene.consumer(EAGER)?];
    for _ in 1..TIMES {
        scene.wait_until_drained(&mut consumers)?;
        let count = run.schedule.take(AT_A_TIME);
        if count == 0 {
            break;
        }
        send(count)?;
        run.verdict.faults("poisoned messages", count);
    }
    scene.drain(consumers)?;
    let findings = scene.check(SCRIPT, &["check", brokers, topic, store, &chance, &ledger])?;
    if findings.is_clean() {
        scene.vitals("reset --yes", COMMAND_LIMIT)?;
    }
    Ok(findings)
}
