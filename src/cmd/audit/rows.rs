//! Rows of the table by patient and time, in few requests.

use std::collections::HashMap;

use chrono::DateTime;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::window::{Key, Window};
use crate::reading::{PatientId, Signs, Timestamp};
use crate::store::{AnyStore, Order, Selection, StoreError, StoredReading};

/// So many patients are asked for at the same time.
const PATIENTS_AT_ONCE: usize = 8;

/// How many rows are asked for in one go, at least and at most.
const PAGE_ROWS: std::ops::RangeInclusive<usize> = 8..=1000;

/// The rows that the messages of `window` belong to, as far as there are any.
pub(super) async fn of_window(store: &AnyStore, window: &Window) -> Result<HashMap<Key, Signs>, StoreError> {
    let of_patients: Vec<_> =
        window.wanted().map(|(patient, times)| of_patient(store, patient, times).boxed()).collect();
    let found: Vec<Vec<_>> = stream::iter(of_patients).buffer_unordered(PATIENTS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The patient's rows of these times, which are in order. Neighbours come together; what lies between those that are far
/// apart is stepped over.
async fn of_patient(
    store: &AnyStore,
    patient: &PatientId,
    times: Vec<Timestamp>,
) -> Result<Vec<(Key, Signs)>, StoreError> {
    let mut found = Vec::new();
    let mut wanted = times.as_slice();
    let mut page_rows = wanted.len().clamp(*PAGE_ROWS.start(), *PAGE_ROWS.end());
    while let (Some(first), Some(last)) = (wanted.first(), wanted.last()) {
        let page = read(store, patient, *first, *last, page_rows).await?;
        let before = found.len();
        for row in &page {
            if let Some(time) = time_of(row).filter(|time| wanted.binary_search(time).is_ok()) {
                found.push(((patient.clone(), time), row.signs));
            }
        }
        let Some(end) = page.last().filter(|_| page.len() >= page_rows) else { break };
        // The store compares times as texts, and so does this.
        let passed = wanted.partition_point(|time| time.to_string() <= end.timestamp);
        wanted = wanted.get(passed..).unwrap_or_default();
        page_rows = next_page_rows(page_rows, found.len() - before);
    }
    Ok(found)
}

/// Asks for less where most of what came was not wanted, and for more where it was.
fn next_page_rows(page_rows: usize, hits: usize) -> usize {
    let next = if hits < page_rows / 4 { page_rows / 4 } else { page_rows * 2 };
    next.clamp(*PAGE_ROWS.start(), *PAGE_ROWS.end())
}

async fn read(
    store: &AnyStore,
    patient: &PatientId,
    first: Timestamp,
    last: Timestamp,
    rows: usize,
) -> Result<Vec<StoredReading>, StoreError> {
    let selection = Selection::Patient {
        id: patient.as_str().to_owned(),
        since: Some(first),
        until: behind(last),
        order: Order::OldestFirst,
    };
    let mut readings = store.readings(&selection, u32::try_from(rows).unwrap_or(u32::MAX));
    let mut found = Vec::with_capacity(rows);
    while let Some(page) = readings.next_page().await? {
        found.extend(page);
    }
    Ok(found)
}

/// The next microsecond; `None` behind the last one that there is.
fn behind(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_utc(DateTime::from_timestamp_micros(time.as_micros().checked_add(1)?)?).ok()
}

/// The time of a row that `vitals` could have written: another program's text of the same time is another row.
fn time_of(row: &StoredReading) -> Option<Timestamp> {
    Timestamp::parse(&row.timestamp).ok().filter(|time| time.to_string() == row.timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::audit::refused::ContentHash;
    use crate::reading::Reading;
    use crate::store::sqlite::SqliteStore;

    fn signs() -> Signs {
        Signs { heart_rate: Some(80), ..Signs::default() }
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_utc(DateTime::from_timestamp(1_761_474_600 + second, 0).unwrap()).unwrap()
    }

    async fn with_rows(timestamps: impl Iterator<Item = String>) -> (tempfile::TempDir, AnyStore) {
        let row = |timestamp| StoredReading { patient_id: "P1".to_owned(), timestamp, signs: signs() };
        let folder = tempfile::tempdir().unwrap();
        let store = AnyStore::Sqlite(SqliteStore::at(folder.path().join("vitals.db")).unwrap());
        store.init(&crate::store::cassandra::Replication::default()).await.unwrap();
        store.restore(&timestamps.map(row).collect::<Vec<_>>()).await.unwrap();
        (folder, store)
    }

    async fn found(store: &AnyStore, seconds: &[i64]) -> Vec<i64> {
        let patient = PatientId::parse("P1").unwrap();
        let mut window = Window::default();
        for second in seconds {
            window.add(0, ContentHash::default(), &Reading::new(patient.clone(), time(*second), signs()).unwrap());
        }
        let rows = of_window(store, &window).await.unwrap();
        let mut seconds: Vec<_> =
            rows.keys().map(|(_, found)| (found.as_micros() - time(0).as_micros()) / 1_000_000).collect();
        seconds.sort_unstable();
        seconds
    }

    #[tokio::test]
    async fn rows_far_apart_are_found_among_many() {
        let (_folder, store) = with_rows((0..5000).map(|second| time(second).to_string())).await;
        let wanted: Vec<i64> = (0..5000).step_by(97).collect();
        assert_eq!(found(&store, &wanted).await, wanted);
        let all: Vec<i64> = (0..5000).collect();
        assert_eq!(found(&store, &all).await, all);
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let (_folder, store) = with_rows((0..3000).step_by(2).map(|second| time(second).to_string())).await;
        assert_eq!(found(&store, &[-5, 1, 2, 3, 2998, 2999, 4000]).await, [2, 2998]);
    }

    #[tokio::test]
    async fn another_text_of_the_same_time_is_another_row() {
        let text = time(1).to_string().replace("+00:00", "Z");
        let (_folder, store) = with_rows([text].into_iter()).await;
        assert!(found(&store, &[1]).await.is_empty());
    }
}
