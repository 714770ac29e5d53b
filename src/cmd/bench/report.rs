//! The result as one file for a browser, the template with a run's plots and figures in it: it needs nothing else, and
//! asks nobody.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::figures::{Point, decimal};
use super::outcome::{BenchError, Outcome};
use super::plot::{Axis, Line, Plot};
use super::series::Sample;
use crate::cmd::common::html::{escaped, filled};
use crate::output::counted;

/// The page without a run: its style, and where what goes.
const TEMPLATE: &str = include_str!("page.html");

/// Where the report goes.
#[derive(Debug)]
pub(super) struct ReportFile(PathBuf);

impl ReportFile {
    /// Makes sure that the file can be written, before a run is spent on it. What is in it stays until the end.
    pub(super) fn at(path: &Path) -> Result<Self, BenchError> {
        let failed = |source| BenchError::Report { path: path.to_owned(), source };
        let is_new = !path.exists();
        OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        if is_new {
            fs::remove_file(path).map_err(failed)?;
        }
        Ok(Self(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn write(&self, outcome: &Outcome) -> Result<(), BenchError> {
        fs::write(&self.0, html(outcome)).map_err(|source| BenchError::Report { path: self.0.clone(), source })
    }
}

fn html(outcome: &Outcome) -> String {
    let parts = [
        ("title", escaped(&format!("vitals bench: {}", outcome.parameters.pace()))),
        ("subtitle", escaped(&format!("{}; {}, {}", outcome.parameters.sizes(), outcome.broker, outcome.store))),
        ("warnings", warnings(outcome)),
        ("plots", plots(outcome).iter().map(Plot::html).collect()),
        ("figures", figures(outcome)),
        ("run", run(outcome)),
    ];
    filled(TEMPLATE, &parts)
}

fn warnings(outcome: &Outcome) -> String {
    let mut warnings = Vec::new();
    if outcome.is_debug_build {
        warnings.push("This is a debug build: it is slow.".to_owned());
    }
    if outcome.is_cut_short {
        warnings.push("The run was cut short.".to_owned());
    }
    let missing = outcome.figures.missing();
    if missing > 0 {
        warnings.push(format!("Not stored in time: {}.", counted(missing, "reading")));
    }
    let differences = outcome.compared.iter().flat_map(|compared| &compared.differences);
    warnings.extend(differences.map(|difference| format!("The runs that are compared differ: {difference}.")));
    let lines: Vec<_> = warnings.iter().map(|text| format!("<p class=\"warning\">{}</p>\n", escaped(text))).collect();
    lines.concat()
}

fn plots(outcome: &Outcome) -> [Plot; 4] {
    [
        over_time(
            outcome,
            ("Rate", "readings/s"),
            Axis::linear,
            &[("sent", |sample| Some(sample.sent_per_second)), ("stored", |sample| Some(sample.stored_per_second))],
        ),
        over_time(
            outcome,
            ("Lag", "readings"),
            Axis::whole,
            &[("sent and not yet stored", |sample| Some(decimal(sample.largest_lag)))],
        ),
        over_time(
            outcome,
            ("Latency to the row over time", "ms, log scale"),
            Axis::log,
            &[("p50", |sample| sample.row_latency_p50_ms), ("p99", |sample| sample.row_latency_p99_ms)],
        ),
        distribution(outcome),
    ]
}

/// What a line over time shows of each interval.
type SampleValue = fn(&Sample) -> Option<f64>;

fn over_time(
    outcome: &Outcome,
    (title, y_label): (&'static str, &'static str),
    axis: fn(&[f64]) -> Axis,
    values: &[(&'static str, SampleValue)],
) -> Plot {
    let lines = values
        .iter()
        .map(|(label, value)| Line::new(label, outcome.series.iter().map(|sample| (sample.seconds, value(sample)))));
    let x = Axis::up_to(outcome.series.last().map_or(outcome.parameters.seconds, |sample| sample.seconds));
    Plot::new(title, (x, "seconds since the beginning"), (axis, y_label), lines.collect())
}

fn distribution(outcome: &Outcome) -> Plot {
    let (rows, alerts) = (&outcome.row_latency_distribution, &outcome.alert_latency_distribution);
    let line = |label, points: &[Point]| Line::new(label, points.iter().map(|it| (it.percentile, Some(it.ms))));
    let lines = vec![line("to the row", rows), line("to the alert", alerts)];
    let x = Axis::nines(rows.iter().chain(alerts).map(|point| point.percentile));
    let x_label = "percentile: so many of 100 took no longer";
    Plot::new("Latency distribution", (x, x_label), (Axis::log, "ms, log scale"), lines)
}

fn figures(outcome: &Outcome) -> String {
    let compared = outcome.compared.as_ref();
    let mut table = "<table>\n<thead><tr><th>Figure</th><th class=\"n\">Value</th>".to_owned();
    if compared.is_some() {
        table.push_str("<th class=\"n\">Then</th><th class=\"n\">Now/then</th>");
    }
    table.push_str("<th>Unit</th></tr></thead>\n<tbody>\n");
    let then = compared.map(|compared| compared.figures.list());
    for (place, now) in outcome.figures.list().iter().enumerate() {
        // Writing into a text cannot fail.
        let _ = write!(table, "<tr><td>{}</td><td class=\"n\">{}</td>", escaped(now.label), now.text());
        if let Some((compared, then)) = compared.zip(then.as_ref().and_then(|then| then.get(place))) {
            let ratio = compared.ratios.get(now.name).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let _ = write!(table, "<td class=\"n\">{}</td><td class=\"n\">{ratio}</td>", then.text());
        }
        let _ = writeln!(table, "<td>{}</td></tr>", escaped(now.unit));
    }
    table.push_str("</tbody>\n</table>");
    table
}

fn run(outcome: &Outcome) -> String {
    let parameters = &outcome.parameters;
    let rate = parameters.rate_per_second.map_or_else(|| "max".to_owned(), |rate| format!("{rate} readings/s"));
    let build = if outcome.is_debug_build { ", debug build" } else { "" };
    let mut rows = vec![
        ("Rate", rate),
        ("Time", format!("{} s", parameters.seconds)),
        ("Patients", parameters.patients.to_string()),
        ("Partitions", parameters.partitions.to_string()),
        ("Consumers", parameters.consumers.to_string()),
        ("Broker", outcome.broker.clone()),
        ("Store", outcome.store.clone()),
        ("Program", format!("vitals {}{build}", outcome.version)),
        ("Machine", format!("{}, {}", counted(outcome.cores.unwrap_or_default(), "core"), outcome.operating_system)),
        ("Began", outcome.began.clone()),
    ];
    rows.extend(outcome.compared.as_ref().map(|compared| ("Compared with", compared.with.clone())));
    let row =
        |(name, value): &(&str, String)| format!("<tr><td>{}</td><td>{}</td></tr>\n", escaped(name), escaped(value));
    format!("<table>\n<tbody>\n{}</tbody>\n</table>", rows.iter().map(row).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::outcome;
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_found_before_the_run_and_no_file_is_left_by_looking() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(ReportFile::at(&folder.path().join("nowhere/x.html")).is_err());
        let path = folder.path().join("x.html");
        ReportFile::at(&path).expect("can be written");
        assert!(!path.exists());
        fs::write(&path, "old").expect("written");
        ReportFile::at(&path).expect("can be written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "old");
    }

    #[test]
    fn the_page_is_whole_and_asks_nobody() {
        let page = html(&outcome());
        assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
        for word in ["http:", "https:", "//", "url(", "@import", "<script", "src=", "href=", "{{", "}}"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn every_line_of_the_plots_is_one_path() {
        let page = html(&outcome());
        assert_eq!(page.matches("<figure>").count(), 4);
        // Two rates, one lag, two latencies, two distributions.
        assert_eq!(page.matches("<path class=\"line s").count(), 7);
    }

    #[test]
    fn what_others_have_named_is_escaped() {
        let mut outcome = outcome();
        outcome.broker = "<script>alert('x')</script>".to_owned();
        outcome.compare(Path::new("\"{{plots}}&.json"), outcome.clone());
        let page = html(&outcome);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(page.contains("&quot;{{plots}}&amp;.json"));
        assert_eq!(page.matches("<figure>").count(), 4);
    }

    #[test]
    fn a_comparison_adds_two_columns_to_the_figures() {
        let mut outcome = outcome();
        assert!(!html(&outcome).contains("Now/then"));
        outcome.compare(Path::new("old.json"), outcome.clone());
        assert!(html(&outcome).contains("<td>to the row, p50</td><td class=\"n\">2.00</td><td class=\"n\">2.00</td><td class=\"n\">1.00</td><td>ms</td>"));
    }

    #[test]
    fn missing_readings_are_a_warning() {
        let mut outcome = outcome();
        outcome.figures.stored = 1990;
        assert!(html(&outcome).contains("Not stored in time: 10 readings."));
    }
}
