//! Alarms are announced to others before they are stored.
//!
//! The order matters. What the store knows of an alarm is never told again: after a crash the rules take it up from
//! there, and nothing becomes of it a second time. So what was stored first would never be announced where the crash comes
//! in between. In this order it is announced once more, under the same id, which makes that harmless.
//!
//! Readings do not wait for that: `delivery` stores those that came with alarms alone where these cannot be announced, and
//! the alarms come again. What has brought them about is not committed before.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use super::store::{Batch, BatchLimits, Entry, NodeGeneration, Store, WriteError};
use crate::alarm::{AlarmRecord, KnownAlarm};
use crate::reading::{PatientId, Timestamp};

/// How long readings wait until the alarms that they have brought about are announced.
const ANNOUNCING_LIMIT: Duration = Duration::from_secs(5);

/// Where alarms are announced.
pub trait Alarms: Send + Sync {
    /// Why they could not be yet.
    type Error: Error + Send + Sync + 'static;

    /// Announces alarms as they are since, in this order. `Ok` means that others will find all of them; after an error any
    /// part may be there, and announcing the same again is harmless.
    fn announce(&self, alarms: &[AlarmRecord]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A store, and where its alarms are announced before it gets them.
#[derive(Debug)]
pub struct Announcing<'a, T, A> {
    store: &'a T,
    alarms: Option<A>,
}

impl<'a, T: Store, A: Alarms> Announcing<'a, T, A> {
    /// The store itself, where there is no place for its alarms.
    pub fn new(store: &'a T, alarms: Option<A>) -> Self {
        Self { store, alarms }
    }
}

impl<T: Store, A: Alarms> Store for Announcing<'_, T, A> {
    async fn announce(&self, alarms: &[AlarmRecord]) -> Result<(), WriteError> {
        let Some(place) = &self.alarms else { return Ok(()) };
        let why = match timeout(ANNOUNCING_LIMIT, place.announce(alarms)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("alarms could not be announced within {ANNOUNCING_LIMIT:?}"),
        };
        Err(WriteError::Unannounced(why))
    }

    async fn write(&self, batch: &Batch) -> Result<(), WriteError> {
        self.store.write(batch).await
    }

    fn batch_limits(&self) -> BatchLimits {
        self.store.batch_limits()
    }

    async fn alarms(&self, patients: &[PatientId]) -> Result<Vec<KnownAlarm>, WriteError> {
        self.store.alarms(patients).await
    }

    async fn newest(
        &self,
        patients: &[PatientId],
        until: Timestamp,
    ) -> Result<Vec<(PatientId, Timestamp)>, WriteError> {
        self.store.newest(patients, until).await
    }

    async fn admissions(&self, behind: i32) -> Result<Vec<Entry>, WriteError> {
        self.store.admissions(behind).await
    }

    async fn rules(&self) -> Result<Option<Entry>, WriteError> {
        self.store.rules().await
    }

    async fn node_generation(&self) -> Result<NodeGeneration, WriteError> {
        self.store.node_generation().await
    }
}
