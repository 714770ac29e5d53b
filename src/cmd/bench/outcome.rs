//! The result of a run: the object that `-o json` gives, and that `--compare` takes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::figures::{Figures, Point, rounded};
use super::series::Sample;
use super::{Args, load};
use crate::advice::{Advice, Code};
use crate::loadtest::Load;
use crate::output::counted;

/// What the object says it is.
pub(super) const KIND: &str = "vitals bench";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) kind: String,
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
    pub(super) figures: Figures,
}

impl Outcome {
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
        let conditions = self.conditions().into_iter().zip(old.conditions());
        let differing = conditions.filter(|(now, then)| now != then);
        self.compared = Some(Comparison {
            with: with.display().to_string(),
            differences: differing.map(|((name, now), (_, then))| format!("{name} {now}, then {then}")).collect(),
            ratios: ratios(&self.figures, &old.figures),
            figures: old.figures,
        });
    }

    /// What runs that are compared should have in common.
    fn conditions(&self) -> [(&'static str, String); 11] {
        let Parameters { rate_per_second, seconds, patients, partitions, consumers, settle_seconds } = &self.parameters;
        [
            ("rate", rate_per_second.map_or_else(|| "max".to_owned(), |rate| rate.to_string())),
            ("seconds", seconds.to_string()),
            ("patients", patients.to_string()),
            ("partitions", partitions.to_string()),
            ("consumers", consumers.to_string()),
            ("durability delay", settle_seconds.to_string()),
            ("build", if self.is_debug_build { "debug" } else { "release" }.to_owned()),
            ("broker", self.broker.clone()),
            ("store", self.store.clone()),
            ("cores", self.cores.map_or_else(|| "unknown".to_owned(), |cores| cores.to_string())),
            ("end", if self.is_cut_short { "cut short" } else { "in time" }.to_owned()),
        ]
    }
}

/// For each figure that both have, the one divided by the other.
fn ratios(now: &Figures, then: &Figures) -> BTreeMap<String, f64> {
    let mut ratios = BTreeMap::new();
    for (now, then) in now.list().into_iter().zip(then.list()) {
        if let (Some(value), Some(then)) = (now.value, then.value)
            && then > 0.0
        {
            ratios.insert(now.name.to_owned(), rounded(value / then));
        }
    }
    ratios
}

/// What was measured, for the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Parameters {
    /// Readings per second; null is as many as the store takes.
    pub(super) rate_per_second: Option<f64>,
    /// For how long readings were sent.
    pub(super) seconds: f64,
    pub(super) patients: u32,
    pub(super) partitions: u16,
    pub(super) consumers: u16,
    /// How long what was stored waited for its commit.
    #[serde(default)]
    pub(super) settle_seconds: f64,
}

impl Parameters {
    pub(super) fn of(args: &Args, durability_delay: Duration) -> Self {
        let rate_per_second = match load(args) {
            Load::Full => None,
            Load::Every(interval) => Some(1.0 / interval.as_secs_f64()),
        };
        Self {
            rate_per_second: rate_per_second.map(rounded),
            seconds: args.length.as_secs_f64(),
            patients: args.patients,
            partitions: args.partitions,
            consumers: args.consumers,
            settle_seconds: durability_delay.as_secs_f64(),
        }
    }

    /// `1000 readings/s for 20 s`.
    pub(super) fn pace(&self) -> String {
        let seconds = self.seconds;
        match self.rate_per_second {
            Some(rate) => format!("{rate} readings/s for {seconds} s"),
            None => format!("as fast as the store takes them for {seconds} s"),
        }
    }

    /// `100 patients, 6 partitions, 1 consumer`, and the durability delay where there is one.
    pub(super) fn sizes(&self) -> String {
        let mut sizes = format!(
            "{}, {}, {}",
            counted(self.patients, "patient"),
            counted(self.partitions, "partition"),
            counted(self.consumers, "consumer")
        );
        if self.settle_seconds > 0.0 {
            sizes.extend([", durability delay ", &self.settle_seconds.to_string(), " s"]);
        }
        sizes
    }
}

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The file of `--compare` cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file of `--compare` is no result of a bench.
    #[error("{} is no result of `vitals bench -o json`: {reason}", path.display())]
    NoResult {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of `--report` cannot be written.
    #[error("cannot write the report {}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Advice for BenchError {
    fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } | Self::Report { .. } => Code::Usage,
            Self::NoResult { .. } => Code::BadData,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } | Self::NoResult { .. } => {
                "make one with `vitals bench -o json > old.json`, and name it with --compare".to_owned()
            }
            Self::Report { .. } => "name a file in a folder that you may write to".to_owned(),
        })
    }
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
        now.compare(Path::new("old.json"), then.clone());
        assert_eq!(now.compared.take().expect("compared").differences, Vec::<String>::new());
        then.figures = Figures { row_latency_p50_ms: Some(4.0), alerts: 0, largest_lag: 0, ..then.figures };
        then.store = "Cassandra 5.0.8".to_owned();
        then.parameters =
            Parameters { rate_per_second: Some(50.0), consumers: 2, settle_seconds: 16.0, ..then.parameters };
        now.parameters.rate_per_second = None;
        now.compare(Path::new("old.json"), then);
        let compared = now.compared.expect("compared");
        assert_eq!(compared.ratios.get("row_latency_p50_ms"), Some(&0.5));
        assert_eq!(compared.ratios.get("stored"), Some(&1.0));
        assert_eq!(compared.ratios.get("alerts"), None);
        assert_eq!(compared.ratios.get("row_latency_p99_ms"), None);
        let differences = [
            "rate max, then 50",
            "consumers 1, then 2",
            "durability delay 0, then 16",
            "store SQLite, then Cassandra 5.0.8",
        ];
        assert_eq!(compared.differences, differences);
    }
}
