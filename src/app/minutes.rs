//! What the readings of minutes come to, made of the readings that are stored.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::sleep;

use crate::pipeline::store::WriteError;
use crate::reading::{PatientId, Timestamp};
use crate::retry;
use crate::store::{AnyStore, StoreError};

/// How often a patient is begun anew before it ends with an error.
const ATTEMPTS: u32 = 6;

/// Behind the newest readings a consumer may be writing the same minute.
pub const SETTLED: Duration = Duration::from_secs(5 * 60);

/// Makes those of a patient, and tells how many.
pub async fn make(
    store: &AnyStore,
    patient: &PatientId,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<u64, StoreError> {
    insist(|| store.make_minutes(patient, since, until).boxed()).await
}

/// The same for readings that are about to go: what is not there yet is made also where a reading may have gone.
pub async fn make_last(
    store: &AnyStore,
    patient: &PatientId,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<u64, StoreError> {
    insist(|| store.make_last_minutes(patient, since, until).boxed()).await
}

async fn insist<'a>(mut make: impl FnMut() -> BoxFuture<'a, Result<u64, WriteError>>) -> Result<u64, StoreError> {
    let mut failed = 0;
    loop {
        match make().await {
            Err(WriteError::Later(_)) if failed + 1 < ATTEMPTS => failed += 1,
            Err(error) => return Err(StoreError::Minutes(error.to_string())),
            Ok(minutes) => return Ok(minutes),
        }
        sleep(retry::pause_before(failed)).await;
    }
}
