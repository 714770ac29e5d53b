//! What libFuzzer says, as figures.

use std::path::PathBuf;

/// What a target did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// How many inputs it took.
    pub(super) runs: u64,
    /// How many of them a second.
    pub(super) runs_per_second: u64,
    /// Places in the code that were reached.
    pub(super) coverage: u64,
    /// How many of those by inputs of this run.
    pub(super) new_coverage: u64,
    /// The most memory, in MiB.
    pub(super) peak_mib: u64,
}

impl Figures {
    /// Out of everything that it printed.
    pub(super) fn read(said: &str) -> Self {
        let stat = |name: &str| {
            let line = said.lines().rev().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            line.and_then(|rest| rest.trim_start_matches(':').trim().parse().ok()).unwrap_or_default()
        };
        let covered = |line: &str| line.split_once("cov: ")?.1.split(' ').next()?.parse().ok();
        let begun: Option<u64> = said.lines().find(|line| line.contains("INITED")).and_then(covered);
        let coverage = said.lines().filter(|line| line.starts_with('#')).filter_map(covered).max().unwrap_or_default();
        Self {
            runs: stat("number_of_executed_units"),
            runs_per_second: stat("average_exec_per_sec"),
            coverage,
            new_coverage: coverage.saturating_sub(begun.unwrap_or_default()),
            peak_mib: stat("peak_rss_mb"),
        }
    }
}

/// Why a target ended before its time, and where the input is that did it; out of everything that it printed.
pub(super) fn find(said: &str) -> Option<(String, PathBuf)> {
    let input = said.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path.trim()))?;
    let panicked = said.lines().skip_while(|line| !line.contains("panicked at")).take(2);
    let reason = panicked.map(str::trim).collect::<Vec<_>>().join(" ");
    let error = said.lines().find_map(|line| line.split_once("ERROR: libFuzzer: ").map(|(_, rest)| rest.trim()));
    let reason = if reason.is_empty() { error.unwrap_or("it ended").to_owned() } else { reason };
    Some((reason, PathBuf::from(input)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: &str = "\
INFO: seed corpus: files: 12
#13\tINITED cov: 210 ft: 300 corp: 9/1Kb exec/s: 0 rss: 27Mb
#16\tNEW    cov: 214 ft: 310 corp: 10/1Kb lim: 200 exec/s: 0 rss: 27Mb L: 2/200 MS: 3
#900\tDONE   cov: 231 ft: 500 corp: 30/2Kb lim: 300 exec/s: 450 rss: 40Mb
Done 900 runs in 2 second(s)
stat::number_of_executed_units: 900
stat::average_exec_per_sec:     450
stat::new_units_added:          20
stat::slowest_unit_time_sec:    0
stat::peak_rss_mb:              40
";

    const CRASH: &str = "\
thread '<unnamed>' (7) panicked at targets/group.rs:11:5:
more topics than bytes
==7== ERROR: libFuzzer: deadly signal
artifact_prefix='target/fuzz/artifacts/group/'; Test unit written to target/fuzz/artifacts/group/crash-01
";

    #[test]
    fn a_quiet_run_tells_its_figures_and_no_find() {
        let figures = Figures::read(QUIET);
        let expected = Figures { runs: 900, runs_per_second: 450, coverage: 231, new_coverage: 21, peak_mib: 40 };
        assert_eq!(figures, expected);
        assert_eq!(find(QUIET), None);
    }

    #[test]
    fn a_find_tells_its_reason_and_its_input() {
        let (reason, input) = find(CRASH).unwrap();
        assert!(reason.ends_with("targets/group.rs:11:5: more topics than bytes"), "{reason}");
        assert_eq!(input, PathBuf::from("target/fuzz/artifacts/group/crash-01"));
        let slow = "==7== ERROR: libFuzzer: timeout after 10 seconds\nTest unit written to a/timeout-2";
        let expected = ("timeout after 10 seconds".to_owned(), PathBuf::from("a/timeout-2"));
        assert_eq!(find(slow), Some(expected));
    }
}
