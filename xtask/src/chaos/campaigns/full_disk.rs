//! R11: a disk that is full: where our own output goes, where the readings are stored, where the embedded broker keeps its
//! records. Nothing is committed that is not stored, it is told, and work goes on by itself when there is room again.
//!
//! Where output goes, it is `/dev/full`. A store and a broker have a limit set on the size of their files while they run:
//! the system refuses what would grow beyond it, as a disk without room does, with another number of error. At night
//! the same is done to Kafka and Cassandra (see [`servers`]).

pub(in crate::chaos) mod servers;

use std::ffi::OsString;

use rustix::process::{Pid, Resource, Rlimit, Signal};

use crate::chaos::findings::Findings;
use crate::chaos::flow::{Flow, Load};
use crate::chaos::run::Run;
use crate::chaos::scene::Scene;
use crate::chaos::stack::{Addresses, Kind};
use crate::chaos::stand::{COMMAND_LIMIT, END_LIMIT, Stand};
use crate::error::Error;
use crate::worker::Worker;

/// Whoever writes on behind so many bytes of a file has no room.
const FULL_BYTES: u64 = 16 * 1024;
/// What each command says that has no room for its output.
const TOLD: &[&str] = &["error: cannot write", "No space left on device", "hint: "];

/// Fills them and makes room again.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut all = own_output(run)?;
    if run.stack.kind() == Kind::Embedded {
        all.add(store_or_broker(run)?);
    } else {
        while run.schedule.next() {}
    }
    run.verdict.conclude(all);
    Ok(())
}

fn own_output(run: &mut Run<'_>) -> Result<Findings, Error> {
    let scene = Scene::make(run.stand, run.addresses_of("output")?, 3)?;
    let (at, ledger) = (&scene.at, scene.file("ledger"));
    scene.send("chaos_send.py", &[&at.brokers, &at.topic, "2000", "1000000", &ledger])?;
    let check = || scene.check("chaos_check.py", &[&at.brokers, &at.topic, &at.group, &at.reader, "2000", &ledger]);
    // It stores what it cannot show, and says so at its end.
    into_full(run, at, &["consume", "--exit-at-end", "--durability-delay", "0s"])?;
    run.verdict.look(&check()?);
    into_full(run, at, &["query", "--patient", "C001"])?;
    into_full(run, at, &["export", "-"])?;
    check()
}

fn into_full(run: &mut Run<'_>, at: &Addresses, arguments: &[&str]) -> Result<(), Error> {
    let command = in_shell("exec \"$@\" > /dev/full", run.stand.vitals(at, arguments));
    let ended = run.stand.ended("output into /dev/full", &command, COMMAND_LIMIT)?;
    run.verdict.fault("outputs without room");
    let untold = TOLD.iter().filter(|text| !ended.said.contains(**text)).count();
    if ended.code != Some(4) || untold > 0 {
        run.verdict.breaks(format!("{arguments:?} without room ended with {:?}: {}", ended.code, ended.said));
    }
    Ok(())
}

fn store_or_broker(run: &mut Run<'_>) -> Result<Findings, Error> {
    let port = run.stand.port()?;
    let mut at = run.addresses()?;
    at.brokers = format!("127.0.0.1:{port}");
    let mut broker = broker(run.stand, &at.brokers)?;
    run.stand.run("vitals init", &run.stand.vitals(&at, &["init", "--wait", "30s"]), COMMAND_LIMIT)?;
    let mut flow = Flow::start_at(run.stand, at.clone(), Load::endless(1_000))?;
    let mut consumer = limited(run.stand, "vitals consume", run.stand.vitals(&at, &["consume", "--quiet"]))?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        // In turn, so that a short run has both.
        let is_store = !run.schedule.made().is_multiple_of(2);
        let (up, full) = (run.schedule.millis(500..2_000), run.schedule.millis(1_000..6_000));
        let victim = if is_store { &mut consumer } else { &mut broker };
        run.stand.pause(up)?;
        victim.limit_files(Some(FULL_BYTES))?;
        run.stand.pause(full)?;
        run.verdict.look(&flow.check()?);
        victim.limit_files(None)?;
        run.verdict.fault(if is_store { "stores without room" } else { "brokers without room" });
        if is_store && !victim.said().contains("the store did not take the rows") {
            run.verdict.breaks("a store without room was not told");
        }
        run.verdict.got_on(flow.gets_on()?);
        broker.must_run()?;
        consumer.must_run()?;
    }
    flow.stop_sending()?;
    flow.scene.drain(vec![consumer])?;
    let findings = flow.check()?;
    broker.end(Signal::TERM, END_LIMIT, run.stand.interrupt())?;
    Ok(findings)
}

fn broker(stand: &Stand, listen: &str) -> Result<Worker, Error> {
    let mut command = vec![OsString::from(stand.binary())];
    command.extend(["up", "--listen", listen, "--data"].map(OsString::from));
    command.push(stand.path("full-broker").into());
    limited(stand, "vitals up", command)
}

/// The signal of a file that is too long would end it; a disk without room sends none.
fn limited(stand: &Stand, what: &'static str, command: Vec<OsString>) -> Result<Worker, Error> {
    stand.start(what, &in_shell("trap '' XFSZ; exec \"$@\"", command))
}

fn in_shell(script: &str, command: Vec<OsString>) -> Vec<OsString> {
    let mut shell: Vec<_> = ["sh", "-c", script, "sh"].map(OsString::from).into();
    shell.extend(command);
    shell
}

impl Worker {
    /// Lets it write no file beyond so many bytes, or as it likes.
    fn limit_files(&self, bytes: Option<u64>) -> Result<(), Error> {
        limit_files(self.pid(), bytes)
    }
}

fn limit_files(pid: Option<Pid>, bytes: Option<u64>) -> Result<(), Error> {
    let limit = Rlimit { current: bytes, maximum: None };
    let outcome = rustix::process::prlimit(pid, Resource::Fsize, limit);
    outcome.map(drop).map_err(|error| Error::start("a limit of a running program")(error.into()))
}
