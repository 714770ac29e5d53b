//! How programs end that are asked to: SIGINT and SIGTERM.

use std::time::Duration;

use rustix::process::Signal;

use super::run::Run;
use super::verdict::Verdict;
use crate::error::Error;
use crate::worker::Worker;

/// Within this a program ends that was asked once, by the promise,
pub(super) const FIRST_LIMIT: Duration = Duration::from_secs(5);
/// and, which is "at once", within this when it was asked twice;
pub(super) const SECOND_LIMIT: Duration = Duration::from_secs(1);
/// a busy machine may add this.
pub(super) const ROOM: Duration = Duration::from_secs(3);

/// After so many ends without a clean one, though nothing stood still, there is none: a busy machine may be too slow for
/// one or two.
const ENOUGH: u32 = 3;

/// Either signal means the same.
pub(super) fn draw(run: &mut Run<'_>) -> Signal {
    if run.schedule.coin() { Signal::INT } else { Signal::TERM }
}

/// It goes on, which breaks the promise.
pub(super) fn hangs(run: &mut Run<'_>, program: &mut Worker, limit: Duration) -> Result<(), Error> {
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
    cut_short: u32,
    calm: Calm,
    early: u32,
}

/// Those that had something to finish while nothing stood still.
#[derive(Debug, Default)]
struct Calm {
    clean: u32,
    cut_short: u32,
}

impl Ends {
    /// How long it took from the first signal; `is_stalled` where something stood still that it needed.
    pub(super) fn note(&mut self, is_stalled: bool, took: Duration) {
        let slowest = if is_stalled { &mut self.slowest_stalled } else { &mut self.slowest };
        *slowest = took.max(*slowest);
    }

    /// With 0; `is_calm` where it had something to finish, and nothing stood still.
    pub(super) fn clean(&mut self, is_calm: bool) {
        self.clean += 1;
        self.calm.clean += u32::from(is_calm);
    }

    /// With 130, or whatever else says that not everything was finished.
    pub(super) fn cut_short(&mut self, is_calm: bool) {
        self.cut_short += 1;
        self.calm.cut_short += u32::from(is_calm);
    }

    /// By the signal itself, before the program listened to it.
    pub(super) fn early(&mut self) {
        self.early += 1;
    }

    /// A program that is cut short every time would satisfy everything else.
    pub(super) fn conclude(&self, verdict: &mut Verdict) {
        let Self { slowest, slowest_stalled, clean, cut_short, calm, early } = self;
        let [slowest, stalled] = [slowest, slowest_stalled].map(Duration::as_secs_f64);
        verdict.measured(format!(
            "ended after {slowest:.1} s at the latest, {stalled:.1} s with a server that stood still"
        ));
        verdict.measured(format!("{clean} ended cleanly, {cut_short} were cut short, {early} had not yet begun"));
        if calm.clean == 0 && calm.cut_short >= ENOUGH {
            verdict.breaks(format!("{} were cut short though nothing stood still, and none was not", calm.cut_short));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::fault::Fault;
    use crate::chaos::stack::Kind;

    fn breaks(clean: u32, cut_short: u32, is_calm: bool) -> bool {
        let mut ends = Ends::default();
        (0..clean).for_each(|_| ends.clean(is_calm));
        (0..cut_short).for_each(|_| ends.cut_short(is_calm));
        let mut verdict = Verdict::begin(Fault::R14, Kind::Embedded, None);
        ends.conclude(&mut verdict);
        verdict.is_broken()
    }

    #[test]
    fn a_program_that_is_cut_short_every_time_breaks_the_promise() {
        assert!(breaks(0, ENOUGH, true));
        assert!(!breaks(1, ENOUGH, true));
    }

    #[test]
    fn few_ends_and_those_while_something_stood_still_say_nothing() {
        assert!(!breaks(0, ENOUGH - 1, true));
        assert!(!breaks(0, 100, false));
    }
}
