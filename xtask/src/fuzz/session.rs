//! One target, run for its time.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Target;
use crate::error::{Error, Result};
use crate::repository;
use crate::worker::Job;

/// An input that takes longer is a find: the slowest that is allowed is a batch that grows to 64 MiB.
const INPUT_LIMIT_SECONDS: u32 = 10;
/// A target that takes more memory is a find.
const MEMORY_LIMIT_MIB: u32 = 1024;
/// How much longer than its time a target may take: it ends between two inputs, and writes down what it has learnt.
const GRACE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Session<'a> {
    target: Target,
    program: &'a Path,
    time: Duration,
}

#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) target: Target,
    pub(super) figures: Figures,
    pub(super) crash: Option<Crash>,
}

#[derive(Debug)]
pub(super) struct Crash {
    /// What was said about it, in one line.
    pub(super) reason: String,
    /// Where the input was written to, relative to the repository.
    pub(super) input: PathBuf,
    /// The program that takes it, relative to the repository.
    pub(super) program: PathBuf,
}

impl<'a> Session<'a> {
    pub(super) fn new(target: Target, program: &'a Path, time: Duration) -> Self {
        Self { target, program, time }
    }

    /// Runs to the end, or to the first input that ends it.
    pub(super) fn run(&self) -> Result<Outcome> {
        let corpus = self.folder("corpus")?;
        let finds = self.folder("artifacts")?;
        let log = Path::new("target/fuzz").join(format!("{}.log", self.target));
        let log = repository::root().join(log);
        let (command, what) = (self.command(corpus, &finds), format!("the target {}", self.target));
        let (folder, limit) = (repository::root(), self.time + GRACE);
        let job = Job { what: &what, command: &command, folder, log: &log, limit, hint: "" };
        let status = job.ended()?;
        // It prints inputs too, which may be anything.
        let said = fs::read(&log).map_err(Error::file("read", &log))?;
        let said = String::from_utf8_lossy(&said);
        let outcome = |crash| Outcome { target: self.target, figures: Figures::read(&said), crash };
        match find(&said) {
            _ if status.success() => Ok(outcome(None)),
            Some((reason, input)) => {
                let program = self.program.strip_prefix(repository::root()).unwrap_or(self.program).to_owned();
                Ok(outcome(Some(Crash { reason, input, program })))
            }
            None => Err(job.failed(status)),
        }
    }

    /// New inputs go into the first folder; the others are only read.
    fn command(&self, corpus: PathBuf, finds: &Path) -> Vec<OsString> {
        let options = [
            format!("-max_total_time={}", self.time.as_secs()),
            format!("-timeout={INPUT_LIMIT_SECONDS}"),
            format!("-rss_limit_mb={MEMORY_LIMIT_MIB}"),
            "-print_final_stats=1".to_owned(),
            format!("-artifact_prefix={}/", finds.display()),
        ];
        let folders = [corpus].into_iter().chain(self.target.seeds()).map(OsString::from);
        let program = [OsString::from(self.program)];
        program.into_iter().chain(options.map(OsString::from)).chain(folders).collect()
    }

    /// A folder of this target, made where it is missing; relative to the repository, as the target sees it.
    fn folder(&self, kind: &str) -> Result<PathBuf> {
        let folder = Path::new("target/fuzz").join(kind).join(self.target.name());
        let path = repository::root().join(&folder);
        fs::create_dir_all(&path).map_err(Error::file("make", &path))?;
        Ok(folder)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) runs: u64,
    /// How many of them a second.
    pub(super) runs_per_second: u64,
    /// Places in the code that were reached.
    pub(super) coverage: u64,
    /// How many of those by inputs of this run.
    pub(super) new_coverage: u64,
    pub(super) peak_mib: u64,
}

impl Figures {
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
