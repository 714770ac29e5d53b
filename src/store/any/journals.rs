//! The journals, whichever store has them.

use super::{AnyStore, StoreError};
use crate::pipeline::store::{Entry, up_to_gap};
use crate::store::journal::{ENTRIES_AT_ONCE, Followed, Journal};
use crate::store::{Admissions, Retention};

impl AnyStore {
    /// The newest entries of a journal, the newest first, at most `limit` of them; none where an earlier `vitals` has
    /// made the tables, which had no such journal.
    pub async fn newest_entries(&self, journal: Journal, limit: u16) -> Result<Vec<Entry>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.newest_entries(journal, limit).await?),
            Self::Sqlite(store) => Ok(store.newest_entries(journal, limit).await?),
        }
    }

    /// The entries of a journal behind a version, in their order and up to the first gap, at most [`ENTRIES_AT_ONCE`] of
    /// them.
    ///
    /// # Errors
    /// [`StoreError::Gap`] where later ones are there, and not the next.
    pub async fn entries_behind(&self, journal: Journal, version: i32) -> Result<Vec<Entry>, StoreError> {
        let entries = self.entries_with_gaps(journal, version).await?;
        up_to_gap(entries, version).map_err(|version| StoreError::Gap { table: journal.table(), version })
    }

    pub(super) async fn entries_with_gaps(&self, journal: Journal, version: i32) -> Result<Vec<Entry>, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.entries_behind(journal, version, ENTRIES_AT_ONCE).await?),
            Self::Sqlite(store) => Ok(store.entries_behind(journal, version, ENTRIES_AT_ONCE).await?),
        }
    }

    /// Adds an entry to a journal; `false` where somebody else has added that version meanwhile.
    pub async fn add_entry(&self, journal: Journal, entry: &Entry) -> Result<bool, StoreError> {
        match self {
            Self::Cassandra(store) => Ok(store.add_entry(journal, entry).await?),
            Self::Sqlite(store) => Ok(store.add_entry(journal, entry).await?),
        }
    }

    /// How long rows are kept, and since when.
    pub async fn retention(&self) -> Result<Retention, StoreError> {
        let mut retention = Retention::default();
        self.follow(&mut retention).await?;
        Ok(retention)
    }

    /// Everybody who was admitted, as the newest entry of each says, and the version of the journal. An entry that cannot
    /// be read here counts as none.
    pub async fn admitted(&self) -> Result<Admissions, StoreError> {
        let mut admissions = Admissions::default();
        self.follow(&mut admissions).await?;
        Ok(admissions)
    }

    /// Takes up what has become of `known` since it was read: a journal only grows, and who looks again and again must not
    /// read all of it each time. After an error what was taken up by then is there.
    ///
    /// A replica that lags behind may tell less than is known, and hides no entry for good: what is behind a gap waits.
    /// Tables that were made anew have other entries under the same versions, or none; then all is read again.
    ///
    /// # Errors
    /// [`StoreError::Gap`] where an entry is not there that has to be.
    pub async fn follow<J: Followed>(&self, known: &mut J) -> Result<(), StoreError> {
        let newest = self.newest_entries(J::JOURNAL, 1).await?.pop();
        if newest.as_ref().is_none_or(|newest| known.history().has(newest) == Some(false)) {
            *known = J::default();
        }
        let newest = newest.map_or(0, |newest| newest.version);
        while known.version() < newest {
            // From the last that is known: it tells whether the others follow on it.
            let last = known.version();
            let entries = self.entries_behind(J::JOURNAL, last.saturating_sub(1).max(0)).await?;
            if entries.first().is_some_and(|first| known.history().has(first) == Some(false)) {
                *known = J::default();
                continue;
            }
            for entry in entries.into_iter().filter(|entry| entry.version > last) {
                known.history().push(&entry);
                known.take(entry);
            }
            if known.version() == last {
                return Err(StoreError::Gap { table: J::JOURNAL.table(), version: last.saturating_add(1) });
            }
        }
        Ok(())
    }
}
