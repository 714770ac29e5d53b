//! What a look through a whole file has found.

use std::fmt;

use super::Fault;

/// How many faults are listed; the rest is counted.
const MAX_SHOWN_FAULTS: usize = 20;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Rows in order.
    pub rows: u64,
    /// Lines that are no rows.
    pub malformed: u64,
    /// The first 20 of them.
    pub faults: Vec<Fault>,
}

impl Survey {
    /// Counts a line that is no row.
    pub fn note(&mut self, fault: Fault) {
        self.malformed += 1;
        if self.faults.len() < MAX_SHOWN_FAULTS {
            self.faults.push(fault);
        }
    }

    /// The faults, one a line, and how many more there are.
    pub fn report(&self) -> impl Iterator<Item = String> {
        let listed = u64::try_from(self.faults.len()).unwrap_or(u64::MAX);
        let more = self.malformed.saturating_sub(listed);
        let rest = (more > 0).then(|| format!("and {more} more"));
        self.faults.iter().map(ToString::to_string).chain(rest)
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.malformed == 1 { "line is no row" } else { "lines are no rows" };
        write!(f, "{} {plural}, {} in order", self.malformed, self.rows)
    }
}
