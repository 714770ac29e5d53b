//! One campaign at work.

use super::error::ChaosError;
use super::schedule::Schedule;
use super::stack::{Addresses, Stack};
use super::stand::Stand;
use super::verdict::Verdict;

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
    /// What it has done and found.
    pub(super) verdict: Verdict,
}

impl Run<'_> {
    /// A topic, a group and tables for this campaign alone.
    pub(super) fn addresses(&self) -> Result<Addresses, ChaosError> {
        self.stack.addresses(&self.name())
    }

    fn name(&self) -> String {
        let name = self.verdict.fault.to_string().to_lowercase();
        let planted = self.verdict.planted.map(|bug| bug.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_"));
        planted.map_or_else(|| name.clone(), |bug| format!("{name}_{bug}"))
    }

    /// The like for a part of the campaign; `part` holds letters, digits and `_`.
    pub(super) fn addresses_of(&self, part: &str) -> Result<Addresses, ChaosError> {
        self.stack.addresses(&format!("{}_{part}", self.name()))
    }

    /// Whether a bug is planted.
    pub(super) fn is_planted(&self) -> bool {
        self.verdict.planted.is_some()
    }
}
