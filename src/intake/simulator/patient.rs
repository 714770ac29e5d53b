//! One simulated patient.

use fake::Fake;
use rand::RngExt;
use rand::rngs::StdRng;

use super::scenario::{Course, Illness};
use crate::reading::Signs;

/// A patient at rest, their wandering about it, and their course.
#[derive(Debug)]
pub(super) struct Patient {
    rest: Vitals,
    height: Vitals,
    course: Course,
    arousal: RandomWalk,
    heart_rate: RandomWalk,
    spo2: RandomWalk,
    pressure: RandomWalk,
    temperature: RandomWalk,
}

/// The signs before they are rounded.
#[derive(Debug, Clone, Copy)]
struct Vitals {
    heart_rate: f64,
    spo2: f64,
    systolic: f64,
    /// Systolic minus diastolic: what keeps the one above the other.
    pulse_pressure: f64,
    respiratory_rate: f64,
    temperature: f64,
}

impl Patient {
    pub(super) fn new(course: Course, random: &mut StdRng) -> Self {
        let rest = Vitals::at_rest(random);
        let height = Vitals::at_height(rest, course.illness, random);
        Self {
            rest,
            height,
            course,
            arousal: RandomWalk::within(1.0),
            heart_rate: RandomWalk::within(6.0),
            spo2: RandomWalk::within(2.0),
            pressure: RandomWalk::within(20.0),
            temperature: RandomWalk::within(0.6),
        }
    }

    /// Lives one step and measures all signs.
    pub(super) fn step(&mut self, random: &mut StdRng) -> Signs {
        let severity = self.course.step(random);
        let arousal = self.arousal.step(random);
        let mut state = self.rest.towards(self.height, severity);
        state.heart_rate += 12.0 * arousal + self.heart_rate.step(random) + jitter(random);
        state.respiratory_rate += 4.0 * arousal + jitter(random);
        state.systolic += 15.0 * arousal + self.pressure.step(random) + jitter(random);
        state.pulse_pressure += 5.0 * arousal;
        state.spo2 += self.spo2.step(random) + jitter(random) / 2.0;
        state.temperature += self.temperature.step(random);
        state.signs()
    }
}

/// How much of the distance to zero a step takes back: a deviation halves in about seven steps.
const RETURN: f64 = 0.1;

/// A mean-reverting random walk with a hard bound. Its usual size is an eighth of the bound.
#[derive(Debug)]
pub(super) struct RandomWalk {
    value: f64,
    bound: f64,
}

impl RandomWalk {
    /// A walk that begins at zero and stays within ± `bound`: with steps of at most `RETURN * bound`, the return is
    /// never smaller than the push.
    pub(super) fn within(bound: f64) -> Self {
        Self { value: 0.0, bound }
    }

    pub(super) fn step(&mut self, random: &mut StdRng) -> f64 {
        let push = random.random_range(-1.0..=1.0) * RETURN * self.bound;
        self.value = self.value * (1.0 - RETURN) + push;
        self.value
    }
}

/// What a measurement adds by itself.
fn jitter(random: &mut StdRng) -> f64 {
    random.random_range(-1.0..=1.0)
}

impl Vitals {
    /// An adult at rest. With all deviations of [`Patient::step`] the heart rate stays below 103 and `SpO2` above 93, so
    /// that a stable patient raises no alert.
    fn at_rest(random: &mut StdRng) -> Self {
        Self {
            heart_rate: (58.0..84.0).fake_with_rng(random),
            spo2: (96.0..98.5).fake_with_rng(random),
            systolic: (108.0..138.0).fake_with_rng(random),
            pulse_pressure: (36.0..52.0).fake_with_rng(random),
            respiratory_rate: (12.0..18.0).fake_with_rng(random),
            temperature: (36.4..37.2).fake_with_rng(random),
        }
    }

    /// The height of the patient's episodes. Tachycardia and sepsis end above 110 /min and desaturation below 92 %, with
    /// all deviations against them.
    fn at_height(rest: Self, illness: Option<Illness>, random: &mut StdRng) -> Self {
        match illness {
            None => rest,
            Some(Illness::Tachycardia) => Self {
                heart_rate: (132.0..158.0).fake_with_rng(random),
                systolic: rest.systolic - 10.0,
                pulse_pressure: rest.pulse_pressure - 8.0,
                respiratory_rate: rest.respiratory_rate + 3.0,
                ..rest
            },
            Some(Illness::Desaturation) => Self {
                spo2: (80.0..88.0).fake_with_rng(random),
                heart_rate: rest.heart_rate + 12.0,
                systolic: rest.systolic + 8.0,
                respiratory_rate: rest.respiratory_rate + 9.0,
                ..rest
            },
            Some(Illness::Sepsis) => Self {
                heart_rate: (131.0..142.0).fake_with_rng(random),
                spo2: rest.spo2 - 4.0,
                systolic: (88.0..98.0).fake_with_rng(random),
                pulse_pressure: (28.0..36.0).fake_with_rng(random),
                respiratory_rate: (25.0..31.0).fake_with_rng(random),
                temperature: (38.4..39.8).fake_with_rng(random),
            },
        }
    }

    fn towards(self, other: Self, severity: f64) -> Self {
        let between = |from: f64, to: f64| from + (to - from) * severity;
        Self {
            heart_rate: between(self.heart_rate, other.heart_rate),
            spo2: between(self.spo2, other.spo2),
            systolic: between(self.systolic, other.systolic),
            pulse_pressure: between(self.pulse_pressure, other.pulse_pressure),
            respiratory_rate: between(self.respiratory_rate, other.respiratory_rate),
            temperature: between(self.temperature, other.temperature),
        }
    }

    /// What the monitor shows: whole numbers, and a temperature with one decimal.
    fn signs(self) -> Signs {
        Signs {
            heart_rate: Some(whole(self.heart_rate)),
            spo2: Some(whole(self.spo2.min(100.0))),
            systolic: Some(whole(self.systolic)),
            diastolic: Some(whole(self.systolic - self.pulse_pressure)),
            respiratory_rate: Some(whole(self.respiratory_rate)),
            temperature: Some(tenths(self.temperature)),
        }
    }
}

#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "signs are far within an i32")]
fn whole(value: f64) -> i32 {
    value.round() as i32
}

#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the width of the column")]
fn tenths(value: f64) -> f32 {
    ((value * 10.0).round() / 10.0) as f32
}
