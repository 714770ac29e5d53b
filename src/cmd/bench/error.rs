//! What can go wrong with the files of `vitals bench`.

use std::io;
use std::path::PathBuf;

use crate::advice::{Advice, Code};

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The file of `--compare` cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file of `--compare` is no result of a bench.
    #[error("{} is no result of `vitals bench -o json`: {reason}", path.display())]
    NoResult {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of `--report` cannot be written.
    #[error("cannot write the report {}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Advice for BenchError {
    fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } | Self::Report { .. } => Code::Usage,
            Self::NoResult { .. } => Code::BadData,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } | Self::NoResult { .. } => {
                "make one with `vitals bench -o json > old.json`, and name it with --compare".to_owned()
            }
            Self::Report { .. } => "name a file in a folder that you may write to".to_owned(),
        })
    }
}
