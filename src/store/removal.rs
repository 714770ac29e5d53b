//! What goes out of a store: rows that are kept elsewhere, and all that is known of a patient.

use super::cassandra::remove::RangeRemoval;
use super::sqlite::remove::RowRemoval;
use super::{AnyStore, Erased, StoreError};
use crate::pipeline::store::Entry;
use crate::reading::PatientId;

impl AnyStore {
    /// Begins to delete rows that are kept elsewhere. What is written from now on stays.
    pub async fn removal(&self) -> Result<Removal<'_>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(Removal::Ranges(store.removal().await?)),
            Self::Sqlite(store) => Ok(Removal::Rows(store.removal())),
        }
    }

    /// Deletes all that the tables hold of a patient, and empties the entries of the journal of patients, which stay: a
    /// version that is missing would stop everybody who follows it. `emptied` is what they hold then. Tells for each table
    /// how many rows went.
    pub async fn erase(&self, patient: &PatientId, emptied: &Entry) -> Result<Vec<Erased>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.erase(patient.as_str(), emptied).await?),
            Self::Sqlite(store) => Ok(store.erase(patient.as_str(), emptied).await?),
        }
    }
}

/// How rows that are kept elsewhere go.
#[derive(Debug)]
pub enum Removal<'store> {
    /// A range of each patient, as far as it was written before the removal began.
    Ranges(RangeRemoval<'store>),
    /// Row by row, each only where it still is as it is kept.
    Rows(RowRemoval<'store>),
}
