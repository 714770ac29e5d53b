//! Several campaigns at the same time, each on servers of its own: most of their time is waiting.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::fault::{Campaign, Fault};
use super::run::Run;
use super::schedule::{Bound, Schedule};
use super::stack::{self, Kind};
use super::stand::Stand;
use super::verdict::Verdict;
use crate::error::Error;
use crate::say;
use crate::services::fresh::FreshStacks;
use crate::signals::Interrupt;

/// What all campaigns of a run share.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// What is attacked.
    pub(super) faults: Vec<Fault>,
    /// Whether that was named, so that it is not left out by day.
    pub(super) is_named: bool,
    /// On what.
    pub(super) stacks: Vec<Kind>,
    /// How long each campaign makes faults, instead of so many.
    pub(super) bound: Option<Bound>,
    /// Whether as many faults are made as a night has time for.
    pub(super) night: bool,
    /// Repeats the schedule.
    pub(super) seed: u64,
    /// The program under test.
    pub(super) binary: PathBuf,
    /// The interpreter with the clients that are not ours.
    pub(super) python: PathBuf,
}

/// A campaign that waits for its lane.
#[derive(Debug, Clone, Copy)]
struct Task {
    fault: Fault,
    /// Which of its promise's campaigns it is, from 0.
    number: u32,
    campaign: Campaign,
}

/// The campaigns on one kind of stack that no lane has taken yet.
type Waiting = Mutex<VecDeque<Task>>;

impl Plan {
    /// Makes the campaigns. What was found before an error or Ctrl+C is worth as much as the rest.
    pub(super) fn run(&self, interrupt: &Interrupt) -> (Vec<Verdict>, Result<(), Error>) {
        let verdicts = Mutex::new(Vec::new());
        let waiting: Vec<(Kind, Waiting)> =
            self.stacks.iter().map(|kind| (*kind, Mutex::new(self.tasks(*kind)))).collect();
        let outcome = thread::scope(|scope| {
            let lanes = waiting.iter().flat_map(|(kind, waiting)| (0..lanes_of(*kind)).map(move |_| (*kind, waiting)));
            let work = |(number, (kind, waiting))| {
                let lane = Lane { plan: self, kind, waiting, verdicts: &verdicts };
                scope.spawn(move || lane.run(number, interrupt))
            };
            let working: Vec<_> = (1..).zip(lanes).map(work).collect();
            // A panic has been told, and ends this thread as well.
            let ended =
                working.into_iter().map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            ended.fold(Ok(()), Result::and)
        });
        let mut verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
        verdicts.sort_by_key(|verdict| (verdict.stack.name(), verdict.fault));
        (verdicts, outcome)
    }

    fn tasks(&self, kind: Kind) -> VecDeque<Task> {
        let of_fault = |fault: &Fault| {
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

/// How many campaigns work at the same time on such stacks: two processors are enough for as many as these.
fn lanes_of(kind: Kind) -> u32 {
    match kind {
        Kind::Embedded => 2,
        Kind::Servers => 1,
    }
}

/// One campaign after the other, on one stack.
struct Lane<'a> {
    plan: &'a Plan,
    kind: Kind,
    waiting: &'a Waiting,
    verdicts: &'a Mutex<Vec<Verdict>>,
}

impl Lane<'_> {
    /// What it starts ends with it, since it ends after its campaigns.
    fn run(&self, number: u32, interrupt: &Interrupt) -> Result<(), Error> {
        let Some(first) = self.next() else { return Ok(()) };
        let mut fresh = FreshStacks::new();
        let folder = fresh.folder(&format!("{}-{number}", self.kind.name()))?;
        let stand = Stand::new(self.plan.binary.clone(), self.plan.python.clone(), folder, interrupt)?;
        let outcome = self.attack(first, &stand, &mut fresh);
        fresh.end(matches!(outcome, Ok(true) | Err(Error::Interrupted(_))))?;
        outcome.map(drop)
    }

    /// Whether all was well.
    fn attack(&self, first: Task, stand: &Stand, fresh: &mut FreshStacks) -> Result<bool, Error> {
        let mut stack = None;
        let mut is_good = true;
        for task in std::iter::once(first).chain(std::iter::from_fn(|| self.next())) {
            let on = match &mut stack {
                Some(stack) => stack,
                None => stack.insert(stack::start(self.kind, stand, fresh)?),
            };
            let Task { fault, number, campaign } = task;
            let verdict = Verdict::begin(fault, self.kind, campaign.planted);
            let (schedule, night) = (self.plan.schedule(task), self.plan.night);
            let mut run = Run { stack: on.as_mut(), stand, schedule, night, number, verdict };
            let outcome = (campaign.run)(&mut run);
            let mut verdict = run.verdict;
            stand.interrupt().check()?;
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
