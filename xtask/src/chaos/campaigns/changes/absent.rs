//! Servers that are not there at the start.

use std::time::Duration;

use super::must_end;
use crate::chaos::campaigns::parcels::Parcels;
use crate::chaos::findings::Findings;
use crate::chaos::flow::DRAIN_LIMIT;
use crate::chaos::run::Run;
use crate::chaos::scene::Scene;
use crate::chaos::stack::{Addresses, End, Kind, Part};
use crate::chaos::stand::Ended;
use crate::error::Error;

/// By the promise, who cannot be reached is told within this;
const TOLD_PROMISE: Duration = Duration::from_secs(5);
/// this is what a busy machine may add to it.
const TOLD_ROOM: Duration = Duration::from_secs(5);

pub(super) fn run(run: &mut Run<'_>, name: &str) -> Result<Findings, Error> {
    let mut parcels = Parcels::on(Scene::make(run.stand, run.addresses_of(name)?, 3)?);
    parcels.send(50)?;
    let (at, code) = without_store(run, &parcels.scene.at)?;
    let ended = Scene::empty(run.stand, at).ended("consume --quiet")?;
    told(run, "an absent store", &ended, code);

    run.stack.end(Part::Broker, End::Stop, run.stand)?;
    let ended = parcels.scene.ended("consume --quiet")?;
    told(run, "an absent broker", &ended, 4);
    let mut waiting =
        run.stand.start("vitals init", &run.stand.vitals(&parcels.scene.at, &["init", "--wait", "120s"]))?;
    // Started before, it would find the broker at once.
    waiting.wait_for_line("waiting for Kafka", DRAIN_LIMIT, run.stand.interrupt())?;
    run.stack.start_again(Part::Broker, run.stand)?;
    waiting.wait(DRAIN_LIMIT, run.stand.interrupt())?;
    run.verdict.faults("absent servers", 2);
    parcels.scene.consume()?;
    parcels.check()
}

/// Nobody listens on the port; or the folder of the file does not exist, which is a wrong setting. With the exit code.
fn without_store(run: &Run<'_>, at: &Addresses) -> Result<(Addresses, i32), Error> {
    let (store, code) = match run.stack.kind() {
        Kind::Embedded => (format!("sqlite:{}", run.stand.path("no-such-folder").join("vitals.db").display()), 2),
        Kind::Servers => (format!("cassandra://127.0.0.1:{}/chaos", run.stand.port()?), 4),
    };
    Ok((Addresses { store, ..at.clone() }, code))
}

fn told(run: &mut Run<'_>, what: &str, ended: &Ended, code: i32) {
    must_end(run, what, ended, code, &["error: ", "hint: "]);
    if ended.lasted > TOLD_PROMISE + TOLD_ROOM {
        run.verdict.breaks(format!("{what}: it was told only after {:.1} s", ended.lasted.as_secs_f64()));
    }
}
