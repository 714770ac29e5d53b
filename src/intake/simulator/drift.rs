//! What wanders slowly and comes back: first-order autoregression, by a patient's own time.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// Its usual size: a third of its bound of 1.
const USUAL: f64 = 1.0 / 3.0;

/// After so long, in seconds, a deviation is down to a third of what it was: of a state of the whole patient, and of one
/// sign.
const SLOW_SECONDS: f64 = 480.0;
const QUICK_SECONDS: f64 = 120.0;

/// How far a patient's own time goes from one reading to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) seconds: f64,
    pub(super) slow: Pull,
    pub(super) quick: Pull,
}

impl Pace {
    pub(super) fn new(step: Duration) -> Self {
        let seconds = step.as_secs_f64();
        Self { seconds, slow: Pull::over(seconds, SLOW_SECONDS), quick: Pull::over(seconds, QUICK_SECONDS) }
    }
}

/// What a step leaves of a deviation, and how far it pushes at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pull {
    keeps: f64,
    pushes: f64,
}

impl Pull {
    /// With this push the usual size is the same whatever the step: a uniform push has a deviation of its bound / √3.
    fn over(seconds: f64, time_constant: f64) -> Self {
        let keeps = (-seconds / time_constant).exp();
        Self { keeps, pushes: USUAL * (3.0 * (1.0 - keeps * keeps)).sqrt() }
    }
}

/// A deviation from -1 to 1 that begins at zero.
#[derive(Debug, Default)]
pub(super) struct Drift(f64);

impl Drift {
    pub(super) fn step(&mut self, pull: Pull, random: &mut Xoshiro256PlusPlus) -> f64 {
        self.0 = (self.0 * pull.keeps + pull.pushes * noise(random)).clamp(-1.0, 1.0);
        self.0
    }
}

/// What a measurement adds by itself, from -1 to 1.
pub(super) fn noise(random: &mut Xoshiro256PlusPlus) -> f64 {
    random.random::<f64>() * 2.0 - 1.0
}
