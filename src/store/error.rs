//! What can go wrong with the store that the settings name.

use super::cassandra::CassandraError;
use super::sqlite::SqliteError;
use crate::advice::{Advice, Code};

/// What went wrong with a store. No text of it holds patient data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// With Cassandra.
    #[error(transparent)]
    Cassandra(#[from] CassandraError),
    /// With the SQLite file.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// A file has one copy.
    #[error("an SQLite file keeps one copy of every row, not as many as --keyspace-replication says")]
    OneCopy,
}

impl StoreError {
    /// Whether waiting may mend it: the store is starting, away, or busy.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Cassandra(error) => error.is_away(),
            Self::Sqlite(error) => matches!(error, SqliteError::Busy { .. }),
            Self::OneCopy => false,
        }
    }
}

impl Advice for StoreError {
    fn code(&self) -> Code {
        match self {
            Self::Cassandra(error) => error.code(),
            Self::Sqlite(error) => error.code(),
            Self::OneCopy => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Cassandra(error) => error.hint(),
            Self::Sqlite(error) => error.hint(),
            Self::OneCopy => Some("leave --keyspace-replication out: only Cassandra keeps copies".to_owned()),
        }
    }
}
