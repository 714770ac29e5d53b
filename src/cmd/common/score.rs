//! Scores as they are shown, and the times of the readings that they are made of.

use crate::alarm::rules::Micros;
use crate::reading::Timestamp;
use crate::score::Score;
use crate::store::StoredReading;

/// How a score is told from a whole one, before its total.
pub(in crate::cmd) fn at_least(score: &Score) -> &'static str {
    if score.is_partial { "≥" } else { "" }
}

/// The time of a reading, where it is one.
pub(in crate::cmd) fn time_of(reading: &StoredReading) -> Option<Micros> {
    Timestamp::parse(&reading.timestamp).ok().map(Timestamp::as_micros)
}
