//! What the readings of one patient come to.

use std::fmt;

use crate::admission::Admission;
use crate::alarm::Newest;
use crate::alarm::RunningScore;
use crate::alarm::rules::{Micros, SECOND};
use crate::cmd::common::score::time_of;
use crate::reading::{Consciousness, Observation, Sign};
use crate::score::{BuiltIn, Inputs, Item, Scale, Score};
use crate::store::StoredReading;

/// Over so many readings a score is smoothed: with [`ALPHA`], what is older has half a percent of a say.
pub(super) const SMOOTHED: u32 = 50;

/// How much a new score has to say in the smoothed one. Of what needs no training, that told sepsis best on hourly
/// readings.
const ALPHA: f64 = 0.1;

/// Who has no reading of this time is stale.
const STALE_AFTER: Micros = 60 * 60 * SECOND;

/// A patient and its score.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scored {
    pub(super) by: BuiltIn,
    pub(super) patient: String,
    /// What is known of who it is.
    pub(super) admission: Option<Admission>,
    /// When it was looked at.
    now: Micros,
    /// The time of the newest reading.
    pub(super) newest: Micros,
    /// None where no reading has an observation of the score, or a sign that is believed.
    pub(super) current: Option<Current>,
}

/// A score at the newest reading that has a part in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Current {
    pub(super) score: Score,
    pub(super) smoothed: f64,
    /// In the order of the chart.
    pub(super) parts: Vec<Part>,
}

/// An item of the score. Without a value, it has no points.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) item: &'static Item,
    pub(super) points: Option<u8>,
    pub(super) value: Option<PartValue>,
    /// When that was measured, and how long before it was looked at; of two signs, the older one.
    pub(super) measured: Option<(Micros, Micros)>,
}

/// What an item has its points for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PartValue {
    /// Of a sign, or a ratio of two.
    Number(f64),
    /// Of oxygen.
    Flag(bool),
    /// Of consciousness.
    Letter(&'static str),
}

impl Scored {
    /// What `readings` come to, in whatever order they are. None where none of them has a time.
    pub(super) fn of(
        by: BuiltIn,
        (patient, admission): (String, Option<Admission>),
        readings: &[StoredReading],
        now: Micros,
    ) -> Option<Self> {
        let spo2_scale = admission.as_ref().map_or(Scale::One, |admission| admission.spo2_scale);
        let mut readings: Vec<_> = readings.iter().filter_map(|reading| Some((time_of(reading)?, reading))).collect();
        readings.sort_by_key(|(time, _)| *time);
        let (newest_time, _) = *readings.last()?;
        let before = readings.len().saturating_sub(usize::try_from(SMOOTHED).unwrap_or(usize::MAX));
        let mut running = RunningScore::of(by, spo2_scale);
        let mut smoothed: Option<f64> = None;
        let mut current = None;
        for (number, (time, reading)) in readings.into_iter().enumerate() {
            let Some((score, inputs)) = running.take(time, &reading.signs) else { continue };
            let total = f64::from(score.total);
            if number >= before {
                smoothed = Some(smoothed.map_or(total, |smoothed| smoothed + ALPHA * (total - smoothed)));
            }
            current = Some((score, inputs, running.newest()));
        }
        let current = current.map(|(score, inputs, newest)| {
            let items = by.chart().items().iter().zip(score.parts);
            let parts = items.map(|(item, points)| Part::of(item, points, &inputs, &newest, now)).collect();
            Current { score, smoothed: smoothed.unwrap_or_else(|| score.total.into()), parts }
        });
        Some(Self { by, patient, admission, now, newest: newest_time, current })
    }

    /// How long before it was looked at the newest reading was.
    pub(super) fn age(&self) -> Micros {
        self.now.saturating_sub(self.newest)
    }

    pub(super) fn is_stale(&self) -> bool {
        self.age() > STALE_AFTER
    }

    pub(super) fn smoothed(&self) -> Option<f64> {
        self.current.as_ref().map(|current| current.smoothed)
    }

    pub(super) fn total(&self) -> Option<u8> {
        self.current.as_ref().map(|current| current.score.total)
    }
}

impl Part {
    fn of(item: &'static Item, points: Option<u8>, inputs: &Inputs, newest: &Newest, now: Micros) -> Self {
        let value = PartValue::of(item, inputs);
        let times = item.signs().filter_map(|sign| newest.get(sign)).map(|(time, _)| time);
        let observed = item.observation().and_then(|of| newest.observed_at(of));
        let measured =
            times.chain(observed).min().filter(|_| value.is_some()).map(|time| (time, now.saturating_sub(time)));
        Self { item, points, value, measured }
    }
}

impl PartValue {
    fn of(item: &Item, inputs: &Inputs) -> Option<Self> {
        match item.observation() {
            None => item.value(inputs).map(shortest).map(Self::Number),
            Some(Observation::SupplementalOxygen) => inputs.supplemental_oxygen.map(Self::Flag),
            Some(Observation::Consciousness) => inputs.consciousness.map(Consciousness::name).map(Self::Letter),
        }
    }
}

/// As people get it.
impl fmt::Display for PartValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Letter(letter) => f.write_str(letter),
        }
    }
}

/// A value to the fourth decimal: one that was widened from 32 bits as it was sent, a ratio as far as it tells something.
fn shortest(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// Whether none of the readings has some observation of the score, or a believed value of some sign.
pub(super) fn is_missing_something(score: BuiltIn, readings: &[StoredReading]) -> bool {
    let mut newest = Newest::default();
    for reading in readings {
        // Whenever: those that are too old have not been read.
        newest.take(0, &reading.signs);
    }
    let is_missing = |sign: Sign| newest.get(sign).is_none();
    score.chart().signs().any(is_missing) || score.chart().observations().any(|of| newest.observed_at(of).is_none())
}
