//! What somebody has observed beside the signs. What an observation is called and how it is written, is said here alone.
//!
//! No device measures them, and they are no numbers: the scores alone ask for them.

use std::fmt;

/// One of the observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// Whether the patient breathes more than air.
    SupplementalOxygen,
    /// How awake the patient is.
    Consciousness,
}

impl Observation {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 2] = [Self::SupplementalOxygen, Self::Consciousness];

    /// Its name in messages, files, charts and columns, and the heading of its column for people.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::SupplementalOxygen => ("supplemental_oxygen", "O2"),
            Self::Consciousness => ("consciousness", "ACVPU"),
        }
    }

    /// Its name in messages, files, charts and columns.
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// The heading of its column for people.
    pub const fn heading(self) -> &'static str {
        self.names().1
    }

    /// Its place in [`ALL`](Self::ALL), from 0.
    pub const fn place(self) -> usize {
        match self {
            Self::SupplementalOxygen => 0,
            Self::Consciousness => 1,
        }
    }

    /// The observation of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|observation| observation.name() == name)
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How awake a patient is: the letters of ACVPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consciousness {
    /// A.
    Alert,
    /// C: confused, and was not before.
    Confusion,
    /// V: responds to a voice.
    Voice,
    /// P: responds to pain only.
    Pain,
    /// U.
    Unresponsive,
}

impl Consciousness {
    /// All of them, from the best to the worst.
    pub const ALL: [Self; 5] = [Self::Alert, Self::Confusion, Self::Voice, Self::Pain, Self::Unresponsive];

    /// Its letter, as messages and charts have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "A",
            Self::Confusion => "C",
            Self::Voice => "V",
            Self::Pain => "P",
            Self::Unresponsive => "U",
        }
    }

    /// Takes a letter; small ones are none.
    pub fn parse(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == letter)
    }
}

/// What was observed. What is `None` nobody has looked at, or said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observed {
    /// Whether the patient breathes more than air.
    pub supplemental_oxygen: Option<bool>,
    /// How awake the patient is.
    pub consciousness: Option<Consciousness>,
}

impl Observed {
    /// Nothing.
    pub const NOTHING: Self = Self { supplemental_oxygen: None, consciousness: None };

    /// Whether there is a value of `observation`.
    pub fn has(self, observation: Observation) -> bool {
        match observation {
            Observation::SupplementalOxygen => self.supplemental_oxygen.is_some(),
            Observation::Consciousness => self.consciousness.is_some(),
        }
    }

    /// The value of `observation` alone.
    #[must_use]
    pub fn only(self, observation: Observation) -> Self {
        match observation {
            Observation::SupplementalOxygen => Self { consciousness: None, ..self },
            Observation::Consciousness => Self { supplemental_oxygen: None, ..self },
        }
    }

    /// The value of `observation` as files have it, where there is one: `true`, `false`, or a letter.
    pub fn text(self, observation: Observation) -> Option<&'static str> {
        match observation {
            Observation::SupplementalOxygen => {
                self.supplemental_oxygen.map(|is_given| if is_given { "true" } else { "false" })
            }
            Observation::Consciousness => self.consciousness.map(Consciousness::name),
        }
    }

    /// Takes what a cell of a file says as the value of `observation`; `None` where that is none. cqlsh writes `True` and
    /// `False`.
    pub fn parse(&mut self, observation: Observation, text: &str) -> Option<()> {
        match observation {
            Observation::SupplementalOxygen => {
                let is_given = [false, true].into_iter().find(|value| text.eq_ignore_ascii_case(&value.to_string()))?;
                self.supplemental_oxygen = Some(is_given);
            }
            Observation::Consciousness => self.consciousness = Some(Consciousness::parse(text)?),
        }
        Some(())
    }

    /// Takes those of `later` over these; what `later` does not carry stays.
    pub fn overlay(&mut self, later: Self) {
        self.supplemental_oxygen = later.supplemental_oxygen.or(self.supplemental_oxygen);
        self.consciousness = later.consciousness.or(self.consciousness);
    }
}
