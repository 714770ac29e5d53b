//! How latencies are spread, for a plot: a point for each tenth of the way to the next nine.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::figures::{decimal, rounded};
use crate::loadtest::meter::millis;

/// Points on the way from one nine to the next: from 90 % to 99 %.
const POINTS_PER_NINE: u32 = 20;

/// More nines than a run of any length has readings for.
const MAX_NINES: u32 = 7;

/// So many of a hundred took no longer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) percentile: f64,
    pub(super) ms: f64,
}

/// The spread of microseconds; empty where nothing was recorded. The last point is the largest value, at the percentile
/// that this one value stands for.
pub(super) fn of(histogram: &Histogram<u64>) -> Vec<Point> {
    let count = decimal(histogram.len());
    if histogram.is_empty() {
        return Vec::new();
    }
    let quantiles = (0..=POINTS_PER_NINE * MAX_NINES)
        .map(|step| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(POINTS_PER_NINE)))
        .take_while(|quantile| (1.0 - quantile) * count > 1.0);
    let point = |quantile: f64, micros| Point { percentile: percent(quantile), ms: rounded(millis(micros)) };
    let mut points: Vec<_> = quantiles.map(|quantile| point(quantile, histogram.value_at_quantile(quantile))).collect();
    points.push(point(1.0 - 1.0 / count.max(1.0), histogram.max()));
    points
}

/// To as many decimals as there are nines.
fn percent(quantile: f64) -> f64 {
    (quantile * 1e9).round() / 1e7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_rise_and_end_with_the_largest_value() {
        let mut histogram = Histogram::new(3).expect("a histogram");
        assert_eq!(of(&histogram), []);
        (1..=1000).for_each(|ms| histogram.record(ms * 1000).expect("recorded"));
        let points = of(&histogram);
        assert!(points.is_sorted_by(|a, b| a.percentile <= b.percentile && a.ms <= b.ms), "{points:?}");
        let last = points.last().expect("a point");
        assert!((last.percentile - 99.9).abs() < 1e-6 && (last.ms - 1000.0).abs() < 2.0, "{last:?}");
    }
}
