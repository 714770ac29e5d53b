//! `cargo xtask fuzz`: every decoder against inputs that libFuzzer invents, guided by which code they reach.
//!
//! The targets are in xtask/fuzz, a crate of its own. The stable compiler builds them, with the same passes that
//! `cargo fuzz` asks for; there is no address sanitizer, which the product's safe code does not need.
//!
//! [`session`]: one target, run, and what it said

mod session;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use color_eyre::eyre;

use self::session::{Outcome, Session};
use crate::chaos::schedule;
use crate::error::{Error, Result};
use crate::foreground::Foreground;
use crate::{environment, repository, say, signals};

/// Try every decoder with inputs that libFuzzer invents.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds the targets of xtask/fuzz (the first time takes some minutes, and needs a
C++ compiler), and runs one after the other. What was learnt stays in
target/fuzz/corpus, so that the next run goes on from there.

The exit code is 1 when an input was found that ends a decoder, takes it longer
than 10 s, or more than 1 GiB of memory; the report says how to repeat it.

Examples:
  cargo xtask fuzz
  cargo xtask fuzz --target responses,records --for 1h")]
pub(crate) struct Args {
    /// Which targets [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    target: Vec<Target>,
    /// How long each of them runs, such as 60s, 10m or 1h
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = schedule::time)]
    time: Duration,
}

/// Builds and runs the targets; exit code 1 where one of them has crashed.
pub(crate) fn run(args: &Args) -> eyre::Result<u8> {
    let wanted = if args.target.is_empty() { Target::value_variants() } else { &args.target };
    let mut outcomes = Vec::new();
    let ended = build_targets(wanted).and_then(|programs| try_all(&programs, args.time, &mut outcomes));
    // What was found before an error or Ctrl+C is worth as much.
    for line in lines(&outcomes) {
        say::data(&line);
    }
    ended?;
    Ok(u8::from(outcomes.iter().any(|outcome| outcome.crash.is_some())))
}

/// What a target did, for who asks for all of them.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) target: &'static str,
    pub(crate) inputs: u64,
    /// The input that ended it, and why, in words.
    pub(crate) crash: Option<String>,
}

pub(crate) fn targets() -> u32 {
    u32::try_from(Target::value_variants().len()).unwrap_or(u32::MAX)
}

pub(crate) fn all(time: Duration) -> Result<Vec<Tried>> {
    let programs = build_targets(Target::value_variants())?;
    let mut outcomes = Vec::new();
    try_all(&programs, time, &mut outcomes)?;
    Ok(outcomes.iter().map(Tried::of).collect())
}

impl Tried {
    fn of(outcome: &Outcome) -> Self {
        let crash = outcome.crash.as_ref().map(|crash| format!("{} by {}", crash.reason, crash.input.display()));
        Self { target: outcome.target.name(), inputs: outcome.figures.runs, crash }
    }
}

fn try_all(programs: &[(Target, PathBuf)], time: Duration, outcomes: &mut Vec<Outcome>) -> Result<()> {
    for (target, program) in programs {
        say::talk(&format!("fuzz: {target} for {} s", time.as_secs()));
        outcomes.push(Session::new(*target, program, time).run()?);
    }
    Ok(())
}

/// A decoder; its target is `xtask/fuzz/targets/NAME.rs`, and its first inputs are in `xtask/fuzz/seeds/NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Messages of the topic
    Reading,
    /// CSV files of readings
    Csv,
    /// HL7 messages in MLLP frames, and files of their senders
    Hl7,
    /// Files of `vitals import`
    Archive,
    /// The settings file, and the values of the environment
    Settings,
    /// Requests that the embedded broker reads
    Requests,
    /// Responses of brokers
    Responses,
    /// Record batches, in every codec
    Records,
    /// The headers of dead letters
    Letters,
    /// What the members of a group tell each other
    Group,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Csv => "csv",
            Self::Hl7 => "hl7",
            Self::Archive => "archive",
            Self::Settings => "settings",
            Self::Requests => "requests",
            Self::Responses => "responses",
            Self::Records => "records",
            Self::Letters => "letters",
            Self::Group => "group",
        }
    }

    /// Folders of inputs to begin with, relative to the repository.
    fn seeds(self) -> Vec<PathBuf> {
        let own = PathBuf::from("xtask/fuzz/seeds").join(self.name());
        let fixtures = (self == Self::Reading).then(|| PathBuf::from("fixtures/messages"));
        fixtures.into_iter().chain([own]).filter(|folder| repository::root().join(folder).is_dir()).collect()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What `cargo fuzz` passes too, as far as the stable compiler takes it. Only the first two are needed for coverage; the
/// others let it see comparisons, and keep branches that would be folded into one.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

fn build_targets(wanted: &[Target]) -> Result<Vec<(Target, PathBuf)>> {
    let host = host()?;
    let place = repository::root().join("target").join("fuzz").join("build");
    let mut command = vec![environment::cargo()];
    // A named platform keeps the flags from build scripts, which have no libFuzzer to tell anything to.
    command.extend(["build", "--release", "--target", &host, "--target-dir"].map(OsString::from));
    command.push(place.clone().into());
    command.extend(wanted.iter().flat_map(|target| ["--bin", target.name()]).map(OsString::from));
    let flags = [("RUSTFLAGS".to_owned(), OsString::from(FLAGS.join(" ")))];
    let folder = repository::root().join("xtask").join("fuzz");
    say::talk("fuzz: building the targets (some minutes, the first time)");
    let code = Foreground { command: &command, environment: &flags, folder: Some(&folder) }.run()?;
    signals::check()?;
    if code != 0 {
        return Err(Error::Build { what: "the targets", code, more: "; libFuzzer needs a C++ compiler" });
    }
    let programs = place.join(host).join("release");
    Ok(wanted.iter().map(|target| (*target, programs.join(target.name()))).collect())
}

/// The platform that this compiler builds for by itself.
fn host() -> Result<String> {
    let mut command = Command::new(environment::cargo());
    let told = command.arg("-vV").stderr(Stdio::inherit()).output().map_err(Error::start("cargo"))?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(|host| host.trim().to_owned()).ok_or(Error::NoHost)
}

fn lines(outcomes: &[Outcome]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<10} {:>12} {:>8} {:>9} {:>6} {:>9} {:>8}",
        "target", "runs", "runs/s", "coverage", "new", "peak MiB", ""
    )];
    lines.extend(outcomes.iter().map(line));
    lines.extend(outcomes.iter().flat_map(crash_lines));
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

fn crash_lines(outcome: &Outcome) -> Vec<String> {
    let Some(crash) = &outcome.crash else { return Vec::new() };
    vec![
        format!("{}: {}", outcome.target, crash.reason),
        format!("  input   {}", crash.input.display()),
        format!("  repeat  {} {}", crash.program.display(), crash.input.display()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_file_an_entry_and_seeds() {
        let manifest = std::fs::read_to_string(repository::root().join("xtask/fuzz/Cargo.toml")).unwrap();
        for target in Target::value_variants() {
            let path = format!("targets/{target}.rs");
            assert!(repository::root().join("xtask/fuzz").join(&path).is_file(), "{path}");
            assert!(manifest.contains(&format!("path = \"{path}\"")), "{path}");
            assert!(!target.seeds().is_empty(), "{target}");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), Target::value_variants().len());
    }
}
