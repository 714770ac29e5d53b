//! Messages that are unusual: no readings, the same again and again, of other centuries.

use crate::chaos::Run;
use crate::chaos::clock::Shift;
use crate::chaos::flow::DRAIN_LIMIT;
use crate::chaos::harness::{COMMAND_LIMIT, Deployment, EAGER};
use crate::chaos::stack::Kind;
use crate::chaos::verdict::Findings;
use crate::error::{Error, Result};

const POISON_SCRIPT: &str = "chaos_poison.py";
/// Many poisoned messages at a time; each time ends with one in every partition, and that everything is committed.
const AT_A_TIME: u32 = 2_500;
/// After so many times a fresh topic is begun, so that a night needs no more room than an hour.
const TIMES: u32 = 20;
const PARTITIONS: u32 = 6;
const TRANSACTIONS: &str = "20";

/// R7: messages that are no readings, of twelve classes, among as many readings, and as the last of every partition.
///
/// They come with headers that are missing or no text, in batches of every codec, some as large as the broker takes
/// them; Kafka has transactions in between, half of which are aborted. The reader knows of every offset what was sent
/// there and why it is refused, and compares the dead letters byte for byte. In a second run the group is set behind the
/// first message of a partition: the one letter that is missing must be noticed.
pub(in crate::chaos) fn poison(run: &mut Run<'_>) -> Result<()> {
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

fn poisoned_topic(run: &mut Run<'_>, name: &str, first: u32) -> Result<Findings> {
    let deployment = Deployment::make(run.harness, run.addresses_of(name)?, PARTITIONS)?;
    let (chance, ledger) = (run.schedule.below(1_000_000).to_string(), deployment.file("ledger"));
    let (brokers, topic, store) = (&*deployment.at.brokers, &*deployment.at.topic, &*deployment.at.reader);
    let send =
        |count: u32| deployment.send(POISON_SCRIPT, &["send", brokers, topic, &chance, &count.to_string(), &ledger]);
    if run.stack.kind() == Kind::Servers {
        deployment.send(POISON_SCRIPT, &["abort", brokers, topic, &chance, TRANSACTIONS])?;
    }
    send(first)?;
    run.verdict.faults("poisoned messages", first);
    if run.is_planted() {
        deployment.vitals("group seek --to 1 --partition 0", COMMAND_LIMIT)?;
    }
    let mut consumers = vec![deployment.consumer(EAGER)?, deployment.consumer(EAGER)?];
    for _ in 1..TIMES {
        deployment.wait_until_drained(&mut consumers)?;
        let count = run.schedule.take(AT_A_TIME);
        if count == 0 {
            break;
        }
        send(count)?;
        run.verdict.faults("poisoned messages", count);
    }
    deployment.drain(consumers)?;
    let findings = deployment.check(POISON_SCRIPT, &["check", brokers, topic, store, &chance, &ledger])?;
    if findings.is_clean() {
        deployment.vitals("reset --yes", COMMAND_LIMIT)?;
    }
    Ok(findings)
}

const MERGE_SCRIPT: &str = "chaos_merge.py";
/// So many keys are added at a time, each with five messages.
const REPLAYED_KEYS: u32 = 400;
/// So often everything is read before more is added.
const REPLAYS: u32 = 10;
/// So many messages are too few of those that a replay has to read.
const TOO_FEW: &str = "1000";

/// R13: the same patient and time five times with different signs, read again and again.
///
/// A model that is not ours computes what the table has to hold: sign by sign, the message later in the partition wins.
/// After every replay the table, as another reader sees it, must be that, and the export must be byte for byte the one
/// before. Some replays are the same group's, set back to the beginning, some another's; one to three members share the
/// work. In a second run the last replay is cut short, which leaves signs that were written over: that must be noticed.
pub(in crate::chaos) fn replays(run: &mut Run<'_>) -> Result<()> {
    let mut deployment = Deployment::make(run.harness, run.addresses()?, PARTITIONS)?;
    let (seed, ledger) = (run.schedule.below(1_000_000).to_string(), deployment.file("ledger"));
    let (mut sent, mut exported, mut all) = (0, None, Findings::default());
    while run.schedule.next() {
        if (run.schedule.made() - 1).is_multiple_of(REPLAYS) {
            let (first, count) = (sent.to_string(), REPLAYED_KEYS.to_string());
            let (brokers, topic) = (&*deployment.at.brokers, &*deployment.at.topic);
            deployment.send(MERGE_SCRIPT, &["send", brokers, topic, &seed, &first, &count, &ledger])?;
            sent += REPLAYED_KEYS;
            exported = None;
        }
        replay(run, &mut deployment)?;
        let export = export(&deployment)?;
        if exported.as_ref().is_some_and(|before| *before != export) {
            run.verdict.breaks(format!("replay {} left another table than the one before", run.schedule.made()));
        }
        exported = Some(export);
        all.add(check(&deployment, &seed, &ledger)?);
    }
    if run.is_planted() {
        seek_to_the_beginning(&deployment)?;
        deployment.vitals(&format!("consume --quiet --max {TOO_FEW}"), DRAIN_LIMIT)?;
        export(&deployment)?;
        all.add(check(&deployment, &seed, &ledger)?);
    }
    run.verdict.conclude(all);
    Ok(())
}

/// Reads all messages, by some members of a group that has committed none of them.
fn replay(run: &mut Run<'_>, deployment: &mut Deployment<'_>) -> Result<()> {
    if run.schedule.made() > 1 && run.schedule.coin() {
        seek_to_the_beginning(deployment)?;
    } else {
        deployment.at.group = format!("{}-{}", deployment.at.topic, run.schedule.made());
    }
    // Each that joins costs the others a heartbeat.
    let members = if run.schedule.coin() { 1 } else { 2 + run.schedule.below(2) };
    let members = (0..members).map(|_| deployment.consumer(EAGER)).collect::<Result<Vec<_>, _>>()?;
    deployment.drain(members)?;
    run.verdict.fault("replays");
    Ok(())
}

fn seek_to_the_beginning(deployment: &Deployment<'_>) -> Result<()> {
    deployment.vitals("group seek --to earliest", COMMAND_LIMIT).map(drop)
}

fn check(deployment: &Deployment<'_>, seed: &str, ledger: &str) -> Result<Findings> {
    deployment.check(MERGE_SCRIPT, &["check", &deployment.at.reader, seed, ledger, &deployment.file("csv")])
}

fn export(deployment: &Deployment<'_>) -> Result<Vec<u8>> {
    let path = deployment.export()?;
    std::fs::read(&path).map_err(Error::file("read", path.as_ref()))
}

const KEYS: u32 = 200;
/// What is sent before the first clock: so many of the five messages of a key.
const EARLIER: [&str; 2] = ["0", "2"];
/// What comes with the second one.
const LATER: [&str; 2] = ["2", "5"];
const HOUR_SECONDS: i64 = 3_600;

/// R12: our clock an hour ahead, then an hour behind, and readings of the years 1, 1970 and 9999, whose records claim to
/// have been sent in 1970, an hour ago or soon: the table is the same.
///
/// The first messages of a key are read with one clock, the later ones with the other, which is behind it: what was
/// stored by the clock of the writer would win over them. The clock is shifted by a few lines of C that are loaded
/// before the C library; where there is no C compiler, there is no campaign. In a second run a program that is not ours
/// stores rows of the future by its own clock: that what comes later does not win must be noticed.
pub(in crate::chaos) fn clocks(run: &mut Run<'_>) -> Result<()> {
    let shift = Shift::compile(run.harness)?;
    prove(run, &shift)?;
    let deployment = Deployment::make(run.harness, run.addresses()?, PARTITIONS)?;
    let (chance, ledger) = (run.schedule.below(1_000_000).to_string(), deployment.file("ledger"));
    let (mut sent, mut all) = (0, Findings::default());
    while run.schedule.next() {
        let (first, count) = (sent.to_string(), KEYS.to_string());
        let (brokers, topic) = (&*deployment.at.brokers, &*deployment.at.topic);
        for (times, seconds) in [(EARLIER, HOUR_SECONDS), (LATER, -HOUR_SECONDS)] {
            deployment
                .send(MERGE_SCRIPT, &["send", brokers, topic, &chance, &first, &count, &ledger, times[0], times[1]])?;
            let options = [&["consume", "--quiet", "--exit-at-end"], EAGER].concat();
            let command = shift.with(seconds, run.harness.vitals(&deployment.at, &options));
            run.harness.run("vitals consume", &command, DRAIN_LIMIT)?;
            run.verdict.fault("clocks off by an hour");
            if run.is_planted() && times == EARLIER {
                deployment.send(MERGE_SCRIPT, &["ahead", &deployment.at.reader, &first, &count])?;
            }
        }
        sent += KEYS;
        all.add(
            deployment
                .check(MERGE_SCRIPT, &["check", &deployment.at.reader, &chance, &ledger, &deployment.export()?])?,
        );
    }
    run.verdict.conclude(all);
    Ok(())
}

/// Where the library is not taken, as by a program that is linked statically, everything would hold.
fn prove(run: &Run<'_>, shift: &Shift) -> Result<()> {
    let deployment = Deployment::make(run.harness, run.addresses_of("clock")?, 1)?;
    let command = run.harness.vitals(&deployment.at, &["produce", "--mode", "random", "--count", "1"]);
    let said = run.harness.run("vitals produce", &shift.with(HOUR_SECONDS, command), COMMAND_LIMIT)?;
    deployment.send(MERGE_SCRIPT, &["shifted", &HOUR_SECONDS.to_string(), &said]).map(drop)
}
