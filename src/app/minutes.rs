//! What the readings of minutes come to, made of the readings that are stored.

use std::time::Duration;

use tokio::time::sleep;

use crate::pipeline::store::WriteError;
use crate::reading::{PatientId, Timestamp};
use crate::retry;
use crate::store::{AnyStore, StoreError, WhichMinutes};

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
    which: WhichMinutes,
) -> Result<u64, StoreError> {
    let mut failed = 0;
    loop {
        match store.make_minutes(patient, since, until, which).await {
            Err(WriteError::Later(_)) if failed + 1 < ATTEMPTS => failed += 1,
            Err(error) => return Err(StoreError::Minutes(error.to_string())),
            Ok(minutes) => return Ok(minutes),
        }
        sleep(retry::pause_before(failed)).await;
    }
}
