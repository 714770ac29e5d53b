//! How programs end that are asked to: SIGINT and SIGTERM.

use std::time::Duration;

use rustix::process::Signal;

use super::error::ChaosError;
use super::run::Run;
use super::verdict::Verdict;
use super::worker::Worker;

/// Within this a program ends that was asked once, by the promise,
pub(super) const FIRST_LIMIT: Duration = Duration::from_secs(5);
/// and, which is "at once", within this when it was asked twice;
pub(super) const SECOND_LIMIT: Duration = Duration::from_secs(1);
/// a busy machine may add this.
pub(super) const ROOM: Duration = Duration::from_secs(3);

/// Either signal means the same.
pub(super) fn draw(run: &mut Run<'_>) -> Signal {
    if run.schedule.coin() { Signal::INT } else { Signal::TERM }
}

/// It goes on, which breaks the promise.
pub(super) fn hangs(run: &mut Run<'_>, program: &mut Worker, limit: Duration) -> Result<(), ChaosError> {
    let limit = limit + ROOM;
    run.verdict.breaks(format!("has not ended {} s after the last signal\n{}", limit.as_secs(), program.tail()));
    program.kill()
}

/// How the programs of a campaign have ended.
#[derive(Debug, Default)]
pub(super) struct Ends {
    slowest: Duration,
    slowest_stalled: Duration,
    clean: u32,
    clean_after_work: u32,
    cut_short: u32,
    early: u32,
}

impl Ends {
    /// How long it took from the first signal; `is_stalled` where something stood still that it needed.
    pub(super) fn note(&mut self, is_stalled: bool, took: Duration) {
        let slowest = if is_stalled { &mut self.slowest_stalled } else { &mut self.slowest };
        *slowest = took.max(*slowest);
    }

    /// With 0; `after_work` where it had something to finish, and nothing stood still.
    pub(super) fn clean(&mut self, after_work: bool) {
        self.clean += 1;
        self.clean_after_work += u32::from(after_work);
    }

    /// With 130, or whatever else says that not everything was finished.
    pub(super) fn cut_short(&mut self) {
        self.cut_short += 1;
    }

    /// By the signal itself, before the program listened to it.
    pub(super) fn early(&mut self) {
        self.early += 1;
    }

    /// A program that is cut short every time would satisfy everything else.
    pub(super) fn conclude(&self, verdict: &mut Verdict) {
        let Self { slowest, slowest_stalled, clean, clean_after_work, cut_short, early } = self;
        let [slowest, stalled] = [slowest, slowest_stalled].map(Duration::as_secs_f64);
        verdict.measured(format!(
            "ended after {slowest:.1} s at the latest, {stalled:.1} s with a server that stood still"
        ));
        verdict.measured(format!("{clean} ended cleanly, {cut_short} were cut short, {early} had not yet begun"));
        if *clean_after_work == 0 {
            verdict.breaks("none that was at work ended cleanly");
        }
    }
}
