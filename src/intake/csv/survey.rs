//! What a look through a whole file has found.

use std::fmt;

use super::Entry;
use crate::faults::Faults;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Rows that can be sent.
    pub rows: u64,
    /// Rows without any sign.
    pub without_sign: u64,
    /// Rows that are malformed.
    pub faults: Faults,
}

impl Survey {
    pub(super) fn note(&mut self, entry: Entry) {
        match entry {
            Entry::Row(_) => self.rows += 1,
            Entry::WithoutSign => self.without_sign += 1,
            Entry::Malformed(fault) => self.faults.note(fault),
        }
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (good, empty, bad) = (self.rows, self.without_sign, self.faults.count);
        write!(f, "{bad} malformed, {empty} without any sign, {good} in order")
    }
}
