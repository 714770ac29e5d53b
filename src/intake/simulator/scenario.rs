//! What happens to the patients of a ward.

use std::ops::Range;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// What happens on the ward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Scenario {
    /// Nobody falls ill; no alarm is raised.
    Stable,
    /// Spells of a fast heart rate, with fever.
    Tachycardia,
    /// Spells of a low oxygen saturation.
    Desaturation,
    /// Spells of a low blood pressure.
    Hypotension,
    /// A slow decline with fever, fast breathing and low pressure.
    Sepsis,
    /// Every fourth patient stays stable, the others have one of the four, and less gravely.
    #[default]
    Mixed,
}

/// So many patients fall ill soon, so that there is something to see.
const SOON: usize = 4;

impl Scenario {
    /// What is ahead of one patient after the other, without end. A ward of one has an ill patient.
    pub(super) fn plans(self) -> impl Iterator<Item = Plan> {
        use Illness::{Desaturation, Hypotension, Sepsis, Tachycardia};
        let illnesses: &[Option<Illness>] = match self {
            Self::Stable => &[None],
            Self::Tachycardia => &[Some(Tachycardia)],
            Self::Desaturation => &[Some(Desaturation)],
            Self::Hypotension => &[Some(Hypotension)],
            Self::Sepsis => &[Some(Sepsis)],
            Self::Mixed => &[
                Some(Tachycardia),
                Some(Desaturation),
                Some(Sepsis),
                None,
                Some(Desaturation),
                Some(Hypotension),
                Some(Tachycardia),
                None,
            ],
        };
        let is_mild = self == Self::Mixed;
        illnesses.iter().cycle().enumerate().map(move |(place, illness)| Plan {
            illness: *illness,
            is_mild,
            is_soon: place < SOON,
        })
    }
}

/// What is ahead of a patient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) illness: Option<Illness>,
    /// Whether the limits are crossed by little.
    pub(super) is_mild: bool,
    /// Whether the first episode is.
    is_soon: bool,
}

/// What a patient suffers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Illness {
    Tachycardia,
    Desaturation,
    Hypotension,
    Sepsis,
}

/// A patient's way through episodes, in seconds of the patient's own time.
#[derive(Debug)]
pub(super) struct Course {
    illness: Option<Illness>,
    phase: Phase,
    length: f64,
    passed: f64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Rest,
    Rise,
    Plateau,
    Fall,
}

const MINUTE: f64 = 60.0;

impl Course {
    pub(super) fn new(plan: Plan, random: &mut Xoshiro256PlusPlus) -> Self {
        // With its rise it is over the limit within five minutes. The others fall ill one by one.
        let first = if plan.is_soon { 0.6 * MINUTE..1.4 * MINUTE } else { 4.0 * MINUTE..40.0 * MINUTE };
        Self { illness: plan.illness, phase: Phase::Rest, length: random.random_range(first), passed: 0.0 }
    }

    /// Goes on by so many seconds: the severity, from 0 (at rest) to 1 (the height of the episode).
    pub(super) fn step(&mut self, seconds: f64, random: &mut Xoshiro256PlusPlus) -> f64 {
        let Some(illness) = self.illness else { return 0.0 };
        self.passed += seconds;
        // No phase is as short as a step.
        if self.passed >= self.length {
            self.passed -= self.length;
            self.phase = self.phase.next();
            self.length = random.random_range(self.phase.seconds(illness));
        }
        let part = self.passed / self.length;
        match self.phase {
            Phase::Rest => 0.0,
            Phase::Rise => smooth(part),
            Phase::Plateau => 1.0,
            Phase::Fall => 1.0 - smooth(part),
        }
    }
}

/// From 0 to 1, slowly at both ends.
fn smooth(part: f64) -> f64 {
    part * part * (3.0 - 2.0 * part)
}

impl Phase {
    /// How long it takes.
    fn seconds(self, illness: Illness) -> Range<f64> {
        use Illness::{Desaturation, Sepsis};
        let Range { start, end } = match (self, illness) {
            (Self::Rest, Sepsis) => 120.0..240.0,
            (Self::Rest, _) => 30.0..90.0,
            (Self::Rise, Sepsis) => 7.0..13.0,
            (Self::Rise, _) => 1.4..2.6,
            (Self::Plateau, Sepsis) => 20.0..40.0,
            (Self::Plateau, Desaturation) => 2.5..5.0,
            (Self::Plateau, _) => 4.0..8.0,
            (Self::Fall, Sepsis) => 13.0..26.0,
            (Self::Fall, _) => 1.5..3.5,
        };
        start * MINUTE..end * MINUTE
    }

    fn next(self) -> Self {
        match self {
            Self::Rest => Self::Rise,
            Self::Rise => Self::Plateau,
            Self::Plateau => Self::Fall,
            Self::Fall => Self::Rest,
        }
    }
}
