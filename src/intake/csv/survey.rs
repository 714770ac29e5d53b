//! What a look through a whole file has found.

use std::fmt;

use super::{Entry, Fault};

/// How many malformed rows are listed; the rest is counted.
pub const MAX_SHOWN_FAULTS: usize = 20;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Rows that can be sent.
    pub rows: u64,
    /// Rows without any sign.
    pub without_sign: u64,
    /// Rows that are malformed.
    pub malformed: u64,
    /// The first [`MAX_SHOWN_FAULTS`] of them.
    pub faults: Vec<Fault>,
}

impl Survey {
    pub(super) fn note(&mut self, entry: Entry) {
        match entry {
            Entry::Row(_) => self.rows += 1,
            Entry::WithoutSign => self.without_sign += 1,
            Entry::Malformed(fault) => {
                self.malformed += 1;
                if self.faults.len() < MAX_SHOWN_FAULTS {
                    self.faults.push(fault);
                }
            }
        }
    }

    /// The malformed rows, one a line, and how many more there are.
    pub fn report(&self) -> impl Iterator<Item = String> {
        let listed = u64::try_from(self.faults.len()).unwrap_or(u64::MAX);
        let more = self.malformed.saturating_sub(listed);
        let rest = (more > 0).then(|| format!("and {more} more"));
        self.faults.iter().map(ToString::to_string).chain(rest)
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (good, empty, bad) = (self.rows, self.without_sign, self.malformed);
        write!(f, "{bad} malformed, {empty} without any sign, {good} in order")
    }
}
