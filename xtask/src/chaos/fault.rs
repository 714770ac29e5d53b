//! The promises that can be attacked, by their numbers.

use std::fmt;

use clap::ValueEnum;

use super::campaigns::{
    broker_restarted, consumer_killed, consumer_signalled, link_faults, members_change, producer_killed,
    producer_signalled, stopped, store_killed,
};
use super::error::ChaosError;
use super::run::Run;
use super::stack::Kind;

/// A promise, named by the fault that attacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Fault {
    /// `vitals consume` killed at random moments
    #[value(name = "R1")]
    R1,
    /// The broker restarted under load, some of the time by a kill
    #[value(name = "R2")]
    R2,
    /// Cassandra killed under load
    #[value(name = "R3")]
    R3,
    /// Bad links between `vitals consume` and its servers
    #[value(name = "R4")]
    R4,
    /// Consumers and servers stopped for a while, as by SIGSTOP
    #[value(name = "R5")]
    R5,
    /// Members of all kinds join, leave and are killed
    #[value(name = "R6")]
    R6,
    /// `vitals consume` and `vitals produce` asked to end at random moments
    #[value(name = "R14")]
    R14,
    /// `vitals produce` killed in the middle
    #[value(name = "R16")]
    R16,
}

/// One way of attacking a promise on one kind of stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Campaign {
    /// How many faults it makes, usually,
    pub(super) usual: u32,
    /// and with `--night`. They are cheap on the embedded stack, and take their time on the other.
    pub(super) night: u32,
    /// The bug that is planted, and has to be found.
    pub(super) planted: Option<&'static str>,
    /// Makes them.
    pub(super) run: fn(&mut Run<'_>) -> Result<(), ChaosError>,
}

impl Campaign {
    const fn of(usual: u32, night: u32, run: fn(&mut Run<'_>) -> Result<(), ChaosError>) -> Self {
        Self { usual, night, planted: None, run }
    }

    /// One that only a night has time for.
    const fn night(faults: u32, run: fn(&mut Run<'_>) -> Result<(), ChaosError>) -> Self {
        Self::of(0, faults, run)
    }

    /// As many faults as it takes to find the bug.
    const fn planted(bug: &'static str, faults: u32, run: fn(&mut Run<'_>) -> Result<(), ChaosError>) -> Self {
        Self { usual: faults, night: faults, planted: Some(bug), run }
    }
}

impl Fault {
    /// All of them, in the order in which they are made.
    pub(super) const ALL: [Self; 8] =
        [Self::R1, Self::R14, Self::R16, Self::R2, Self::R4, Self::R5, Self::R6, Self::R3];

    /// What attacks it: the campaign, and those with planted bugs.
    pub(super) fn campaigns(self, kind: Kind) -> Vec<Campaign> {
        match (self, kind) {
            (Self::R1, Kind::Embedded) => vec![
                Campaign::of(60, 1_000, consumer_killed::run),
                Campaign::planted("starts at end", 5, consumer_killed::run),
            ],
            (Self::R1, Kind::Servers) => vec![Campaign::of(6, 100, consumer_killed::run)],
            (Self::R2, Kind::Embedded) => vec![Campaign::of(20, 50, broker_restarted::run)],
            (Self::R2, Kind::Servers) => vec![Campaign::of(4, 10, broker_restarted::run)],
            (Self::R5, Kind::Embedded) => vec![
                Campaign::of(6, 60, stopped::run),
                Campaign::night(1, stopped::for_a_minute),
                Campaign::planted("stale commits", 3, stopped::run),
            ],
            (Self::R5, Kind::Servers) => {
                vec![Campaign::of(3, 30, stopped::run), Campaign::night(1, stopped::for_a_minute)]
            }
            (Self::R6, Kind::Embedded) => vec![
                Campaign::of(20, 500, members_change::run),
                Campaign::planted("commits ahead", 3, members_change::run),
            ],
            (Self::R6, Kind::Servers) => vec![Campaign::of(8, 80, members_change::run)],
            (Self::R14, Kind::Embedded) => vec![
                Campaign::of(12, 300, consumer_signalled::run),
                Campaign::of(8, 200, producer_signalled::run),
                Campaign::planted("commits nothing", 1, consumer_signalled::run),
            ],
            (Self::R14, Kind::Servers) => {
                vec![Campaign::of(4, 60, consumer_signalled::run), Campaign::of(3, 60, producer_signalled::run)]
            }
            (Self::R16, Kind::Embedded) => vec![Campaign::of(20, 500, producer_killed::run)],
            (Self::R16, Kind::Servers) => vec![Campaign::of(4, 50, producer_killed::run)],
            (Self::R3, Kind::Servers) => {
                vec![Campaign::of(5, 30, store_killed::run), Campaign::planted("no settle time", 5, store_killed::run)]
            }
            (Self::R4, Kind::Servers) => vec![Campaign::of(20, 200, link_faults::run)],
            // SQLite is a part of the consumer: it is killed with it. No proxy stands before the embedded broker.
            (Self::R3 | Self::R4, Kind::Embedded) => Vec::new(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        out.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
