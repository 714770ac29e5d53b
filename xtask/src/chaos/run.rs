//! One campaign at work.

use super::schedule::Schedule;
use super::stack::{Addresses, Stack};
use super::stand::Stand;
use super::verdict::Verdict;
use crate::error::Error;

/// What a campaign works with, and writes down.
pub(super) struct Run<'a> {
    /// What it attacks.
    pub(super) stack: &'a mut dyn Stack,
    /// The programs.
    pub(super) stand: &'a Stand,
    /// When, and how often.
    pub(super) schedule: Schedule,
    /// Whether there is a night's time.
    pub(super) night: bool,
    /// Which of its promise's campaigns it is, from 0.
    pub(super) number: u32,
    /// What it has done and found.
    pub(super) verdict: Verdict,
}

impl Run<'_> {
    /// A topic, a group and tables for this campaign alone.
    pub(super) fn addresses(&self) -> Result<Addresses, Error> {
        self.stack.addresses(&self.name())
    }

    fn name(&self) -> String {
        let name = self.verdict.fault.to_string().to_lowercase();
        if self.number == 0 { name } else { format!("{name}_{}", self.number) }
    }

    /// The like for a part of the campaign; `part` holds letters, digits and `_`.
    pub(super) fn addresses_of(&self, part: &str) -> Result<Addresses, Error> {
        self.stack.addresses(&format!("{}_{part}", self.name()))
    }

    /// Whether a bug is planted.
    pub(super) fn is_planted(&self) -> bool {
        self.verdict.planted.is_some()
    }
}
