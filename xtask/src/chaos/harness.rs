//! The programs of a run, where their files are, and what they are started with.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::de::DeserializeOwned;

use super::flow::DRAIN_LIMIT;
use super::stack::Addresses;
use super::verdict::{Findings, Verdict};
use crate::error::{Error, Result};
use crate::services::folder::StackFolder;
use crate::services::ports::FreePorts;
use crate::worker::{Job, Worker};
use crate::{process, repository};

/// What a command on little data may take on a busy machine, and a program until it gives its first sign of work.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// What a program may take to end that is asked to, where that is not what is attacked.
pub(super) const END_LIMIT: Duration = Duration::from_secs(30);
/// What sending or comparing half a million readings may take.
pub(super) const MANY_LIMIT: Duration = Duration::from_secs(5 * 60);

#[derive(Debug)]
pub(super) struct Harness {
    pub(super) binary: PathBuf,
    python: PathBuf,
    pub(super) folder: StackFolder,
    ports: RefCell<FreePorts>,
    /// Numbers the logs: none replaces another.
    logs: Cell<u32>,
}

#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; none where a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) lasted: Duration,
    pub(super) said: String,
}

impl Harness {
    pub(super) fn new(binary: PathBuf, python: PathBuf, folder: StackFolder) -> Result<Self> {
        folder.make()?;
        Ok(Self { binary, python, folder, ports: RefCell::new(FreePorts::new()), logs: Cell::new(0) })
    }

    pub(super) fn vitals(&self, at: &Addresses, arguments: &[&str]) -> Vec<OsString> {
        Self::command(&self.binary, at, arguments)
    }

    /// A consumer with a fault of its own on these servers.
    pub(super) fn tampered(&self, at: &Addresses, arguments: &[&str]) -> Vec<OsString> {
        // Where cargo puts examples.
        Self::command(&self.binary.with_file_name("examples").join("tampered"), at, arguments)
    }

    fn command(program: &Path, at: &Addresses, arguments: &[&str]) -> Vec<OsString> {
        let mut command = process::command_of(program, arguments);
        let alarms = format!("{}.alarms", at.topic);
        let brokers = at.secure.as_ref().map_or(&at.brokers, |secure| &secure.brokers);
        let places = ["--brokers", brokers, "--store", &at.store];
        let names = ["--topic", &at.topic, "--group", &at.group, "--alarms-topic", &alarms];
        command.extend(places.into_iter().chain(names).map(OsString::from));
        let access = at.secure.iter().flat_map(|secure| &secure.settings);
        command.extend(
            access
                .flat_map(|(name, value)| [format!("--{}", name.replace('_', "-")), value.clone()])
                .map(OsString::from),
        );
        command
    }

    pub(super) fn script(&self, script: &str, arguments: &[&str]) -> Vec<OsString> {
        let peers = repository::root().join("xtask").join("tests").join("peers");
        // Nothing compiled is left beside the scripts.
        let start = [self.python.clone().into(), "-B".into(), peers.join(script).into()];
        start.into_iter().chain(arguments.iter().map(OsString::from)).collect()
    }

    pub(super) fn start_script(&self, script: &str, arguments: &[&str]) -> Result<Worker> {
        self.start(script, &self.script(script, arguments))
    }

    /// Runs a script to its good end, and gives what it printed.
    pub(super) fn run_script(&self, script: &str, arguments: &[&str], limit: Duration) -> Result<String> {
        self.run(script, &self.script(script, arguments), limit)
    }

    /// Runs a script that prints what it found as JSON, on its last line.
    pub(super) fn found<T: DeserializeOwned>(
        &self,
        script: &'static str,
        arguments: &[&str],
        limit: Duration,
    ) -> Result<T> {
        self.found_by(&self.script(script, arguments), script, limit)
    }

    /// The same, by another interpreter.
    pub(super) fn found_by<T: DeserializeOwned>(
        &self,
        command: &[OsString],
        script: &'static str,
        limit: Duration,
    ) -> Result<T> {
        let printed = self.run(script, command, limit)?;
        let found = printed.lines().last().and_then(|line| serde_json::from_str(line).ok());
        found.ok_or(Error::Unclear { what: script, missing: "counts", said: printed })
    }

    /// Starts a program that works beside the faults.
    pub(super) fn start(&self, what: &str, command: &[OsString]) -> Result<Worker> {
        Worker::start(what, command, &self.log(what))
    }

    /// Runs a program to its good end, and gives what it printed.
    pub(super) fn run(&self, what: &str, command: &[OsString], limit: Duration) -> Result<String> {
        let log = self.log(what);
        self.job(what, command, limit, &log).run()?;
        std::fs::read_to_string(&log).map_err(Error::file("read", &log))
    }

    /// Runs a program to whatever end; one that does not come is an error.
    pub(super) fn ended(&self, what: &str, command: &[OsString], limit: Duration) -> Result<Ended> {
        let (log, begun) = (self.log(what), Instant::now());
        let code = self.job(what, command, limit, &log).ended()?.code();
        let lasted = begun.elapsed();
        let said = std::fs::read_to_string(&log).map_err(Error::file("read", &log))?;
        Ok(Ended { code, lasted, said })
    }

    fn job<'a>(&'a self, what: &'a str, command: &'a [OsString], limit: Duration, log: &'a Path) -> Job<'a> {
        Job { what, command, folder: self.folder.path(), log, limit, hint: "" }
    }

    pub(super) fn port(&self) -> Result<u16> {
        self.ports.borrow_mut().take()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.data(name)
    }

    pub(super) fn log(&self, what: &str) -> PathBuf {
        self.logs.set(self.logs.get() + 1);
        let name: String =
            what.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        self.folder.path().join("logs").join(format!("{:04}-{name}.log", self.logs.get()))
    }
}

/// Commits at once: where nobody kills the store, this must be as safe, and takes less time.
pub(super) const EAGER: &[&str] = &["--durability-delay", "0s"];

/// Where a campaign sends and reads.
#[derive(Debug)]
pub(super) struct Deployment<'a> {
    pub(super) harness: &'a Harness,
    pub(super) at: Addresses,
}

impl<'a> Deployment<'a> {
    /// Makes the topic, with so many partitions, and the tables.
    pub(super) fn make(harness: &'a Harness, at: Addresses, partitions: u32) -> Result<Self> {
        let deployment = Self { harness, at };
        deployment.init(partitions)?;
        Ok(deployment)
    }

    pub(super) fn empty(harness: &'a Harness, at: Addresses) -> Self {
        Self { harness, at }
    }

    pub(super) fn init(&self, partitions: u32) -> Result<()> {
        self.vitals(&format!("init --partitions {partitions}"), COMMAND_LIMIT).map(drop)
    }

    /// Runs `vitals` with these words to its good end, and gives what it printed.
    pub(super) fn vitals(&self, words: &str, limit: Duration) -> Result<String> {
        self.harness.run(&named(words), &self.harness.vitals(&self.at, &split(words)), limit)
    }

    /// Runs `vitals` with these words to whatever end.
    pub(super) fn ended(&self, words: &str) -> Result<Ended> {
        self.harness.ended(&named(words), &self.harness.vitals(&self.at, &split(words)), COMMAND_LIMIT)
    }

    pub(super) fn export(&self) -> Result<String> {
        let path = self.file("csv");
        let command = self.harness.vitals(&self.at, &["export", "--force", &path]);
        self.harness.run("vitals export", &command, COMMAND_LIMIT).map(|_| path)
    }

    /// Reads to the end, and gives what was told. What is stored is committed at once.
    pub(super) fn consume(&self) -> Result<String> {
        self.vitals("consume --quiet --exit-at-end --durability-delay 0s", DRAIN_LIMIT)
    }

    pub(super) fn send(&self, script: &'static str, arguments: &[&str]) -> Result<String> {
        self.harness.run_script(script, arguments, MANY_LIMIT)
    }

    pub(super) fn check(&self, script: &'static str, arguments: &[&str]) -> Result<Findings> {
        self.harness.found(script, arguments, MANY_LIMIT)
    }

    /// A further `vitals consume`, which prints no messages.
    pub(super) fn consumer(&self, options: &[&str]) -> Result<Worker> {
        self.consumer_at(&self.at, options)
    }

    pub(super) fn consumer_at(&self, at: &Addresses, options: &[&str]) -> Result<Worker> {
        self.harness.start("vitals consume", &self.harness.vitals(at, &[&["consume", "--quiet"], options].concat()))
    }

    pub(super) fn showing_consumer(&self, options: &[&str]) -> Result<Worker> {
        self.harness.start("vitals consume", &self.harness.vitals(&self.at, &[&["consume"], options].concat()))
    }

    pub(super) fn tampered(&self, options: &[&str]) -> Result<Worker> {
        self.harness.start("the tampered consumer", &self.harness.tampered(&self.at, options))
    }

    /// One with the bug that is planted, if any.
    pub(super) fn consumer_of(&self, verdict: &Verdict) -> Result<Worker> {
        verdict.planted.map_or_else(|| self.consumer(&[]), |bug| self.tampered(&["--bug", bug]))
    }

    /// Lets the consumers work until the group has committed everything.
    pub(super) fn wait_until_drained(&self, consumers: &mut [Worker]) -> Result<()> {
        let is_drained = self.at.group_reaches("drained", DRAIN_LIMIT, self.harness)?.is_some();
        consumers.iter_mut().try_for_each(Worker::must_run)?;
        match consumers.first() {
            Some(consumer) if !is_drained => Err(Error::too_long("draining what was sent", DRAIN_LIMIT, &consumer.log)),
            _ => Ok(()),
        }
    }

    /// The same, and ends them.
    pub(super) fn drain(&self, mut consumers: Vec<Worker>) -> Result<()> {
        self.wait_until_drained(&mut consumers)?;
        consumers.iter_mut().try_for_each(|consumer| consumer.end(Signal::INT, END_LIMIT))
    }

    pub(super) fn file(&self, ending: &str) -> String {
        self.harness.path(&format!("{}.{ending}", self.at.topic)).display().to_string()
    }
}

fn split(words: &str) -> Vec<&str> {
    words.split(' ').collect()
}

fn named(words: &str) -> String {
    format!("vitals {}", words.split(' ').next().unwrap_or_default())
}

pub(super) const LOOKER: &str = "chaos_group.py";

impl Addresses {
    /// After how long the group has `moved`, or everything is `drained`; `None` where nobody waited so long.
    pub(super) fn group_reaches(&self, what: &str, limit: Duration, harness: &Harness) -> Result<Option<Duration>> {
        match harness.run_script(LOOKER, &[what, &self.brokers, &self.topic, &self.group], limit) {
            Ok(printed) => {
                match printed.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
                    Some(after) => Ok(Some(after)),
                    None => Err(Error::Unclear { what: LOOKER, missing: "counts", said: printed }),
                }
            }
            Err(Error::TooLong { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
