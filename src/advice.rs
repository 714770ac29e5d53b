//! What an error means for the person at the terminal: the code to exit with, and what to do next.

use std::error::Error;

/// The exit codes: few, named, and the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// All done.
    Done = 0,
    /// The command worked and found something: the lag is too high, a check failed.
    Finding = 1,
    /// A wrong option or setting.
    Usage = 2,
    /// The data is at fault: a malformed CSV file.
    BadData = 3,
    /// A server cannot be reached, or refuses.
    Unreachable = 4,
    /// A fault of this program.
    Bug = 70,
    /// Cut short before it was done, by a signal.
    CutShort = 130,
}

impl Code {
    /// As the process ends with it.
    #[allow(clippy::as_conversions, reason = "every discriminant is written out and below 256")]
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// What an error means for the person at the terminal. Every module's error enum has it.
pub trait Advice: Error {
    /// The code to exit with.
    fn code(&self) -> Code;

    /// What to do next, as one sentence without a full stop: it is printed behind `hint: `.
    fn hint(&self) -> Option<String>;
}

/// Why a text cannot be a value, and what would do. It names the value unless that may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct BadValue {
    /// What is wrong.
    pub problem: String,
    /// What would be right, as one sentence without a full stop.
    pub fix: String,
}

impl BadValue {
    pub(crate) fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into() }
    }
}
