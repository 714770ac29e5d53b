//! What was measured, and what it has to be.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// One line of a table.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    /// Its stable name, for programs.
    pub(super) id: String,
    /// What it is, to read.
    pub(super) what: String,
    /// One value for each time it was measured, in this unit.
    pub(super) values: Vec<f64>,
    pub(super) unit: &'static str,
    /// What the median has to be, if anything.
    pub(super) goal: Option<Goal>,
}

/// A bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Goal {
    /// Whether `value` is within the bound.
    pub(super) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self {
            Self::AtLeast(bound) => ("≥", bound),
            Self::AtMost(bound) => ("≤", bound),
        };
        out.pad(&format!("{sign} {}", Short(*bound)))
    }
}

impl Figure {
    /// The middle value; between two middle ones, halfway. Not a number where nothing was measured.
    pub(super) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        if sorted.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.saturating_sub(1)), at(middle)) }
    }

    /// The smallest and the largest value.
    pub(super) fn range(&self) -> (f64, f64) {
        let sorted = self.sorted();
        (sorted.first().copied().unwrap_or(f64::NAN), sorted.last().copied().unwrap_or(f64::NAN))
    }

    /// Whether the median meets the goal; `None` without a goal.
    pub(super) fn is_met(&self) -> Option<bool> {
        self.goal.map(|goal| goal.is_met(self.median()))
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// One value of each round.
pub(super) fn values<T>(rounds: &[T], value: impl Fn(&T) -> f64) -> Vec<f64> {
    rounds.iter().map(value).collect()
}

/// Out of its parts.
pub(super) fn figure(id: &str, what: &str, values: Vec<f64>, unit: &'static str, goal: Option<Goal>) -> Figure {
    Figure { id: id.to_owned(), what: what.to_owned(), values, unit, goal }
}

/// The ratio of each round by itself: its two halves were measured one after the other.
pub(super) fn ratio(id: &str, what: &str, over: &[f64], under: &[f64], goal: Option<Goal>) -> Figure {
    let ratios = over.iter().zip(under).map(|(over, under)| over / under).collect();
    figure(id, what, ratios, "", goal)
}

pub(super) fn millis(id: &str, what: &str, times: &[Duration], goal: Option<Goal>) -> Figure {
    figure(id, what, values(times, |time| time.as_secs_f64() * 1e3), "ms", goal)
}

/// Bytes are counted in KiB on the way: so many fit a `u32` up to 4 TiB.
pub(super) fn mebibytes(id: &str, what: &str, bytes: impl IntoIterator<Item = u64>, goal: Option<Goal>) -> Figure {
    let mebibytes = |bytes: u64| f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0;
    figure(id, what, bytes.into_iter().map(mebibytes).collect(), "MiB", goal)
}

/// A number with three digits, as far as they say something: 0.052, 1.25, 20.4, 317, 206k, 1.23M.
#[derive(Debug, Clone, Copy)]
pub(super) struct Short(pub(super) f64);

impl fmt::Display for Short {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scaled, suffix) = match self.0 {
            value if value >= 999_500.0 => (value / 1e6, "M"),
            value if value >= 1_000.0 => (value / 1e3, "k"),
            value => (value, ""),
        };
        let digits: usize = match scaled {
            value if value >= 99.95 => 0,
            value if value >= 9.995 => 1,
            value if value >= 0.1 => 2,
            _ => 3,
        };
        let text = format!("{scaled:.digits$}");
        let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        out.pad(&format!("{trimmed}{suffix}"))
    }
}

/// A whole number with its thousands apart: 1,000,000.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grouped(pub(super) u32);

impl fmt::Display for Grouped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            number @ 0..1000 => write!(out, "{number}"),
            number => write!(out, "{},{:03}", Self(number / 1000), number % 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], goal: Option<Goal>) -> Figure {
        figure("x", "x", values.to_vec(), "ms", goal)
    }

    #[test]
    fn the_median_is_the_middle_value_in_any_order() {
        for (values, median) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 2.0, 3.0], 2.5), (&[7.0], 7.0)] {
            assert!((of(values, None).median() - median).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn nothing_measured_meets_no_goal() {
        assert_eq!(of(&[], Some(Goal::AtLeast(0.0))).is_met(), Some(false));
        assert_eq!(of(&[], Some(Goal::AtMost(1e9))).is_met(), Some(false));
    }

    #[test]
    fn the_median_meets_the_goal_and_not_the_best_value() {
        assert_eq!(of(&[0.5, 0.9, 2.0], Some(Goal::AtLeast(1.0))).is_met(), Some(false));
        assert_eq!(of(&[0.5, 1.0, 2.0], Some(Goal::AtLeast(1.0))).is_met(), Some(true));
        assert_eq!(of(&[0.1, 0.4, 0.5], Some(Goal::AtMost(0.3))).is_met(), Some(false));
        assert_eq!(of(&[1.0], None).is_met(), None);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0521, "0.052"),
            (0.3, "0.3"),
            (1.254, "1.25"),
            (20.44, "20.4"),
            (100.0, "100"),
            (316.9, "317"),
            (1_000.0, "1k"),
            (206_000.0, "206k"),
            (999_600.0, "1M"),
            (1_230_000.0, "1.23M"),
        ];
        for (number, short) in cases {
            assert_eq!(Short(number).to_string(), short);
        }
    }

    #[test]
    fn thousands_are_kept_apart() {
        for (number, text) in [(999, "999"), (2_000, "2,000"), (1_000_000, "1,000,000")] {
            assert_eq!(Grouped(number).to_string(), text);
        }
    }

    #[test]
    fn a_ratio_compares_within_its_round() {
        let ratio = ratio("r", "r", &[10.0, 300.0], &[20.0, 100.0], None);
        assert_eq!(ratio.values, [0.5, 3.0]);
    }

    #[test]
    fn memory_is_shown_in_mebibytes() {
        assert_eq!(mebibytes("m", "m", [3 * 512 * 1024], None).values, [1.5]);
    }
}
