//! One reading as the rules hold it, and the newest value of each sign over several.

use super::Priority;
use super::plausible::{Doubt, implausible, range};
use super::rules::{Micros, Standing};
use crate::reading::{Observation, Observed, Sign, Signs};
use crate::score::Inputs;

/// One reading, without its patient. A sign that was not measured is NaN, which is over no limit.
///
/// Each patient has a dozen of them: it takes no room to lie at a place that eight divides.
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(4))]
pub(super) struct Sample {
    pub(super) time: Micros,
    /// In the order of [`Sign::ALL`]. All plausible values are exact in this width.
    values: [f32; Sign::ALL.len()],
    /// Nobody doubts them.
    pub(super) observed: Observed,
}

impl Sample {
    pub(super) fn new(time: Micros, signs: &Signs) -> Self {
        let mut sample = Self { time, values: [f32::NAN; Sign::ALL.len()], observed: Observed::NOTHING };
        sample.overlay(signs);
        sample
    }

    /// What was measured again counts; what was not stays.
    pub(super) fn overlay(&mut self, signs: &Signs) {
        for (place, sign) in self.values.iter_mut().zip(Sign::ALL) {
            if let Some(value) = signs.get(sign) {
                *place = narrow(value);
            }
        }
        self.observed.overlay(signs.observed);
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.observed == other.observed
            && self.values.iter().zip(other.values).all(|(one, other)| one.to_bits() == other.to_bits())
    }

    fn raw(&self, sign: Sign) -> Option<f32> {
        self.values.get(sign.place()).copied().filter(|value| !value.is_nan())
    }

    /// Its value where that is believed.
    pub(super) fn value(&self, sign: Sign) -> Option<f64> {
        self.believed(sign).map(|value| decimal(sign, value))
    }

    pub(super) fn believed(&self, sign: Sign) -> Option<f32> {
        // The ends of the ranges are whole, so that the width makes no difference.
        let in_range = |sign| self.raw(sign).filter(|value| is_within(range(sign), f64::from(*value)));
        let value = in_range(sign)?;
        let is_in_doubt = match sign {
            Sign::Systolic => in_range(Sign::Diastolic).is_some_and(|diastolic| diastolic >= value),
            Sign::Diastolic => in_range(Sign::Systolic).is_some_and(|systolic| value >= systolic),
            _ => false,
        };
        (!is_in_doubt).then_some(value)
    }

    /// Whether something in it is not believed.
    pub(super) fn is_doubted(&self) -> bool {
        Sign::ALL.into_iter().any(|sign| self.raw(sign).is_some() && self.believed(sign).is_none())
    }

    /// Where a doubt stands, with the value in doubt and how soon somebody has to act.
    pub(super) fn doubt(&self, doubt: Doubt) -> Option<(Standing, f64, Priority)> {
        let signs = self.signs();
        let found = implausible(&signs).into_iter().find(|found| found.doubt() == doubt);
        match found {
            Some(found) => Some((Standing::Over, found.value(), found.priority())),
            None => doubt.can_be_told(&signs).then_some((Standing::Back, f64::NAN, Priority::Low)),
        }
    }

    fn signs(&self) -> Signs {
        let mut signs = Signs::default();
        for sign in Sign::ALL {
            // What does not fit its column cannot have come from one.
            if let Some(value) = self.raw(sign) {
                let _ = signs.parse(sign, &decimal(sign, value).to_string());
            }
        }
        signs
    }
}

/// What is believed of `signs`, in the order of [`Sign::ALL`], each as the decimal that was sent: what rules see of them.
pub fn believed(signs: &Signs) -> [Option<f64>; Sign::ALL.len()] {
    let sample = Sample::new(0, signs);
    Sign::ALL.map(|sign| sample.value(sign))
}

fn is_within((low, high): (f64, f64), value: f64) -> bool {
    (low..=high).contains(&value)
}

#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "there is no other way from f64 to f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// The decimal that an f32 was read from: 36.05 as an f32 lies below 36.05, and would miss a limit of that value. Only a
/// temperature can have a fraction.
fn decimal(sign: Sign, value: f32) -> f64 {
    let wide = f64::from(value);
    if sign != Sign::Temperature {
        return wide;
    }
    let short = (wide * 10_000.0).round() / 10_000.0;
    if narrow(short).to_bits() == value.to_bits() { short } else { value.to_string().parse().unwrap_or(wide) }
}

/// The newest believed value of each sign, and the newest of each observation.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    times: [Micros; Sign::ALL.len()],
    /// NaN where there is none.
    values: [f32; Sign::ALL.len()],
    /// In the order of [`Observation::ALL`].
    observed_at: [Micros; Observation::ALL.len()],
    observed: Observed,
}

impl Default for Newest {
    fn default() -> Self {
        Self {
            times: [Micros::MIN; Sign::ALL.len()],
            values: [f32::NAN; Sign::ALL.len()],
            observed_at: [Micros::MIN; Observation::ALL.len()],
            observed: Observed::NOTHING,
        }
    }
}

impl Newest {
    /// Takes a reading; of two of one time, the later one.
    pub fn take(&mut self, time: Micros, signs: &Signs) {
        self.note(&Sample::new(time, signs));
    }

    /// Forgets what is of a time after `limit`.
    pub(super) fn forget_past(&mut self, limit: Micros) {
        for (time, value) in self.times.iter_mut().zip(&mut self.values).filter(|(time, _)| **time > limit) {
            (*time, *value) = (Micros::MIN, f32::NAN);
        }
        self.observed = self.observed_where(|time| time <= limit);
        self.observed_at.iter_mut().filter(|time| **time > limit).for_each(|time| *time = Micros::MIN);
    }

    /// Tells whether something changed.
    pub(super) fn note(&mut self, sample: &Sample) -> bool {
        let mut has_changed = false;
        for ((time, value), sign) in self.times.iter_mut().zip(&mut self.values).zip(Sign::ALL) {
            if let Some(believed) = sample.believed(sign).filter(|_| *time <= sample.time) {
                has_changed |= *time < sample.time || value.to_bits() != believed.to_bits();
                (*time, *value) = (sample.time, believed);
            }
        }
        let was = self.observed;
        for (time, observation) in self.observed_at.iter_mut().zip(Observation::ALL) {
            if sample.observed.has(observation) && *time <= sample.time {
                has_changed |= *time < sample.time;
                *time = sample.time;
                self.observed.overlay(sample.observed.only(observation));
            }
        }
        has_changed || self.observed != was
    }

    /// The value of `sign` and when it was measured.
    pub fn get(&self, sign: Sign) -> Option<(Micros, f64)> {
        self.get_since(sign, Micros::MIN)
            .map(|value| (self.times.get(sign.place()).copied().unwrap_or_default(), value))
    }

    /// The value of `sign` where it is no older than that.
    pub(super) fn get_since(&self, sign: Sign, oldest: Micros) -> Option<f64> {
        self.raw_since(sign, oldest).map(|value| decimal(sign, value))
    }

    /// When `observation` was made.
    pub fn observed_at(&self, observation: Observation) -> Option<Micros> {
        self.observed_at.get(observation.place()).copied().filter(|_| self.observed.has(observation))
    }

    /// What was observed no longer ago than that.
    pub(super) fn observed_since(&self, oldest: Micros) -> Observed {
        self.observed_where(|time| time >= oldest)
    }

    fn observed_where(&self, is_wanted: impl Fn(Micros) -> bool) -> Observed {
        let mut wanted = Observed::NOTHING;
        for (_, observation) in self.observed_at.into_iter().zip(Observation::ALL).filter(|(time, _)| is_wanted(*time))
        {
            wanted.overlay(self.observed.only(observation));
        }
        wanted
    }

    fn raw_since(&self, sign: Sign, oldest: Micros) -> Option<f32> {
        let (time, value) = self.times.get(sign.place()).zip(self.values.get(sign.place()))?;
        (*time >= oldest && !value.is_nan()).then_some(*value)
    }

    /// What is no older than that, for a chart.
    pub fn inputs_since(&self, oldest: Micros) -> Inputs {
        // A chart takes a widened temperature as the decimal that was sent.
        inputs(|sign| self.raw_since(sign, oldest).map(f64::from), self.observed_since(oldest))
    }
}

/// What a chart makes a score of. Who is on scale 2 is not known.
pub(super) fn inputs(of: impl Fn(Sign) -> Option<f64>, observed: Observed) -> Inputs {
    Inputs {
        heart_rate: of(Sign::HeartRate),
        spo2: of(Sign::Spo2),
        systolic: of(Sign::Systolic),
        diastolic: of(Sign::Diastolic),
        respiratory_rate: of(Sign::RespiratoryRate),
        temperature: of(Sign::Temperature),
        supplemental_oxygen: observed.supplemental_oxygen,
        consciousness: observed.consciousness,
        ..Inputs::default()
    }
}
