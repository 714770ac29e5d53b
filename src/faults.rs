//! What is wrong with the lines of a file: the first faults are listed, the rest is counted.

use std::fmt;

/// How many faults are listed.
pub const MAX_SHOWN: usize = 20;

/// A line that cannot be taken: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<F> {
    /// Line of the file in which the row begins, from 1.
    pub line: u64,
    /// The column's name, where the flaw is in one value.
    pub column: Option<&'static str>,
    /// What is wrong.
    pub flaw: F,
}

impl<F: fmt::Display> fmt::Display for Fault<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "line {}, column {column}: {}", self.line, self.flaw),
            None => write!(f, "line {}: {}", self.line, self.flaw),
        }
    }
}

/// The faults of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults<F> {
    /// How many there are.
    pub count: u64,
    /// The first [`MAX_SHOWN`] of them.
    pub first: Vec<Fault<F>>,
}

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<F: fmt::Display> Faults<F> {
    /// Counts one more.
    pub fn note(&mut self, fault: Fault<F>) {
        self.count += 1;
        if self.first.len() < MAX_SHOWN {
            self.first.push(fault);
        }
    }

    /// The first ones, one a line, and how many more there are.
    pub fn report(&self) -> impl Iterator<Item = String> {
        let listed = u64::try_from(self.first.len()).unwrap_or(u64::MAX);
        let more = self.count.saturating_sub(listed);
        let rest = (more > 0).then(|| format!("and {more} more"));
        self.first.iter().map(ToString::to_string).chain(rest)
    }
}
