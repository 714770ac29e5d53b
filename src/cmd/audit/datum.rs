//! What a message may carry, sign or observation, and what it says of it.

use std::fmt;

use crate::reading::{Observation, Sign, Signs};

/// A sign or an observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Datum {
    Sign(Sign),
    Observation(Observation),
}

/// Its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Content {
    Number(f64),
    /// As files have it.
    Text(&'static str),
}

impl Datum {
    /// All of them, in the order of the table's columns.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Sign::ALL.into_iter().map(Self::Sign).chain(Observation::ALL.into_iter().map(Self::Observation))
    }

    /// What `signs` say of it.
    pub(super) fn of(self, signs: &Signs) -> Option<Content> {
        match self {
            Self::Sign(sign) => signs.get(sign).map(Content::Number),
            Self::Observation(observation) => signs.observed.text(observation).map(Content::Text),
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sign(sign) => sign.fmt(f),
            Self::Observation(observation) => observation.fmt(f),
        }
    }
}

/// A number as it was sent: the table's width makes 36.79999923706055 of 36.8.
impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => narrow(*number).fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "back to the width that it came from")]
fn narrow(value: f64) -> f32 {
    value as f32
}
