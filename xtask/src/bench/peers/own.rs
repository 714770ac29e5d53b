//! What no reference program promises: the time from a reading to its row and its alert, commits that wait until nothing
//! can be forgotten, and several consumers at once. By `vitals bench`, which makes a topic and a keyspace of its own.

use serde::Deserialize;

use super::super::figure::{Figure, Goal, figure, ratio, values};
use super::super::hospital::Ward;
use crate::error::Error;

/// The pace at which latency is measured.
const PACE: &str = "1000";
/// What a single Cassandra with its default commit log asks for.
const SETTLE_TIME: &str = "16s";

/// What one round gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    paced: Latency,
    /// Rows stored a second at full speed, by the consumers and the settle time.
    usual: f64,
    settling: f64,
    two_consumers: f64,
}

/// From the moment for which a reading was planned, in milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Latency {
    #[serde(rename = "row_latency_p50_ms")]
    row_p50: f64,
    #[serde(rename = "row_latency_p99_ms")]
    row_p99: f64,
    #[serde(rename = "alert_latency_p50_ms")]
    alert_p50: f64,
    #[serde(rename = "alert_latency_p99_ms")]
    alert_p99: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Stored {
    stored_per_second: f64,
}

/// What `vitals bench` prints for programs, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Outcome<T> {
    figures: T,
}

impl Round {
    /// Measures for so many seconds each.
    pub(super) fn measure(ward: &Ward, seconds: u32) -> Result<Self, Error> {
        let length = format!("{seconds}s");
        let paced = bench(ward, &["--rate", PACE, "--for", &length])?;
        let fast = ["--rate", "max", "--for", &length, "--partitions", "4"];
        let stored = |more: &[&str]| bench::<Stored>(ward, &[&fast, more].concat()).map(|of| of.stored_per_second);
        Ok(Self {
            paced,
            usual: stored(&[])?,
            settling: stored(&["--durability-delay", SETTLE_TIME])?,
            two_consumers: stored(&["--consumers", "2"])?,
        })
    }
}

fn bench<T: for<'a> Deserialize<'a>>(ward: &Ward, arguments: &[&str]) -> Result<T, Error> {
    let output = ward.vitals("vitals bench", &[&["bench", "-o", "ndjson"], arguments].concat())?;
    output.find("its figures", figures_of)
}

/// Out of the one line that is an object; notes stand around it.
fn figures_of<T: for<'a> Deserialize<'a>>(text: &str) -> Option<T> {
    let line = text.lines().find(|line| line.starts_with('{'))?;
    serde_json::from_str::<Outcome<T>>(line).ok().map(|outcome| outcome.figures)
}

/// The lines of the table.
pub(super) fn figures(rounds: &[Round]) -> Vec<Figure> {
    let millis = |id: &str, what: &str, bound, value: fn(&Latency) -> f64| {
        let values = values(rounds, |round| value(&round.paced));
        figure(id, &format!("1,000 readings/s: to the {what}"), values, "ms", Some(Goal::AtMost(bound)))
    };
    let usual = values(rounds, |round| round.usual);
    let settling = values(rounds, |round| round.settling);
    let two = values(rounds, |round| round.two_consumers);
    vec![
        millis("row_p50", "row, p50", 2.0, |of| of.row_p50),
        millis("row_p99", "row, p99", 10.0, |of| of.row_p99),
        millis("alert_p50", "alert, p50", 2.0, |of| of.alert_p50),
        millis("alert_p99", "alert, p99", 10.0, |of| of.alert_p99),
        figure("bench_rate", "bench --rate max, sending included", usual.clone(), "readings/s", None),
        ratio("settle_ratio", "the same: settle time 16 s / none", &settling, &usual, Some(Goal::AtLeast(0.95))),
        ratio("consumers_ratio", "the same: 2 consumers / 1", &two, &usual, None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_object_among_the_notes() {
        let text = "a note\n{\"kind\": \"vitals bench\", \"figures\": {\"stored_per_second\": 96000.5, \"sent\": 1}}\n";
        let stored: Stored = figures_of(text).expect("figures");
        assert_eq!(stored.stored_per_second.to_bits(), 96000.5_f64.to_bits());
    }

    #[test]
    fn a_latency_that_was_not_measured_is_no_figure() {
        assert!(figures_of::<Latency>("{\"figures\": {\"row_latency_p50_ms\": null}}").is_none());
    }
}
