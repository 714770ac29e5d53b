//! Stores and brokers that take nothing for a while.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal};

use crate::chaos::Run;
use crate::chaos::flow::{Flow, Load};
use crate::chaos::harness::{COMMAND_LIMIT, Deployment, END_LIMIT, Harness};
use crate::chaos::stack::{Addresses, End, Kind, Part};
use crate::chaos::verdict::Findings;
use crate::error::{Error, Result};
use crate::process::{self, LOOK_AGAIN};
use crate::signals;
use crate::worker::Worker;

/// Another program that writes to the `SQLite` file.
const LOCKER: &str = "chaos_lock.py";
/// Looks whether a stopped program holds the file's lock.
const LOCK_READER: &str = "chaos_locked.py";

/// The store stands still until [`end`](Stall::end).
#[derive(Debug)]
pub(super) enum Stall {
    /// Another program holds the file's write lock.
    Locked(Worker),
    /// Cassandra is stopped.
    Stopped,
}

impl Stall {
    /// Comes back when the store takes nothing any more.
    pub(super) fn begin(run: &mut Run<'_>, at: &Addresses) -> Result<Self> {
        match run.stack.kind() {
            Kind::Embedded => {
                let mut writer = run.harness.start_script(LOCKER, &[sqlite_file(at)])?;
                writer.wait_for_line("locked", COMMAND_LIMIT)?;
                Ok(Self::Locked(writer))
            }
            Kind::Servers | Kind::Cluster => run.stack.signal(Part::Store, Signal::STOP).map(|()| Self::Stopped),
        }
    }

    /// Whether a program that was stopped in the middle of a transaction keeps all others from writing: `SQLite` has one
    /// writer at a time. Cassandra has many.
    pub(super) fn is_on(run: &Run<'_>, at: &Addresses) -> Result<bool> {
        match run.stack.kind() {
            Kind::Embedded => {
                let printed = run.harness.run_script(LOCK_READER, &[sqlite_file(at)], COMMAND_LIMIT)?;
                Ok(printed.trim() == "yes")
            }
            Kind::Servers | Kind::Cluster => Ok(false),
        }
    }

    pub(super) fn end(self, run: &mut Run<'_>) -> Result<()> {
        match self {
            Self::Locked(mut writer) => writer.end(Signal::TERM, END_LIMIT),
            Self::Stopped => run.stack.signal(Part::Store, Signal::CONT),
        }
    }
}

fn sqlite_file(at: &Addresses) -> &str {
    at.store.trim_start_matches("sqlite:")
}

/// As fast as they can be sent.
const RATE: u32 = 1_000_000;
/// How long sending them may take.
const SEND_LIMIT: Duration = Duration::from_secs(10 * 60);
/// How much memory the consumer may have, as it is installed.
const MEMORY_LIMIT_MIB: u64 = 128;
/// The whole binary that is installed. Of one that is built without optimisation, as here, twice as much is in memory.
const INSTALLED_MIB: u64 = 23;
const MIB: u64 = 1024 * 1024;
const MEMORY_INTERVAL: Duration = Duration::from_millis(500);

/// What is waiting, and for how long it has to.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    /// Messages of 0.1 kB,
    small: u32,
    /// and of 16 kB behind them.
    large: u32,
    /// How long the store is away.
    stall: Duration,
}

/// 0.3 GB.
const USUAL: Backlog = Backlog { small: 500_000, large: 16_000, stall: Duration::from_secs(30) };
/// 2 GB.
const AT_NIGHT: Backlog = Backlog { small: 2_000_000, large: 115_000, stall: Duration::from_secs(10 * 60) };
/// Too many for its memory.
const FOR_A_QUEUE: Backlog = Backlog { small: 500_000, large: 0, stall: Duration::from_secs(30) };
/// Longer than the 5 s after which a write to a locked file fails, and more than is stored before the file can be locked.
const FOR_AN_ERROR: Backlog = Backlog { small: 500_000, large: 0, stall: Duration::from_secs(10) };

/// R10: the store stalls with a large backlog before the consumer: what it holds stays within its limit, it stays in
/// its group, and when the store is back it goes on.
///
/// The first part of the backlog are messages with one sign, which take the most memory for their size; the rest are
/// large. Two bugs are planted in turn: a consumer that reads on whatever room there is, and one that takes a failed
/// write for a good one.
pub(in crate::chaos) fn stalled(run: &mut Run<'_>) -> Result<()> {
    let backlog = match run.verdict.planted {
        Some("unbounded-queue") => FOR_A_QUEUE,
        Some(_) => FOR_AN_ERROR,
        None if run.night => AT_NIGHT,
        None => USUAL,
    };
    let load = Load { messages: backlog.small + backlog.large, rate: RATE };
    let mut flow = Flow::start_padded(run, load, backlog.small)?;
    flow.wait_for_sender(SEND_LIMIT)?;
    let mut consumer = flow.deployment.consumer_of(&run.verdict)?;
    while run.schedule.next() {
        stall(run, &flow, &mut consumer, backlog.stall)?;
        if run.is_planted() && run.verdict.is_broken() {
            return Ok(());
        }
        run.verdict.got_on(flow.gets_on()?);
    }
    flow.deployment.wait_until_drained(std::slice::from_mut(&mut consumer))?;
    judge_memory(run, &mut consumer)?;
    flow.deployment.drain(vec![consumer])?;
    run.verdict.conclude(flow.check()?);
    Ok(())
}

fn stall(run: &mut Run<'_>, flow: &Flow<'_>, consumer: &mut Worker, length: Duration) -> Result<()> {
    let members = flow.members(1)?;
    let stalled = Stall::begin(run, &flow.deployment.at)?;
    let end = Instant::now() + length;
    // A bug need not be watched for longer than it takes to see it.
    while Instant::now() < end && !(run.is_planted() && peak_mib(consumer)? > MEMORY_LIMIT_MIB) {
        signals::pause(MEMORY_INTERVAL)?;
    }
    if flow.members(1)? != members {
        run.verdict.breaks("the member lost its place in the group while the store was away");
    }
    if run.is_planted() {
        judge_memory(run, consumer)?;
        run.verdict.look(&flow.check()?);
    }
    stalled.end(run)?;
    run.verdict.fault("stalls");
    Ok(())
}

/// The most that it had at once, with the pages of the program that is installed in the place of its own.
fn peak_mib(consumer: &mut Worker) -> Result<u64> {
    consumer.must_run()?;
    let [peak, own] = [consumer.peak_bytes(), consumer.mapped_file_bytes()].map(Option::unwrap_or_default);
    Ok(peak.saturating_sub(own).div_ceil(MIB) + INSTALLED_MIB)
}

fn judge_memory(run: &mut Run<'_>, consumer: &mut Worker) -> Result<()> {
    let peak = peak_mib(consumer)?;
    run.verdict.measured(format!("its memory was {peak} MiB at most"));
    if peak > MEMORY_LIMIT_MIB {
        run.verdict.breaks(format!("its memory was {peak} MiB at most, and {MEMORY_LIMIT_MIB} MiB are promised"));
    }
    Ok(())
}

/// Whoever writes on behind so many bytes of a file has no room.
const FULL_BYTES: u64 = 16 * 1024;
/// What each command says that has no room for its output.
const DISK_FULL_TEXTS: &[&str] = &["error: cannot write", "No space left on device", "hint: "];

/// R11: a disk that is full: where our own output goes, where the readings are stored, where the embedded broker keeps its
/// records. Nothing is committed that is not stored, it is told, and work goes on by itself when there is room again.
///
/// Where output goes, it is `/dev/full`. A store and a broker have a limit set on the size of their files while they run:
/// the system refuses what would grow beyond it, as a disk without room does, with another number of error. At night
/// the same is done to Kafka and Cassandra (see [`servers`]).
pub(in crate::chaos) fn full_disk(run: &mut Run<'_>) -> Result<()> {
    let mut all = own_output(run)?;
    if run.stack.kind() == Kind::Embedded {
        all.add(store_or_broker(run)?);
    } else {
        while run.schedule.next() {}
    }
    run.verdict.conclude(all);
    Ok(())
}

fn own_output(run: &mut Run<'_>) -> Result<Findings> {
    let deployment = Deployment::make(run.harness, run.addresses_of("output")?, 3)?;
    let (at, ledger) = (&deployment.at, deployment.file("ledger"));
    deployment.send("chaos_send.py", &[&at.brokers, &at.topic, "2000", "1000000", &ledger])?;
    let check =
        || deployment.check("chaos_check.py", &[&at.brokers, &at.topic, &at.group, &at.reader, "2000", &ledger]);
    // It stores what it cannot show, and says so at its end.
    into_full(run, at, &["consume", "--exit-at-end", "--durability-delay", "0s"])?;
    run.verdict.look(&check()?);
    into_full(run, at, &["query", "--patient", "C001"])?;
    into_full(run, at, &["export", "-"])?;
    check()
}

fn into_full(run: &mut Run<'_>, at: &Addresses, arguments: &[&str]) -> Result<()> {
    let command = in_shell("exec \"$@\" > /dev/full", run.harness.vitals(at, arguments));
    let ended = run.harness.ended("output into /dev/full", &command, COMMAND_LIMIT)?;
    run.verdict.fault("outputs without room");
    let untold = DISK_FULL_TEXTS.iter().filter(|text| !ended.said.contains(**text)).count();
    if ended.code != Some(4) || untold > 0 {
        run.verdict.breaks(format!("{arguments:?} without room ended with {:?}: {}", ended.code, ended.said));
    }
    Ok(())
}

fn store_or_broker(run: &mut Run<'_>) -> Result<Findings> {
    let port = run.harness.port()?;
    let mut at = run.addresses()?;
    at.brokers = format!("127.0.0.1:{port}");
    let mut broker = limited_broker(run.harness, &at.brokers)?;
    run.harness.run("vitals init", &run.harness.vitals(&at, &["init", "--wait", "30s"]), COMMAND_LIMIT)?;
    let mut flow = Flow::start_at(run.harness, at.clone(), Load::endless(1_000))?;
    let mut consumer = limited(run.harness, "vitals consume", run.harness.vitals(&at, &["consume", "--quiet"]))?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        // In turn, so that a short run has both.
        let is_store = !run.schedule.made().is_multiple_of(2);
        let (up, full) = (run.schedule.millis(500..2_000), run.schedule.millis(1_000..6_000));
        let victim = if is_store { &mut consumer } else { &mut broker };
        signals::pause(up)?;
        victim.limit_files(Some(FULL_BYTES))?;
        signals::pause(full)?;
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
    flow.deployment.drain(vec![consumer])?;
    let findings = flow.check()?;
    broker.end(Signal::TERM, END_LIMIT)?;
    Ok(findings)
}

fn limited_broker(harness: &Harness, listen: &str) -> Result<Worker> {
    let mut command = process::command_of(&harness.binary, &["up", "--listen", listen, "--data"]);
    command.push(harness.path("full-broker").into());
    limited(harness, "vitals up", command)
}

/// The signal of a file that is too long would end it; a disk without room sends none.
fn limited(harness: &Harness, what: &'static str, command: Vec<OsString>) -> Result<Worker> {
    harness.start(what, &in_shell("trap '' XFSZ; exec \"$@\"", command))
}

fn in_shell(script: &str, command: Vec<OsString>) -> Vec<OsString> {
    let mut shell: Vec<_> = ["sh", "-c", script, "sh"].map(OsString::from).into();
    shell.extend(command);
    shell
}

impl Worker {
    /// Lets it write no file beyond so many bytes, or as it likes.
    fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        limit_files(self.pid(), bytes)
    }
}

fn limit_files(pid: Option<Pid>, bytes: Option<u64>) -> Result<()> {
    let limit = Rlimit { current: bytes, maximum: None };
    let outcome = rustix::process::prlimit(pid, Resource::Fsize, limit);
    outcome.map(drop).map_err(|error| Error::start("a limit of a running program")(error.into()))
}

/// Without an end of its own, for all practical purposes. At this rate a segment of Cassandra's commit log is full soon.
const FULL_DISK_LOAD: Load = Load { messages: 20_000_000, rate: 3_000 };
/// How long a server may take to notice: a commit log is written on to its segment's end, and to that of the next one.
const NOTICE_LIMIT: Duration = Duration::from_secs(3 * 60);
/// What the consumer says when rows are not taken.
const ROWS_NOT_TAKEN: &str = "the store did not take the rows";

/// R11: no room for Kafka's log and for Cassandra's commit log.
///
/// A limit on the size of their files is set while they run, and each does what it does when its disk refuses a write:
/// Kafka takes its only log folder offline and ends, Cassandra stops its transports and stays, as its
/// `commit_failure_policy` says. What the campaign then does is the operator's part: it makes room and starts the server
/// again. `vitals consume` is left alone.
pub(in crate::chaos) fn full_server_disk(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, FULL_DISK_LOAD)?;
    let mut consumer = flow.deployment.consumer(&[])?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        // In turn, so that a short run has both.
        let part = if run.schedule.made().is_multiple_of(2) { Part::Broker } else { Part::Store };
        let up = run.schedule.millis(500..5_000);
        signals::pause(up)?;
        fill(run, &mut consumer, part)?;
        // What is committed has to be there while the server is away, or at the latest when it is back.
        run.stack.end(part, End::Kill)?;
        run.stack.start_again(part, run.harness)?;
        run.verdict.fault(match part {
            Part::Broker => "Kafkas without room",
            Part::Store => "Cassandras without room",
        });
        run.verdict.look(&flow.check_many()?);
        run.verdict.got_on(flow.gets_on()?);
        consumer.must_run()?;
    }
    flow.stop_sending()?;
    flow.deployment.drain(vec![consumer])?;
    run.verdict.conclude(flow.check_many()?);
    Ok(())
}

/// Lets a server find that it has no room.
fn fill(run: &mut Run<'_>, consumer: &mut Worker, part: Part) -> Result<()> {
    let server = run.stack.process(part).ok_or(Error::NoServer("such server"))?;
    let pid = i32::try_from(server.pid).ok().and_then(Pid::from_raw);
    let told = |consumer: &Worker| consumer.said().matches(ROWS_NOT_TAKEN).count();
    let (told_before, begun) = (told(consumer), Instant::now());
    limit_files(pid, Some(FULL_BYTES))?;
    loop {
        let has_noticed = match part {
            Part::Broker => !server.is_alive(),
            Part::Store => told(consumer) > told_before,
        };
        if has_noticed {
            return Ok(());
        }
        if begun.elapsed() > NOTICE_LIMIT {
            run.verdict
                .breaks(format!("{part:?} without room: nothing was told of it for {} s", NOTICE_LIMIT.as_secs()));
            return Ok(());
        }
        consumer.must_run()?;
        signals::pause(LOOK_AGAIN)?;
    }
}
