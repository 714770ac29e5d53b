//! What `vitals` finds otherwise than it was.

use std::time::Duration;

use rustix::process::Signal;

use crate::chaos::Run;
use crate::chaos::flow::{Batches, DRAIN_LIMIT};
use crate::chaos::harness::{COMMAND_LIMIT, Deployment, EAGER, END_LIMIT, Ended};
use crate::chaos::stack::{Addresses, End, Kind, Part};
use crate::chaos::verdict::Findings;
use crate::error::{Error, Result};
use crate::signals;
use crate::worker::Worker;

type Change = fn(&mut Run<'_>, &str) -> Result<Findings>;

const CHANGES: &[(&str, Change)] = &[
    ("absent", absent),
    ("missing", missing),
    ("recreated", recreated_topic),
    ("grown", grown_topic),
    ("deleted", deleted_records),
    ("forgotten", forgotten_group),
    ("codec", unknown_codec),
];

/// R15: what `vitals` finds otherwise than it was: servers, topics and tables that are not there, a topic made anew or
/// with more partitions, records deleted before they were read, offsets forgotten, a batch of a codec that nobody knows.
///
/// Each is told, with the exit code and the text that were promised, and what is still in the log is stored. In a second
/// run the group is set behind a gap before it could see it: then nobody tells of it, which must be noticed.
///
/// `absent`, `missing`: at the start; `topics`, `records`: while there is work.
pub(in crate::chaos) fn changed(run: &mut Run<'_>) -> Result<()> {
    let mut all = Findings::default();
    while run.schedule.next() {
        for (name, change) in CHANGES {
            // With a bug planted, the one change that it is about.
            if !run.is_planted() || *name == "deleted" {
                let part = format!("{name}_{}", run.schedule.made());
                all.add(change(run, &part)?);
            }
        }
    }
    run.verdict.conclude(all);
    Ok(())
}

/// Notes what a program should have told and did not.
fn must_tell(run: &mut Run<'_>, what: &str, said: &str, texts: &[&str]) {
    for text in texts.iter().filter(|text| !said.contains(**text)) {
        run.verdict.breaks(format!("{what}: it was not told: {text}"));
    }
}

/// The same of one that has ended, and its exit code.
fn must_end(run: &mut Run<'_>, what: &str, ended: &Ended, code: i32, texts: &[&str]) {
    if ended.code != Some(code) {
        run.verdict.breaks(format!("{what}: the exit code was {:?}, not {code}", ended.code));
    }
    must_tell(run, what, &ended.said, texts);
}

/// By the promise, who cannot be reached is told within this;
const TOLD_PROMISE: Duration = Duration::from_secs(5);
/// this is what a busy machine may add to it.
const TOLD_ROOM: Duration = Duration::from_secs(5);

/// Servers that are not there at the start.
pub(super) fn absent(run: &mut Run<'_>, name: &str) -> Result<Findings> {
    let mut batches = Batches::on(Deployment::make(run.harness, run.addresses_of(name)?, 3)?);
    batches.send(50)?;
    let (at, code) = without_store(run, &batches.deployment.at)?;
    let ended = Deployment::empty(run.harness, at).ended("consume --quiet")?;
    told(run, "an absent store", &ended, code);

    run.stack.end(Part::Broker, End::Stop)?;
    let ended = batches.deployment.ended("consume --quiet")?;
    told(run, "an absent broker", &ended, 4);
    let mut waiting =
        run.harness.start("vitals init", &run.harness.vitals(&batches.deployment.at, &["init", "--wait", "120s"]))?;
    // Started before, it would find the broker at once.
    waiting.wait_for_line("waiting for Kafka", DRAIN_LIMIT)?;
    run.stack.start_again(Part::Broker, run.harness)?;
    waiting.wait(DRAIN_LIMIT)?;
    run.verdict.faults("absent servers", 2);
    batches.deployment.consume()?;
    batches.check()
}

/// Nobody listens on the port; or the folder of the file does not exist, which is a wrong setting. With the exit code.
fn without_store(run: &Run<'_>, at: &Addresses) -> Result<(Addresses, i32)> {
    let (store, code) = match run.stack.kind() {
        Kind::Embedded => (format!("sqlite:{}", run.harness.path("no-such-folder").join("vitals.db").display()), 2),
        Kind::Servers | Kind::Cluster => (format!("cassandra://127.0.0.1:{}/chaos", run.harness.port()?), 4),
    };
    Ok((Addresses { store, ..at.clone() }, code))
}

fn told(run: &mut Run<'_>, what: &str, ended: &Ended, code: i32) {
    must_end(run, what, ended, code, &["error: ", "hint: "]);
    if ended.lasted > TOLD_PROMISE + TOLD_ROOM {
        run.verdict.breaks(format!("{what}: it was told only after {:.1} s", ended.lasted.as_secs_f64()));
    }
}

/// A topic, a keyspace or a table that was never made.
pub(super) fn missing(run: &mut Run<'_>, name: &str) -> Result<Findings> {
    let mut batches = Batches::on(Deployment::empty(run.harness, run.addresses_of(name)?));
    if run.stack.kind() == Kind::Servers {
        refused(run, &batches, "a missing keyspace")?;
        make_by_hand(&batches, &["without-table"])?;
        refused(run, &batches, "a missing table")?;
        make_by_hand(&batches, &[])?;
    }
    refused(run, &batches, "a missing topic")?;
    batches.deployment.init(3)?;
    batches.send(50)?;
    batches.deployment.consume()?;
    batches.check()
}

/// It ends, and names the command that makes what is missing.
fn refused(run: &mut Run<'_>, batches: &Batches<'_>, what: &'static str) -> Result<()> {
    let ended = batches.deployment.ended("consume --quiet")?;
    must_end(run, what, &ended, 2, &["error: ", "hint: ", "`vitals init`"]);
    run.verdict.fault("missing topics and tables");
    Ok(())
}

/// As the old README has people do it.
fn make_by_hand(batches: &Batches<'_>, how: &[&str]) -> Result<()> {
    let reader = &batches.deployment.at.reader;
    let place = reader.strip_prefix("cassandra:").and_then(|place| place.split_once('/'));
    let (node, keyspace) = place.ok_or(Error::NoServer("Cassandra"))?;
    let arguments: Vec<_> = [node, keyspace].iter().chain(how).copied().collect();
    batches.deployment.send("by_hand.py", &arguments).map(drop)
}

const TOPIC_ADMIN: &str = "topics.py";

/// Made anew: at once, with fewer messages than were read before, or with more.
pub(super) fn recreated_topic(run: &mut Run<'_>, name: &str) -> Result<Findings> {
    let texts = ["made anew or cut", "reading from the start"];
    let later = if run.schedule.coin() { 20 } else { 140 };
    run.verdict.fault("topics made anew");
    changed_topic(run, name, [1, 1], "recreate", later, &texts)
}

/// From 3 partitions to 6; the embedded broker cannot add any, so there the topic is made anew with more.
pub(super) fn grown_topic(run: &mut Run<'_>, name: &str) -> Result<Findings> {
    let (how, texts): (_, &[&str]) = match run.stack.kind() {
        Kind::Embedded => ("recreate", &["made anew or cut"]),
        Kind::Servers | Kind::Cluster => ("grow", &[]),
    };
    run.verdict.fault("topics grown");
    changed_topic(run, name, [3, 6], how, 140, texts)
}

fn changed_topic(
    run: &mut Run<'_>,
    name: &str,
    [before, after]: [u32; 2],
    how: &str,
    later: u32,
    texts: &[&str],
) -> Result<Findings> {
    let mut batches = Batches::on(Deployment::make(run.harness, run.addresses_of(name)?, before)?);
    batches.send(100)?;
    let mut consumers = vec![batches.deployment.consumer(EAGER)?];
    batches.deployment.wait_until_drained(&mut consumers)?;
    let at = &batches.deployment.at;
    batches.deployment.send(TOPIC_ADMIN, &[&at.brokers, how, &at.topic, &after.to_string()])?;
    batches.send(later)?;
    let findings = batches.wait_until_kept()?;
    for consumer in &mut consumers {
        consumer.end(Signal::INT, END_LIMIT)?;
        must_tell(run, how, &consumer.said(), texts);
    }
    Ok(findings)
}

const EDITOR: &str = "chaos_log.py";

/// Records deleted behind the committed offset: how many is told, and what is left is read.
pub(super) fn deleted_records(run: &mut Run<'_>, name: &str) -> Result<Findings> {
    let mut batches = Batches::on(Deployment::make(run.harness, run.addresses_of(name)?, 1)?);
    let (read, lost) = (20 + run.schedule.below(80), 20 + run.schedule.below(80));
    batches.send(read)?;
    batches.deployment.consume()?;
    batches.send_to_be_lost(lost)?;
    batches.send(30)?;
    forget(run, &batches, read + lost)?;
    run.verdict.fault("gaps");
    if run.is_planted() {
        batches.deployment.vitals("group seek --to latest", COMMAND_LIMIT)?;
    }
    let said = batches.deployment.consume()?;
    let text = format!(
        "partition 0: {lost} messages from offset {read} on are gone from the log; reading on at {}",
        read + lost
    );
    must_tell(run, "a gap", &said, &[&text]);
    batches.check()
}

/// Kafka is asked to; from the embedded broker's disk they are taken as its retention would.
fn forget(run: &mut Run<'_>, batches: &Batches<'_>, before: u32) -> Result<()> {
    let (at, before) = (&batches.deployment.at, before.to_string());
    if run.stack.kind() == Kind::Servers {
        return batches.deployment.send("topics.py", &[&at.brokers, "forget", &at.topic, &before]).map(drop);
    }
    let folder = run.stack.partition_folder(&at.topic, 0).display().to_string();
    run.stack.end(Part::Broker, End::Stop)?;
    batches.deployment.send(EDITOR, &["forget", &folder, &before])?;
    run.stack.start_again(Part::Broker, run.harness)
}

/// A group whose offsets the broker has dropped begins again at the first record that is there.
pub(super) fn forgotten_group(run: &mut Run<'_>, name: &str) -> Result<Findings> {
    let mut batches = Batches::on(Deployment::make(run.harness, run.addresses_of(name)?, 3)?);
    batches.send(100)?;
    batches.deployment.consume()?;
    batches.send(50)?;
    batches.deployment.vitals(&format!("group delete {} --yes", batches.deployment.at.group), COMMAND_LIMIT)?;
    run.verdict.fault("groups forgotten");
    let said = batches.deployment.consume()?;
    must_tell(run, "a forgotten group", &said, &["150 messages in "]);
    batches.check()
}

/// A batch of a codec that nobody knows becomes a dead letter with all its bytes, and does not stop its partition. No
/// producer can send one to Kafka, so it is put on the disk.
pub(super) fn unknown_codec(run: &mut Run<'_>, name: &str) -> Result<Findings> {
    let mut batches = Batches::on(Deployment::make(run.harness, run.addresses_of(name)?, 1)?);
    batches.send(20)?;
    let folder = run.stack.partition_folder(&batches.deployment.at.topic, 0).display().to_string();
    let codec = (5 + run.schedule.below(3)).to_string();
    run.stack.end(Part::Broker, End::Stop)?;
    let offset = batches.deployment.send(EDITOR, &["strange", &folder, &codec])?;
    run.stack.start_again(Part::Broker, run.harness)?;
    run.verdict.fault("unknown codecs");
    batches.send(20)?;
    let said = batches.deployment.vitals("consume --exit-at-end --durability-delay 0s", DRAIN_LIMIT)?;
    must_tell(
        run,
        "an unknown codec",
        &said,
        &[&format!("REFUSED: the record batch cannot be decoded: unknown codec {codec}")],
    );
    let at = &batches.deployment.at;
    batches.deployment.send(EDITOR, &["letter", &folder, offset.trim(), &at.brokers, &at.topic])?;
    batches.check()
}

const LATE: &str = "chaos_late.py";
const CONSUMERS: u32 = 2;
const MOST_PARTITIONS: u32 = 6;
/// Fewer messages than were read of the topic before, or more: an offset alone does not tell that it is another one.
const BEFORE: u32 = 80;
const AFTER: [u32; 2] = [20, 140];

#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Run,
    StandStill,
    HaveEnded,
}

/// R23: topics are deleted and made anew, with fewer, as many or more partitions, under consumers that run, stand still
/// in the middle of their work, or have ended.
///
/// Offsets of the old topic are committed late, when the new one is there: by those that stood still, and in place of
/// those that have ended. No message of the new topic is passed over for it. In a second run these offsets say nothing of
/// their topic, so that they are believed, which must be noticed.
pub(in crate::chaos) fn recreated(run: &mut Run<'_>) -> Result<()> {
    let mut partitions = if run.is_planted() { 1 } else { 3 };
    let mut batches = Batches::on(Deployment::make(run.harness, run.addresses()?, partitions)?);
    let mut consumers = start_consumers(&batches)?;
    let mut findings = Findings::default();
    while findings.is_clean() && run.schedule.next() {
        batches.send(BEFORE)?;
        // What is not read yet goes with its topic.
        findings = batches.wait_until_kept()?;
        if !findings.is_clean() {
            break;
        }
        partitions = recreate(run, &mut batches, &mut consumers, partitions)?;
        findings = batches.wait_until_kept()?;
    }
    run.verdict.conclude(findings);
    batches.deployment.drain(consumers)
}

fn start_consumers(batches: &Batches<'_>) -> Result<Vec<Worker>> {
    (0..CONSUMERS).map(|_| batches.deployment.consumer(EAGER)).collect()
}

/// Gives how many partitions there are then.
fn recreate(run: &mut Run<'_>, batches: &mut Batches<'_>, consumers: &mut Vec<Worker>, before: u32) -> Result<u32> {
    let meanwhile = match run.schedule.below(3) {
        _ if run.is_planted() => Meanwhile::HaveEnded,
        0 => Meanwhile::Run,
        1 => Meanwhile::StandStill,
        _ => Meanwhile::HaveEnded,
    };
    let after = if run.is_planted() { before } else { draw_partitions(run, before) };
    let later = if run.is_planted() || run.schedule.coin() { AFTER[1] } else { AFTER[0] };
    let (brokers, topic) = (batches.deployment.at.brokers.clone(), batches.deployment.at.topic.clone());
    let group = batches.deployment.at.group.clone();
    let kept = batches.deployment.file("committed");
    let late = |action| [brokers.clone(), topic.clone(), group.clone(), action, kept.clone()];
    match meanwhile {
        Meanwhile::Run => {}
        Meanwhile::StandStill => {
            batches.send_to_be_lost(BEFORE)?;
            signals::pause(run.schedule.millis(0..600))?;
            for consumer in &*consumers {
                consumer.signal(Signal::STOP);
            }
        }
        Meanwhile::HaveEnded => {
            for consumer in consumers.iter_mut() {
                consumer.end(Signal::INT, END_LIMIT)?;
            }
            consumers.clear();
            say(batches, &late("keep".into()))?;
        }
    }
    batches.deployment.send(TOPIC_ADMIN, &[&brokers, "recreate", &topic, &after.to_string()])?;
    batches.send(later)?;
    match meanwhile {
        Meanwhile::Run => run.verdict.fault("topics made anew under running consumers"),
        Meanwhile::StandStill => {
            for consumer in &*consumers {
                consumer.signal(Signal::CONT);
            }
            run.verdict.fault("under stopped ones");
        }
        Meanwhile::HaveEnded => {
            say(batches, &late(if run.is_planted() { "believed" } else { "arrives" }.into()))?;
            *consumers = start_consumers(batches)?;
            run.verdict.fault("under none");
        }
    }
    Ok(after)
}

fn say(batches: &Batches<'_>, arguments: &[String]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    batches.deployment.send(LATE, &arguments).map(drop)
}

/// Fewer, as many, or more.
fn draw_partitions(run: &mut Run<'_>, before: u32) -> u32 {
    match run.schedule.below(3) {
        0 if before > 1 => 1 + run.schedule.below(before - 1),
        1 if before < MOST_PARTITIONS => before + 1 + run.schedule.below(MOST_PARTITIONS - before),
        _ => before,
    }
}
