//! The scales of a plot.

/// More ticks than this run into each other.
const MAX_TICKS: f64 = 6.0;

/// One direction of a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Axis {
    /// From zero to this value.
    Linear(f64),
    /// From ten to this power, to ten to that one.
    Log(i32, i32),
    /// Percentiles, each of so many nines as wide as the one before.
    Nines(f64),
}

impl Axis {
    /// From zero to the largest of `values`, and a little more.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let largest = values.fold(0.0, f64::max);
        Self::Linear(if largest > 0.0 { largest * 1.05 } else { 1.0 })
    }

    /// From zero to this value and no further.
    pub(super) fn up_to(value: f64) -> Self {
        Self::Linear(if value > 0.0 { value } else { 1.0 })
    }

    /// Whole powers of ten around `values`.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Self::Log(0, 1);
        }
        let (low, high) = (power(low.log10().floor()), power(high.log10().ceil()));
        Self::Log(low, high.max(low + 1))
    }

    /// Percentiles up to the largest of `percentiles`.
    pub(super) fn nines(percentiles: impl Iterator<Item = f64>) -> Self {
        Self::Nines(percentiles.map(nines).fold(1.0, f64::max))
    }

    /// Where a value stands, from 0 at the beginning to 1 at the end.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear(end) => value / end,
            Self::Log(low, high) => (value.max(f64::MIN_POSITIVE).log10() - f64::from(low)) / f64::from(high - low),
            Self::Nines(end) => nines(value) / end,
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are marked, and what is written at them.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Linear(end) => linear_ticks(end),
            Self::Log(low, high) => log_ticks(low, high),
            Self::Nines(end) => {
                let named =
                    [(0.0, "0"), (90.0, "90"), (99.0, "99"), (99.9, "99.9"), (99.99, "99.99"), (99.999, "99.999")];
                let fitting = named.into_iter().filter(|(percentile, _)| nines(*percentile) <= end + 0.01);
                fitting.map(|(percentile, text)| (percentile, text.to_owned())).collect()
            }
        }
    }
}

/// How many nines a percentile has: 1 of 90, 2 of 99.
fn nines(percentile: f64) -> f64 {
    (1.0 / (1.0 - percentile / 100.0).max(1e-9)).log10()
}

/// Whole powers of ten within what a latency or a rate can be.
fn power(value: f64) -> i32 {
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole, and held within the range")]
    let power = value.clamp(-6.0, 12.0) as i32;
    power
}

fn linear_ticks(end: f64) -> Vec<(f64, String)> {
    let step = nice(end / MAX_TICKS);
    let ticks = std::iter::successors(Some(0.0), |at| Some(at + step));
    ticks.take_while(|at| *at <= end * 1.001).map(|at| (at, compact(at))).collect()
}

/// The next of 1, 2 or 5 times a power of ten.
fn nice(step: f64) -> f64 {
    let size = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| size * factor >= step * 0.999).unwrap_or(10.0);
    size * factor
}

/// Powers of ten; within a few of them also 2 and 5 times these.
fn log_ticks(low: i32, high: i32) -> Vec<(f64, String)> {
    let factors: &[f64] = if high - low <= 1 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = (low..=high).flat_map(|power| factors.iter().map(move |factor| 10_f64.powi(power) * factor));
    powers.filter(|value| *value <= 10_f64.powi(high) * 1.001).map(|value| (value, compact(value))).collect()
}

/// `0.1`, `50`, `20k`, `1.5M`.
pub(super) fn compact(value: f64) -> String {
    let (value, unit) = match value.abs() {
        size if size >= 999_999.5 => (value / 1e6, "M"),
        size if size >= 999.9995 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // Sums of steps such as 0.1 are not exact; four digits hide that.
    format!("{}{unit}", (value * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers_and_few() {
        assert_eq!(texts(Axis::Linear(20.0)), ["0", "5", "10", "15", "20"]);
        assert_eq!(texts(Axis::linear([61_234.0].into_iter())), ["0", "20k", "40k", "60k"]);
        assert_eq!(texts(Axis::Linear(0.55)), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        for end in 1..2000 {
            assert!((3..=8).contains(&texts(Axis::Linear(f64::from(end))).len()), "{end}");
        }
    }

    #[test]
    fn a_log_axis_spans_whole_powers_of_ten() {
        assert_eq!(Axis::log([0.7, 340.0].into_iter()), Axis::Log(-1, 3));
        assert_eq!(texts(Axis::Log(-1, 3)), ["0.1", "1", "10", "100", "1k"]);
        assert_eq!(texts(Axis::log([2.0, 3.0].into_iter())), ["1", "2", "5", "10"]);
        assert_eq!(Axis::log(std::iter::empty()), Axis::Log(0, 1));
        assert_eq!(Axis::log([10.0].into_iter()), Axis::Log(1, 2));
    }

    #[test]
    fn each_nine_is_as_wide_as_the_one_before() {
        let axis = Axis::nines([99.9].into_iter());
        let places = [0.0, 90.0, 99.0, 99.9].map(|percentile| format!("{:.2}", axis.place(percentile) * 3.0));
        assert_eq!(places, ["0.00", "1.00", "2.00", "3.00"]);
        assert_eq!(texts(axis), ["0", "90", "99", "99.9"]);
    }

    #[test]
    fn what_lies_outside_stands_at_the_edge() {
        assert!((Axis::Linear(10.0).place(12.0) - 1.0).abs() < f64::EPSILON);
        assert!(Axis::Log(0, 1).place(0.0).abs() < f64::EPSILON);
    }
}
