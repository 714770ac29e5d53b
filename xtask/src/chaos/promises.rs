//! The promises that can be attacked, by their numbers.

use std::fmt;

use clap::ValueEnum;

use super::Run;
use super::campaigns::{
    alarms, changes, cluster, decoders, ends, kills, links, members, messages, senders, soak, unavailable, years,
};
use super::stack::Kind;
use crate::error::Result;

/// A promise, named by the fault that attacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "verbatim")]
pub(super) enum Promise {
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
    /// Alarms while consumers are killed and moved, the store is away, and rules change
    R19,
    /// One of three brokers or nodes killed or restarted, with TLS and passwords
    R20,
    /// `vitals listen hl7`, the broker and the consumer killed while HAPI sends HL7
    R21,
    /// Retention, minutes and archives in a made-up year, while consumers are killed and everything is read again
    R22,
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
    pub(super) run: fn(&mut Run<'_>) -> Result<()>,
}

impl Campaign {
    const fn of(usual: u32, night: u32, run: fn(&mut Run<'_>) -> Result<()>) -> Self {
        Self { usual, night, planted: None, run }
    }

    /// One that only a night has time for.
    const fn night(faults: u32, run: fn(&mut Run<'_>) -> Result<()>) -> Self {
        Self::of(0, faults, run)
    }

    /// As many faults as it takes to find the bug.
    const fn planted(bug: &'static str, faults: u32, run: fn(&mut Run<'_>) -> Result<()>) -> Self {
        Self { usual: faults, night: faults, planted: Some(bug), run }
    }
}

impl Promise {
    /// All of them, in the order in which they are made.
    const ALL: &[Self] = &[
        Self::R1,
        Self::R7,
        Self::R13,
        Self::R14,
        Self::R15,
        Self::R16,
        Self::R19,
        Self::R21,
        Self::R22,
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
        Self::R20,
    ];
    /// Those of them that take too long for every day: made when they are named, and with `--night`.
    const ONLY_AT_NIGHT: &[Self] = &[Self::R8, Self::R9, Self::R11, Self::R12, Self::R17];

    pub(super) fn wanted(named: &[Self], night: bool) -> Vec<Self> {
        let is_wanted = |fault: &Self| match named {
            [] => night || !Self::ONLY_AT_NIGHT.contains(fault),
            named => named.contains(fault),
        };
        Self::ALL.iter().copied().filter(is_wanted).collect()
    }

    pub(super) fn campaigns(self, kind: Kind) -> Vec<Campaign> {
        let table = match kind {
            Kind::Embedded => ON_EMBEDDED,
            Kind::Servers => ON_SERVERS,
            Kind::Cluster => ON_CLUSTER,
        };
        table.iter().filter(|(fault, _)| *fault == self).map(|(_, campaign)| *campaign).collect()
    }
}

/// Most of the faults by day are made here, where they are cheap. `SQLite` is a part of the consumer, and is killed with it
/// (R1): so there is no R3.
const ON_EMBEDDED: &[(Promise, Campaign)] = &[
    // Every fifth is followed by one of the successor.
    (Promise::R1, Campaign::of(50, 1_000, kills::consumer)),
    (Promise::R1, Campaign::planted("commit-before-store", 5, kills::consumer)),
    (Promise::R2, Campaign::of(12, 50, kills::broker)),
    (Promise::R4, Campaign::of(24, 700, links::consumer)),
    (Promise::R4, Campaign::of(8, 200, links::producer)),
    (Promise::R5, Campaign::of(3, 60, members::stopped)),
    (Promise::R5, Campaign::night(1, members::stopped_for_a_minute)),
    (Promise::R5, Campaign::planted("stale commits", 3, members::stopped)),
    (Promise::R6, Campaign::of(16, 500, members::change)),
    (Promise::R6, Campaign::of(1, 10, members::taken_away)),
    (Promise::R6, Campaign::planted("commits ahead", 3, members::change)),
    (Promise::R6, Campaign::planted("forgets-revocation", 1, members::taken_away)),
    (Promise::R7, Campaign::of(10_000, 1_000_000, messages::poison)),
    (Promise::R7, Campaign::planted("passes over one", 100, messages::poison)),
    // So many seconds for each decoder.
    (Promise::R8, Campaign::of(60, 3_600, decoders::fuzzed)),
    (Promise::R9, Campaign::of(1_000, 100_000, decoders::hostile)),
    (Promise::R10, Campaign::of(1, 2, unavailable::stalled)),
    (Promise::R10, Campaign::planted("unbounded-queue", 1, unavailable::stalled)),
    (Promise::R10, Campaign::planted("skips-on-error", 1, unavailable::stalled)),
    (Promise::R11, Campaign::of(3, 10, unavailable::full_disk)),
    (Promise::R12, Campaign::of(3, 30, messages::clocks)),
    (Promise::R13, Campaign::of(8, 100, messages::replays)),
    (Promise::R13, Campaign::planted("cut short", 1, messages::replays)),
    (Promise::R14, Campaign::of(12, 300, ends::consumer_signalled)),
    (Promise::R14, Campaign::of(8, 200, ends::producer_signalled)),
    (Promise::R14, Campaign::of(8, 200, ends::consumer_panicked)),
    (Promise::R14, Campaign::planted("commits nothing", 1, ends::consumer_signalled)),
    (Promise::R15, Campaign::of(1, 5, changes::changed)),
    (Promise::R15, Campaign::planted("skips a gap", 1, changes::changed)),
    (Promise::R16, Campaign::of(20, 500, kills::producer)),
    // One fault a minute.
    (Promise::R17, Campaign::of(3, 8 * 60, soak::soak)),
    (Promise::R19, Campaign::of(12, 200, alarms::changed)),
    (Promise::R19, Campaign::planted("keeps-state", 3, alarms::changed)),
    (Promise::R19, Campaign::planted("counts-twice", 3, alarms::changed)),
    (Promise::R21, Campaign::of(20, 500, senders::hl7)),
    (Promise::R21, Campaign::planted("acknowledges-early", 3, senders::hl7)),
    (Promise::R22, Campaign::of(6, 200, years::lived)),
    (Promise::R22, Campaign::planted("adds-up", 2, years::lived)),
    (Promise::R23, Campaign::of(10, 200, changes::recreated)),
    (Promise::R23, Campaign::planted("believes others", 1, changes::recreated)),
];

/// By day only what the other stack cannot show, and a little of what depends on the server. R8 and R9 bring what they
/// need.
const ON_SERVERS: &[(Promise, Campaign)] = &[
    (Promise::R1, Campaign::of(3, 100, kills::consumer)),
    (Promise::R2, Campaign::of(2, 10, kills::broker)),
    (Promise::R3, Campaign::of(2, 30, kills::store)),
    (Promise::R3, Campaign::planted("no-rewind", 2, kills::store)),
    (Promise::R4, Campaign::of(4, 100, links::consumer)),
    (Promise::R5, Campaign::of(1, 30, members::stopped)),
    (Promise::R5, Campaign::night(1, members::stopped_for_a_minute)),
    (Promise::R6, Campaign::of(4, 80, members::change)),
    (Promise::R7, Campaign::night(100_000, messages::poison)),
    (Promise::R10, Campaign::night(1, unavailable::stalled)),
    (Promise::R11, Campaign::of(3, 10, unavailable::full_disk)),
    (Promise::R11, Campaign::night(4, unavailable::full_server_disk)),
    (Promise::R12, Campaign::of(3, 30, messages::clocks)),
    (Promise::R12, Campaign::planted("writer's clock", 1, messages::clocks)),
    (Promise::R13, Campaign::night(50, messages::replays)),
    (Promise::R14, Campaign::of(2, 60, ends::consumer_signalled)),
    (Promise::R14, Campaign::of(1, 60, ends::producer_signalled)),
    (Promise::R14, Campaign::night(40, ends::consumer_panicked)),
    (Promise::R15, Campaign::night(5, changes::changed)),
    (Promise::R16, Campaign::of(2, 50, kills::producer)),
    (Promise::R17, Campaign::of(3, 8 * 60, soak::soak)),
    (Promise::R19, Campaign::of(4, 100, alarms::changed)),
    (Promise::R21, Campaign::of(6, 60, senders::hl7)),
    (Promise::R22, Campaign::of(2, 60, years::lived)),
    (Promise::R23, Campaign::of(10, 200, changes::recreated)),
];

/// What one server of each kind cannot show.
const ON_CLUSTER: &[(Promise, Campaign)] = &[
    (Promise::R20, Campaign::of(4, 60, cluster::one_away)),
    (Promise::R20, Campaign::planted("skips-on-error", 1, cluster::two_stand_still)),
];

impl fmt::Display for Promise {
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
        assert_eq!(Promise::wanted(&[], true), Promise::ALL);
        let by_day = Promise::wanted(&[], false);
        assert!(Promise::ALL.iter().all(|fault| by_day.contains(fault) != Promise::ONLY_AT_NIGHT.contains(fault)));
    }

    #[test]
    fn what_is_named_is_attacked_at_any_time_and_in_the_usual_order() {
        let named = |night| Promise::wanted(&[Promise::R3, Promise::R1], night);
        assert_eq!([named(false), named(true)], [[Promise::R1, Promise::R3]; 2]);
        for fault in Promise::value_variants() {
            assert_eq!(Promise::wanted(&[*fault], false), [*fault], "it has no place in the order");
        }
    }
}
