//! What a look through a whole file has found.

use std::fmt;

use crate::faults::Faults;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Rows in order.
    pub rows: u64,
    /// Lines that are no rows.
    pub faults: Faults,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.faults.count == 1 { "line is no row" } else { "lines are no rows" };
        write!(f, "{} {plural}, {} in order", self.faults.count, self.rows)
    }
}
