//! Which values are believed.
//!
//! Real recordings hold an `SpO2` of 29 %, a heart rate of 0 while a lead is off, and temperatures in Fahrenheit. Such a
//! reading is stored as it was sent; here is decided which of its signs are marked wherever they are shown.

use std::fmt;

use super::Priority;
use crate::reading::{Sign, Signs};

/// The believed range of a sign, both ends included.
#[must_use]
pub fn range(sign: Sign) -> (f64, f64) {
    match sign {
        Sign::HeartRate => (1.0, 350.0),
        Sign::Spo2 => (1.0, 100.0),
        Sign::Systolic => (20.0, 350.0),
        Sign::Diastolic => (10.0, 250.0),
        Sign::RespiratoryRate => (1.0, 120.0),
        Sign::Temperature => (20.0, 46.0),
    }
}

/// A temperature in this range is a plausible one in Fahrenheit.
const FAHRENHEIT: (f64, f64) = (86.0, 115.0);

/// Why a sign is not believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Implausible {
    /// The value lies outside of [`range`].
    Range {
        /// Which sign.
        sign: Sign,
        /// Its value.
        value: f64,
    },
    /// The diastolic pressure is not below the systolic one. Both are in doubt.
    Pressure {
        /// mmHg.
        systolic: i32,
        /// mmHg.
        diastolic: i32,
    },
}

impl Eq for Implausible {}

impl Implausible {
    /// Whether `sign` is one that is not believed.
    #[must_use]
    pub fn concerns(&self, sign: Sign) -> bool {
        self.doubt().concerns(sign)
    }

    /// The value that is not believed.
    #[must_use]
    pub fn value(&self) -> f64 {
        match self {
            Self::Range { value, .. } => *value,
            Self::Pressure { diastolic, .. } => f64::from(*diastolic),
        }
    }

    /// No heart rate or no breathing is either the worst that can happen or a sensor that fell off: never silence.
    #[must_use]
    pub fn priority(&self) -> Priority {
        match self {
            Self::Range { sign: Sign::HeartRate | Sign::RespiratoryRate, value } if *value == 0.0 => Priority::High,
            _ => Priority::Low,
        }
    }

    /// The stable name of the technical rule.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn rule_name(&self) -> &'static str {
        self.doubt().rule_name()
    }

    /// What is in doubt.
    pub fn doubt(&self) -> Doubt {
        match self {
            Self::Range { sign, .. } => Doubt::Range(*sign),
            Self::Pressure { .. } => Doubt::Pressure,
        }
    }
}

/// What can be in doubt of a reading: each is a technical rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// A sign outside of its [`range`].
    Range(Sign),
    /// A diastolic pressure that is not below the systolic one.
    Pressure,
}

impl Doubt {
    /// All of them.
    pub const ALL: [Self; 7] = {
        let [a, b, c, d, e, f] = Sign::ALL;
        [Self::Range(a), Self::Range(b), Self::Range(c), Self::Range(d), Self::Range(e), Self::Range(f), Self::Pressure]
    };

    /// The stable name of its rule.
    pub fn rule_name(self) -> &'static str {
        match self {
            Self::Range(Sign::HeartRate) => "heart_rate_implausible",
            Self::Range(Sign::Spo2) => "spo2_implausible",
            Self::Range(Sign::Systolic) => "systolic_implausible",
            Self::Range(Sign::Diastolic) => "diastolic_implausible",
            Self::Range(Sign::RespiratoryRate) => "respiratory_rate_implausible",
            Self::Range(Sign::Temperature) => "temperature_implausible",
            Self::Pressure => "blood_pressure_implausible",
        }
    }

    /// Whether `sign` is one that is in doubt.
    pub(super) fn concerns(self, sign: Sign) -> bool {
        match self {
            Self::Range(doubted) => doubted == sign,
            Self::Pressure => matches!(sign, Sign::Systolic | Sign::Diastolic),
        }
    }

    /// What an alarm with this `value` is shown as.
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Range(sign) => Implausible::Range { sign, value }.to_string(),
            Self::Pressure => format!("Diastolic pressure not below systolic: {value}"),
        }
    }

    /// Whether `signs` can tell that it is over.
    pub(super) fn can_be_told(self, signs: &Signs) -> bool {
        match self {
            Self::Range(sign) => signs.get(sign).is_some(),
            Self::Pressure => signs.systolic.is_some() && signs.diastolic.is_some(),
        }
    }
}

impl fmt::Display for Implausible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { sign: Sign::HeartRate, value } if *value == 0.0 => {
                f.write_str("Heart rate 0: asystole or lead off")
            }
            Self::Range { sign: Sign::RespiratoryRate, value } if *value == 0.0 => {
                f.write_str("Respiratory rate 0: apnoea or sensor off")
            }
            Self::Range { sign: Sign::Temperature, value } if (FAHRENHEIT.0..=FAHRENHEIT.1).contains(value) => {
                write!(f, "Implausible temperature: {value} (Fahrenheit?)")
            }
            Self::Range { sign, value } => write!(f, "Implausible {sign}: {value}"),
            Self::Pressure { systolic, diastolic } => {
                write!(f, "Implausible blood pressure: {systolic}/{diastolic}")
            }
        }
    }
}

/// A temperature comes from an f32: 97.2 there is 97.19999694824219 as a double. What was sent is its shortest text.
fn as_sent(signs: &Signs, sign: Sign, value: f64) -> f64 {
    let temperature = signs.temperature.filter(|_| sign == Sign::Temperature);
    temperature.and_then(|degrees| degrees.to_string().parse().ok()).unwrap_or(value)
}

/// Gives the signs of one reading that are not believed, each once.
#[must_use]
pub fn implausible(signs: &Signs) -> Vec<Implausible> {
    let mut doubts: Vec<_> = Sign::ALL
        .into_iter()
        .filter_map(|sign| {
            let value = signs.get(sign)?;
            let (low, high) = range(sign);
            (!(low..=high).contains(&value)).then(|| Implausible::Range { sign, value: as_sent(signs, sign, value) })
        })
        .collect();
    let in_doubt = |doubts: &[Implausible], sign| doubts.iter().any(|doubt| doubt.concerns(sign));
    if let (Some(systolic), Some(diastolic)) = (signs.systolic, signs.diastolic)
        && diastolic >= systolic
        && !in_doubt(&doubts, Sign::Systolic)
        && !in_doubt(&doubts, Sign::Diastolic)
    {
        doubts.push(Implausible::Pressure { systolic, diastolic });
    }
    doubts
}
