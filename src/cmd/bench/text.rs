//! The result for people: lines that fit 80 columns.

use super::figures::{Figures, short};
use super::outcome::{Comparison, Outcome};
use crate::output::{counted, wrapped};

/// What stands on the left, and the room for it.
const LABEL_COLUMNS: usize = 12;

/// The room for a latency.
const LATENCY_COLUMNS: usize = 10;

/// The lines of `outcome`, none of them longer than `width` where its words allow it.
pub(super) fn lines(outcome: &Outcome, width: usize) -> Vec<String> {
    let parameters = &outcome.parameters;
    let mut lines = Vec::new();
    let mut put = |label: &str, text: &str| lines.extend(labelled(label, text, width));
    let end = if outcome.is_cut_short { ", cut short" } else { "" };
    put("measured", &format!("{}{end}", parameters.pace()));
    put("with", &parameters.sizes());
    let build = if outcome.is_debug_build { ", a debug build: slow" } else { "" };
    put("on", &format!("{}, {}; vitals {}{build}", outcome.broker, outcome.store, outcome.version));
    lines.push(String::new());
    match &outcome.compared {
        None => lines.extend(figures(&outcome.figures, width)),
        Some(compared) => lines.extend(comparison(&outcome.figures, compared, width)),
    }
    lines
}

fn labelled(label: &str, text: &str, width: usize) -> Vec<String> {
    wrapped(&format!("{label:<LABEL_COLUMNS$}"), &" ".repeat(LABEL_COLUMNS), text, width)
}

fn figures(figures: &Figures, width: usize) -> Vec<String> {
    let Figures { seconds, sent, stored, alerts, largest_lag, .. } = figures;
    let due = figures.due.filter(|due| due != sent).map(|due| format!("{due} due, ")).unwrap_or_default();
    let alerts = counted(*alerts, "alert");
    let mut lines = labelled("readings", &format!("{due}{sent} sent, {stored} stored, {alerts}"), width);
    let rate = short(figures.stored_per_second);
    lines.extend(labelled("rate", &format!("{rate} rows/s stored, for {seconds:.1} s"), width));
    let lag = counted(*largest_lag, "reading");
    lines.extend(labelled("lag", &format!("{lag} at most"), width));
    lines.push(latencies("latency ms", ["p50", "p90", "p99", "p99.9", "max"].map(str::to_owned)));
    for (label, prefix) in [("  to row", "row_latency"), ("  to alert", "alert_latency")] {
        let list = figures.list().into_iter().filter(|figure| figure.name.starts_with(prefix));
        lines.push(latencies(label, list.map(|figure| figure.text())));
    }
    if let Some(micros) = figures.processor_us_per_reading {
        lines.extend(labelled("processor", &format!("{} µs per reading", short(micros)), width));
    }
    if let Some(mib) = figures.largest_resident_mib {
        lines.extend(labelled("memory", &format!("{} MiB at most", short(mib)), width));
    }
    lines
}

fn latencies(label: &str, values: impl IntoIterator<Item = String>) -> String {
    let values = values.into_iter().map(|value| format!("{value:>LATENCY_COLUMNS$}"));
    format!("{label:<LABEL_COLUMNS$}{}", values.collect::<String>())
}

fn comparison(now: &Figures, compared: &Comparison, width: usize) -> Vec<String> {
    let mut lines = vec![format!("{:<20}{:>14}{:>14}{:>10}", "", "NOW", "THEN", "NOW/THEN")];
    for (now, then) in now.list().into_iter().zip(compared.figures.list()) {
        let ratio = compared.ratios.get(now.name).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let line = format!("{:<20}{:>14}{:>14}{ratio:>10}  {}", now.label, now.text(), then.text(), now.unit);
        lines.push(line.trim_end().to_owned());
    }
    for difference in &compared.differences {
        lines.extend(wrapped("note: the runs differ: ", "      ", difference, width));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::outcome::tests::outcome;
    use super::*;

    #[test]
    fn the_figures_stand_in_a_few_lines_of_80_columns() {
        let lines = lines(&outcome(), 80);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        assert!(lines.len() < 16, "{lines:#?}");
        assert!(lines.iter().any(|line| line == "  to row          2.00         -         -         -         -"));
    }

    #[test]
    fn what_was_due_is_told_where_it_was_not_sent() {
        let mut outcome = outcome();
        outcome.figures.due = Some(2100);
        let lines = lines(&outcome, 80);
        assert!(lines.iter().any(|line| line.contains("2100 due, 2000 sent, 2000 stored")), "{lines:#?}");
    }

    #[test]
    fn a_comparison_has_both_values_and_their_ratio() {
        let (mut now, mut then) = (outcome(), outcome());
        then.figures.row_latency_p50_ms = Some(4.0);
        then.cores = Some(8);
        now.compare(Path::new("old.json"), then);
        let lines = lines(&now, 80);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        let p50 = "to the row, p50               2.00          4.00      0.50  ms";
        assert!(lines.iter().any(|line| line == p50), "{lines:#?}");
        assert!(lines.iter().any(|line| line == "note: the runs differ: cores 2, then 8"), "{lines:#?}");
    }
}
