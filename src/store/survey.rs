//! What a store is like now: for commands that look at it and change nothing.

use std::fmt;
use std::path::PathBuf;

/// What a store is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survey {
    /// A keyspace of a Cassandra cluster.
    Cassandra(ClusterSurvey),
    /// An SQLite file.
    Sqlite(FileSurvey),
}

/// A Cassandra cluster and the keyspace in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSurvey {
    /// The nodes that the cluster has, by address.
    pub nodes: Vec<Node>,
    /// Whether all nodes that were asked have the same schema.
    pub schema_agrees: bool,
    /// How many copies the keyspace keeps and where, in words; `None` where there is no such keyspace.
    pub replication: Option<String>,
    /// The version of its schema.
    pub version: SchemaVersion,
    /// The tables; none where there is no keyspace.
    pub tables: Vec<TableSurvey>,
}

/// A node of a Cassandra cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Where clients reach it, as `host:port`.
    pub address: String,
    /// Its data centre.
    pub data_center: String,
    /// Its version of Cassandra.
    pub version: String,
    /// Whether it answers clients here and now.
    pub is_up: bool,
}

/// An SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSurvey {
    /// Where it is.
    pub path: PathBuf,
    /// Its size with that of its log.
    pub size_bytes: u64,
    /// How changes are kept safe: `wal` where it is as it should be.
    pub journal_mode: String,
    /// The version of its schema.
    pub version: SchemaVersion,
    /// The tables.
    pub tables: Vec<TableSurvey>,
}

/// What to do where a newer `vitals` has made the tables.
pub const NEWER_HINT: &str = "use the newer vitals that made them, or name another place in --store";

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
    #[must_use]
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
pub struct TableSurvey {
    /// Its name, without the keyspace.
    pub name: &'static str,
    /// Whether it is there, and can hold our rows.
    pub state: TableState,
}

/// Whether a table is there, and can hold our rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableState {
    /// It can hold our rows.
    Fits,
    /// It is not there.
    Missing,
    /// It is there in another shape.
    Differs(String),
}

impl Survey {
    /// The version of the schema.
    #[must_use]
    pub fn version(&self) -> SchemaVersion {
        match self {
            Self::Cassandra(cluster) => cluster.version,
            Self::Sqlite(file) => file.version,
        }
    }

    /// The tables that we need.
    #[must_use]
    pub fn tables(&self) -> &[TableSurvey] {
        match self {
            Self::Cassandra(cluster) => &cluster.tables,
            Self::Sqlite(file) => &file.tables,
        }
    }
}
