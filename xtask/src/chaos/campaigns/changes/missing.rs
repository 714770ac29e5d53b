//! A topic, a keyspace or a table that was never made.

use super::must_end;
use crate::chaos::campaigns::parcels::Parcels;
use crate::chaos::findings::Findings;
use crate::chaos::run::Run;
use crate::chaos::scene::Scene;
use crate::chaos::stack::Kind;
use crate::error::Error;

pub(super) fn run(run: &mut Run<'_>, name: &str) -> Result<Findings, Error> {
    let mut parcels = Parcels::on(Scene::empty(run.stand, run.addresses_of(name)?));
    if run.stack.kind() == Kind::Servers {
        refused(run, &parcels, "a missing keyspace")?;
        make_by_hand(&parcels, &["without-table"])?;
        refused(run, &parcels, "a missing table")?;
        make_by_hand(&parcels, &[])?;
    }
    refused(run, &parcels, "a missing topic")?;
    parcels.scene.init(3)?;
    parcels.send(50)?;
    parcels.scene.consume()?;
    parcels.check()
}

/// It ends, and names the command that makes what is missing.
fn refused(run: &mut Run<'_>, parcels: &Parcels<'_>, what: &'static str) -> Result<(), Error> {
    let ended = parcels.scene.ended("consume --quiet")?;
    must_end(run, what, &ended, 2, &["error: ", "hint: ", "`vitals init`"]);
    run.verdict.fault("missing topics and tables");
    Ok(())
}

/// As the old README has people do it.
fn make_by_hand(parcels: &Parcels<'_>, how: &[&str]) -> Result<(), Error> {
    let reader = &parcels.scene.at.reader;
    let place = reader.strip_prefix("cassandra:").and_then(|place| place.split_once('/'));
    let (node, keyspace) = place.ok_or(Error::NoServer("Cassandra"))?;
    let arguments: Vec<_> = [node, keyspace].iter().chain(how).copied().collect();
    parcels.scene.send("by_hand.py", &arguments).map(drop)
}
