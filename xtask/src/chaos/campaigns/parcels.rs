//! Readings that are sent some at a time, and looked for.

use std::time::{Duration, Instant};

use crate::chaos::findings::Findings;
use crate::chaos::run::Run;
use crate::chaos::scene::Scene;
use crate::error::Error;

const SENDER: &str = "chaos_send.py";
const READER: &str = "chaos_check.py";
/// From one number to the next that is malformed: so far apart the parcels begin,
const DISTANCE: u32 = 250;
/// and there, so that a parcel is readings alone.
const FIRST: u32 = 100;
/// As fast as it goes.
const RATE: &str = "1000000";
/// A member hears of a change within seconds; the rest is for a busy machine.
const KEPT_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What is sent on one scene.
#[derive(Debug)]
pub(super) struct Parcels<'a> {
    pub(super) scene: Scene<'a>,
    sent: u32,
}

impl<'a> Parcels<'a> {
    /// Nothing yet.
    pub(super) fn on(scene: Scene<'a>) -> Self {
        Self { scene, sent: 0 }
    }

    /// Sends so many readings, fewer than 150, and waits until they are acknowledged.
    pub(super) fn send(&mut self, count: u32) -> Result<(), Error> {
        self.send_into("ledger", count)
    }

    /// The same with readings that nobody will look for.
    pub(super) fn send_to_be_lost(&mut self, count: u32) -> Result<(), Error> {
        self.send_into("lost", count)
    }

    fn send_into(&mut self, ledger: &str, count: u32) -> Result<(), Error> {
        let (first, count) = ((FIRST + DISTANCE * self.sent).to_string(), count.to_string());
        let ledger = self.scene.file(ledger);
        let arguments = [&*self.scene.at.brokers, &self.scene.at.topic, &count, RATE, &ledger, &first];
        self.scene.send(SENDER, &arguments)?;
        self.sent += 1;
        Ok(())
    }

    /// Compares what was sent, but for what is lost on purpose, with what is kept.
    pub(super) fn check(&self) -> Result<Findings, Error> {
        let (at, ledger) = (&self.scene.at, self.scene.file("ledger"));
        let most = (FIRST + DISTANCE * self.sent).to_string();
        self.scene.check(READER, &[&at.brokers, &at.topic, &at.group, &at.reader, &most, &ledger])
    }

    /// Waits until all of it is kept. A group's offsets do not tell that while its topic changes.
    pub(super) fn wait_until_kept(&self, run: &Run<'_>) -> Result<Findings, Error> {
        let deadline = Instant::now() + KEPT_LIMIT;
        loop {
            let findings = self.check()?;
            if findings.is_clean() || Instant::now() >= deadline {
                return Ok(findings);
            }
            run.stand.pause(LOOK_AGAIN)?;
        }
    }
}
