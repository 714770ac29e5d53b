//! What a rule can watch.

use std::fmt;

use super::Micros;
use crate::reading::Sign;
use crate::score::{BuiltIn, Scale};

/// A quantity that a reading gives, alone or with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A vital sign, in its own unit.
    Sign(Sign),
    /// What two signs make that were measured shortly one after the other.
    Derived(Derived),
    /// The total of a chart over the newest value of each of its inputs, observations included. What is missing has no
    /// points, so that it is the least that the score can be.
    Score {
        /// What has which points.
        chart: BuiltIn,
        /// The place of the one item whose points count alone; the total where there is none.
        item: Option<u8>,
        /// How old an input may be.
        max_age: Micros,
        /// By which scale the oxygen saturation counts: of a whole set the first one, the second for some patients.
        scale: Scale,
    },
}

impl Quantity {
    /// All that a file of rules can name as a sign, in the order in which they are listed.
    pub const SIGNS: [Self; 9] = {
        let [a, b, c, d, e, f] = Sign::ALL;
        let [g, h, i] = Derived::ALL;
        [
            Self::Sign(a),
            Self::Sign(b),
            Self::Sign(c),
            Self::Sign(d),
            Self::Sign(e),
            Self::Sign(f),
            Self::Derived(g),
            Self::Derived(h),
            Self::Derived(i),
        ]
    };

    /// Its name in a file of rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sign(sign) => sign.name(),
            Self::Derived(derived) => derived.name(),
            Self::Score { chart, .. } => chart.name(),
        }
    }

    /// The sign, or what is derived of two, of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::SIGNS.into_iter().find(|quantity| quantity.name() == name)
    }

    /// Whether it is this sign, or is made of it alone or with another one. A score is of a patient.
    pub(super) fn concerns(self, sign: Sign) -> bool {
        match self {
            Self::Sign(own) => own == sign,
            Self::Derived(derived) => derived.signs().contains(&sign),
            Self::Score { .. } => false,
        }
    }

    /// Whether two are the same thing for whoever hears of them: scores of one chart are, whatever may be how old.
    pub(super) fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Score { chart, item, .. }, Self::Score { chart: other_chart, item: other_item, .. }) => {
                chart == other_chart && item == other_item
            }
            _ => self == other,
        }
    }
}

/// The most points that a score, or one item of it, can have, and the least.
pub(super) fn points(chart: BuiltIn, item: Option<u8>) -> [u8; 2] {
    match item.and_then(|item| chart.chart().item(item)) {
        Some(item) => [0, item.most()],
        None => chart.chart().range(),
    }
}

/// As it stands in a title: `SpO2`, `systolic pressure`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = match self {
            Self::Score { chart, item: Some(item), .. } => chart.chart().item(*item),
            _ => None,
        };
        if let Some(item) = item {
            write!(f, "{} in ", item.name().replace('_', " "))?;
        }
        f.write_str(match self {
            Self::Sign(Sign::HeartRate) => "heart rate",
            Self::Sign(Sign::Spo2) => "SpO2",
            Self::Sign(Sign::Systolic) => "systolic pressure",
            Self::Sign(Sign::Diastolic) => "diastolic pressure",
            Self::Sign(Sign::RespiratoryRate) => "respiratory rate",
            Self::Sign(Sign::Temperature) => "temperature",
            Self::Derived(Derived::MeanArterialPressure) => "mean arterial pressure",
            Self::Derived(Derived::PulsePressure) => "pulse pressure",
            Self::Derived(Derived::ShockIndex) => "shock index",
            Self::Score { chart, .. } => chart.chart().name(),
        })
    }
}

/// What two signs make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    /// Mean arterial pressure, mmHg: diastolic plus a third of the pulse pressure.
    MeanArterialPressure,
    /// Pulse pressure, mmHg: systolic less diastolic.
    PulsePressure,
    /// Shock index: heart rate by systolic pressure (Allgöwer and Burri 1967).
    ShockIndex,
}

impl Derived {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::MeanArterialPressure, Self::PulsePressure, Self::ShockIndex];

    const fn name(self) -> &'static str {
        match self {
            Self::MeanArterialPressure => "mean_arterial_pressure",
            Self::PulsePressure => "pulse_pressure",
            Self::ShockIndex => "shock_index",
        }
    }

    /// What it is made of.
    pub(in crate::alarm) const fn signs(self) -> [Sign; 2] {
        match self {
            Self::MeanArterialPressure | Self::PulsePressure => [Sign::Systolic, Sign::Diastolic],
            Self::ShockIndex => [Sign::HeartRate, Sign::Systolic],
        }
    }

    /// Its value where its signs have these. Pressures in the wrong order give none.
    pub(in crate::alarm) fn of(self, first: f64, second: f64) -> Option<f64> {
        let pulse_pressure = Some(first - second).filter(|pressure| *pressure > 0.0);
        match self {
            Self::MeanArterialPressure => pulse_pressure.map(|pressure| second + pressure / 3.0),
            Self::PulsePressure => pulse_pressure,
            Self::ShockIndex => Some(first / second),
        }
    }
}

/// What is made of a quantity's values before they are held against the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The value itself.
    Value,
    /// How far it has risen above its lowest value of this span.
    Rise(Micros),
    /// How far it has fallen below its highest value of this span, as a negative number.
    Fall(Micros),
    /// The value with its standard deviation over this span added (a limit above) or taken off (a limit below). On minute
    /// data that tells a crossing within ten minutes better than the value alone, and better than its slope.
    Early(Micros),
}

impl Form {
    /// Over which span it looks back.
    pub fn span(self) -> Micros {
        match self {
            Self::Value => 0,
            Self::Rise(span) | Self::Fall(span) | Self::Early(span) => span,
        }
    }
}

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// The quantity.
    pub quantity: Quantity,
    /// What is made of it.
    pub form: Form,
}

impl Measure {
    /// How far back readings have a part in it that need not come shortly after one another.
    pub fn looks_back(self) -> Micros {
        match self.quantity {
            Quantity::Score { max_age, .. } => self.form.span().saturating_add(max_age),
            Quantity::Sign(_) | Quantity::Derived(_) => self.form.span(),
        }
    }
}
