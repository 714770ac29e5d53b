//! Messages on their way: a producer that is not ours, our consumers, and the readers that compare at the end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::findings::Findings;
use super::group::LOOKER;
use super::run::Run;
use super::scene::Scene;
use super::stack::Addresses;
use super::stand::{COMMAND_LIMIT, END_LIMIT, MANY_LIMIT, Stand};
use super::verdict::Verdict;
use crate::error::Error;
use crate::process::LOOK_AGAIN;
use crate::worker::Worker;

/// How long it is waited for work to go on after a fault; the verdict says how long it may take.
const PROGRESS_LIMIT: Duration = Duration::from_secs(40);
/// How long everything that was sent may take to be committed after the last fault.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(6 * 60);
/// What comparing the readings of a night may take.
const CHECK_MANY_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// So many messages at most.
    pub(super) messages: u32,
    /// So many a second.
    pub(super) rate: u32,
}

impl Load {
    /// Without an end of its own, for all practical purposes.
    pub(super) const fn endless(rate: u32) -> Self {
        Self { messages: 5_000_000, rate }
    }
}

/// The messages of one campaign.
#[derive(Debug)]
pub(super) struct Flow<'a> {
    pub(super) scene: Scene<'a>,
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
    pub(super) fn start(run: &Run<'a>, load: Load) -> Result<Self, Error> {
        Self::begin(run.stand, run.addresses()?, load, None)
    }

    /// The same; messages below the number `padded_from` have one sign alone, and those from it on are of 16 kB each.
    pub(super) fn start_padded(run: &Run<'a>, load: Load, padded_from: u32) -> Result<Self, Error> {
        Self::begin(run.stand, run.addresses()?, load, Some(padded_from.to_string()))
    }

    /// With names that are given.
    pub(super) fn start_at(stand: &'a Stand, at: Addresses, load: Load) -> Result<Self, Error> {
        Self::begin(stand, at, load, None)
    }

    fn begin(stand: &'a Stand, at: Addresses, load: Load, padded_from: Option<String>) -> Result<Self, Error> {
        let scene = Scene::empty(stand, at);
        scene.vitals("init", COMMAND_LIMIT)?;
        let ledger = PathBuf::from(scene.file("ledger"));
        let (count, rate, path) = (load.messages.to_string(), load.rate.to_string(), scene.file("ledger"));
        let mut arguments = [&scene.at.brokers, &scene.at.topic, &count, &rate, &path].map(String::as_str).to_vec();
        // From the number 0 on.
        arguments.extend(padded_from.iter().flat_map(|padded_from| ["0", padded_from.as_str()]));
        let sender = stand.start("the sender", &stand.script("chaos_send.py", &arguments))?;
        Ok(Self { scene, load, ledger, padded_from, theirs: Vec::new(), sender })
    }

    /// Waits until acknowledged messages stand in the topic.
    pub(super) fn wait_for_messages(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + COMMAND_LIMIT;
        while std::fs::metadata(&self.ledger).map_or(0, |ledger| ledger.len()) == 0 {
            self.sender.must_run()?;
            if Instant::now() >= deadline {
                return Err(Error::too_long("the sender", COMMAND_LIMIT, self.sender.log()));
            }
            self.scene.stand.pause(LOOK_AGAIN)?;
        }
        Ok(())
    }

    /// Starts a consumer, and tells how long it takes from then until the group has committed more; `None` where nobody
    /// waited so long. No other consumer may be at work.
    pub(super) fn successor(&self, options: &[&str]) -> Result<(Worker, Option<Duration>), Error> {
        let Addresses { brokers, topic, group, .. } = &self.scene.at;
        let command = self.scene.stand.script(LOOKER, &["next", brokers, topic, group]);
        let mut looker = self.scene.stand.start(LOOKER, &command)?;
        looker.wait_for_line("looking", COMMAND_LIMIT, self.scene.stand.interrupt())?;
        let begun = Instant::now();
        let mut consumer = self.scene.consumer(options)?;
        let after = match looker.wait_for_line("moved", PROGRESS_LIMIT, self.scene.stand.interrupt()) {
            Ok(()) => Some(begun.elapsed()),
            Err(Error::TooLong { .. }) => None,
            Err(error) => return Err(error),
        };
        consumer.must_run()?;
        Ok((consumer, after))
    }

    /// A member on `librdkafka` that says what it was given; `kind` tells what it commits. Ctrl+C lets it leave.
    pub(super) fn foreign_member(&mut self, kind: &str) -> Result<Worker, Error> {
        let Addresses { brokers, topic, group, .. } = &self.scene.at;
        let member = self
            .scene
            .stand
            .start("a foreign member", &self.scene.stand.script("chaos_member.py", &[brokers, topic, group, kind]))?;
        self.theirs.push(member.log().to_owned());
        Ok(member)
    }

    /// The ids of the group's members, each with its partitions, as text; waits until there are so many.
    pub(super) fn members(&self, count: u32) -> Result<String, Error> {
        let Addresses { brokers, group, .. } = &self.scene.at;
        let command = self.scene.stand.script("chaos_members.py", &[brokers, group, &count.to_string()]);
        self.scene.stand.run("chaos_members.py", &command, COMMAND_LIMIT)
    }

    /// A member of the group that is not ours; it takes partitions, and reads nothing of them.
    pub(super) fn guest(&self) -> Result<Worker, Error> {
        let Addresses { brokers, topic, group, .. } = &self.scene.at;
        self.scene.stand.start("chaos_guest.py", &self.scene.stand.script("chaos_guest.py", &[brokers, topic, group]))
    }

    /// How long the group takes to get on in every partition; `None` where nobody waited so long.
    pub(super) fn gets_on_everywhere(&self) -> Result<Option<Duration>, Error> {
        self.reaches("every", PROGRESS_LIMIT)
    }

    /// How long the group takes to get on; `None` where nobody waited so long.
    pub(super) fn gets_on(&self) -> Result<Option<Duration>, Error> {
        self.reaches("moved", PROGRESS_LIMIT)
    }

    /// Waits until the sender has sent everything.
    pub(super) fn wait_for_sender(&mut self, limit: Duration) -> Result<(), Error> {
        self.sender.wait(limit, self.scene.stand.interrupt())
    }

    /// Ends the sending; what was sent is waited for.
    pub(super) fn stop_sending(&mut self) -> Result<(), Error> {
        self.sender.end(Signal::TERM, MANY_LIMIT, self.scene.stand.interrupt())
    }

    /// Ends the sending, lets the last consumer come to the end, and compares what was acknowledged with what is kept.
    pub(super) fn finish(&mut self, last: Worker, verdict: &mut Verdict) -> Result<(), Error> {
        self.stop_sending()?;
        self.scene.drain(vec![last])?;
        verdict.conclude(self.check()?);
        Ok(())
    }

    /// Ends a member by Ctrl+C.
    pub(super) fn leave(&self, mut member: Worker) -> Result<(), Error> {
        member.end(Signal::INT, END_LIMIT, self.scene.stand.interrupt())
    }

    /// Compares what was acknowledged with what is kept.
    pub(super) fn check(&self) -> Result<Findings, Error> {
        self.compare("chaos_check.py", MANY_LIMIT)
    }

    /// The same where the messages may be millions.
    pub(super) fn check_many(&self) -> Result<Findings, Error> {
        self.compare("chaos_many.py", CHECK_MANY_LIMIT)
    }

    fn compare(&self, script: &'static str, limit: Duration) -> Result<Findings, Error> {
        let Addresses { brokers, topic, group, reader, .. } = &self.scene.at;
        let (count, ledger) = (self.load.messages.to_string(), self.ledger.display().to_string());
        let mut arguments = [brokers, topic, group, reader, &count, &ledger].map(String::as_str).to_vec();
        arguments.extend(self.padded_from.as_deref());
        let theirs: Vec<_> = self.theirs.iter().map(|log| format!("theirs={}", log.display())).collect();
        arguments.extend(theirs.iter().map(String::as_str));
        Findings::of(self.scene.stand, script, &self.scene.stand.script(script, &arguments), limit)
    }

    fn reaches(&self, what: &str, limit: Duration) -> Result<Option<Duration>, Error> {
        self.scene.at.group_reaches(what, limit, self.scene.stand)
    }
}
