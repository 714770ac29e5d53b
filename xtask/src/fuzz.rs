//! `cargo xtask fuzz`: every decoder against inputs that libFuzzer invents, guided by which code they reach.
//!
//! The targets are in xtask/fuzz, a crate of its own. The stable compiler builds them, with the same passes that
//! `cargo fuzz` asks for; there is no address sanitizer, which the product's safe code does not need.
//!
//! [`target`]: what there is; [`build`]: how it is made; [`session`]: one target, run; [`figures`]: what it said;
//! [`table`]: how that is printed

mod build;
mod figures;
mod session;
mod table;
mod target;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum as _;
use color_eyre::eyre;

use self::session::{Outcome, Session};
use self::target::Target;
use crate::chaos::schedule;
use crate::error::Error;
use crate::say;
use crate::signals::Interrupt;

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
pub(crate) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let wanted = if args.target.is_empty() { Target::value_variants() } else { &args.target };
    let mut outcomes = Vec::new();
    let ended =
        build::targets(wanted, interrupt).and_then(|programs| try_all(&programs, args.time, interrupt, &mut outcomes));
    // What was found before an error or Ctrl+C is worth as much.
    for line in table::lines(&outcomes) {
        say::data(&line);
    }
    ended?;
    Ok(u8::from(outcomes.iter().any(|outcome| outcome.crash.is_some())))
}

/// What a target did, for who asks for all of them.
#[derive(Debug)]
pub(crate) struct Tried {
    /// Its name.
    pub(crate) target: &'static str,
    /// How many inputs it took.
    pub(crate) inputs: u64,
    /// The input that ended it, and why, in words.
    pub(crate) crash: Option<String>,
}

/// How many targets there are.
pub(crate) fn targets() -> u32 {
    u32::try_from(Target::value_variants().len()).unwrap_or(u32::MAX)
}

/// Tries every target for so long.
pub(crate) fn all(time: Duration, interrupt: &Interrupt) -> Result<Vec<Tried>, Error> {
    let programs = build::targets(Target::value_variants(), interrupt)?;
    let mut outcomes = Vec::new();
    try_all(&programs, time, interrupt, &mut outcomes)?;
    Ok(outcomes.iter().map(Tried::of).collect())
}

impl Tried {
    fn of(outcome: &Outcome) -> Self {
        let crash = outcome.crash.as_ref().map(|crash| format!("{} by {}", crash.reason, crash.input.display()));
        Self { target: outcome.target.name(), inputs: outcome.figures.runs, crash }
    }
}

fn try_all(
    programs: &[(Target, PathBuf)],
    time: Duration,
    interrupt: &Interrupt,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Error> {
    for (target, program) in programs {
        say::talk(&format!("fuzz: {target} for {} s", time.as_secs()));
        outcomes.push(Session::new(*target, program, time).run(interrupt)?);
    }
    Ok(())
}
