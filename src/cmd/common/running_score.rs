//! A score that goes along with the readings of a patient.

use crate::alarm::Newest;
use crate::alarm::rules::{Micros, SECOND};
use crate::reading::{Signs, Timestamp};
use crate::score::{BuiltIn, Inputs, Scale, Score};
use crate::store::StoredReading;

/// How much older than the newest reading a value may be that still counts.
pub(in crate::cmd) const MAX_AGE: Micros = 60 * 60 * SECOND;

/// A score over the newest believed value of each sign.
#[derive(Debug)]
pub(in crate::cmd) struct RunningScore {
    by: BuiltIn,
    spo2_scale: Scale,
    newest: Newest,
}

impl RunningScore {
    pub(in crate::cmd) fn of(by: BuiltIn, spo2_scale: Scale) -> Self {
        Self { by, spo2_scale, newest: Newest::default() }
    }

    /// Takes the next reading, by its time. Gives the score then, and what it is made of, where the reading has an
    /// observation of the score or a believed sign.
    pub(in crate::cmd) fn take(&mut self, time: Micros, signs: &Signs) -> Option<(Score, Inputs)> {
        self.newest.take(time, signs);
        let is_new = |sign| self.newest.get(sign).is_some_and(|(measured, _)| measured == time);
        let is_observed = self.by.chart().observations().any(|of| signs.observed.has(of));
        if !is_observed && !self.by.chart().signs().any(is_new) {
            return None;
        }
        let newest = self.newest.inputs_since(time.saturating_sub(MAX_AGE));
        let inputs = Inputs { spo2_scale: self.spo2_scale, ..newest };
        Some((self.by.chart().score(&inputs), inputs))
    }

    /// The newest value of each sign.
    pub(in crate::cmd) fn newest(&self) -> Newest {
        self.newest
    }
}

/// How a score is told from a whole one, before its total.
pub(in crate::cmd) fn at_least(score: &Score) -> &'static str {
    if score.is_partial { "≥" } else { "" }
}

/// The time of a reading, where it is one.
pub(in crate::cmd) fn time_of(reading: &StoredReading) -> Option<Micros> {
    Timestamp::parse(&reading.timestamp).ok().map(Timestamp::as_micros)
}
