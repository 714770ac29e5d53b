//! The vital signs. What a sign is called, where it stands and what kind of number it is, is said here alone; messages,
//! files and columns are made by this table.

use std::fmt;

use serde::Serialize;

use super::number::{self, NumberFlaw};
use super::observation::{Observation, Observed};

/// One of the vital signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sign {
    /// Heart rate, /min.
    HeartRate,
    /// Oxygen saturation by pulse oximetry, %.
    Spo2,
    /// Systolic blood pressure, mmHg.
    Systolic,
    /// Diastolic blood pressure, mmHg.
    Diastolic,
    /// Respiratory rate, /min.
    RespiratoryRate,
    /// Body temperature, °C.
    Temperature,
}

/// The object of a message that holds the two pressures.
pub(super) const BLOOD_PRESSURE: &str = "blood_pressure";

const SIGNS: usize = 6;

/// The columns of the table of readings that each of them has had from the beginning.
pub const FIRST_COLUMNS: usize = 2 + SIGNS;

/// The columns of the table of readings, in its order: the key, the signs, then the observations.
pub const COLUMNS: [&str; FIRST_COLUMNS + Observation::ALL.len()] = {
    let [a, b, c, d, e, f] = Sign::ALL;
    let [g, h] = Observation::ALL;
    ["patient_id", "timestamp", a.name(), b.name(), c.name(), d.name(), e.name(), f.name(), g.name(), h.name()]
};

impl Sign {
    /// All signs, in the order of the table's columns.
    pub const ALL: [Self; SIGNS] =
        [Self::HeartRate, Self::Spo2, Self::Systolic, Self::Diastolic, Self::RespiratoryRate, Self::Temperature];

    /// Its name in messages, files and columns, and the heading of its column for people.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::HeartRate => ("heart_rate", "HR"),
            Self::Spo2 => ("spo2", "SPO2"),
            Self::Systolic => ("systolic", "SYS"),
            Self::Diastolic => ("diastolic", "DIA"),
            Self::RespiratoryRate => ("respiratory_rate", "RR"),
            Self::Temperature => ("temperature", "TEMP"),
        }
    }

    /// The sign's name in messages, CSV files and columns.
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
            Self::HeartRate => 0,
            Self::Spo2 => 1,
            Self::Systolic => 2,
            Self::Diastolic => 3,
            Self::RespiratoryRate => 4,
            Self::Temperature => 5,
        }
    }

    /// The sign of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sign| sign.name() == name)
    }

    /// Whether it is one of the two blood pressures, which a message has in an object of their own.
    pub const fn is_pressure(self) -> bool {
        matches!(self, Self::Systolic | Self::Diastolic)
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was measured of one sign, in the type of its column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// Of an INT column.
    Whole(i32),
    /// Of a FLOAT column.
    Decimal(f32),
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        match number {
            Number::Whole(number) => number.into(),
            Number::Decimal(number) => number.into(),
        }
    }
}

/// A decimal as the shortest text that means the same number in the width of the FLOAT column: 36.8, 37.0, 1e-45. What
/// JSON has no number for has a name, as cqlsh writes it: NaN, Infinity, -Infinity.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Whole(number) => write!(f, "{number}"),
            Self::Decimal(f32::INFINITY) => f.write_str("Infinity"),
            Self::Decimal(f32::NEG_INFINITY) => f.write_str("-Infinity"),
            // Debug keeps the point of a whole number.
            Self::Decimal(number) => write!(f, "{number:?}"),
        }
    }
}

/// What was measured and observed. A sign that is `None` was not measured, which is normal: most charted readings lack a
/// temperature.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Signs {
    /// Heart rate, /min.
    pub heart_rate: Option<i32>,
    /// Oxygen saturation, %.
    pub spo2: Option<i32>,
    /// Systolic blood pressure, mmHg.
    pub systolic: Option<i32>,
    /// Diastolic blood pressure, mmHg.
    pub diastolic: Option<i32>,
    /// Respiratory rate, /min.
    pub respiratory_rate: Option<i32>,
    /// Body temperature, °C, in the width of the table's FLOAT column.
    pub temperature: Option<f32>,
    /// What was observed beside them.
    pub observed: Observed,
}

impl Signs {
    /// Whether nothing was measured or observed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The value of `sign`, if it was measured.
    pub fn number(&self, sign: Sign) -> Option<Number> {
        match sign {
            Sign::HeartRate => self.heart_rate.map(Number::Whole),
            Sign::Spo2 => self.spo2.map(Number::Whole),
            Sign::Systolic => self.systolic.map(Number::Whole),
            Sign::Diastolic => self.diastolic.map(Number::Whole),
            Sign::RespiratoryRate => self.respiratory_rate.map(Number::Whole),
            Sign::Temperature => self.temperature.map(Number::Decimal),
        }
    }

    /// The same, whatever the type of its column.
    pub fn get(&self, sign: Sign) -> Option<f64> {
        self.number(sign).map(f64::from)
    }

    /// Takes the number that `text` writes as the value of `sign`.
    pub fn parse(&mut self, sign: Sign, text: &str) -> Result<(), NumberFlaw> {
        match sign {
            Sign::HeartRate => self.heart_rate = Some(number::whole(text)?),
            Sign::Spo2 => self.spo2 = Some(number::whole(text)?),
            Sign::Systolic => self.systolic = Some(number::whole(text)?),
            Sign::Diastolic => self.diastolic = Some(number::whole(text)?),
            Sign::RespiratoryRate => self.respiratory_rate = Some(number::whole(text)?),
            Sign::Temperature => self.temperature = Some(number::decimal(text)?),
        }
        Ok(())
    }

    /// Takes what is in `later` over these; what `later` does not carry stays.
    pub fn overlay(&mut self, later: &Self) {
        self.heart_rate = later.heart_rate.or(self.heart_rate);
        self.spo2 = later.spo2.or(self.spo2);
        self.systolic = later.systolic.or(self.systolic);
        self.diastolic = later.diastolic.or(self.diastolic);
        self.respiratory_rate = later.respiratory_rate.or(self.respiratory_rate);
        self.temperature = later.temperature.or(self.temperature);
        self.observed.overlay(later.observed);
    }
}
