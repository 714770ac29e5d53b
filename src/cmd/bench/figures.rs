//! What was measured, in figures.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::loadtest::meter::{Measured, Meter, millis};

/// Points of a distribution on the way from one nine to the next: from 90 % to 99 %.
const POINTS_PER_NINE: u32 = 20;

/// More nines than a run of any length has readings for.
const MAX_NINES: u32 = 7;

/// The figures of a run. One that could not be measured is null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Figures {
    /// From the first reading sent to the last row stored.
    pub(super) seconds: f64,
    /// Readings that were due; null where there is no schedule.
    pub(super) due: Option<u64>,
    /// Readings that the broker has acknowledged.
    pub(super) sent: u64,
    /// Rows that the store has acknowledged.
    pub(super) stored: u64,
    /// Alerts that were shown.
    pub(super) alerts: u64,
    pub(super) stored_per_second: f64,
    /// The most readings that were sent and not yet stored.
    pub(super) largest_lag: u64,
    /// From the moment a reading was due to its acknowledged row.
    pub(super) row_latency_p50_ms: Option<f64>,
    pub(super) row_latency_p90_ms: Option<f64>,
    pub(super) row_latency_p99_ms: Option<f64>,
    pub(super) row_latency_p99_9_ms: Option<f64>,
    pub(super) row_latency_max_ms: Option<f64>,
    /// From the moment a reading was due to the alert it raised.
    pub(super) alert_latency_p50_ms: Option<f64>,
    pub(super) alert_latency_p90_ms: Option<f64>,
    pub(super) alert_latency_p99_ms: Option<f64>,
    pub(super) alert_latency_p99_9_ms: Option<f64>,
    pub(super) alert_latency_max_ms: Option<f64>,
    /// Processor time of this process, which produces and consumes, per row.
    pub(super) processor_us_per_reading: Option<f64>,
    pub(super) largest_resident_mib: Option<f64>,
}

/// One figure, to be shown or compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    /// Its name in the result.
    pub(super) name: &'static str,
    /// Its name for people.
    pub(super) label: &'static str,
    /// Its unit; none of a count.
    pub(super) unit: &'static str,
    pub(super) value: Option<f64>,
}

/// The quantiles that are told, and the largest value.
const QUANTILES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];

impl Figures {
    /// Of what `meter` has measured. `due` readings were to be sent, and the process took this processor time.
    pub(super) fn of(meter: &Meter, due: Option<u64>, processor: Option<Duration>, resident: Option<u64>) -> Self {
        let began = meter.clock().map(|clock| clock.began);
        let measured = meter.measured();
        let Measured { sent, stored, alarms: alerts, largest_lag, .. } = *measured;
        let taken = measured.last_stored.zip(began).map(|(last, began)| last.saturating_duration_since(began));
        let seconds = taken.unwrap_or_default().as_secs_f64();
        let [row_p50, row_p90, row_p99, row_p99_9, row_max] = quantiles(&measured.rows);
        let [alert_p50, alert_p90, alert_p99, alert_p99_9, alert_max] = quantiles(&measured.alert_latencies);
        let processor = processor.filter(|_| stored > 0);
        Self {
            seconds: rounded(seconds),
            due,
            sent,
            stored,
            alerts,
            stored_per_second: if seconds > 0.0 { rounded(decimal(stored) / seconds) } else { 0.0 },
            largest_lag,
            row_latency_p50_ms: row_p50,
            row_latency_p90_ms: row_p90,
            row_latency_p99_ms: row_p99,
            row_latency_p99_9_ms: row_p99_9,
            row_latency_max_ms: row_max,
            alert_latency_p50_ms: alert_p50,
            alert_latency_p90_ms: alert_p90,
            alert_latency_p99_ms: alert_p99,
            alert_latency_p99_9_ms: alert_p99_9,
            alert_latency_max_ms: alert_max,
            processor_us_per_reading: processor.map(|time| rounded(time.as_secs_f64() * 1e6 / decimal(stored))),
            largest_resident_mib: resident.map(|bytes| rounded(decimal(bytes) / 1_048_576.0)),
        }
    }

    /// Readings that should be stored and are not.
    pub(super) fn missing(&self) -> u64 {
        self.due.unwrap_or(self.sent).max(self.sent).saturating_sub(self.stored)
    }

    /// Every figure, in the order in which they are shown.
    pub(super) fn list(&self) -> [Figure; 19] {
        [
            ("seconds", "time", "s", Some(self.seconds)),
            ("due", "readings due", "", self.due.map(decimal)),
            ("sent", "readings sent", "", Some(decimal(self.sent))),
            ("stored", "rows stored", "", Some(decimal(self.stored))),
            ("alerts", "alerts shown", "", Some(decimal(self.alerts))),
            ("stored_per_second", "storing rate", "rows/s", Some(self.stored_per_second)),
            ("largest_lag", "largest lag", "", Some(decimal(self.largest_lag))),
            ("row_latency_p50_ms", "to the row, p50", "ms", self.row_latency_p50_ms),
            ("row_latency_p90_ms", "to the row, p90", "ms", self.row_latency_p90_ms),
            ("row_latency_p99_ms", "to the row, p99", "ms", self.row_latency_p99_ms),
            ("row_latency_p99_9_ms", "to the row, p99.9", "ms", self.row_latency_p99_9_ms),
            ("row_latency_max_ms", "to the row, max", "ms", self.row_latency_max_ms),
            ("alert_latency_p50_ms", "to the alert, p50", "ms", self.alert_latency_p50_ms),
            ("alert_latency_p90_ms", "to the alert, p90", "ms", self.alert_latency_p90_ms),
            ("alert_latency_p99_ms", "to the alert, p99", "ms", self.alert_latency_p99_ms),
            ("alert_latency_p99_9_ms", "to the alert, p99.9", "ms", self.alert_latency_p99_9_ms),
            ("alert_latency_max_ms", "to the alert, max", "ms", self.alert_latency_max_ms),
            ("processor_us_per_reading", "processor time", "µs", self.processor_us_per_reading),
            ("largest_resident_mib", "largest memory", "MiB", self.largest_resident_mib),
        ]
        .map(|(name, label, unit, value)| Figure { name, label, unit, value })
    }
}

impl Figure {
    /// The value with as many digits as are worth it; `-` where there is none.
    pub(super) fn text(&self) -> String {
        let is_count = self.unit.is_empty();
        self.value.map_or_else(|| "-".to_owned(), |value| if is_count { value.to_string() } else { short(value) })
    }
}

/// About three digits: `0.04`, `1.92`, `23.4`, `345`, `61234`.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// To three decimals: more are noise.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// A count as a number to calculate with.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn decimal(count: u64) -> f64 {
    count as f64
}

/// In milliseconds; none where nothing was recorded.
fn quantiles(histogram: &Histogram<u64>) -> [Option<f64>; 5] {
    QUANTILES.map(|at| (!histogram.is_empty()).then(|| rounded(millis(histogram.value_at_quantile(at)))))
}

/// A point of a distribution of latencies: so many of a hundred took no longer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) percentile: f64,
    pub(super) ms: f64,
}

impl Point {
    fn new(quantile: f64, micros: u64) -> Self {
        // To as many decimals as there are nines.
        Self { percentile: (quantile * 1e9).round() / 1e7, ms: rounded(millis(micros)) }
    }
}

/// How microseconds are spread, for a plot: a point for each part of the way to the next nine; none where nothing was
/// recorded. The last point is the largest value, at the percentile that this one value stands for.
pub(super) fn distribution(histogram: &Histogram<u64>) -> Vec<Point> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let count = decimal(histogram.len());
    let quantiles = (0..=POINTS_PER_NINE * MAX_NINES)
        .map(|step| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(POINTS_PER_NINE)))
        .take_while(|quantile| (1.0 - quantile) * count > 1.0);
    let mut points: Vec<_> = quantiles.map(|at| Point::new(at, histogram.value_at_quantile(at))).collect();
    points.push(Point::new(1.0 - 1.0 / count.max(1.0), histogram.max()));
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_distribution_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::new(3).expect("a histogram");
        assert_eq!((quantiles(&histogram), distribution(&histogram)), ([None; 5], Vec::new()));
        (1..=1000).for_each(|ms| histogram.record(ms * 1000).expect("recorded"));
        let told = quantiles(&histogram).map(|value| value.expect("a value"));
        for (told, expected) in told.into_iter().zip([500.0, 900.0, 990.0, 999.0, 1000.0]) {
            assert!((told / expected - 1.0).abs() < 0.002, "{told} for {expected}");
        }
        let points = distribution(&histogram);
        assert!(points.is_sorted_by(|a, b| a.percentile <= b.percentile && a.ms <= b.ms), "{points:?}");
        let last = points.last().expect("a point");
        assert!((last.percentile - 99.9).abs() < 1e-6 && (last.ms - 1000.0).abs() < 2.0, "{last:?}");
    }

    #[test]
    fn what_was_due_and_never_sent_is_missing_too() {
        let figures = Figures { due: Some(10), sent: 8, stored: 7, ..Figures::default() };
        assert_eq!(figures.missing(), 3);
        assert_eq!(Figures { due: None, ..figures.clone() }.missing(), 1);
        assert_eq!(Figures { stored: 12, ..figures }.missing(), 0);
    }

    #[test]
    fn every_figure_of_the_result_is_in_the_list_under_its_name() {
        let json = serde_json::to_value(Figures::default()).expect("an object");
        let mut names: Vec<_> = Figures::default().list().iter().map(|figure| figure.name.to_owned()).collect();
        names.sort_unstable();
        let mut fields: Vec<_> = json.as_object().expect("an object").keys().cloned().collect();
        fields.sort_unstable();
        assert_eq!(names, fields);
    }

    #[test]
    fn figures_are_shown_with_about_three_digits() {
        assert_eq!([0.041, 1.918, 23.44, 345.2, 61_234.4].map(short), ["0.04", "1.92", "23.4", "345", "61234"]);
    }
}
