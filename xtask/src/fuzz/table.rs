//! How it is printed: a line a target, and below them how each find is repeated.

use super::session::Outcome;

/// The table, and what was found.
pub(super) fn lines(outcomes: &[Outcome]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<10} {:>12} {:>8} {:>9} {:>6} {:>9} {:>8}",
        "target", "runs", "runs/s", "coverage", "new", "peak MiB", ""
    )];
    lines.extend(outcomes.iter().map(line));
    lines.extend(outcomes.iter().flat_map(find));
    lines
}

fn line(outcome: &Outcome) -> String {
    let figures = &outcome.figures;
    let verdict = if outcome.crash.is_some() { "CRASH" } else { "ok" };
    format!(
        "{:<10} {:>12} {:>8} {:>9} {:>6} {:>9} {verdict:>8}",
        outcome.target.name(),
        figures.runs,
        figures.runs_per_second,
        figures.coverage,
        figures.new_coverage,
        figures.peak_mib,
    )
}

fn find(outcome: &Outcome) -> Vec<String> {
    let Some(crash) = &outcome.crash else { return Vec::new() };
    vec![
        format!("{}: {}", outcome.target, crash.reason),
        format!("  input   {}", crash.input.display()),
        format!("  repeat  {} {}", crash.program.display(), crash.input.display()),
    ]
}
