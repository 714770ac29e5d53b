//! A topic that is made anew, or gets more partitions, while a member reads it.

use rustix::process::Signal;

use super::must_tell;
use crate::chaos::campaigns::parcels::Parcels;
use crate::chaos::findings::Findings;
use crate::chaos::run::Run;
use crate::chaos::scene::{EAGER, Scene};
use crate::chaos::stack::Kind;
use crate::chaos::stand::END_LIMIT;
use crate::error::Error;

const ADMIN: &str = "topics.py";

/// Made anew: at once, with fewer messages than were read before, or with more.
pub(super) fn recreated(run: &mut Run<'_>, name: &str) -> Result<Findings, Error> {
    let texts = ["made anew or cut", "reading from the start"];
    let later = if run.schedule.coin() { 20 } else { 140 };
    run.verdict.fault("topics made anew");
    changed(run, name, [1, 1], "recreate", later, &texts)
}

/// From 3 partitions to 6; the embedded broker cannot add any, so there the topic is made anew with more.
pub(super) fn grown(run: &mut Run<'_>, name: &str) -> Result<Findings, Error> {
    let (how, texts): (_, &[&str]) = match run.stack.kind() {
        Kind::Embedded => ("recreate", &["made anew or cut"]),
        Kind::Servers => ("grow", &[]),
    };
    run.verdict.fault("topics grown");
    changed(run, name, [3, 6], how, 140, texts)
}

fn changed(
    run: &mut Run<'_>,
    name: &str,
    [before, after]: [u32; 2],
    how: &str,
    later: u32,
    texts: &[&str],
) -> Result<Findings, Error> {
    let mut parcels = Parcels::on(Scene::make(run.stand, run.addresses_of(name)?, before)?);
    parcels.send(100)?;
    let mut consumers = vec![parcels.scene.consumer(EAGER)?];
    parcels.scene.wait_until_drained(&mut consumers)?;
    let at = &parcels.scene.at;
    parcels.scene.send(ADMIN, &[&at.brokers, how, &at.topic, &after.to_string()])?;
    parcels.send(later)?;
    let findings = parcels.wait_until_kept(run)?;
    for consumer in &mut consumers {
        consumer.end(Signal::INT, END_LIMIT, run.stand.interrupt())?;
        must_tell(run, how, &consumer.said(), texts);
    }
    Ok(findings)
}
