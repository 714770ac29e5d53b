//! A score that goes along with the readings of a patient.

use super::Newest;
use super::rules::{Micros, SECOND};
use crate::reading::Signs;
use crate::score::{BuiltIn, Inputs, Scale, Score};

/// How much older than the newest reading a value may be that still counts.
pub const MAX_SCORED_AGE: Micros = 60 * 60 * SECOND;

/// A score over the newest believed value of each sign.
#[derive(Debug)]
pub struct RunningScore {
    by: BuiltIn,
    spo2_scale: Scale,
    newest: Newest,
}

impl RunningScore {
    /// Of nothing yet.
    pub fn of(by: BuiltIn, spo2_scale: Scale) -> Self {
        Self { by, spo2_scale, newest: Newest::default() }
    }

    /// Takes the next reading, by its time. Gives the score then, and what it is made of, where the reading has an
    /// observation of the score or a believed sign.
    pub fn take(&mut self, time: Micros, signs: &Signs) -> Option<(Score, Inputs)> {
        self.newest.take(time, signs);
        let is_new = |sign| self.newest.get(sign).is_some_and(|(measured, _)| measured == time);
        let is_observed = self.by.chart().observations().any(|of| signs.observed.has(of));
        if !is_observed && !self.by.chart().signs().any(is_new) {
            return None;
        }
        let newest = self.newest.inputs_since(time.saturating_sub(MAX_SCORED_AGE));
        let inputs = Inputs { spo2_scale: self.spo2_scale, ..newest };
        Some((self.by.chart().score(&inputs), inputs))
    }

    /// The newest value of each sign.
    pub fn newest(&self) -> Newest {
        self.newest
    }
}
