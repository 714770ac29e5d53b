//! One target, run for its time.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::figures::{self, Figures};
use super::target::Target;
use crate::error::Error;
use crate::job::Job;
use crate::repository;
use crate::signals::Interrupt;

/// An input that takes longer is a find: the slowest that is allowed is a batch that grows to 64 MiB.
const INPUT_LIMIT_SECONDS: u32 = 10;
/// A target that takes more memory is a find.
const MEMORY_LIMIT_MIB: u32 = 1024;
/// How much longer than its time a target may take: it ends between two inputs, and writes down what it has learnt.
const GRACE: Duration = Duration::from_secs(60);

/// A target, and how long it runs.
#[derive(Debug)]
pub(super) struct Session<'a> {
    target: Target,
    program: &'a Path,
    time: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) target: Target,
    pub(super) figures: Figures,
    pub(super) crash: Option<Crash>,
}

/// An input that ends the target.
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
    pub(super) fn run(&self, interrupt: &Interrupt) -> Result<Outcome, Error> {
        let corpus = self.folder("corpus")?;
        let finds = self.folder("artifacts")?;
        let log = Path::new("target/fuzz").join(format!("{}.log", self.target));
        let log = repository::root().join(log);
        let (command, what) = (self.command(corpus, &finds), format!("the target {}", self.target));
        let (folder, limit) = (repository::root(), self.time + GRACE);
        let job = Job { what: &what, command: &command, folder, log: &log, limit, hint: "" };
        let status = job.ended(interrupt)?;
        // It prints inputs too, which may be anything.
        let said = fs::read(&log).map_err(Error::file("read", &log))?;
        let said = String::from_utf8_lossy(&said);
        let outcome = |crash| Outcome { target: self.target, figures: Figures::read(&said), crash };
        match figures::find(&said) {
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
    fn folder(&self, kind: &str) -> Result<PathBuf, Error> {
        let folder = Path::new("target/fuzz").join(kind).join(self.target.name());
        let path = repository::root().join(&folder);
        fs::create_dir_all(&path).map_err(Error::file("make", &path))?;
        Ok(folder)
    }
}
