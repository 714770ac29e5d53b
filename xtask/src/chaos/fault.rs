//! The promises that can be attacked, by their numbers.

use std::fmt;

use clap::ValueEnum;

use super::error::ChaosError;
use super::schedule::Schedule;
use super::stack::{Kind, Stack};
use super::stand::Stand;
use super::verdict::Verdict;
use super::{broker_restarted, consumer_killed, link_faults, producer_killed, store_killed};

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
    /// `vitals produce` killed in the middle
    #[value(name = "R16")]
    R16,
}

/// How many faults it usually makes, and how. They are cheap on the embedded stack, and take their time on the other.
pub(super) type Campaign = (u32, fn(&mut dyn Stack, &Stand, Schedule) -> Result<Verdict, ChaosError>);

impl Fault {
    /// All of them, in the order in which they are made.
    pub(super) const ALL: [Self; 5] = [Self::R1, Self::R16, Self::R2, Self::R4, Self::R3];

    /// What attacks it: the campaign, and those with planted bugs.
    pub(super) fn campaigns(self, kind: Kind) -> &'static [Campaign] {
        match (self, kind) {
            (Self::R1, Kind::Embedded) => &[(60, consumer_killed::run), (5, consumer_killed::run_planted)],
            (Self::R1, Kind::Servers) => &[(6, consumer_killed::run)],
            (Self::R2, Kind::Embedded) => &[(20, broker_restarted::run)],
            (Self::R2, Kind::Servers) => &[(4, broker_restarted::run)],
            (Self::R16, Kind::Embedded) => &[(20, producer_killed::run)],
            (Self::R16, Kind::Servers) => &[(4, producer_killed::run)],
            (Self::R3, Kind::Servers) => &[(5, store_killed::run), (5, store_killed::run_planted)],
            (Self::R4, Kind::Servers) => &[(20, link_faults::run)],
            // SQLite is a part of the consumer: it is killed with it. No proxy stands before the embedded broker.
            (Self::R3 | Self::R4, Kind::Embedded) => &[],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R4 => "R4",
            Self::R16 => "R16",
        })
    }
}
