//! What can keep `vitals produce` from its work, besides the file and the cluster.

use std::time::Duration;

use crate::advice::{Advice, Code};
use crate::kafka::producer::ProducerError;

/// Why not everything was sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// CSV mode without a file.
    #[error("--mode csv needs a file")]
    NoCsv,
    /// An option that the mode has no use for.
    #[error("{option} has no meaning with --mode {mode}")]
    NoMeaning {
        /// Which option.
        option: &'static str,
        /// Which mode.
        mode: &'static str,
    },
    /// Messages were not acknowledged.
    #[error("not acknowledged: message {numbers} of this run")]
    Undelivered {
        /// Which messages.
        numbers: Numbers,
        /// Why.
        source: ProducerError,
    },
    /// Messages were not acknowledged before the user's patience ended.
    #[error("not acknowledged within {} s after the request to stop: message {numbers} of this run", limit.as_secs())]
    CutShort {
        /// Which messages.
        numbers: Numbers,
        /// How long was waited.
        limit: Duration,
    },
}

impl Advice for ProduceError {
    fn code(&self) -> Code {
        match self {
            Self::NoCsv | Self::NoMeaning { .. } => Code::Usage,
            Self::Undelivered { .. } | Self::CutShort { .. } => Code::Unreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoCsv => Some("name it with --csv PATH".to_owned()),
            Self::NoMeaning { mode: "random", .. } => Some("add --mode csv, or leave the option out".to_owned()),
            Self::NoMeaning { .. } => Some("leave it out".to_owned()),
            // The cause has one.
            Self::Undelivered { .. } => None,
            Self::CutShort { .. } => {
                Some("these messages may or may not be in the topic; look whether Kafka runs".to_owned())
            }
        }
    }
}

/// Numbers of messages, from 1 in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers(Vec<u64>);

/// The most ranges that are written out.
const MAX_RANGES: usize = 10;

impl Numbers {
    /// Takes rising numbers.
    pub(super) fn new(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self(numbers.into_iter().collect())
    }
}

/// As ranges: `3, 7-12`.
impl std::fmt::Display for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut ranges = self.0.chunk_by(|number, next| number.checked_add(1) == Some(*next));
        for (place, range) in ranges.by_ref().take(MAX_RANGES).enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            match range {
                [only] => write!(f, "{separator}{only}")?,
                [first, .., last] => write!(f, "{separator}{first}-{last}")?,
                [] => {}
            }
        }
        let more: usize = ranges.map(<[u64]>::len).sum();
        if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_ranges() {
        assert_eq!(Numbers::new([3, 7, 8, 9, 12]).to_string(), "3, 7-9, 12");
        assert_eq!(
            Numbers::new((0..30).map(|number| number * 2)).to_string(),
            "0, 2, 4, 6, 8, 10, 12, 14, 16, 18 and 20 more"
        );
    }
}
