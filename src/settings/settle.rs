//! How long stored readings wait for their commit.

use std::fmt;
use std::time::Duration;

use crate::advice::BadValue;
use crate::span::Span;

/// How long stored readings wait for their commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleChoice {
    /// As long as the store says that it may forget them.
    Auto,
    /// So long, whatever the store says.
    Fixed(Duration),
}

/// Nobody waits longer than a day for a disk.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl SettleChoice {
    pub(super) fn parse(text: &str) -> Result<Self, BadValue> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let fault =
            || BadValue::new(format!("'{text}' is no settle time"), "use auto, or a time up to 1d, such as 16s");
        match Span::parse(text) {
            Ok(Span(time)) if time <= LONGEST => Ok(Self::Fixed(time)),
            _ => Err(fault()),
        }
    }
}

impl fmt::Display for SettleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(time) => Span(*time).fmt(f),
        }
    }
}
