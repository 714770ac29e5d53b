//! R23: topics are deleted and made anew, with fewer, as many or more partitions, under consumers that run, stand still
//! in the middle of their work, or have ended.
//!
//! Offsets of the old topic are committed late, when the new one is there: by those that stood still, and in place of
//! those that have ended. No message of the new topic is passed over for it. In a second run these offsets say nothing of
//! their topic, so that they are believed, which must be noticed.

use rustix::process::Signal;

use super::parcels::Parcels;
use crate::chaos::findings::Findings;
use crate::chaos::run::Run;
use crate::chaos::scene::{EAGER, Scene};
use crate::chaos::stand::END_LIMIT;
use crate::error::Error;
use crate::worker::Worker;

const ADMIN: &str = "topics.py";
const LATE: &str = "chaos_late.py";
/// Members of the group.
const CONSUMERS: u32 = 2;
const MOST_PARTITIONS: u32 = 6;
/// Fewer messages than were read of the topic before, or more: an offset alone does not tell that it is another one.
const BEFORE: u32 = 80;
const AFTER: [u32; 2] = [20, 140];

/// What the consumers do meanwhile.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Run,
    StandStill,
    HaveEnded,
}

/// Makes the topic anew, time after time.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut partitions = if run.is_planted() { 1 } else { 3 };
    let mut parcels = Parcels::on(Scene::make(run.stand, run.addresses()?, partitions)?);
    let mut consumers = start(&parcels)?;
    let mut findings = Findings::default();
    while findings.is_clean() && run.schedule.next() {
        parcels.send(BEFORE)?;
        // What is not read yet goes with its topic.
        findings = parcels.wait_until_kept(run)?;
        if !findings.is_clean() {
            break;
        }
        partitions = make_anew(run, &mut parcels, &mut consumers, partitions)?;
        findings = parcels.wait_until_kept(run)?;
    }
    run.verdict.conclude(findings);
    parcels.scene.drain(consumers)
}

fn start(parcels: &Parcels<'_>) -> Result<Vec<Worker>, Error> {
    (0..CONSUMERS).map(|_| parcels.scene.consumer(EAGER)).collect()
}

/// Gives how many partitions there are then.
fn make_anew(
    run: &mut Run<'_>,
    parcels: &mut Parcels<'_>,
    consumers: &mut Vec<Worker>,
    before: u32,
) -> Result<u32, Error> {
    let meanwhile = match run.schedule.below(3) {
        _ if run.is_planted() => Meanwhile::HaveEnded,
        0 => Meanwhile::Run,
        1 => Meanwhile::StandStill,
        _ => Meanwhile::HaveEnded,
    };
    let after = if run.is_planted() { before } else { draw_partitions(run, before) };
    let later = if run.is_planted() || run.schedule.coin() { AFTER[1] } else { AFTER[0] };
    let (brokers, topic) = (parcels.scene.at.brokers.clone(), parcels.scene.at.topic.clone());
    let group = parcels.scene.at.group.clone();
    let kept = parcels.scene.file("committed");
    let late = |action| [brokers.clone(), topic.clone(), group.clone(), action, kept.clone()];
    match meanwhile {
        Meanwhile::Run => {}
        Meanwhile::StandStill => {
            parcels.send_to_be_lost(BEFORE)?;
            run.stand.pause(run.schedule.millis(0..600))?;
            for consumer in &*consumers {
                consumer.signal(Signal::STOP);
            }
        }
        Meanwhile::HaveEnded => {
            for consumer in consumers.iter_mut() {
                consumer.end(Signal::INT, END_LIMIT, run.stand.interrupt())?;
            }
            consumers.clear();
            say(parcels, &late("keep".into()))?;
        }
    }
    parcels.scene.send(ADMIN, &[&brokers, "recreate", &topic, &after.to_string()])?;
    parcels.send(later)?;
    match meanwhile {
        Meanwhile::Run => run.verdict.fault("topics made anew under running consumers"),
        Meanwhile::StandStill => {
            for consumer in &*consumers {
                consumer.signal(Signal::CONT);
            }
            run.verdict.fault("under stopped ones");
        }
        Meanwhile::HaveEnded => {
            say(parcels, &late(if run.is_planted() { "believed" } else { "arrives" }.into()))?;
            *consumers = start(parcels)?;
            run.verdict.fault("under none");
        }
    }
    Ok(after)
}

fn say(parcels: &Parcels<'_>, arguments: &[String]) -> Result<(), Error> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    parcels.scene.send(LATE, &arguments).map(drop)
}

/// Fewer, as many, or more.
fn draw_partitions(run: &mut Run<'_>, before: u32) -> u32 {
    match run.schedule.below(3) {
        0 if before > 1 => 1 + run.schedule.below(before - 1),
        1 if before < MOST_PARTITIONS => before + 1 + run.schedule.below(MOST_PARTITIONS - before),
        _ => before,
    }
}
