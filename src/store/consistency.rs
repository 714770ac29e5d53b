//! How many replicas have to answer.

use std::fmt;
use std::str::FromStr;

/// Cassandra's consistency levels, in the spelling of CQL. `ANY` is not among them: it counts a hint as stored, which
/// nothing can read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// One replica.
    One,
    /// Two replicas.
    Two,
    /// Three replicas.
    Three,
    /// More than half of all replicas.
    Quorum,
    /// Every replica.
    All,
    /// More than half of the replicas in the local data centre.
    #[default]
    LocalQuorum,
    /// More than half of the replicas in each data centre.
    EachQuorum,
    /// One replica in the local data centre.
    LocalOne,
}

impl Consistency {
    /// All levels, the one with the fewest replicas first.
    pub const ALL: [Self; 8] = [
        Self::LocalOne,
        Self::One,
        Self::Two,
        Self::Three,
        Self::LocalQuorum,
        Self::Quorum,
        Self::EachQuorum,
        Self::All,
    ];

    /// The level's name in CQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "ONE",
            Self::Two => "TWO",
            Self::Three => "THREE",
            Self::Quorum => "QUORUM",
            Self::All => "ALL",
            Self::LocalQuorum => "LOCAL_QUORUM",
            Self::EachQuorum => "EACH_QUORUM",
            Self::LocalOne => "LOCAL_ONE",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no consistency level that can be used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no consistency level")]
pub struct UnknownConsistency;

impl FromStr for Consistency {
    type Err = UnknownConsistency;

    /// Takes a level's name in any case.
    fn from_str(text: &str) -> Result<Self, UnknownConsistency> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text)).ok_or(UnknownConsistency)
    }
}
