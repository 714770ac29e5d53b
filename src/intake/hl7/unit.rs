//! Units of observations: what they are called, and what a value comes to in the unit of its sign.

use crate::reading::Sign;

/// A unit of a vital sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    PerMinute,
    Percent,
    MmHg,
    KiloPascal,
    Celsius,
    Fahrenheit,
}

/// What a value has to be multiplied by, behind what has to be added to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Conversion {
    pub(super) add: f64,
    pub(super) factor: f64,
}

impl Conversion {
    /// Of a value that is in the unit of its sign.
    pub(super) const NONE: Self = Self { add: 0.0, factor: 1.0 };
}

/// The names of each: of UCUM, of IEEE 11073 as number and name, the same as Philips writes it, and what people write.
/// In small letters.
const NAMES: [(Unit, &[&str]); 6] = [
    (
        Unit::PerMinute,
        &[
            "/min",
            "1/min",
            "{beat}/min",
            "{beats}/min",
            "{breath}/min",
            "{breaths}/min",
            "beats/min",
            "breaths/min",
            "bpm",
            "brpm",
            "rpm",
            "264864",
            "264928",
            "264672",
            "mdc_dim_beat_per_min",
            "mdc_dim_resp_per_min",
            "mdc_dim_per_min",
            "0004-0aa0",
            "0004-0ae0",
            "0004-09e0",
        ],
    ),
    (Unit::Percent, &["%", "percent", "262688", "mdc_dim_percent", "0004-0220"]),
    (Unit::MmHg, &["mm[hg]", "mmhg", "mm hg", "266016", "mdc_dim_mmhg", "0004-0f20"]),
    (Unit::KiloPascal, &["kpa", "265987", "mdc_dim_kilo_pascal", "0004-0f03"]),
    (Unit::Celsius, &["cel", "c", "°c", "degc", "deg c", "268192", "mdc_dim_degc", "0004-17a0"]),
    (Unit::Fahrenheit, &["[degf]", "f", "°f", "degf", "deg f", "266560", "mdc_dim_fahr", "0004-1140"]),
];

impl Unit {
    /// The unit of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(unit, _)| *unit)
    }

    /// The first name of each unit.
    pub(super) fn names() -> Vec<&'static str> {
        NAMES.iter().filter_map(|(_, names)| names.first().copied()).collect()
    }

    /// How a value in this unit becomes one of the sign; `None` where it is no unit of it.
    pub(super) fn conversion(self, sign: Sign) -> Option<Conversion> {
        match (sign, self) {
            (Sign::HeartRate | Sign::RespiratoryRate, Self::PerMinute)
            | (Sign::Spo2, Self::Percent)
            | (Sign::Systolic | Sign::Diastolic, Self::MmHg)
            | (Sign::Temperature, Self::Celsius) => Some(Conversion::NONE),
            // 1 mmHg is 0.133322387415 kPa.
            (Sign::Systolic | Sign::Diastolic, Self::KiloPascal) => {
                Some(Conversion { add: 0.0, factor: 1.0 / 0.133_322_387_415 })
            }
            (Sign::Temperature, Self::Fahrenheit) => Some(Conversion { add: -32.0, factor: 1.0 / 1.8 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_known_by_each_of_its_names_and_no_name_means_two() {
        for (name, unit) in [
            ("/min", Unit::PerMinute),
            ("{Beat}/min", Unit::PerMinute),
            ("264864", Unit::PerMinute),
            ("MDC_DIM_BEAT_PER_MIN", Unit::PerMinute),
            ("mm[Hg]", Unit::MmHg),
            ("Cel", Unit::Celsius),
            ("°C", Unit::Celsius),
            ("[degF]", Unit::Fahrenheit),
            ("kPa", Unit::KiloPascal),
        ] {
            assert_eq!(Unit::named(name), Some(unit), "{name}");
        }
        assert_eq!(Unit::named("furlong"), None);
        let mut all: Vec<_> = NAMES.iter().flat_map(|(_, names)| names.iter()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|name| ***name == name.to_lowercase()));
    }

    #[test]
    fn a_unit_of_another_sign_is_none_of_this_one() {
        assert_eq!(Unit::Percent.conversion(Sign::HeartRate), None);
        assert_eq!(Unit::MmHg.conversion(Sign::Temperature), None);
        assert_eq!(Unit::MmHg.conversion(Sign::Systolic), Some(Conversion::NONE));
    }
}
