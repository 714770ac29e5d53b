//! The store that the settings name, whichever it is.

use super::cassandra::{self, CassandraStore, Replication};
use super::sqlite::{self, SqliteStore};
use super::{
    Batch, Consistency, SchemaStep, Selection, Store, StoreError, StoredAlert, StoredReading, Survey, WriteError,
};
use crate::settings::StoreAddress;

/// Connects to the store at `address`. Neither the keyspace nor the file need exist yet.
///
/// # Errors
/// It cannot be reached within 5 s.
pub async fn open(address: &StoreAddress, consistency: Consistency) -> Result<AnyStore, StoreError> {
    match address {
        StoreAddress::Cassandra { nodes, keyspace } => {
            let store = CassandraStore::connect(nodes.clone(), keyspace.parse()?, consistency).await?;
            Ok(AnyStore::Cassandra(store))
        }
        StoreAddress::Sqlite { path } => Ok(AnyStore::Sqlite(SqliteStore::at(path.clone())?)),
    }
}

/// One of the stores.
#[derive(Debug)]
pub enum AnyStore {
    /// A keyspace of a Cassandra cluster.
    Cassandra(CassandraStore),
    /// An SQLite file.
    Sqlite(SqliteStore),
}

impl AnyStore {
    /// Makes what is missing of the schema, and tells each part in order. `replication` is for a keyspace that is made
    /// now; a file has one copy.
    ///
    /// # Errors
    /// What is there cannot hold our rows, or the store refuses. [`StoreError::OneCopy`] where a file was to have more
    /// copies than one.
    pub async fn init(&self, replication: &Replication) -> Result<Vec<SchemaStep>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.init(replication).await?),
            Self::Sqlite(_) if *replication != Replication::default() => Err(StoreError::OneCopy),
            Self::Sqlite(store) => Ok(store.init().await?),
        }
    }

    /// Makes sure that readings can be stored, and tells each part that was made for it.
    ///
    /// # Errors
    /// The keyspace, the file or its table is missing or has another shape.
    pub async fn prepare(&self) -> Result<Vec<SchemaStep>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.prepare().await?),
            Self::Sqlite(store) => Ok(store.prepare().await?),
        }
    }

    /// Looks at what is there: the nodes or the file, and the tables. Changes nothing.
    ///
    /// # Errors
    /// It cannot be reached, or there is no file of ours.
    pub async fn survey(&self) -> Result<Survey, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(Survey::Cassandra(store.survey().await?)),
            Self::Sqlite(store) => Ok(Survey::Sqlite(store.survey().await?)),
        }
    }

    /// The readings of `selection`, at most `limit` of them.
    #[must_use]
    pub fn readings(&self, selection: &Selection, limit: u32) -> Readings<'_> {
        match self {
            Self::Cassandra(store) => Readings::Cassandra(store.readings(selection, limit)),
            Self::Sqlite(store) => Readings::Sqlite(store.readings(selection, limit)),
        }
    }

    /// The alerts of one patient, newest first, at most `limit` of them.
    ///
    /// # Errors
    /// As [`Readings::next_page`].
    pub async fn alerts(&self, patient_id: &str, limit: u16) -> Result<Vec<StoredAlert>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.alerts(patient_id, limit).await?),
            Self::Sqlite(store) => Ok(store.alerts(patient_id, limit).await?),
        }
    }

    /// Removes the keyspace or the file with everything in it: for one that was made for a while.
    ///
    /// # Errors
    /// It cannot be reached, or refuses.
    pub async fn remove(self) -> Result<(), StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.drop_keyspace().await?),
            Self::Sqlite(store) => Ok(store.remove()?),
        }
    }
}

impl Store for AnyStore {
    fn batch_rows(&self) -> usize {
        match self {
            Self::Cassandra(store) => store.batch_rows(),
            Self::Sqlite(store) => store.batch_rows(),
        }
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        match self {
            Self::Cassandra(store) => store.write(batch).await,
            Self::Sqlite(store) => store.write(batch).await,
        }
    }
}

/// Readings on their way out of a store, page by page.
#[derive(Debug)]
pub enum Readings<'store> {
    /// Out of Cassandra.
    Cassandra(cassandra::read::Readings<'store>),
    /// Out of SQLite.
    Sqlite(sqlite::read::Readings<'store>),
}

impl Readings<'_> {
    /// The next page: up to a thousand readings, or `None` when there are no more. After an error it can be asked for
    /// again.
    ///
    /// # Errors
    /// There is nothing to read from, or it does not answer.
    pub async fn next_page(&mut self) -> Result<Option<Vec<StoredReading>>, StoreError> {
        match self {
            Self::Cassandra(readings) => Ok(readings.next_page().await?),
            Self::Sqlite(readings) => Ok(readings.next_page().await?),
        }
    }
}
