//! What happens to the patients of a ward.

use rand::RngExt;
use rand::rngs::StdRng;

/// What happens on the ward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Scenario {
    /// Nobody falls ill; no alert is raised.
    Stable,
    /// Spells of a fast heart rate.
    Tachycardia,
    /// Spells of a low oxygen saturation.
    Desaturation,
    /// A slow decline with fever, fast breathing and low pressure.
    Sepsis,
    /// Every fourth patient stays stable, the others have one of the three.
    #[default]
    Mixed,
}

impl Scenario {
    /// The course of one patient after the other, without end.
    pub(super) fn courses(self) -> impl Iterator<Item = Course> {
        use Illness::{Desaturation, Sepsis, Tachycardia};
        // A ward of one has an ill patient, so that there is something to see.
        let illnesses: &[Option<Illness>] = match self {
            Self::Stable => &[None],
            Self::Tachycardia => &[Some(Tachycardia)],
            Self::Desaturation => &[Some(Desaturation)],
            Self::Sepsis => &[Some(Sepsis)],
            Self::Mixed => &[Some(Tachycardia), Some(Desaturation), Some(Sepsis), None],
        };
        illnesses.iter().cycle().map(|illness| Course { illness: *illness, phase: Phase::Onset, steps: 0, done: 0 })
    }
}

/// What a patient suffers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Illness {
    Tachycardia,
    Desaturation,
    Sepsis,
}

/// A patient's way through episodes.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) illness: Option<Illness>,
    phase: Phase,
    /// How many the phase has; 0 before it begins.
    steps: u32,
    done: u32,
}

/// The first spell comes soon; later ones after a long rest.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Onset,
    Rise,
    Plateau,
    Fall,
    Rest,
}

impl Course {
    /// One step: the severity, from 0 (at rest) to 1 (the height of the episode).
    pub(super) fn step(&mut self, random: &mut StdRng) -> f64 {
        let Some(illness) = self.illness else { return 0.0 };
        let phase = self.phase;
        if self.steps == 0 {
            (self.steps, self.done) = (phase.length(illness, random), 0);
        }
        self.done += 1;
        let part = f64::from(self.done) / f64::from(self.steps);
        if self.done >= self.steps {
            (self.phase, self.steps) = (phase.next(), 0);
        }
        match phase {
            Phase::Onset | Phase::Rest => 0.0,
            Phase::Rise => part,
            Phase::Plateau => 1.0,
            Phase::Fall => 1.0 - part,
        }
    }
}

impl Phase {
    /// How many steps it takes. Onset and rise together last at most 10: with the old defaults (four patients, a message
    /// a second) a patient has 15 readings in the first minute, and an alert has to be among them.
    fn length(self, illness: Illness, random: &mut StdRng) -> u32 {
        let slow = illness == Illness::Sepsis;
        random.random_range(match self {
            Self::Onset => 2..=4,
            Self::Rise if slow => 20..=40,
            Self::Rise => 3..=6,
            Self::Plateau if slow => 60..=120,
            Self::Plateau => 6..=15,
            Self::Fall if slow => 40..=80,
            Self::Fall => 5..=12,
            Self::Rest if slow => 100..=200,
            Self::Rest => 30..=90,
        })
    }

    fn next(self) -> Self {
        match self {
            Self::Onset | Self::Rest => Self::Rise,
            Self::Rise => Self::Plateau,
            Self::Plateau => Self::Fall,
            Self::Fall => Self::Rest,
        }
    }
}
