//! Messages on their way: a producer that is not ours, our consumers, and the readers that compare at the end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Deserialize;

use super::Run;
use super::harness::{COMMAND_LIMIT, Deployment, END_LIMIT, Harness, LOOKER, MANY_LIMIT};
use super::stack::Addresses;
use super::verdict::{Findings, Verdict};
use crate::error::{Error, Result};
use crate::process::LOOK_AGAIN;
use crate::signals;
use crate::worker::Worker;

/// How long it is waited for work to go on after a fault; the verdict says how long it may take.
const PROGRESS_LIMIT: Duration = Duration::from_secs(40);
/// How long everything that was sent may take to be committed after the last fault.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(6 * 60);
/// What comparing the readings of a night may take.
const CHECK_MANY_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) messages: u32,
    pub(super) rate: u32,
}

impl Load {
    /// Without an end of its own, for all practical purposes.
    pub(super) const fn endless(rate: u32) -> Self {
        Self { messages: 5_000_000, rate }
    }
}

#[derive(Debug)]
pub(super) struct Flow<'a> {
    pub(super) deployment: Deployment<'a>,
    load: Load,
    ledger: PathBuf,
    /// Messages below this number are small, and those from it on are large.
    padded_from: Option<String>,
    /// What members of other kinds say that they were given.
    theirs: Vec<PathBuf>,
    sender: Worker,
}

impl<'a> Flow<'a> {
    /// Makes the topic and the tables of this campaign, and starts to send.
    pub(super) fn start(run: &Run<'a>, load: Load) -> Result<Self> {
        Self::begin(run.harness, run.addresses()?, load, None)
    }

    /// The same; messages below the number `padded_from` have one sign alone, and those from it on are of 16 kB each.
    pub(super) fn start_padded(run: &Run<'a>, load: Load, padded_from: u32) -> Result<Self> {
        Self::begin(run.harness, run.addresses()?, load, Some(padded_from.to_string()))
    }

    /// With names that are given.
    pub(super) fn start_at(harness: &'a Harness, at: Addresses, load: Load) -> Result<Self> {
        Self::begin(harness, at, load, None)
    }

    fn begin(harness: &'a Harness, at: Addresses, load: Load, padded_from: Option<String>) -> Result<Self> {
        let deployment = Deployment::empty(harness, at);
        let copies =
            if deployment.at.secure.is_some() { " --topic-replication 3 --keyspace-replication 3" } else { "" };
        deployment.vitals(&format!("init{copies}"), COMMAND_LIMIT)?;
        let ledger = PathBuf::from(deployment.file("ledger"));
        let (count, rate, path) = (load.messages.to_string(), load.rate.to_string(), deployment.file("ledger"));
        let mut arguments =
            [&deployment.at.brokers, &deployment.at.topic, &count, &rate, &path].map(String::as_str).to_vec();
        // From the number 0 on.
        arguments.extend(padded_from.iter().flat_map(|padded_from| ["0", padded_from.as_str()]));
        let sender = harness.start("the sender", &harness.script("chaos_send.py", &arguments))?;
        Ok(Self { deployment, load, ledger, padded_from, theirs: Vec::new(), sender })
    }

    /// Waits until acknowledged messages are in the topic.
    pub(super) fn wait_for_messages(&mut self) -> Result<()> {
        let deadline = Instant::now() + COMMAND_LIMIT;
        while std::fs::metadata(&self.ledger).map_or(0, |ledger| ledger.len()) == 0 {
            self.sender.must_run()?;
            if Instant::now() >= deadline {
                return Err(Error::too_long("the sender", COMMAND_LIMIT, &self.sender.log));
            }
            signals::pause(LOOK_AGAIN)?;
        }
        Ok(())
    }

    /// Starts a consumer, and tells how long it takes from then until the group has committed more; `None` where nobody
    /// waited so long. No other consumer may be at work.
    pub(super) fn successor(&self, options: &[&str]) -> Result<(Worker, Option<Duration>)> {
        let Addresses { brokers, topic, group, .. } = &self.deployment.at;
        let mut looker = self.deployment.harness.start_script(LOOKER, &["next", brokers, topic, group])?;
        looker.wait_for_line("looking", COMMAND_LIMIT)?;
        let begun = Instant::now();
        let mut consumer = self.deployment.consumer(options)?;
        let after = match looker.wait_for_line("moved", PROGRESS_LIMIT) {
            Ok(()) => Some(begun.elapsed()),
            Err(Error::TooLong { .. }) => None,
            Err(error) => return Err(error),
        };
        consumer.must_run()?;
        Ok((consumer, after))
    }

    /// A member on `librdkafka` that says what it was given; `kind` tells what it commits. Ctrl+C lets it leave.
    pub(super) fn foreign_member(&mut self, kind: &str) -> Result<Worker> {
        let Addresses { brokers, topic, group, .. } = &self.deployment.at;
        let harness = self.deployment.harness;
        let command = harness.script("chaos_member.py", &[brokers, topic, group, kind]);
        let member = harness.start("a foreign member", &command)?;
        self.theirs.push(member.log.clone());
        Ok(member)
    }

    /// The ids of the group's members, each with its partitions, as text; waits until there are so many.
    pub(super) fn members(&self, count: u32) -> Result<String> {
        let Addresses { brokers, group, .. } = &self.deployment.at;
        self.deployment.harness.run_script("chaos_members.py", &[brokers, group, &count.to_string()], COMMAND_LIMIT)
    }

    /// A member of the group that is not ours; it takes partitions, and reads nothing of them.
    pub(super) fn guest(&self) -> Result<Worker> {
        let Addresses { brokers, topic, group, .. } = &self.deployment.at;
        self.deployment.harness.start_script("chaos_guest.py", &[brokers, topic, group])
    }

    /// How long the group takes to get on in every partition; `None` where nobody waited so long.
    pub(super) fn gets_on_everywhere(&self) -> Result<Option<Duration>> {
        self.reaches("every", PROGRESS_LIMIT)
    }

    /// How long the group takes to get on; `None` where nobody waited so long.
    pub(super) fn gets_on(&self) -> Result<Option<Duration>> {
        self.reaches("moved", PROGRESS_LIMIT)
    }

    pub(super) fn wait_for_sender(&mut self, limit: Duration) -> Result<()> {
        self.sender.wait(limit)
    }

    /// Ends the sending; what was sent is waited for.
    pub(super) fn stop_sending(&mut self) -> Result<()> {
        self.sender.end(Signal::TERM, MANY_LIMIT)
    }

    /// Makes faults, one after another: after each, work goes on, and the consumer has outlasted it. Then everything comes
    /// to rest.
    pub(super) fn outlast(
        mut self,
        run: &mut Run<'_>,
        mut consumer: Worker,
        fault: fn(&mut Run<'_>) -> Result<()>,
    ) -> Result<()> {
        run.verdict.got_on(self.gets_on()?);
        while run.schedule.next() {
            fault(run)?;
            run.verdict.got_on(self.gets_on()?);
            consumer.must_run()?;
        }
        self.finish(consumer, &mut run.verdict)
    }

    /// Ends the sending, lets the last consumer come to the end, and compares what was acknowledged with what is kept.
    pub(super) fn finish(&mut self, last: Worker, verdict: &mut Verdict) -> Result<()> {
        self.stop_sending()?;
        self.deployment.drain(vec![last])?;
        verdict.conclude(self.check()?);
        Ok(())
    }

    /// Compares what was acknowledged with what is kept.
    pub(super) fn check(&self) -> Result<Findings> {
        self.compare("chaos_check.py", MANY_LIMIT)
    }

    /// The same where the messages may be millions.
    pub(super) fn check_many(&self) -> Result<Findings> {
        self.compare("chaos_many.py", CHECK_MANY_LIMIT)
    }

    /// Notes from now on when rows come into the table, as these nodes know it.
    pub(super) fn note_rows(&self, nodes: &str) -> Result<Worker> {
        let keyspace = self.deployment.at.reader.rsplit('/').next().unwrap_or_default();
        let arguments = [format!("cassandra:{nodes}/{keyspace}"), self.deployment.file("seen")];
        let command = self.deployment.harness.script("chaos_seen.py", &arguments.each_ref().map(String::as_str));
        let mut noting = self.deployment.harness.start("who notes rows", &command)?;
        noting.wait_for_line("noting", COMMAND_LIMIT)?;
        Ok(noting)
    }

    /// How long readings took from being sent to their rows, after each of the moments, which are in milliseconds since
    /// 1970.
    pub(super) fn delays(&self, moments: &[u64], mut noting: Worker) -> Result<Delays> {
        noting.end(Signal::TERM, COMMAND_LIMIT)?;
        let Addresses { brokers, topic, .. } = &self.deployment.at;
        let (seen, moments) = (self.deployment.file("seen"), moments.iter().map(u64::to_string).collect::<Vec<_>>());
        let arguments: Vec<_> = [brokers, topic, &seen].into_iter().chain(&moments).map(String::as_str).collect();
        self.deployment.harness.found("chaos_delays.py", &arguments, MANY_LIMIT)
    }

    fn compare(&self, script: &'static str, limit: Duration) -> Result<Findings> {
        let Addresses { brokers, topic, group, reader, .. } = &self.deployment.at;
        let (count, ledger) = (self.load.messages.to_string(), self.ledger.display().to_string());
        let mut arguments = [brokers, topic, group, reader, &count, &ledger].map(String::as_str).to_vec();
        arguments.extend(self.padded_from.as_deref());
        let theirs: Vec<_> = self.theirs.iter().map(|log| format!("theirs={}", log.display())).collect();
        arguments.extend(theirs.iter().map(String::as_str));
        self.deployment.harness.found(script, &arguments, limit)
    }

    fn reaches(&self, what: &str, limit: Duration) -> Result<Option<Duration>> {
        self.deployment.at.group_reaches(what, limit, self.deployment.harness)
    }
}

/// How long readings took from being sent to their rows.
#[derive(Debug, Deserialize)]
pub(super) struct Delays {
    pub(super) readings: u64,
    /// Before the first fault and after each, after how many seconds they were last slower than 2 s; `None` where none was
    /// sent.
    pub(super) slow_until: Vec<Option<u64>>,
    /// Likewise, what 99 % of those did not exceed that were sent 10 s after the fault or later, in milliseconds.
    pub(super) p99_later: Vec<Option<f64>>,
    /// Of all, in milliseconds.
    pub(super) slowest: f64,
}

const SENDER: &str = "chaos_send.py";
const CHECKER: &str = "chaos_check.py";
/// From one number to the next that is malformed: so far apart batches begin,
const DISTANCE: u32 = 250;
/// and there, so that a batch is readings alone.
const FIRST_NUMBER: u32 = 100;
/// As fast as it goes.
const FULL_RATE: &str = "1000000";
/// A member hears of a change within seconds; the rest is for a busy machine.
const KEPT_LIMIT: Duration = Duration::from_secs(60);
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Readings that are sent some at a time, and looked for.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    pub(super) deployment: Deployment<'a>,
    sent: u32,
}

impl<'a> Batches<'a> {
    pub(super) fn on(deployment: Deployment<'a>) -> Self {
        Self { deployment, sent: 0 }
    }

    /// Sends so many readings, fewer than 150, and waits until they are acknowledged.
    pub(super) fn send(&mut self, count: u32) -> Result<()> {
        self.send_into("ledger", count)
    }

    /// The same with readings that nobody will look for.
    pub(super) fn send_to_be_lost(&mut self, count: u32) -> Result<()> {
        self.send_into("lost", count)
    }

    fn send_into(&mut self, ledger: &str, count: u32) -> Result<()> {
        let (first, count) = ((FIRST_NUMBER + DISTANCE * self.sent).to_string(), count.to_string());
        let ledger = self.deployment.file(ledger);
        let arguments = [&*self.deployment.at.brokers, &self.deployment.at.topic, &count, FULL_RATE, &ledger, &first];
        self.deployment.send(SENDER, &arguments)?;
        self.sent += 1;
        Ok(())
    }

    /// Compares what was sent, but for what is lost on purpose, with what is kept.
    pub(super) fn check(&self) -> Result<Findings> {
        let (at, ledger) = (&self.deployment.at, self.deployment.file("ledger"));
        let most = (FIRST_NUMBER + DISTANCE * self.sent).to_string();
        self.deployment.check(CHECKER, &[&at.brokers, &at.topic, &at.group, &at.reader, &most, &ledger])
    }

    /// Waits until all of it is kept. A group's offsets do not tell that while its topic changes.
    pub(super) fn wait_until_kept(&self) -> Result<Findings> {
        let deadline = Instant::now() + KEPT_LIMIT;
        loop {
            let findings = self.check()?;
            if findings.is_clean() || Instant::now() >= deadline {
                return Ok(findings);
            }
            signals::pause(CHECK_INTERVAL)?;
        }
    }
}

const WATCHER: &str = "chaos_watch.py";
const SHOWN_COMMITS: usize = 3;

/// At work until [`end`](Watch::end).
#[derive(Debug)]
pub(super) struct Watch(Worker);

#[derive(Debug, Deserialize)]
struct Seen {
    looks: u64,
    commits: u64,
    back: Vec<String>,
}

impl Watch {
    /// Comes back when it looks.
    pub(super) fn start(harness: &Harness, at: &Addresses) -> Result<Self> {
        let mut watcher = harness.start_script(WATCHER, &[&at.brokers, &at.topic, &at.group])?;
        watcher.wait_for_line("watching", COMMAND_LIMIT)?;
        Ok(Self(watcher))
    }

    /// Writes down what it has seen. A committed offset that goes back is a stale commit.
    pub(super) fn end(mut self, verdict: &mut Verdict) -> Result<()> {
        self.0.end(Signal::TERM, END_LIMIT)?;
        let printed = self.0.said();
        let last = printed.lines().last().unwrap_or_default();
        let Ok(Seen { looks, commits, back }) = serde_json::from_str(last) else {
            return Err(Error::Unclear { what: WATCHER, missing: "counts", said: last.to_owned() });
        };
        verdict.measured(format!("{commits} commits seen at {looks} looks, {} of them back", back.len()));
        back.into_iter().take(SHOWN_COMMITS).for_each(|back| verdict.breaks(back));
        Ok(())
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Left {
    /// It has shown so many of the partitions that it had last.
    pub(super) taken: u64,
    /// So many of them are not committed: the next member reads them again.
    pub(super) repeated: u64,
    /// Partition and offset: what is stored, though the group has not committed it and has everything below it.
    pub(super) uncommitted: Vec<(i32, i64)>,
}

impl Left {
    /// Compares what it has shown with what is committed. Others may be at work.
    pub(super) fn of(harness: &Harness, at: &Addresses, log: &Path) -> Result<Self> {
        Self::look(harness, at, log, &[])
    }

    /// Compares what is stored with what is committed, too. Nobody else may be at work, and each end has to be looked at.
    pub(super) fn of_last(harness: &Harness, at: &Addresses, log: &Path) -> Result<Self> {
        // Where the reader keeps what it has found before.
        let state = harness.path(&format!("{}.left", at.topic)).display().to_string();
        Self::look(harness, at, log, &[&at.reader, &state])
    }

    fn look(harness: &Harness, at: &Addresses, log: &Path, store: &[&str]) -> Result<Self> {
        let log = log.display().to_string();
        let arguments = [&[at.brokers.as_str(), &at.topic, &at.group, &log], store].concat();
        harness.found("chaos_ended.py", &arguments, MANY_LIMIT)
    }
}
