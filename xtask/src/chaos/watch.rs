//! A watcher that is not ours: sees what the group commits, change by change, while a campaign goes on.

use rustix::process::Signal;
use serde::Deserialize;

use super::stack::Addresses;
use super::stand::{COMMAND_LIMIT, END_LIMIT, Stand};
use super::verdict::Verdict;
use crate::error::Error;
use crate::worker::Worker;

const WHAT: &str = "chaos_watch.py";
/// How many commits that went back are shown.
const SHOWN: usize = 3;

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
    pub(super) fn start(stand: &Stand, at: &Addresses) -> Result<Self, Error> {
        let mut watcher = stand.start(WHAT, &stand.script(WHAT, &[&at.brokers, &at.topic, &at.group]))?;
        watcher.wait_for_line("watching", COMMAND_LIMIT, stand.interrupt())?;
        Ok(Self(watcher))
    }

    /// Writes down what it has seen. A committed offset that goes back is a stale commit.
    pub(super) fn end(mut self, stand: &Stand, verdict: &mut Verdict) -> Result<(), Error> {
        self.0.end(Signal::TERM, END_LIMIT, stand.interrupt())?;
        let printed = self.0.said();
        let last = printed.lines().last().unwrap_or_default();
        let Ok(Seen { looks, commits, back }) = serde_json::from_str(last) else {
            return Err(Error::Unclear { what: WHAT, missing: "counts", said: last.to_owned() });
        };
        verdict.measured(format!("{commits} commits seen at {looks} looks, {} of them back", back.len()));
        back.into_iter().take(SHOWN).for_each(|back| verdict.breaks(back));
        Ok(())
    }
}
