//! `cargo xtask chaos`: faults that try to break what `vitals` promises, and a verdict for each promise.
//!
//! What was acknowledged is written down by a producer that is not ours; what is kept is read by readers that are not
//! ours. A campaign makes its faults while messages flow, then lets everything come to rest, and compares the two.
//!
//! - [`fault`]: the promises, and which campaigns attack them; [`campaigns`]: one file each
//! - [`schedule`]: when faults are made, by a seed; [`run`]: one campaign at work
//! - [`stand`]: the programs of a run, and what they are started with; [`worker`]: one of them
//! - [`stack`]: what a campaign works on: [`embedded`] broker and `SQLite`, or [`servers`]: Kafka and Cassandra
//! - [`link`]: a TCP proxy that spoils connections; [`trouble`]: what can be wrong with it
//! - [`flow`]: messages on their way, from the producer that is not ours to the table; [`scene`]: the like for campaigns
//!   that send in their own way
//! - [`group`]: how far the group has come; [`watch`]: what it commits, change by change
//! - [`stall`]: a store that stands still; [`left`]: what a consumer leaves behind; [`signalled`]: how programs end that
//!   are asked to
//! - [`findings`]: what the readers found; [`verdict`]: what that says; [`error`]: what can go wrong

mod campaigns;
mod embedded;
mod error;
mod fault;
mod findings;
mod flow;
mod group;
mod left;
mod link;
mod run;
mod scene;
mod schedule;
mod servers;
mod signalled;
mod stack;
mod stall;
mod stand;
mod trouble;
mod verdict;
mod watch;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use color_eyre::eyre;

use self::error::ChaosError;
use self::fault::{Campaign, Fault};
use self::run::Run;
use self::schedule::{Bound, Schedule};
use self::stack::Kind;
use self::stand::Stand;
use self::verdict::Verdict;
use crate::environment;
use crate::repository;
use crate::say;
use crate::services::fresh::FreshStacks;
use crate::signals::Interrupt;
use crate::supervise::Foreground;
use crate::test::python;

/// Make faults, and see whether every promise holds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds `vitals`, starts servers of its own on free ports of 127.0.0.1, and ends
everything that it has started. What was acknowledged is written down, and what
is kept is read, by Python clients. Some campaigns are made a second time, with
a planted bug that must be caught. R12 needs a C compiler, `cc`.

The exit code is 0 when every promise held and every planted bug was caught,
else 1. --night makes ten times the faults and more, in hours. The same seed makes the same faults at the same distances.

Examples:
  cargo xtask chaos
  cargo xtask chaos --faults R3 --seed 7
  cargo xtask chaos --faults R1,R2 --stacks embedded --for 2m -o json
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// To read
    #[default]
    Table,
    /// For programs
    Json,
}

/// Makes the campaigns, and prints their verdicts.
pub(crate) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let seed = args.seed.unwrap_or_else(seed_of_now);
    say::talk(&format!("the faults of this run: --seed {seed}"));
    let binary = build(interrupt)?;
    let python = python::ensure(interrupt)?;
    let mut fresh = FreshStacks::new();
    let mut verdicts = Vec::new();
    let mut outcome = Ok(());
    for kind in args.stacks.iter().copied() {
        let stand = Stand::new(binary.clone(), python.clone(), fresh.folder(kind.name())?, interrupt)?;
        let campaigns = Campaigns { kind, args, seed };
        outcome = campaigns.run(&stand, &mut fresh, &mut verdicts);
        if outcome.is_err() {
            break;
        }
    }
    // What was found before an error or Ctrl+C is worth as much.
    print(args.output, seed, &verdicts);
    let is_good = outcome.is_ok() && verdicts.iter().all(Verdict::is_good);
    if is_good || interrupt.received().is_some() {
        fresh.remove()?;
    } else {
        fresh.keep_logs()?;
    }
    outcome?;
    Ok(u8::from(!is_good))
}

/// The campaigns on one kind of stack.
#[derive(Debug)]
struct Campaigns<'a> {
    kind: Kind,
    args: &'a Args,
    seed: u64,
}

impl Campaigns<'_> {
    fn run(&self, stand: &Stand, fresh: &mut FreshStacks, verdicts: &mut Vec<Verdict>) -> Result<(), ChaosError> {
        let all = Fault::wanted(&self.args.faults, self.args.night);
        let wanted = all
            .into_iter()
            .flat_map(|fault| (0..).zip(fault.campaigns(self.kind)).map(move |campaign| (fault, campaign)));
        let mut stack = None;
        for (fault, (number, campaign)) in wanted.filter(|(_, (_, campaign))| self.count(*campaign) > 0) {
            let on = match &mut stack {
                Some(stack) => stack,
                None => stack.insert(stack::start(self.kind, stand, fresh)?),
            };
            let verdict = Verdict::begin(fault, self.kind, campaign.planted);
            let mut run = Run { stack: on.as_mut(), stand, schedule: self.schedule(fault, campaign), number, verdict };
            let outcome = (campaign.run)(&mut run);
            let mut verdict = run.verdict;
            stand.interrupt().check()?;
            verdict.end(outcome.as_ref().err());
            if outcome.is_err() {
                // Whatever state it is in: the next campaign gets another.
                stack = None;
            }
            say::talk(&verdict.to_string());
            verdicts.push(verdict);
        }
        Ok(())
    }

    fn schedule(&self, fault: Fault, campaign: Campaign) -> Schedule {
        let bound = self.args.time.map_or(Bound::Count(self.count(campaign)), Bound::Time);
        Schedule::new(self.seed, &fault.to_string(), bound)
    }

    /// None, where a campaign takes a night.
    fn count(&self, campaign: Campaign) -> u32 {
        if self.args.night { campaign.night } else { campaign.usual }
    }
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
fn build(interrupt: &Interrupt) -> Result<PathBuf, ChaosError> {
    // Named, since the user may have another target folder.
    let target = repository::root().join("target");
    let mut command = vec![environment::cargo()];
    command.extend(["build", "--workspace", "--bin", "vitals", "--target-dir"].map(OsString::from));
    command.push(target.clone().into());
    let foreground = Foreground { command: &command, environment: &[], folder: Some(repository::root()) };
    let code = foreground.run(interrupt)?;
    interrupt.check()?;
    if code == 0 { Ok(target.join("debug").join("vitals")) } else { Err(ChaosError::Build(code)) }
}
