//! Prints everything that `xtask` prints: data to stdout, talk to stderr.
//!
//! A closed pipe is no failure of the task, so write errors are dropped here and only here.

use std::io::{self, Write};

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// To read
    #[default]
    Table,
    /// For programs, with everything
    Json,
}

/// One line of what the caller asked for.
pub(crate) fn data(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// One line about what is going on.
pub(crate) fn talk(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
