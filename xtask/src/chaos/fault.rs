//! The promises that can be attacked, by their numbers.

use std::fmt;

use clap::ValueEnum;

use super::error::ChaosError;
use super::schedule::{Bound, Schedule};
use super::stack::{Kind, Stack};
use super::stand::Stand;
use super::verdict::Verdict;
use super::{broker_restarted, consumer_killed, producer_killed, store_killed};

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
    /// `vitals produce` killed in the middle
    #[value(name = "R16")]
    R16,
}

impl Fault {
    /// All of them, in the order in which they are made.
    pub(super) const ALL: [Self; 4] = [Self::R1, Self::R16, Self::R2, Self::R3];

    /// Whether there is something to attack.
    pub(super) fn is_for(self, kind: Kind) -> bool {
        // SQLite is a part of the consumer: it is killed with it.
        !(self == Self::R3 && kind == Kind::Embedded)
    }

    /// Makes the campaign.
    pub(super) fn attack(
        self,
        stack: &mut dyn Stack,
        stand: &Stand,
        bound: Bound,
        seed: u64,
    ) -> Result<Vec<Verdict>, ChaosError> {
        let schedule = |usual| Schedule::new(seed, &self.to_string(), bound, usual);
        let kind = stack.kind();
        match self {
            Self::R1 => Ok(vec![consumer_killed::run(stack, stand, schedule(by_kind(kind, 60, 6)))?]),
            Self::R2 => Ok(vec![broker_restarted::run(stack, stand, schedule(by_kind(kind, 20, 4)))?]),
            Self::R3 => store_killed::run(stack, stand, &|| schedule(5)),
            Self::R16 => Ok(vec![producer_killed::run(stack, stand, schedule(by_kind(kind, 20, 4)))?]),
        }
    }
}

/// Faults are cheap on the embedded stack, and take their time on the other.
fn by_kind(kind: Kind, embedded: u32, servers: u32) -> u32 {
    match kind {
        Kind::Embedded => embedded,
        Kind::Servers => servers,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::R1 => "R1",
            Self::R2 => "R2",
            Self::R3 => "R3",
            Self::R16 => "R16",
        })
    }
}
