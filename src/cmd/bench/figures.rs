//! What was measured, in figures.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::loadtest::meter::{Meter, millis};

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
        let (sent, stored) = meter.so_far();
        let began = meter.clock().map(|clock| clock.instant(Duration::ZERO));
        let taken = meter.last_stored().zip(began).map(|(last, began)| last.saturating_duration_since(began));
        let seconds = taken.unwrap_or_default().as_secs_f64();
        let (rows, alerts) = meter.histograms();
        let [row_p50, row_p90, row_p99, row_p99_9, row_max] = quantiles(&rows);
        let [alert_p50, alert_p90, alert_p99, alert_p99_9, alert_max] = quantiles(&alerts);
        let per_reading = |time: Duration| (stored > 0).then(|| rounded(time.as_secs_f64() * 1e6 / decimal(stored)));
        Self {
            seconds: rounded(seconds),
            due,
            sent,
            stored,
            alerts: meter.alerts(),
            stored_per_second: if seconds > 0.0 { rounded(decimal(stored) / seconds) } else { 0.0 },
            largest_lag: meter.largest_lag(),
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
            processor_us_per_reading: processor.and_then(per_reading),
            largest_resident_mib: resident.map(|bytes| rounded(decimal(bytes) / 1_048_576.0)),
        }
    }

    /// Readings that should be stored and are not.
    pub(super) fn missing(&self) -> u64 {
        self.due.unwrap_or(self.sent).max(self.sent).saturating_sub(self.stored)
    }

    /// Every figure, in the order in which they are shown.
    pub(super) fn list(&self) -> Vec<Figure> {
        let figure = |name, label, unit, value| Figure { name, label, unit, value };
        let count = |name, label, value| figure(name, label, "", Some(decimal(value)));
        let mut list = vec![
            figure("seconds", "time", "s", Some(self.seconds)),
            figure("due", "readings due", "", self.due.map(decimal)),
            count("sent", "readings sent", self.sent),
            count("stored", "rows stored", self.stored),
            count("alerts", "alerts shown", self.alerts),
            figure("stored_per_second", "storing rate", "rows/s", Some(self.stored_per_second)),
            count("largest_lag", "largest lag", self.largest_lag),
        ];
        list.extend(self.latencies());
        list.push(figure("processor_us_per_reading", "processor time", "µs", self.processor_us_per_reading));
        list.push(figure("largest_resident_mib", "largest memory", "MiB", self.largest_resident_mib));
        list
    }

    fn latencies(&self) -> [Figure; 10] {
        let ms = |name, label, value| Figure { name, label, unit: "ms", value };
        [
            ms("row_latency_p50_ms", "to the row, p50", self.row_latency_p50_ms),
            ms("row_latency_p90_ms", "to the row, p90", self.row_latency_p90_ms),
            ms("row_latency_p99_ms", "to the row, p99", self.row_latency_p99_ms),
            ms("row_latency_p99_9_ms", "to the row, p99.9", self.row_latency_p99_9_ms),
            ms("row_latency_max_ms", "to the row, max", self.row_latency_max_ms),
            ms("alert_latency_p50_ms", "to the alert, p50", self.alert_latency_p50_ms),
            ms("alert_latency_p90_ms", "to the alert, p90", self.alert_latency_p90_ms),
            ms("alert_latency_p99_ms", "to the alert, p99", self.alert_latency_p99_ms),
            ms("alert_latency_p99_9_ms", "to the alert, p99.9", self.alert_latency_p99_9_ms),
            ms("alert_latency_max_ms", "to the alert, max", self.alert_latency_max_ms),
        ]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::new(3).expect("a histogram");
        assert_eq!(quantiles(&histogram), [None; 5]);
        (1..=1000).for_each(|ms| histogram.record(ms * 1000).expect("recorded"));
        let told = quantiles(&histogram).map(|value| value.expect("a value"));
        for (told, expected) in told.into_iter().zip([500.0, 900.0, 990.0, 999.0, 1000.0]) {
            assert!((told / expected - 1.0).abs() < 0.002, "{told} for {expected}");
        }
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
