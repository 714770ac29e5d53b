//! One simulated patient.

use std::ops::Range;

use fake::Fake;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use super::drift::{Drift, Pace, noise};
use super::scenario::{Course, Illness, Plan};
use crate::reading::{Consciousness, Observed, Signs};

/// A patient at rest, their drifting about it, and their course. What becomes of them depends on nobody else.
#[derive(Debug)]
pub(super) struct Patient {
    random: Xoshiro256PlusPlus,
    rest: Vitals,
    height: Vitals,
    plan: Plan,
    course: Course,
    /// How far the episode has come, from 0 (at rest) to 1 (its height).
    severity: f64,
    arousal: Drift,
    heart_rate: Drift,
    spo2: Drift,
    pressure: Drift,
    temperature: Drift,
}

/// The signs before they are rounded.
#[derive(Debug, Clone, Copy)]
struct Vitals {
    heart_rate: f64,
    spo2: f64,
    systolic: f64,
    diastolic: f64,
    respiratory_rate: f64,
    temperature: f64,
}

/// Who is gravely ill varies less: this much of what drifts is gone at the height of an episode. It also keeps a value
/// that has crossed a limit from crossing it back.
const STIFFNESS: f64 = 0.7;

/// From which severity on a patient who is short of oxygen is given some, and from which on one who is gravely ill is
/// not alert.
const OXYGEN_FROM: f64 = 0.5;
const NOT_ALERT_FROM: f64 = 0.9;

impl Patient {
    pub(super) fn new(plan: Plan, random: &mut Xoshiro256PlusPlus) -> Self {
        let mut random = Xoshiro256PlusPlus::from_rng(random);
        let rest = Vitals::at_rest(&mut random);
        Self {
            rest,
            height: Vitals::at_height(rest, plan, &mut random),
            plan,
            course: Course::new(plan, &mut random),
            severity: 0.0,
            arousal: Drift::default(),
            heart_rate: Drift::default(),
            spo2: Drift::default(),
            pressure: Drift::default(),
            temperature: Drift::default(),
            random,
        }
    }

    /// Lives one step and measures all signs.
    pub(super) fn step(&mut self, pace: &Pace) -> Signs {
        let random = &mut self.random;
        let severity = self.course.step(pace.seconds, random);
        self.severity = severity;
        let lively = 1.0 - STIFFNESS * severity;
        let arousal = self.arousal.step(pace.slow, random);
        let heart_rate = 6.0 * arousal + 3.5 * self.heart_rate.step(pace.quick, random);
        let pressure = 5.0 * arousal + 4.0 * self.pressure.step(pace.slow, random);
        let mut state = self.rest.towards(self.height, severity);
        state.heart_rate += lively * heart_rate + noise(random);
        state.spo2 += 0.6 * self.spo2.step(pace.quick, random) + 0.3 * noise(random);
        state.systolic += lively * pressure + 1.5 * noise(random);
        state.diastolic += lively * 0.6 * pressure + noise(random);
        state.respiratory_rate += lively * 1.7 * arousal + 0.8 * noise(random);
        state.temperature += lively * 0.3 * self.temperature.step(pace.slow, random);
        state.signs()
    }

    /// What somebody sees who looks at the patient now.
    pub(super) fn observed(&self) -> Observed {
        let Plan { illness, is_mild, .. } = self.plan;
        let is_given = matches!(illness, Some(Illness::Desaturation | Illness::Sepsis)) && self.severity > OXYGEN_FROM;
        let at_height = match illness {
            Some(Illness::Sepsis) => Consciousness::Confusion,
            Some(Illness::Desaturation) if !is_mild => Consciousness::Confusion,
            Some(Illness::Hypotension) if !is_mild => Consciousness::Voice,
            _ => Consciousness::Alert,
        };
        let state = if self.severity > NOT_ALERT_FROM { at_height } else { Consciousness::Alert };
        Observed { supplemental_oxygen: Some(is_given), consciousness: Some(state) }
    }
}

impl Vitals {
    /// An adult at rest. With all deviations of [`Patient::step`] the signs stay where neither the coursework consumer
    /// nor a NEWS2 of 3 points has anything to say, and within what the coursework producer sends.
    fn at_rest(random: &mut Xoshiro256PlusPlus) -> Self {
        Self {
            heart_rate: (62.0..80.0).fake_with_rng(random),
            spo2: (96.5..98.5).fake_with_rng(random),
            systolic: (112.0..127.0).fake_with_rng(random),
            diastolic: (68.0..80.0).fake_with_rng(random),
            respiratory_rate: (13.0..17.0).fake_with_rng(random),
            temperature: (36.4..37.0).fake_with_rng(random),
        }
    }

    /// The height of the patient's episodes, which with all deviations is on the far side of the limits that the episode
    /// is about. A mild one stays within what the coursework producer sends.
    fn at_height(rest: Self, plan: Plan, random: &mut Xoshiro256PlusPlus) -> Self {
        let Some(illness) = plan.illness else { return rest };
        let mut among = |mild: Range<f64>, grave: Range<f64>| -> f64 {
            if plan.is_mild { mild.fake_with_rng(random) } else { grave.fake_with_rng(random) }
        };
        match illness {
            Illness::Tachycardia => Self {
                heart_rate: among(114.5..116.5, 134.0..152.0),
                systolic: rest.systolic - 6.0,
                diastolic: rest.diastolic - 4.0,
                respiratory_rate: rest.respiratory_rate + 4.0,
                temperature: among(38.2..38.7, 38.4..39.3),
                ..rest
            },
            Illness::Desaturation => Self {
                heart_rate: rest.heart_rate + 12.0,
                spo2: among(89.2..90.2, 78.0..82.0),
                systolic: rest.systolic + 6.0,
                respiratory_rate: rest.respiratory_rate + 8.0,
                ..rest
            },
            Illness::Hypotension => Self {
                heart_rate: rest.heart_rate + 15.0,
                systolic: among(94.5..97.0, 74.0..84.0),
                diastolic: among(63.0..65.0, 42.0..50.0),
                respiratory_rate: rest.respiratory_rate + 2.0,
                ..rest
            },
            Illness::Sepsis => Self {
                heart_rate: among(114.5..116.5, 131.0..142.0),
                spo2: among(93.5..94.5, 92.6..94.5),
                systolic: among(94.5..98.0, 80.0..87.0),
                diastolic: among(63.0..66.0, 46.0..54.0),
                respiratory_rate: among(25.0..28.0, 26.0..31.0),
                temperature: among(38.3..38.8, 38.6..39.8),
            },
        }
    }

    fn towards(self, other: Self, severity: f64) -> Self {
        let between = |from: f64, to: f64| from + (to - from) * severity;
        Self {
            heart_rate: between(self.heart_rate, other.heart_rate),
            spo2: between(self.spo2, other.spo2),
            systolic: between(self.systolic, other.systolic),
            diastolic: between(self.diastolic, other.diastolic),
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
            diastolic: Some(whole(self.diastolic)),
            respiratory_rate: Some(whole(self.respiratory_rate)),
            temperature: Some(tenths(self.temperature)),
            ..Signs::default()
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
