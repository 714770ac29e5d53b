//! Rows that were written when something else was kept get the end that they would have now.

use super::cassandra::{CassandraStore, renew};
use super::{AnyStore, StoreError};

/// What was found of the readings that were looked at, and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Readings that were looked at.
    pub looked: u64,
    /// Of these, such that have another end now.
    pub changed: u64,
    /// Such that were over, and are deleted.
    pub gone: u64,
    /// Such that are over, and stay: their time is not written as `vitals` writes it, or they have no values of ours.
    pub left: u64,
}

impl std::ops::AddAssign for Renewed {
    fn add_assign(&mut self, Self { looked, changed, gone, left }: Self) {
        self.looked += looked;
        self.changed += changed;
        self.gone += gone;
        self.left += left;
    }
}

impl AnyStore {
    /// Who goes through the readings; nobody where rows go by themselves, and none has an end of its own.
    pub fn renewals(&self) -> Option<Renewals<'_>> {
        match self {
            Self::Cassandra(store) => Some(Renewals(store)),
            Self::Sqlite(_) => None,
        }
    }
}

/// Goes through the readings of one patient after the other.
#[derive(Debug)]
pub struct Renewals<'store>(&'store CassandraStore);

impl<'store> Renewals<'store> {
    /// Begins with a patient.
    ///
    /// # Errors
    /// The store did not answer, or has no table of readings.
    pub async fn of(&self, patient: &str) -> Result<Renewal<'store>, StoreError> {
        Ok(Renewal(self.0.renewal(patient).await?))
    }
}

/// The readings of a patient, page by page, the oldest first.
#[derive(Debug)]
pub struct Renewal<'store>(renew::Renewal<'store>);

impl Renewal<'_> {
    /// What a page of them came to, or `None` when there are no more.
    ///
    /// # Errors
    /// The store did not answer, or took a row or a deletion no more.
    pub async fn step(&mut self) -> Result<Option<Renewed>, StoreError> {
        Ok(self.0.step().await?)
    }
}
