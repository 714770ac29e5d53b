//! Readings on their way out of the store, page by page, however many they are.

use tokio::time::sleep;

use crate::retry;
use crate::store::{AnyStore, Readings, Selection, StoreError, StoredReading, Width};

/// How often a page is asked for before it ends with an error.
const ATTEMPTS: u32 = 6;

/// The pages of one patient, or of the whole table.
pub(in crate::cmd) enum Pages<'store> {
    Patient(Readings<'store>),
    Table(Readings<'store>),
}

impl<'store> Pages<'store> {
    /// All readings of `selection`; of a whole table only the columns that `width` tells.
    pub(in crate::cmd) async fn of(
        store: &'store AnyStore,
        selection: &Selection,
        width: Width,
    ) -> Result<Self, StoreError> {
        match selection {
            Selection::Any => Ok(Self::Table(store.scan(width).await?)),
            Selection::Patient { .. } => Ok(Self::Patient(store.readings(selection, u32::MAX))),
        }
    }

    pub(in crate::cmd) async fn next_page(&mut self) -> Result<Option<Vec<StoredReading>>, StoreError> {
        match self {
            Self::Table(scan) => scan.next_page().await,
            Self::Patient(readings) => page_of(readings).await,
        }
    }
}

/// The next page of one patient's readings, asked for again where that can help.
pub(in crate::cmd) async fn page_of(readings: &mut Readings<'_>) -> Result<Option<Vec<StoredReading>>, StoreError> {
    let mut failed = 0;
    loop {
        match readings.next_page().await {
            Err(error) if error.is_away() && failed + 1 < ATTEMPTS => failed += 1,
            outcome => return outcome,
        }
        sleep(retry::pause_before(failed)).await;
    }
}
