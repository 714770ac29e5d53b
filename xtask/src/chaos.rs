//! `cargo xtask chaos`: faults that try to break what `vitals` promises, and a verdict for each promise.
//!
//! What was acknowledged is written down by a producer that is not ours; what is kept is read by readers that are not
//! ours. A campaign makes its faults while messages flow, then lets everything come to rest, and compares the two.
//!
//! - [`fault`]: the promises, and which campaigns attack them; [`campaigns`]: one file each
//! - [`schedule`]: when faults are made, by a seed; [`run`]: one campaign at work; [`lanes`]: several at the same time
//! - [`stand`]: the programs of a run, and what they are started with
//! - [`stack`]: what a campaign works on: [`embedded`] broker and `SQLite`, or [`servers`]: Kafka and Cassandra
//! - [`trouble`]: which trouble a link has; [`stall`]: a store that answers nobody for a while
//! - [`flow`]: messages on their way, from the producer that is not ours to the table; [`scene`]: the like for campaigns
//!   that send in their own way; [`gauge`]: what our programs take meanwhile
//! - [`group`]: how far the group has come; [`watch`]: what it commits, change by change; [`foreign`]: members of it
//!   that are of another kind
//! - [`left`]: what a consumer leaves behind; [`signalled`]: how programs end that are asked to
//! - [`findings`]: what the readers found; [`verdict`]: what that says

mod campaigns;
mod embedded;
mod fault;
mod findings;
mod flow;
mod foreign;
mod gauge;
mod group;
mod lanes;
mod left;
mod run;
mod scene;
pub(crate) mod schedule;
mod servers;
mod signalled;
mod stack;
mod stall;
mod stand;
mod trouble;
mod verdict;
mod watch;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use color_eyre::eyre;

use self::fault::Fault;
use self::lanes::Plan;
use self::schedule::Bound;
use self::stack::Kind;
use self::verdict::Verdict;
use crate::environment;
use crate::error::Error;
use crate::link::Link;
use crate::repository;
use crate::say::{self, Shape};
use crate::signals::Interrupt;
use crate::supervise::Foreground;
use crate::test::{FEATURES, python};

/// Make faults, and see whether every promise holds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds `vitals`, starts servers of its own on free ports of 127.0.0.1, and ends
everything that it has started. What was acknowledged is written down, and what
is kept is read, by Python clients. Some campaigns are made a second time, with
a planted bug that must be caught. R12 needs a C compiler, `cc`, and R8 one of
C++; R8 divides the time of --for among its decoders.

The exit code is 0 when every promise held and every planted bug was caught,
else 1. --night makes ten times the faults and more, in hours. The same seed
makes the same faults at the same distances.

Examples:
  cargo xtask chaos
  cargo xtask chaos --faults R3 --seed 7
  cargo xtask chaos --faults R1,R2 --stacks embedded --for 2m -o json
  cargo xtask chaos --faults R8,R9 --night --for 1h
  cargo xtask chaos --night")]
pub(crate) struct Args {
    /// Which promises to attack [default: all; by day without those that take long]
    #[arg(long, value_enum, value_delimiter = ',', ignore_case = true)]
    faults: Vec<Fault>,
    /// What to attack them on
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::Embedded, Kind::Servers])]
    stacks: Vec<Kind>,
    /// Make faults for so long in each campaign, such as 90s or 10m, instead of a fixed number of them
    #[arg(long = "for", value_name = "TIME", value_parser = schedule::time)]
    time: Option<Duration>,
    /// All promises, and as many faults as a night has time for
    #[arg(long)]
    night: bool,
    /// Repeats the schedule of a run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How the verdicts are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

/// Makes the campaigns, and prints their verdicts.
pub(crate) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let seed = args.seed.unwrap_or_else(seed_of_now);
    say::talk(&format!("the faults of this run: --seed {seed}"));
    let plan = Plan {
        faults: Fault::wanted(&args.faults, args.night),
        is_named: !args.faults.is_empty(),
        stacks: args.stacks.clone(),
        bound: args.time.map(Bound::Time),
        night: args.night,
        seed,
        binary: build(interrupt)?,
        python: python::ensure(interrupt)?,
    };
    let (verdicts, outcome) = plan.run(interrupt);
    print(args.output, seed, &verdicts);
    outcome?;
    Ok(u8::from(!verdicts.iter().all(Verdict::is_good)))
}

fn print(shape: Shape, seed: u64, verdicts: &[Verdict]) {
    match shape {
        Shape::Table => {
            say::data(&format!("seed {seed}"));
            for line in verdict::table(verdicts) {
                say::data(&line);
            }
        }
        Shape::Json => say::data(&verdict::json(seed, verdicts)),
    }
}

/// Some number that the user can repeat without a slip.
fn seed_of_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) % 1_000_000
}

/// With the checks of a debug build: an overflow ends the program instead of going unnoticed. The features are those of
/// the whole workspace, so that nothing is built a second time.
fn build(interrupt: &Interrupt) -> Result<PathBuf, Error> {
    // Named, since the user may have another target folder.
    let target = repository::root().join("target");
    cargo_build(&target, &["--bin", "vitals"], interrupt)?;
    // As a part of the tests, which are built with these features.
    cargo_build(&target, &["--example", "tampered", "--features", FEATURES], interrupt)?;
    Ok(target.join("debug").join("vitals"))
}

fn cargo_build(target: &Path, what: &[&str], interrupt: &Interrupt) -> Result<(), Error> {
    let mut command = vec![environment::cargo()];
    command.extend(["build", "--workspace"].iter().chain(what).map(OsString::from));
    command.extend(["--target-dir".into(), OsString::from(target)]);
    let foreground = Foreground { command: &command, environment: &[], folder: Some(repository::root()) };
    let code = foreground.run(interrupt)?;
    interrupt.check()?;
    Error::build("`vitals`", code)
}

/// A link between two ports of this machine.
fn link(from: u16, to: u16) -> Result<Link, Error> {
    Link::start(from, &format!("127.0.0.1:{to}")).map_err(Error::start("a link"))
}
