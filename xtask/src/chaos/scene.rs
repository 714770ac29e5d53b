//! A topic, a group and tables, and who works on them.

use std::time::Duration;

use rustix::process::Signal;

use super::findings::Findings;
use super::flow::DRAIN_LIMIT;
use super::stack::Addresses;
use super::stand::{COMMAND_LIMIT, END_LIMIT, Ended, MANY_LIMIT, Stand};
use super::verdict::Verdict;
use crate::error::Error;
use crate::worker::Worker;

/// Commits at once: where nobody kills the store, this must be as safe, and takes less time.
pub(super) const EAGER: &[&str] = &["--durability-delay", "0s"];

/// Where a campaign sends and reads.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) stand: &'a Stand,
    /// Its names.
    pub(super) at: Addresses,
}

impl<'a> Scene<'a> {
    /// Makes the topic, with so many partitions, and the tables.
    pub(super) fn make(stand: &'a Stand, at: Addresses, partitions: u32) -> Result<Self, Error> {
        let scene = Self { stand, at };
        scene.init(partitions)?;
        Ok(scene)
    }

    /// The names alone.
    pub(super) fn empty(stand: &'a Stand, at: Addresses) -> Self {
        Self { stand, at }
    }

    /// Makes what of it is missing.
    pub(super) fn init(&self, partitions: u32) -> Result<(), Error> {
        self.vitals(&format!("init --partitions {partitions}"), COMMAND_LIMIT).map(drop)
    }

    /// Runs `vitals` with these words to its good end, and gives what it printed.
    pub(super) fn vitals(&self, words: &str, limit: Duration) -> Result<String, Error> {
        self.stand.run(&named(words), &self.stand.vitals(&self.at, &split(words)), limit)
    }

    /// Runs `vitals` with these words to whatever end.
    pub(super) fn ended(&self, words: &str) -> Result<Ended, Error> {
        self.stand.ended(&named(words), &self.stand.vitals(&self.at, &split(words)), COMMAND_LIMIT)
    }

    /// Exports the table, and gives where to.
    pub(super) fn export(&self) -> Result<String, Error> {
        let path = self.file("csv");
        let command = self.stand.vitals(&self.at, &["export", "--force", &path]);
        self.stand.run("vitals export", &command, COMMAND_LIMIT).map(|_| path)
    }

    /// Reads to the end, and gives what was told. What is stored is committed at once.
    pub(super) fn consume(&self) -> Result<String, Error> {
        self.vitals("consume --quiet --exit-at-end --durability-delay 0s", DRAIN_LIMIT)
    }

    /// Runs a script that sends.
    pub(super) fn send(&self, script: &'static str, arguments: &[&str]) -> Result<String, Error> {
        self.stand.run(script, &self.stand.script(script, arguments), MANY_LIMIT)
    }

    /// Runs a script that compares.
    pub(super) fn check(&self, script: &'static str, arguments: &[&str]) -> Result<Findings, Error> {
        Findings::of(self.stand, script, &self.stand.script(script, arguments), MANY_LIMIT)
    }

    /// A further `vitals consume`, which prints no messages.
    pub(super) fn consumer(&self, options: &[&str]) -> Result<Worker, Error> {
        self.consumer_at(&self.at, options)
    }

    /// One that reaches the servers at other addresses.
    pub(super) fn consumer_at(&self, at: &Addresses, options: &[&str]) -> Result<Worker, Error> {
        self.stand.start("vitals consume", &self.stand.vitals(at, &[&["consume", "--quiet"], options].concat()))
    }

    /// One that shows each message.
    pub(super) fn showing_consumer(&self, options: &[&str]) -> Result<Worker, Error> {
        self.stand.start("vitals consume", &self.stand.vitals(&self.at, &[&["consume"], options].concat()))
    }

    /// One that has a fault of its own.
    pub(super) fn tampered(&self, options: &[&str]) -> Result<Worker, Error> {
        self.stand.start("the tampered consumer", &self.stand.tampered(&self.at, options))
    }

    /// One with the bug that is planted, if any.
    pub(super) fn consumer_of(&self, verdict: &Verdict) -> Result<Worker, Error> {
        verdict.planted.map_or_else(|| self.consumer(&[]), |bug| self.tampered(&["--bug", bug]))
    }

    /// Lets the consumers work until the group has committed everything.
    pub(super) fn wait_until_drained(&self, consumers: &mut [Worker]) -> Result<(), Error> {
        let is_drained = self.at.group_reaches("drained", DRAIN_LIMIT, self.stand)?.is_some();
        consumers.iter_mut().try_for_each(Worker::must_run)?;
        match consumers.first() {
            Some(consumer) if !is_drained => {
                Err(Error::too_long("draining what was sent", DRAIN_LIMIT, consumer.log()))
            }
            _ => Ok(()),
        }
    }

    /// The same, and ends them.
    pub(super) fn drain(&self, mut consumers: Vec<Worker>) -> Result<(), Error> {
        self.wait_until_drained(&mut consumers)?;
        consumers.iter_mut().try_for_each(|consumer| consumer.end(Signal::INT, END_LIMIT, self.stand.interrupt()))
    }

    /// Where a file of the campaign is.
    pub(super) fn file(&self, ending: &str) -> String {
        self.stand.path(&format!("{}.{ending}", self.at.topic)).display().to_string()
    }
}

fn split(words: &str) -> Vec<&str> {
    words.split(' ').collect()
}

/// For messages and logs.
fn named(words: &str) -> String {
    format!("vitals {}", words.split(' ').next().unwrap_or_default())
}
