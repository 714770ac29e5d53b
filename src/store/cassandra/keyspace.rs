//! The keyspace: its name, and how many copies it keeps.

use std::fmt;
use std::str::FromStr;

use super::error::CassandraError;

/// Cassandra's own limit.
pub(in crate::store) const MAX_NAME_BYTES: usize = 48;

/// A keyspace's name: a letter, then up to 47 letters, digits or `_`. It is taken as it is written, capitals too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyspace(Box<str>);

impl Keyspace {
    /// The name as the system tables hold it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it goes into CQL text. The quotes keep capitals, and let a name be a word of CQL.
    pub(super) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// A table of it, as CQL text.
    pub(super) fn table(&self, table: &str) -> String {
        format!("\"{}\".{table}", self.0)
    }
}

impl FromStr for Keyspace {
    type Err = CassandraError;

    fn from_str(text: &str) -> Result<Self, CassandraError> {
        let is_name = text.len() <= MAX_NAME_BYTES
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if is_name { Ok(Self(text.into())) } else { Err(CassandraError::KeyspaceName(text.to_owned())) }
    }
}

impl fmt::Display for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many copies of every row a new keyspace keeps, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replication {
    /// So many, wherever they come to lie. For a cluster in one place.
    Simple(u16),
    /// So many in each of these data centres.
    PerDataCentre(Vec<(String, u16)>),
}

/// One copy: what a single node can hold.
impl Default for Replication {
    fn default() -> Self {
        Self::Simple(1)
    }
}

impl Replication {
    /// The map that CQL takes. Names were checked when this was parsed.
    pub(super) fn cql(&self) -> String {
        match self {
            Self::Simple(copies) => format!("{{'class': 'SimpleStrategy', 'replication_factor': {copies}}}"),
            Self::PerDataCentre(centres) => {
                let centres: Vec<_> = centres.iter().map(|(name, copies)| format!("'{name}': {copies}")).collect();
                format!("{{'class': 'NetworkTopologyStrategy', {}}}", centres.join(", "))
            }
        }
    }
}

/// Reads `3`, or `DC1:3,DC2:2`.
impl FromStr for Replication {
    type Err = CassandraError;

    fn from_str(text: &str) -> Result<Self, CassandraError> {
        let parsed = match copies(text) {
            Some(copies) => Some(Self::Simple(copies)),
            None => text.split(',').map(data_centre).collect::<Option<Vec<_>>>().and_then(per_data_centre),
        };
        parsed.ok_or_else(|| CassandraError::Replication(text.to_owned()))
    }
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(copies) => copies.fmt(f),
            Self::PerDataCentre(centres) => {
                let centres: Vec<_> = centres.iter().map(|(name, copies)| format!("{name}:{copies}")).collect();
                f.write_str(&centres.join(","))
            }
        }
    }
}

fn data_centre(text: &str) -> Option<(String, u16)> {
    let (name, number) = text.trim().rsplit_once(':')?;
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let fits = !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(allowed);
    // These two words would be taken for settings of the strategy.
    let reserved = matches!(name, "class" | "replication_factor");
    if fits && !reserved { Some((name.to_owned(), copies(number)?)) } else { None }
}

fn per_data_centre(centres: Vec<(String, u16)>) -> Option<Replication> {
    let mut names: Vec<_> = centres.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let named_twice = names.windows(2).any(|pair| pair.first() == pair.last());
    if named_twice { None } else { Some(Replication::PerDataCentre(centres)) }
}

fn copies(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|copies| *copies > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_is_a_letter_then_letters_digits_and_underscores() {
        for good in ["hospital", "H", "ward_7", "Hospital", &"a".repeat(48)] {
            assert_eq!(good.parse::<Keyspace>().map(|keyspace| keyspace.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "7ward", "_ward", "ward-7", "a\"; DROP TABLE x", "ward ", "wärd", &"a".repeat(49)] {
            assert_eq!(bad.parse::<Keyspace>(), Err(CassandraError::KeyspaceName(bad.to_owned())));
        }
    }

    #[test]
    fn a_number_is_a_simple_strategy_and_data_centres_are_a_network_topology() {
        let replication: Replication = "3".parse().unwrap();
        assert_eq!(replication.cql(), "{'class': 'SimpleStrategy', 'replication_factor': 3}");
        assert_eq!(replication.to_string(), "3");
        let replication: Replication = "DC1:3, eu-west.2:2".parse().unwrap();
        assert_eq!(replication.cql(), "{'class': 'NetworkTopologyStrategy', 'DC1': 3, 'eu-west.2': 2}");
        assert_eq!(replication.to_string(), "DC1:3,eu-west.2:2");
    }

    #[test]
    fn a_replication_that_means_nothing_is_refused() {
        for bad in ["", "0", "-1", "1.5", "DC1", "DC1:", "DC1:0", ":3", "DC1:3,", "DC1:1,DC1:2", "a'b:1", "class:1"] {
            assert_eq!(bad.parse::<Replication>(), Err(CassandraError::Replication(bad.to_owned())), "{bad}");
        }
    }
}
