//! Why something could not be printed.

use std::io;

use crate::advice::{Advice, Code};

/// Why something could not be printed to standard output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Whoever reads standard output has gone, as `head` does when it has enough. Nothing went wrong.
    #[error("standard output is closed")]
    Closed,
    /// Standard output does not take what is written: a full disk, say.
    #[error("cannot write to standard output: {0}")]
    Write(io::Error),
    /// A full screen was asked for where there is no terminal.
    #[error("there is no terminal for a full screen")]
    NoTerminal,
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Write(error) }
    }
}

impl Advice for OutputError {
    /// A closed pipe is how a reader says that it has enough, so it counts as done.
    fn code(&self) -> Code {
        match self {
            Self::Closed => Code::Done,
            Self::Write(_) => Code::Unreachable,
            Self::NoTerminal => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Closed => None,
            Self::NoTerminal => Some("add -o text, or leave -o out".to_owned()),
            Self::Write(_) => Some("send the output to a place that has space and may be written".to_owned()),
        }
    }
}
