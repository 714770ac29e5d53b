//! `cargo xtask chaos`: faults that try to break what `vitals` promises, and a verdict for each promise.
//!
//! What was acknowledged is written down by a producer that is not ours; what is kept is read by readers that are not
//! ours. A campaign makes its faults while messages flow, then lets everything come to rest, and compares the two. Several
//! campaigns run at the same time, each on servers of its own: most of their time is waiting.
//!
//! - [`promises`]: the promises, and which campaigns attack them; [`campaigns`]: how they do it
//! - [`schedule`]: when faults are made, by a seed; [`clock`]: a clock that is wrong
//! - [`stack`]: what a campaign works on: embedded broker and `SQLite`, or Kafka and Cassandra
//! - [`harness`]: the programs of a run, and what they are started with
//! - [`flow`]: messages on their way, from the producer that is not ours to the table, and who watches them
//! - [`verdict`]: what the readers found, and what that says

mod campaigns;
mod clock;
mod flow;
mod harness;
mod promises;
pub(crate) mod schedule;
mod stack;
mod verdict;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use color_eyre::eyre;

use self::harness::Harness;
use self::promises::{Campaign, Promise};
use self::schedule::{Bound, Schedule};
use self::stack::{Addresses, Kind, Stack};
use self::verdict::Verdict;
use crate::error::{Error, Result};
use crate::foreground::cargo_build;
use crate::link::Link;
use crate::say::{self, Shape};
use crate::services::folder::FreshStacks;
use crate::test::FEATURES;
use crate::{signals, venv};

/// Make faults, and see whether every promise holds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds `vitals`, starts servers of its own on free ports of 127.0.0.1, and ends
everything that it has started. What was acknowledged is written down, and what
is kept is read, by Python clients. Some campaigns are made a second time, with
a planted bug that must be caught. R12 and R22 need a C compiler, `cc`, R8 one of
C++, and R21 a JDK; R8 divides the time of --for among its decoders.

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
    faults: Vec<Promise>,
    /// What to attack them on
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::Embedded, Kind::Servers, Kind::Cluster])]
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

pub(crate) fn run(args: &Args) -> eyre::Result<u8> {
    let seed = args.seed.unwrap_or_else(seed_of_now);
    say::talk(&format!("the faults of this run: --seed {seed}"));
    let plan = Plan {
        faults: Promise::wanted(&args.faults, args.night),
        is_named: !args.faults.is_empty(),
        stacks: args.stacks.clone(),
        bound: args.time.map(Bound::Time),
        night: args.night,
        seed,
        binary: build()?,
        python: venv::ensure_python()?,
    };
    let (verdicts, outcome) = plan.run();
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
fn build() -> Result<PathBuf> {
    cargo_build("`vitals`", &["--workspace", "--bin", "vitals"])?;
    // As a part of the tests, which are built with these features.
    let target = cargo_build("`vitals`", &["--workspace", "--example", "tampered", "--features", FEATURES])?;
    Ok(target.join("debug").join("vitals"))
}

fn link(from: u16, to: u16) -> Result<Link> {
    Link::start(from, &format!("127.0.0.1:{to}")).map_err(Error::start("a link"))
}

#[derive(Debug, Clone)]
struct Plan {
    faults: Vec<Promise>,
    /// Whether that was named, so that it is not left out by day.
    is_named: bool,
    stacks: Vec<Kind>,
    /// How long each campaign makes faults, instead of so many.
    bound: Option<Bound>,
    night: bool,
    seed: u64,
    binary: PathBuf,
    /// The interpreter with the clients that are not ours.
    python: PathBuf,
}

#[derive(Debug, Clone, Copy)]
struct Task {
    fault: Promise,
    /// Which of its promise's campaigns it is, from 0.
    number: u32,
    campaign: Campaign,
}

/// The campaigns on one kind of stack that no thread has taken yet.
type Waiting = Mutex<VecDeque<Task>>;

impl Plan {
    /// Makes the campaigns. What was found before an error or Ctrl+C is worth as much as the rest.
    fn run(&self) -> (Vec<Verdict>, Result<()>) {
        let verdicts = Mutex::new(Vec::new());
        let waiting: Vec<(Kind, Waiting)> =
            self.stacks.iter().map(|kind| (*kind, Mutex::new(self.tasks(*kind)))).collect();
        // The three brokers and nodes have the machine to themselves.
        let (alone, beside): (Vec<_>, Vec<_>) = waiting.iter().partition(|(kind, _)| *kind == Kind::Cluster);
        let at_once = |waiting: Vec<&(Kind, Waiting)>| self.run_at_once(&waiting, &verdicts);
        let outcome = at_once(beside).and_then(|()| at_once(alone));
        let mut verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
        verdicts.sort_by_key(|verdict| (verdict.stack.name(), verdict.fault));
        (verdicts, outcome)
    }

    fn run_at_once(&self, waiting: &[&(Kind, Waiting)], verdicts: &Mutex<Vec<Verdict>>) -> Result<()> {
        thread::scope(|scope| {
            // One on each kind of stack. With one more on the embedded ones two processors were so busy that a successor
            // took four times as long to its first commit as is promised (R1, R14), for no fault of its own.
            let working = waiting.iter().map(|(kind, waiting)| {
                let thread = CampaignThread { plan: self, kind: *kind, waiting, verdicts };
                scope.spawn(move || thread.run())
            });
            let working: Vec<_> = working.collect();
            // A panic has been told, and ends this thread as well.
            let ended = working
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            ended.fold(Ok(()), Result::and)
        })
    }

    fn tasks(&self, kind: Kind) -> VecDeque<Task> {
        let of_fault = |fault: &Promise| {
            let task = |(number, campaign)| Task { fault: *fault, number, campaign };
            (0..).zip(fault.campaigns(kind)).map(task).collect::<Vec<_>>()
        };
        self.faults.iter().flat_map(of_fault).filter(|task| self.count(task.campaign) > 0).collect()
    }

    /// None by day, where a campaign takes a night and was not asked for.
    fn count(&self, campaign: Campaign) -> u32 {
        match (self.night, self.is_named) {
            (true, _) => campaign.night,
            (false, true) => campaign.usual.max(1),
            (false, false) => campaign.usual,
        }
    }

    fn schedule(&self, task: Task) -> Schedule {
        let bound = self.bound.unwrap_or(Bound::Count(self.count(task.campaign)));
        Schedule::new(self.seed, &task.fault.to_string(), bound)
    }
}

/// One campaign after the other, on one stack.
struct CampaignThread<'a> {
    plan: &'a Plan,
    kind: Kind,
    waiting: &'a Waiting,
    verdicts: &'a Mutex<Vec<Verdict>>,
}

impl CampaignThread<'_> {
    /// What it starts ends with it, since it ends after its campaigns.
    fn run(&self) -> Result<()> {
        let Some(first) = self.next() else { return Ok(()) };
        let mut fresh = FreshStacks::new();
        let folder = fresh.folder(self.kind.name())?;
        let harness = Harness::new(self.plan.binary.clone(), self.plan.python.clone(), folder)?;
        let outcome = self.attack(first, &harness, &mut fresh);
        fresh.end(matches!(outcome, Ok(true) | Err(Error::Interrupted(_))))?;
        outcome.map(drop)
    }

    /// Whether all was well.
    fn attack(&self, first: Task, harness: &Harness, fresh: &mut FreshStacks) -> Result<bool> {
        let mut stack = None;
        let mut is_good = true;
        for task in std::iter::once(first).chain(std::iter::from_fn(|| self.next())) {
            let on = match &mut stack {
                Some(stack) => stack,
                None => stack.insert(Stack::start(self.kind, harness, fresh)?),
            };
            let Task { fault, number, campaign } = task;
            let verdict = Verdict::begin(fault, self.kind, campaign.planted);
            let (schedule, night) = (self.plan.schedule(task), self.plan.night);
            let mut run = Run { stack: on, harness, schedule, night, number, verdict };
            let outcome = (campaign.run)(&mut run);
            let mut verdict = run.verdict;
            signals::check()?;
            verdict.end(outcome.as_ref().err());
            if outcome.is_err() {
                // Whatever state it is in: the next campaign gets another.
                stack = None;
            }
            say::talk(&verdict.to_string());
            is_good &= verdict.is_good();
            self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).push(verdict);
        }
        Ok(is_good)
    }

    fn next(&self) -> Option<Task> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct Run<'a> {
    stack: &'a mut Stack,
    harness: &'a Harness,
    schedule: Schedule,
    night: bool,
    /// Which of its promise's campaigns it is, from 0.
    number: u32,
    verdict: Verdict,
}

impl Run<'_> {
    /// A topic, a group and tables for this campaign alone.
    fn addresses(&self) -> Result<Addresses> {
        self.stack.addresses(&self.name())
    }

    fn name(&self) -> String {
        let name = self.verdict.fault.to_string().to_lowercase();
        if self.number == 0 { name } else { format!("{name}_{}", self.number) }
    }

    /// The like for a part of the campaign; `part` holds letters, digits and `_`.
    fn addresses_of(&self, part: &str) -> Result<Addresses> {
        self.stack.addresses(&format!("{}_{part}", self.name()))
    }

    fn is_planted(&self) -> bool {
        self.verdict.planted.is_some()
    }
}
