//! Records that are gone before they were read, offsets that are forgotten, and a batch that nobody can open.

use super::must_tell;
use crate::chaos::campaigns::parcels::Parcels;
use crate::chaos::findings::Findings;
use crate::chaos::flow::DRAIN_LIMIT;
use crate::chaos::run::Run;
use crate::chaos::scene::Scene;
use crate::chaos::stack::{End, Kind, Part};
use crate::chaos::stand::COMMAND_LIMIT;
use crate::error::Error;

const EDITOR: &str = "chaos_log.py";

/// Records deleted behind the committed offset: how many is told, and what is left is read.
pub(super) fn deleted(run: &mut Run<'_>, name: &str) -> Result<Findings, Error> {
    let mut parcels = Parcels::on(Scene::make(run.stand, run.addresses_of(name)?, 1)?);
    let (read, lost) = (20 + run.schedule.below(80), 20 + run.schedule.below(80));
    parcels.send(read)?;
    parcels.scene.consume()?;
    parcels.send_to_be_lost(lost)?;
    parcels.send(30)?;
    forget(run, &parcels, read + lost)?;
    run.verdict.fault("gaps");
    if run.is_planted() {
        parcels.scene.vitals("group seek --to latest", COMMAND_LIMIT)?;
    }
    let said = parcels.scene.consume()?;
    let text = format!(
        "partition 0: {lost} messages from offset {read} on are gone from the log; reading on at {}",
        read + lost
    );
    must_tell(run, "a gap", &said, &[&text]);
    parcels.check()
}

/// Kafka is asked to; from the embedded broker's disk they are taken as its retention would.
fn forget(run: &mut Run<'_>, parcels: &Parcels<'_>, before: u32) -> Result<(), Error> {
    let (at, before) = (&parcels.scene.at, before.to_string());
    if run.stack.kind() == Kind::Servers {
        return parcels.scene.send("topics.py", &[&at.brokers, "forget", &at.topic, &before]).map(drop);
    }
    let folder = run.stack.partition_folder(&at.topic, 0).display().to_string();
    run.stack.end(Part::Broker, End::Stop, run.stand)?;
    parcels.scene.send(EDITOR, &["forget", &folder, &before])?;
    run.stack.start_again(Part::Broker, run.stand)
}

/// A group whose offsets the broker has dropped begins again at the first record that is there.
pub(super) fn forgotten(run: &mut Run<'_>, name: &str) -> Result<Findings, Error> {
    let mut parcels = Parcels::on(Scene::make(run.stand, run.addresses_of(name)?, 3)?);
    parcels.send(100)?;
    parcels.scene.consume()?;
    parcels.send(50)?;
    parcels.scene.vitals(&format!("group delete {} --yes", parcels.scene.at.group), COMMAND_LIMIT)?;
    run.verdict.fault("groups forgotten");
    let said = parcels.scene.consume()?;
    must_tell(run, "a forgotten group", &said, &["150 messages in "]);
    parcels.check()
}

/// A batch of a codec that nobody knows becomes a letter with all its bytes, and does not stop its partition. No
/// producer can send one to Kafka, so it is put on the disk.
pub(super) fn unknown_codec(run: &mut Run<'_>, name: &str) -> Result<Findings, Error> {
    let mut parcels = Parcels::on(Scene::make(run.stand, run.addresses_of(name)?, 1)?);
    parcels.send(20)?;
    let folder = run.stack.partition_folder(&parcels.scene.at.topic, 0).display().to_string();
    let codec = (5 + run.schedule.below(3)).to_string();
    run.stack.end(Part::Broker, End::Stop, run.stand)?;
    let offset = parcels.scene.send(EDITOR, &["strange", &folder, &codec])?;
    run.stack.start_again(Part::Broker, run.stand)?;
    run.verdict.fault("unknown codecs");
    parcels.send(20)?;
    let said = parcels.scene.vitals("consume --exit-at-end --durability-delay 0s", DRAIN_LIMIT)?;
    must_tell(
        run,
        "an unknown codec",
        &said,
        &[&format!("REFUSED: the record batch cannot be decoded: unknown codec {codec}")],
    );
    let at = &parcels.scene.at;
    parcels.scene.send(EDITOR, &["letter", &folder, offset.trim(), &at.brokers, &at.topic])?;
    parcels.check()
}
