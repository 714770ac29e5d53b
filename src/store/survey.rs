//! What a store is like now: for commands that look at it and change nothing.

use std::fmt;
use std::path::PathBuf;

/// What a store is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Survey {
    Cassandra(ClusterSurvey),
    Sqlite(FileSurvey),
}

/// A Cassandra cluster and the keyspace in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterSurvey {
    /// The nodes that the cluster has, by address.
    pub(crate) nodes: Vec<Node>,
    /// Whether all nodes that were asked have the same schema.
    pub(crate) schema_agrees: bool,
    /// How many copies the keyspace keeps and where, in words; `None` where there is no such keyspace.
    pub(crate) replication: Option<String>,
    pub(crate) version: SchemaVersion,
    /// The tables; none where there is no keyspace.
    pub(crate) tables: Vec<TableSurvey>,
}

/// A node of a Cassandra cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    /// Where clients reach it, as `host:port`.
    pub(crate) address: String,
    pub(crate) data_center: String,
    pub(crate) version: String,
    /// Whether it answers clients here and now.
    pub(crate) is_up: bool,
}

/// An SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileSurvey {
    pub(crate) path: PathBuf,
    /// Its size with that of its log.
    pub(crate) size_bytes: u64,
    /// How changes are kept safe: `wal` where it is as it should be.
    pub(crate) journal_mode: String,
    pub(crate) version: SchemaVersion,
    pub(crate) tables: Vec<TableSurvey>,
}

/// How many alarms are on, by priority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ActiveAlarms {
    /// Of high priority.
    pub high: u32,
    /// Of medium priority.
    pub medium: u32,
    /// Of low priority, or of one that is not known here.
    pub low: u32,
}

impl ActiveAlarms {
    /// Counts so many more of this priority.
    pub(super) fn add(&mut self, priority: Option<&str>, count: u32) {
        let of_this_priority = match priority {
            Some("high") => &mut self.high,
            Some("medium") => &mut self.medium,
            _ => &mut self.low,
        };
        *of_this_priority = of_this_priority.saturating_add(count);
    }
}

/// What to do where a newer `vitals` has made the tables.
pub(crate) const NEWER_HINT: &str = "use the newer vitals that made them, or name another place in --store";

/// What to do where an earlier `vitals` has made the tables.
pub(crate) const OLDER_HINT: &str = "run `vitals init`: it adds what is missing, and leaves every row as it is";

/// The version of a schema: each migration has a higher one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SchemaVersion {
    /// That of the last migration that was applied; 0 where none is noted, as where the tables were made by hand.
    pub found: i32,
    /// That of the last migration that is known here.
    pub known: i32,
}

impl SchemaVersion {
    /// Whether a newer `vitals` has changed the tables in ways that are not known here.
    pub fn is_newer(self) -> bool {
        self.found > self.known
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tables have schema version {}, this vitals knows version {}", self.found, self.known)
    }
}

/// A table that we need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableSurvey {
    /// Its name, without the keyspace.
    pub(crate) name: &'static str,
    pub(crate) state: TableState,
}

/// Whether a table is there, and can hold our rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TableState {
    Fits,
    Missing,
    Differs(String),
}

impl Survey {
    /// Whether all tables are there, and can hold our rows.
    pub(crate) fn is_whole(&self) -> bool {
        !self.tables().is_empty() && self.tables().iter().all(|table| table.state == TableState::Fits)
    }

    pub(crate) fn version(&self) -> SchemaVersion {
        match self {
            Self::Cassandra(cluster) => cluster.version,
            Self::Sqlite(file) => file.version,
        }
    }

    pub(crate) fn tables(&self) -> &[TableSurvey] {
        match self {
            Self::Cassandra(cluster) => &cluster.tables,
            Self::Sqlite(file) => &file.tables,
        }
    }
}
