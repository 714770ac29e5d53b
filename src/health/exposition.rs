//! Metrics as Prometheus reads them: the text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::{Display, Write as _};
use std::time::Duration;

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises, from 0 at the start of the process.
    Counter,
    /// It rises and falls.
    Gauge,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// Metrics, one family after the other.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

// Writing into a text cannot fail.
impl Exposition {
    /// Begins the metrics of this name. `help` is a sentence.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        self.head(name, kind.name(), help);
        Family { text: &mut self.text, name }
    }

    /// Adds how long something took, in seconds.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        self.bars(name, "", histogram);
    }

    /// The same of several, by a label.
    pub fn histograms<'h>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        histograms: impl IntoIterator<Item = (&'h str, &'h Histogram)>,
    ) {
        self.head(name, "histogram", help);
        for (value, histogram) in histograms {
            self.bars(name, &format!("{label}=\"{}\"", escaped(value)), histogram);
        }
    }

    fn bars(&mut self, name: &str, label: &str, histogram: &Histogram) {
        let comma = if label.is_empty() { "" } else { "," };
        let mut below = 0;
        for (bound, count) in BOUNDS_SECONDS.iter().zip(histogram.counts) {
            below += count;
            let _ = writeln!(self.text, "{name}_bucket{{{label}{comma}le=\"{bound}\"}} {below}");
        }
        let labels = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
        let _ = writeln!(
            self.text,
            "{name}_bucket{{{label}{comma}le=\"+Inf\"}} {count}\n{name}_sum{labels} {sum}\n{name}_count{labels} {count}",
            count = histogram.count,
            sum = histogram.sum.as_secs_f64()
        );
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }
}

/// The metrics of one name.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Family<'_> {
    /// Adds one of them, with these names and values of labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.text.push_str(self.name);
        for (index, (name, value)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{name}=\"{}\"", if index == 0 { '{' } else { ',' }, escaped(value));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
        self
    }
}

/// As the value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// From what a local file takes to what nobody waits for.
const BOUNDS_SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often something took how long.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// By bound, those that took no longer and longer than the bound before.
    counts: [u64; BOUNDS_SECONDS.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// Counts one that took so long.
    pub fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut bounds = BOUNDS_SECONDS.iter().zip(&mut self.counts);
        if let Some((_, count)) = bounds.find(|(bound, _)| seconds <= **bound) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_help_its_type_and_its_samples() {
        let mut metrics = Exposition::default();
        metrics.family("vitals_a_total", Kind::Counter, "A.").sample(&[], 3).sample(&[("x", "1"), ("y", "2")], 0.5);
        metrics.family("vitals_b", Kind::Gauge, "B.");
        assert_eq!(
            metrics.into_text(),
            "# HELP vitals_a_total A.\n# TYPE vitals_a_total counter\nvitals_a_total 3\nvitals_a_total{x=\"1\",y=\"2\"} 0.5\n\
             # HELP vitals_b B.\n# TYPE vitals_b gauge\n"
        );
    }

    #[test]
    fn what_would_end_a_line_or_a_label_is_escaped() {
        let mut metrics = Exposition::default();
        metrics.family("a", Kind::Gauge, "one\\two\nthree \"four\"").sample(&[("x", "a\"b\\c\nd}")], 1);
        let text = metrics.into_text();
        assert!(text.starts_with("# HELP a one\\\\two\\nthree \"four\"\n"), "{text}");
        assert!(text.ends_with("a{x=\"a\\\"b\\\\c\\nd}\"} 1\n"), "{text}");
    }

    #[test]
    fn a_histogram_counts_what_took_as_long_as_a_bound_below_it() {
        let mut histogram = Histogram::default();
        for took in [1, 2, 1_000, 60_000] {
            histogram.add(Duration::from_millis(took));
        }
        let mut metrics = Exposition::default();
        metrics.histogram("a_seconds", "A.", &histogram);
        let text = metrics.into_text();
        for line in [
            "# TYPE a_seconds histogram",
            "a_seconds_bucket{le=\"0.001\"} 1",
            "a_seconds_bucket{le=\"0.0025\"} 2",
            "a_seconds_bucket{le=\"0.5\"} 2",
            "a_seconds_bucket{le=\"1\"} 3",
            "a_seconds_bucket{le=\"10\"} 3",
            "a_seconds_bucket{le=\"+Inf\"} 4",
            "a_seconds_sum 61.003",
            "a_seconds_count 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
