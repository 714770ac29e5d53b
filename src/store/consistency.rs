//! How many copies must answer.

use std::fmt;
use std::str::FromStr;

/// How many copies of a row must have answered before a write or a read counts as done: the levels of CQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Any node has it, if only to hand it on. For writes; reads take [`Consistency::One`].
    Any,
    /// One copy.
    One,
    /// Two copies.
    Two,
    /// Three copies.
    Three,
    /// More than half of all copies.
    Quorum,
    /// All copies.
    All,
    /// More than half of the copies in the data centre that is asked.
    #[default]
    LocalQuorum,
    /// More than half of the copies in every data centre.
    EachQuorum,
    /// One copy in the data centre that is asked.
    LocalOne,
}

use Consistency::{All, Any, EachQuorum, LocalOne, LocalQuorum, One, Quorum, Three, Two};

impl Consistency {
    /// All levels.
    pub const ALL: [Self; 9] = [Any, One, Two, Three, Quorum, All, LocalQuorum, EachQuorum, LocalOne];

    /// The name as CQL has it.
    pub fn name(self) -> &'static str {
        match self {
            Any => "ANY",
            One => "ONE",
            Two => "TWO",
            Three => "THREE",
            Quorum => "QUORUM",
            All => "ALL",
            LocalQuorum => "LOCAL_QUORUM",
            EachQuorum => "EACH_QUORUM",
            LocalOne => "LOCAL_ONE",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not the name of a level. SERIAL and `LOCAL_SERIAL` are none: they are for conditional writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no consistency level: ANY, ONE, TWO, THREE, QUORUM, ALL, LOCAL_QUORUM, EACH_QUORUM or LOCAL_ONE")]
pub struct UnknownConsistency(pub String);

/// Takes the names of CQL, in capitals or not.
impl FromStr for Consistency {
    type Err = UnknownConsistency;

    fn from_str(text: &str) -> Result<Self, UnknownConsistency> {
        let level = Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text));
        level.ok_or_else(|| UnknownConsistency(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_read_from_its_own_name_and_the_default_is_local_quorum() {
        for level in Consistency::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
            assert_eq!(level.to_string().to_lowercase().parse(), Ok(level));
        }
        assert_eq!(Consistency::default().to_string(), "LOCAL_QUORUM");
    }

    #[test]
    fn a_level_for_conditional_writes_is_refused() {
        for bad in ["SERIAL", "LOCAL_SERIAL", "LocalQuorum", ""] {
            assert_eq!(bad.parse::<Consistency>(), Err(UnknownConsistency(bad.to_owned())));
        }
    }
}
