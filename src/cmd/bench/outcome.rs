//! The result of a run: the object that `-o json` gives, and that `--compare` takes.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::distribution::Point;
use super::error::BenchError;
use super::figures::{Figures, rounded};
use super::plan::Parameters;
use super::series::Sample;

/// What the object says it is.
pub(super) const KIND: &str = "vitals bench";

/// A run and what it measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Always [`KIND`].
    pub(super) kind: String,
    /// Of this program.
    pub(super) version: String,
    /// Whether the program was built for tests, and is slow.
    pub(super) is_debug_build: bool,
    /// Whether the user ended it before its time.
    pub(super) is_cut_short: bool,
    /// When the first reading was sent, RFC 3339.
    pub(super) began: String,
    /// How many threads can run at the same time.
    pub(super) cores: Option<usize>,
    pub(super) operating_system: String,
    pub(super) broker: String,
    pub(super) store: String,
    pub(super) parameters: Parameters,
    pub(super) figures: Figures,
    /// The earlier run that it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) compared: Option<Comparison>,
    pub(super) series: Vec<Sample>,
    pub(super) row_latency_distribution: Vec<Point>,
    pub(super) alert_latency_distribution: Vec<Point>,
}

/// An earlier run beside this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Comparison {
    /// The file of the earlier run.
    pub(super) with: String,
    /// What else differs between the two, in words.
    pub(super) differences: Vec<String>,
    /// For each figure that both have, this run's divided by the earlier one's.
    pub(super) ratios: BTreeMap<String, f64>,
    /// The figures of the earlier run.
    pub(super) figures: Figures,
}

impl Outcome {
    /// Reads an earlier result.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub(super) fn read(path: &Path) -> Result<Self, BenchError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| BenchError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|reason| BenchError::NoResult { path: path.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if value.get("kind").and_then(serde_json::Value::as_str) != Some(KIND) {
            return Err("it does not say that it is one".to_owned());
        }
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    /// Puts an earlier result beside this one.
    pub(super) fn compare(&mut self, with: &Path, old: Self) {
        let pairs = [
            ("build", build(self), build(&old)),
            ("broker", self.broker.clone(), old.broker.clone()),
            ("store", self.store.clone(), old.store.clone()),
            ("cores", text(self.cores), text(old.cores)),
            ("end", end(self), end(&old)),
        ];
        let mut differences = self.parameters.differences(&old.parameters);
        let differing = pairs.into_iter().filter(|(_, now, then)| now != then);
        differences.extend(differing.map(|(name, now, then)| format!("{name} {now}, then {then}")));
        let ratios = ratios(&self.figures, &old.figures);
        self.compared =
            Some(Comparison { with: with.display().to_string(), differences, ratios, figures: old.figures });
    }
}

fn build(outcome: &Outcome) -> String {
    if outcome.is_debug_build { "debug".to_owned() } else { "release".to_owned() }
}

fn end(outcome: &Outcome) -> String {
    if outcome.is_cut_short { "cut short".to_owned() } else { "in time".to_owned() }
}

fn text(number: Option<usize>) -> String {
    number.map_or_else(|| "unknown".to_owned(), |number| number.to_string())
}

/// For each figure that both have, the one divided by the other.
fn ratios(now: &Figures, then: &Figures) -> BTreeMap<String, f64> {
    let pairs = now.list().into_iter().zip(then.list());
    let ratio = |(now, then): (super::figures::Figure, super::figures::Figure)| {
        let then = then.value.filter(|value| *value > 0.0)?;
        Some((now.name.to_owned(), rounded(now.value? / then)))
    };
    pairs.filter_map(ratio).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A small run.
    pub(in super::super) fn outcome() -> Outcome {
        let figures = Figures {
            seconds: 2.0,
            sent: 2000,
            stored: 2000,
            stored_per_second: 1000.0,
            row_latency_p50_ms: Some(2.0),
            ..Figures::default()
        };
        let sample = |seconds, latency| Sample {
            seconds,
            sent_per_second: 1000.0,
            stored_per_second: 990.0,
            largest_lag: 12,
            row_latency_p50_ms: latency,
            row_latency_p99_ms: latency,
        };
        Outcome {
            kind: KIND.to_owned(),
            version: "0.1.0".to_owned(),
            is_debug_build: false,
            is_cut_short: false,
            began: "2026-01-02T03:04:05+00:00".to_owned(),
            cores: Some(2),
            operating_system: "linux".to_owned(),
            broker: "vitals up".to_owned(),
            store: "SQLite".to_owned(),
            parameters: Parameters {
                rate_per_second: Some(1000.0),
                seconds: 2.0,
                patients: 100,
                partitions: 6,
                consumers: 1,
                settle_seconds: 0.0,
            },
            figures,
            compared: None,
            series: vec![sample(1.0, Some(2.0)), sample(2.0, Some(3.0))],
            row_latency_distribution: vec![
                Point { percentile: 0.0, ms: 1.0 },
                Point { percentile: 90.0, ms: 2.0 },
                Point { percentile: 99.9, ms: 9.0 },
            ],
            alert_latency_distribution: Vec::new(),
        }
    }

    #[test]
    fn a_result_is_read_as_it_was_written() {
        let text = serde_json::to_string_pretty(&outcome()).expect("text");
        assert_eq!(Outcome::parse(&text), Ok(outcome()));
    }

    #[test]
    fn what_is_no_result_is_refused_with_the_reason() {
        assert_eq!(Outcome::parse("{\"sent\": 3}"), Err("it does not say that it is one".to_owned()));
        assert!(Outcome::parse("{\"kind\": \"vitals bench\"}").is_err_and(|reason| reason.contains("version")));
        assert!(Outcome::parse("no JSON").is_err());
    }

    #[test]
    fn figures_are_compared_where_both_have_them_and_what_else_differs_is_said() {
        let (mut now, mut then) = (outcome(), outcome());
        then.figures = Figures { row_latency_p50_ms: Some(4.0), alerts: 0, largest_lag: 0, ..then.figures };
        then.store = "Cassandra 5.0.8".to_owned();
        then.parameters.consumers = 2;
        now.compare(Path::new("old.json"), then);
        let compared = now.compared.expect("compared");
        assert_eq!(compared.ratios.get("row_latency_p50_ms"), Some(&0.5));
        assert_eq!(compared.ratios.get("stored"), Some(&1.0));
        assert_eq!(compared.ratios.get("alerts"), None);
        assert_eq!(compared.ratios.get("row_latency_p99_ms"), None);
        assert_eq!(compared.differences, ["consumers 1, then 2", "store SQLite, then Cassandra 5.0.8"]);
    }
}
