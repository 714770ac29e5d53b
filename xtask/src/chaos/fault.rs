//! The promises that can be attacked, by their numbers.

use std::fmt;

use clap::ValueEnum;

use super::campaigns::{
    broker_restarted, changes, clocks, consumer_killed, consumer_panicked, consumer_signalled, decoders, full_disk,
    hostile, link_faults, made_anew, members_change, poison, producer_killed, producer_linked, producer_signalled,
    replays, soak, stopped, store_killed, store_stalled, taken_away,
};
use super::run::Run;
use super::stack::Kind;
use crate::error::Error;

/// A promise, named by the fault that attacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "verbatim")]
pub(super) enum Fault {
    /// `vitals consume` killed at random moments and at named points
    R1,
    /// The broker restarted under load, some of the time by a kill
    R2,
    /// Cassandra killed under load
    R3,
    /// Bad links between `vitals` and its servers
    R4,
    /// Consumers and servers stopped for a while, as by SIGSTOP
    R5,
    /// Members of all kinds join, leave and are killed
    R6,
    /// Messages that are no readings
    R7,
    /// Inputs for every decoder that libFuzzer invents
    R8,
    /// Servers and clients that send what no sound program sends
    R9,
    /// The store stalled with a large backlog
    R10,
    /// Disks without room
    R11,
    /// Clocks that are wrong, and readings of other centuries
    R12,
    /// The same patient and time with other signs, read again and again
    R13,
    /// `vitals consume` and `vitals produce` asked to end at random moments, and panics in the first
    R14,
    /// Servers, topics, records and offsets that are not there, or not as they were
    R15,
    /// `vitals produce` killed in the middle
    R16,
    /// Hours of work, with a fault of some kind each minute
    R17,
    /// Topics deleted and made anew under the group that reads them
    R23,
}

/// One way of attacking a promise on one kind of stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Campaign {
    /// How many faults it makes by day, and so in `cargo xtask ci`, unless its promise is attacked only at night,
    pub(super) usual: u32,
    /// and with `--night`. They are cheap on the embedded stack, and take their time on the other.
    pub(super) night: u32,
    /// The bug that is planted, and has to be found.
    pub(super) planted: Option<&'static str>,
    /// Makes them.
    pub(super) run: fn(&mut Run<'_>) -> Result<(), Error>,
}

impl Campaign {
    const fn of(usual: u32, night: u32, run: fn(&mut Run<'_>) -> Result<(), Error>) -> Self {
        Self { usual, night, planted: None, run }
    }

    /// One that only a night has time for.
    const fn night(faults: u32, run: fn(&mut Run<'_>) -> Result<(), Error>) -> Self {
        Self::of(0, faults, run)
    }

    /// As many faults as it takes to find the bug.
    const fn planted(bug: &'static str, faults: u32, run: fn(&mut Run<'_>) -> Result<(), Error>) -> Self {
        Self { usual: faults, night: faults, planted: Some(bug), run }
    }
}

impl Fault {
    /// All of them, in the order in which they are made.
    const ALL: &[Self] = &[
        Self::R1,
        Self::R7,
        Self::R13,
        Self::R14,
        Self::R15,
        Self::R16,
        Self::R23,
        Self::R2,
        Self::R4,
        Self::R5,
        Self::R6,
        Self::R10,
        Self::R11,
        Self::R12,
        Self::R3,
        Self::R9,
        Self::R8,
        Self::R17,
    ];
    /// Those of them that take too long for every day: made when they are named, and with `--night`.
    const ONLY_AT_NIGHT: &[Self] = &[Self::R8, Self::R9, Self::R11, Self::R12, Self::R17];

    /// What to attack: what is named, or else everything there is time for.
    pub(super) fn wanted(named: &[Self], night: bool) -> Vec<Self> {
        let is_wanted = |fault: &Self| match named {
            [] => night || !Self::ONLY_AT_NIGHT.contains(fault),
            named => named.contains(fault),
        };
        Self::ALL.iter().copied().filter(is_wanted).collect()
    }

    /// What attacks it on this kind of stack: the campaigns, and those with planted bugs.
    pub(super) fn campaigns(self, kind: Kind) -> Vec<Campaign> {
        let table = match kind {
            Kind::Embedded => ON_EMBEDDED,
            Kind::Servers => ON_SERVERS,
        };
        table.iter().filter(|(fault, _)| *fault == self).map(|(_, campaign)| *campaign).collect()
    }
}

/// Most of the faults by day are made here, where they are cheap. `SQLite` is a part of the consumer, and is killed with it
/// (R1): so there is no R3.
const ON_EMBEDDED: &[(Fault, Campaign)] = &[
    // Every fifth is followed by one of the successor.
    (Fault::R1, Campaign::of(50, 1_000, consumer_killed::run)),
    (Fault::R1, Campaign::planted("commit-before-store", 5, consumer_killed::run)),
    (Fault::R2, Campaign::of(12, 50, broker_restarted::run)),
    (Fault::R4, Campaign::of(24, 700, link_faults::run)),
    (Fault::R4, Campaign::of(8, 200, producer_linked::run)),
    (Fault::R5, Campaign::of(3, 60, stopped::run)),
    (Fault::R5, Campaign::night(1, stopped::for_a_minute)),
    (Fault::R5, Campaign::planted("stale commits", 3, stopped::run)),
    (Fault::R6, Campaign::of(16, 500, members_change::run)),
    (Fault::R6, Campaign::of(1, 10, taken_away::run)),
    (Fault::R6, Campaign::planted("commits ahead", 3, members_change::run)),
    (Fault::R6, Campaign::planted("forgets-revocation", 1, taken_away::run)),
    (Fault::R7, Campaign::of(10_000, 1_000_000, poison::run)),
    (Fault::R7, Campaign::planted("passes over one", 100, poison::run)),
    // So many seconds for each decoder.
    (Fault::R8, Campaign::of(60, 3_600, decoders::run)),
    (Fault::R9, Campaign::of(1_000, 100_000, hostile::run)),
    (Fault::R10, Campaign::of(1, 2, store_stalled::run)),
    (Fault::R10, Campaign::planted("unbounded-queue", 1, store_stalled::run)),
    (Fault::R10, Campaign::planted("skips-on-error", 1, store_stalled::run)),
    (Fault::R11, Campaign::of(3, 10, full_disk::run)),
    (Fault::R12, Campaign::of(3, 30, clocks::run)),
    (Fault::R13, Campaign::of(8, 100, replays::run)),
    (Fault::R13, Campaign::planted("cut short", 1, replays::run)),
    (Fault::R14, Campaign::of(12, 300, consumer_signalled::run)),
    (Fault::R14, Campaign::of(8, 200, producer_signalled::run)),
    (Fault::R14, Campaign::of(8, 200, consumer_panicked::run)),
    (Fault::R14, Campaign::planted("commits nothing", 1, consumer_signalled::run)),
    (Fault::R15, Campaign::of(1, 5, changes::run)),
    (Fault::R15, Campaign::planted("skips a gap", 1, changes::run)),
    (Fault::R16, Campaign::of(20, 500, producer_killed::run)),
    // One fault a minute.
    (Fault::R17, Campaign::of(3, 8 * 60, soak::run)),
    (Fault::R23, Campaign::of(10, 200, made_anew::run)),
    (Fault::R23, Campaign::planted("believes others", 1, made_anew::run)),
];

/// By day only what the other stack cannot show, and a little of what depends on the server. R8 and R9 bring what they
/// need.
const ON_SERVERS: &[(Fault, Campaign)] = &[
    (Fault::R1, Campaign::of(3, 100, consumer_killed::run)),
    (Fault::R2, Campaign::of(2, 10, broker_restarted::run)),
    (Fault::R3, Campaign::of(2, 30, store_killed::run)),
    (Fault::R3, Campaign::planted("no-rewind", 2, store_killed::run)),
    (Fault::R4, Campaign::of(4, 100, link_faults::run)),
    (Fault::R5, Campaign::of(1, 30, stopped::run)),
    (Fault::R5, Campaign::night(1, stopped::for_a_minute)),
    (Fault::R6, Campaign::of(4, 80, members_change::run)),
    (Fault::R7, Campaign::night(100_000, poison::run)),
    (Fault::R10, Campaign::night(1, store_stalled::run)),
    (Fault::R11, Campaign::of(3, 10, full_disk::run)),
    (Fault::R11, Campaign::night(4, full_disk::servers::run)),
    (Fault::R12, Campaign::of(3, 30, clocks::run)),
    (Fault::R12, Campaign::planted("writer's clock", 1, clocks::run)),
    (Fault::R13, Campaign::night(50, replays::run)),
    (Fault::R14, Campaign::of(2, 60, consumer_signalled::run)),
    (Fault::R14, Campaign::of(1, 60, producer_signalled::run)),
    (Fault::R14, Campaign::night(40, consumer_panicked::run)),
    (Fault::R15, Campaign::night(5, changes::run)),
    (Fault::R16, Campaign::of(2, 50, producer_killed::run)),
    (Fault::R17, Campaign::of(3, 8 * 60, soak::run)),
    (Fault::R23, Campaign::of(10, 200, made_anew::run)),
];

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        out.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_everything_is_attacked_but_by_day_not_what_is_for_the_night() {
        assert_eq!(Fault::wanted(&[], true), Fault::ALL);
        let by_day = Fault::wanted(&[], false);
        assert!(Fault::ALL.iter().all(|fault| by_day.contains(fault) != Fault::ONLY_AT_NIGHT.contains(fault)));
    }

    #[test]
    fn what_is_named_is_attacked_at_any_time_and_in_the_usual_order() {
        let named = |night| Fault::wanted(&[Fault::R3, Fault::R1], night);
        assert_eq!([named(false), named(true)], [[Fault::R1, Fault::R3]; 2]);
        for fault in Fault::value_variants() {
            assert_eq!(Fault::wanted(&[*fault], false), [*fault], "it has no place in the order");
        }
    }
}
