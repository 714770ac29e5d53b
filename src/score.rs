//! Early-warning scores: what a patient's signs add up to at one moment, by a chart.
//!
//! A [`Chart`] is data. It comes from a TOML file ([`Chart::parse`], whose keys `score/file.rs` lists) or is
//! [built in](Chart::built_in). Each of its items is a sign, a ratio of two, or an observation, and is worth points by
//! the band that its value is in; their sum has a [`Level`].
//!
//! A score does not guess. An item whose input is missing, or cannot be told, has no points, and then the score is
//! partial: not to be shown as if it were whole. Points are never negative, so that the total and the level of a
//! partial score are the least that they can be; they do not say that a patient is well.
//!
//! Which inputs are too old, not believed, or not of the same moment, is for the caller to know, who leaves them out.

mod bands;
mod file;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use bands::Bands;

pub use crate::reading::Consciousness;
use crate::reading::{Observation, Sign};

/// The most items that a chart may have.
pub const MAX_ITEMS: usize = 8;

/// A chart that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// The National Early Warning Score 2.
    News2,
    /// The Modified Early Warning Score.
    Mews,
    /// The quick Sequential Organ Failure Assessment.
    Qsofa,
    /// The Systemic Inflammatory Response Syndrome, as far as vital signs tell it.
    Sirs,
    /// Heart rate by systolic pressure.
    ShockIndex,
}

static CHARTS: LazyLock<[Chart; BuiltIn::ALL.len()]> = LazyLock::new(|| {
    // A test reads them all.
    BuiltIn::ALL.map(|of| Chart::parse(of.text()).unwrap_or_default())
});

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::News2, Self::Mews, Self::Qsofa, Self::Sirs, Self::ShockIndex];

    /// Its name, and its file.
    const fn name_and_text(self) -> (&'static str, &'static str) {
        match self {
            Self::News2 => ("NEWS2", include_str!("score/charts/news2.toml")),
            Self::Mews => ("MEWS", include_str!("score/charts/mews.toml")),
            Self::Qsofa => ("qSOFA", include_str!("score/charts/qsofa.toml")),
            Self::Sirs => ("SIRS", include_str!("score/charts/sirs.toml")),
            Self::ShockIndex => ("shock_index", include_str!("score/charts/shock_index.toml")),
        }
    }

    /// What it is called in files and on the command line.
    pub const fn name(self) -> &'static str {
        self.name_and_text().0
    }

    const fn text(self) -> &'static str {
        self.name_and_text().1
    }

    /// The one of this name, in whatever letters.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name().eq_ignore_ascii_case(name))
    }

    /// The chart.
    pub fn chart(self) -> &'static Chart {
        let [news2, mews, qsofa, sirs, shock_index] = &*CHARTS;
        match self {
            Self::News2 => news2,
            Self::Mews => mews,
            Self::Qsofa => qsofa,
            Self::Sirs => sirs,
            Self::ShockIndex => shock_index,
        }
    }
}

/// The scale by which the oxygen saturation counts, where a chart has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// For nearly everybody.
    #[default]
    One,
    /// For a patient in hypercapnic respiratory failure; only where a clinician has decided so (NEWS2).
    Two,
}

impl Scale {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// What it is called by.
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The one of this number.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|scale| scale.number() == number)
    }
}

/// What is known of one patient at one moment. What is `None` is missing, and so is what is no finite number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Inputs {
    /// Heart rate, /min.
    pub heart_rate: Option<f64>,
    /// Oxygen saturation, %.
    pub spo2: Option<f64>,
    /// Systolic blood pressure, mmHg.
    pub systolic: Option<f64>,
    /// Diastolic blood pressure, mmHg.
    pub diastolic: Option<f64>,
    /// Respiratory rate, /min.
    pub respiratory_rate: Option<f64>,
    /// Body temperature, °C. One that was widened from 32 bits counts as the decimal that was sent.
    pub temperature: Option<f64>,
    /// Whether the patient breathes more than air.
    pub supplemental_oxygen: Option<bool>,
    /// How awake the patient is.
    pub consciousness: Option<Consciousness>,
    /// By which scale `spo2` counts.
    pub spo2_scale: Scale,
}

impl Inputs {
    fn get(&self, sign: Sign) -> Option<f64> {
        match sign {
            Sign::HeartRate => self.heart_rate,
            Sign::Spo2 => self.spo2,
            Sign::Systolic => self.systolic,
            Sign::Diastolic => self.diastolic,
            Sign::RespiratoryRate => self.respiratory_rate,
            Sign::Temperature => self.temperature,
        }
    }
}

/// How great the risk is that a score stands for, from the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Low.
    #[default]
    Low,
    /// A low total with one sign that is far off (NEWS2).
    LowMedium,
    /// Medium.
    Medium,
    /// High.
    High,
}

impl Level {
    /// All of them, from the lowest.
    pub const ALL: [Self; 4] = [Self::Low, Self::LowMedium, Self::Medium, Self::High];

    /// Its name in charts and for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::LowMedium => "low-medium",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a patient's signs add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// The sum of the parts that are known.
    pub total: u8,
    /// The points of each item, in the order of [`Chart::items`]; places behind the last item are empty.
    pub parts: [Option<u8>; MAX_ITEMS],
    /// Whether an item has no points: then `total` and `level` are the least that they can be.
    pub is_partial: bool,
    /// The level of the total, or that of a single item where it is higher.
    pub level: Level,
}

/// A score's items, their points, and what the total means. By default there are none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    name: String,
    source: String,
    population: String,
    note: Option<String>,
    range: [u8; 2],
    /// Of the lowest totals.
    lowest: Verdict,
    /// From which total on, rising.
    higher: Vec<(u8, Verdict)>,
    /// From how many points of a single item on.
    single: Option<(u8, Verdict)>,
    /// At most [`MAX_ITEMS`].
    items: Vec<Item>,
    /// The signs that it looks at.
    signs: Vec<Sign>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Verdict {
    level: Level,
    response: Option<String>,
}

/// What has points: a sign, a ratio of two, or an observation.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    name: String,
    worth: Worth,
}

impl Item {
    /// Its name: of a sign its own, `supplemental_oxygen`, `consciousness`, or what the file calls a ratio.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signs that it looks at.
    pub fn signs(&self) -> impl Iterator<Item = Sign> {
        let signs = match &self.worth {
            Worth::Sign(sign, _) => [Some(*sign), None],
            Worth::Ratio { of, by, .. } => [Some(*of), Some(*by)],
            Worth::Spo2 { .. } => [Some(Sign::Spo2), None],
            Worth::SupplementalOxygen { .. } | Worth::Consciousness(_) => [None, None],
        };
        signs.into_iter().flatten()
    }

    /// The observation that it is.
    pub fn observation(&self) -> Option<Observation> {
        match &self.worth {
            Worth::SupplementalOxygen { .. } => Some(Observation::SupplementalOxygen),
            Worth::Consciousness(_) => Some(Observation::Consciousness),
            Worth::Sign(..) | Worth::Ratio { .. } | Worth::Spo2 { .. } => None,
        }
    }

    /// The most points that it can have.
    pub fn most(&self) -> u8 {
        self.worth.all_points().into_iter().max().unwrap_or_default()
    }

    /// Its value, where that is a number.
    pub fn value(&self, inputs: &Inputs) -> Option<f64> {
        match &self.worth {
            Worth::Sign(sign, _) => inputs.get(*sign),
            Worth::Ratio { of, by, .. } => Some(inputs.get(*of)? / inputs.get(*by)?),
            Worth::Spo2 { .. } => inputs.spo2,
            Worth::SupplementalOxygen { .. } | Worth::Consciousness(_) => None,
        }
    }
}

/// Where an item's points come from.
#[derive(Debug, Clone, PartialEq)]
enum Worth {
    Sign(Sign, Bands),
    Ratio { of: Sign, by: Sign, bands: Bands },
    Spo2 { scale_1: Bands, scale_2: Option<ByOxygen> },
    SupplementalOxygen { without: u8, with: u8 },
    Consciousness([Option<u8>; Consciousness::ALL.len()]),
}

#[derive(Debug, Clone, PartialEq)]
struct ByOxygen {
    on_air: Bands,
    on_oxygen: Bands,
}

impl Chart {
    /// What it is called: `NEWS2`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it was published.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// For whom it was made.
    pub fn population(&self) -> &str {
        &self.population
    }

    /// What else has to be known of it.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The least and the most that a score can be.
    pub fn range(&self) -> [u8; 2] {
        self.range
    }

    /// Its items, in the order of the file.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The signs that it looks at, in the order of the file.
    pub fn signs(&self) -> impl Iterator<Item = Sign> {
        self.signs.iter().copied()
    }

    /// The observations that it looks at, in the order of the file.
    pub fn observations(&self) -> impl Iterator<Item = Observation> {
        self.items.iter().filter_map(Item::observation)
    }

    /// Adds up what `inputs` are worth.
    #[must_use]
    pub fn score(&self, inputs: &Inputs) -> Score {
        let mut parts = [None; MAX_ITEMS];
        let mut is_partial = false;
        for (part, item) in parts.iter_mut().zip(&self.items) {
            *part = item.worth.points(inputs);
            is_partial |= part.is_none();
        }
        // It fits: a chart whose items add up to more than its range, which ends at 255, is refused.
        let total = parts.iter().flatten().sum();
        Score { total, parts, is_partial, level: self.verdict(total, &parts).level }
    }

    /// The place of the item of this name.
    pub fn item_named(&self, name: &str) -> Option<u8> {
        self.items.iter().position(|item| item.name == name).and_then(|place| u8::try_from(place).ok())
    }

    /// The item at this place.
    pub fn item(&self, place: u8) -> Option<&Item> {
        self.items.get(usize::from(place))
    }

    /// What the chart tells to do about a score that it gave; about a partial one, the least of it, unless that is what
    /// it tells of everybody.
    pub fn response(&self, score: &Score) -> Option<&str> {
        let verdict = self.verdict(score.total, &score.parts);
        let says_nothing = score.is_partial && std::ptr::eq(verdict, &raw const self.lowest);
        verdict.response.as_deref().filter(|_| !says_nothing)
    }

    fn verdict(&self, total: u8, parts: &[Option<u8>]) -> &Verdict {
        let reached = self.higher.iter().rev().find(|(from, _)| *from <= total);
        let of_total = reached.map_or(&self.lowest, |(_, verdict)| verdict);
        let of_single = self.single.as_ref().filter(|(points, _)| parts.iter().flatten().any(|part| part >= points));
        match of_single {
            Some((_, single)) if single.level > of_total.level => single,
            _ => of_total,
        }
    }
}

impl Worth {
    /// All that it can be worth.
    fn all_points(&self) -> Vec<u8> {
        match self {
            Self::Sign(_, bands) | Self::Ratio { bands, .. } | Self::Spo2 { scale_1: bands, scale_2: None } => {
                bands.all().collect()
            }
            Self::Spo2 { scale_1, scale_2: Some(scale_2) } => {
                let scale_2 = scale_2.on_air.all().chain(scale_2.on_oxygen.all());
                scale_1.all().chain(scale_2).collect()
            }
            Self::SupplementalOxygen { without, with } => vec![*without, *with],
            Self::Consciousness(points) => points.iter().flatten().copied().collect(),
        }
    }

    fn points(&self, inputs: &Inputs) -> Option<u8> {
        match self {
            Self::Sign(sign, bands) => bands.points(inputs.get(*sign)?),
            Self::Ratio { of, by, bands } => bands.points(inputs.get(*of)? / inputs.get(*by)?),
            Self::Spo2 { scale_1, scale_2 } => match (inputs.spo2_scale, scale_2) {
                (Scale::Two, Some(scale_2)) => scale_2.points(inputs.spo2?, inputs.supplemental_oxygen),
                _ => scale_1.points(inputs.spo2?),
            },
            Self::SupplementalOxygen { without, with } => {
                inputs.supplemental_oxygen.map(|is_given| if is_given { *with } else { *without })
            }
            Self::Consciousness(points) => {
                let (_, points) = Consciousness::ALL
                    .into_iter()
                    .zip(points)
                    .find(|(state, _)| inputs.consciousness == Some(*state))?;
                *points
            }
        }
    }
}

impl ByOxygen {
    /// Where nobody knows whether oxygen is given, only what is worth the same either way can be told.
    fn points(&self, value: f64, oxygen: Option<bool>) -> Option<u8> {
        let (on_air, on_oxygen) = (self.on_air.points(value), self.on_oxygen.points(value));
        match oxygen {
            Some(true) => on_oxygen,
            Some(false) => on_air,
            None => on_air.filter(|_| on_air == on_oxygen),
        }
    }
}
