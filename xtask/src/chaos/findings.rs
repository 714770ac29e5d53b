//! What the readers found.

use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stand::Stand;
use crate::error::Error;

/// Counts of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Findings {
    /// Acknowledged ones that were looked for.
    pub(super) checked: u64,
    /// Those of them whose offset is committed.
    pub(super) committed: u64,
    /// How many were committed, and so looked for, at all looks in the middle together.
    #[serde(default)]
    pub(super) looked_at: u64,
    /// Acknowledged ones that are nowhere, were read by members of other kinds, and are committed.
    #[serde(default)]
    pub(super) theirs: u64,
    /// Acknowledged ones that are nowhere otherwise.
    pub(super) lost: u64,
    /// Acknowledged ones that are kept otherwise than they were sent.
    pub(super) wrong: u64,
    /// Those of the lost and wrong ones whose offset is committed: nobody will write them again.
    pub(super) ahead: u64,
    /// What is kept, and was never sent.
    pub(super) invented: u64,
    /// Some of them, by number.
    pub(super) examples: Vec<String>,
}

impl Findings {
    /// Runs a script that prints them as JSON, on its last line.
    pub(super) fn of(stand: &Stand, what: &'static str, command: &[OsString], limit: Duration) -> Result<Self, Error> {
        let printed = stand.run(what, command, limit)?;
        let found = printed.lines().last().and_then(|line| serde_json::from_str(line).ok());
        found.ok_or(Error::Unclear { what, missing: "counts", said: printed })
    }

    /// Whether nothing is lost, wrong or invented.
    pub(super) fn is_clean(&self) -> bool {
        self.lost + self.wrong + self.ahead + self.invented == 0
    }

    /// Adds what was found on another stage of the same campaign.
    pub(super) fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.committed += other.committed;
        self.looked_at += other.looked_at;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.ahead += other.ahead;
        self.invented += other.invented;
        self.examples.extend(other.examples);
    }

    /// Takes over what a look in the middle found: what is not committed may still be missing then. What was committed
    /// too early is mostly missing at each look, and counted once.
    pub(super) fn add_look(&mut self, look: &Self) {
        self.looked_at += look.committed + look.looked_at;
        self.ahead = self.ahead.max(look.ahead);
        self.invented = self.invented.max(look.invented);
        if look.ahead + look.invented > 0 {
            self.examples.extend(look.examples.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_of_some_messages_counts_among_others() {
        let mut findings = Findings { checked: 5, ..Findings::default() };
        findings.add(Findings { checked: 3, lost: 1, ..Findings::default() });
        assert!(findings.checked == 8 && !findings.is_clean());
    }

    #[test]
    fn what_is_not_committed_may_be_missing_in_the_middle() {
        let mut findings = Findings::default();
        findings.add_look(&Findings { lost: 9, ..Findings::default() });
        assert!(findings.is_clean());
        findings.add_look(&Findings { lost: 9, ahead: 1, ..Findings::default() });
        assert!(!findings.is_clean());
    }
}
