//! Alarms are announced to others, before they are stored where that is possible.
//!
//! The order matters. What the store knows of an alarm is never told again: after a crash the rules take it up from
//! there, and nothing becomes of it a second time. So what was stored first would never be announced where the crash comes
//! in between. In this order it is announced once more, under the same id, which makes that harmless.
//!
//! Storing waits for nobody all the same. What cannot be announced within [`ANNOUNCING_LIMIT`] is remembered, up to
//! [`MAX_LATE`] alarms as they are since, and announced with what is written later; one attempt at a time, so that one
//! write waits and not all of them. What is beyond that, or remembered when the program crashes, is in the store alone.
//!
//! Each batch announces its own. That what several of them wait for goes out in one request is the business of the place:
//! `kafka/alarm_topic.rs`.
//!
//! Whoever has a partition next announces what becomes of its alarms from there on, and an older state behind that would
//! take it back. So what is remembered of partitions that were taken away is announced only while the store has it as it
//! was.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::store::{Batch, BatchLimits, Entry, NodeGeneration, Store, Tenure, WriteError, Written};
use crate::alarm::{AlarmKey, AlarmRecord, KnownAlarm};
use crate::output::counted;
use crate::reading::{PatientId, Signs, Timestamp};

/// How long a write waits for its alarms to be announced.
const ANNOUNCING_LIMIT: Duration = Duration::from_secs(2);
/// How long nobody tries after it failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How many alarms are remembered that could not be announced yet: a few megabytes.
const MAX_LATE: usize = 10_000;
/// Of how many patients the store is asked at once whether an alarm is as it was.
const PATIENTS_AT_ONCE: usize = 25;
/// How many of them are announced at once.
const LATE_AT_ONCE: usize = 500;

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
    place: Option<A>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that could not be announced yet.
    late: BTreeMap<AlarmKey, Remembered>,
    /// Those that are announced, and that the store has not taken yet: it is asked again and again.
    unstored: BTreeMap<AlarmKey, Remembered>,
    /// When the next attempt is due, where one has failed.
    next: Option<Instant>,
    is_trying: bool,
    /// How many are remembered no more.
    left_out: u64,
    trouble: Option<String>,
}

/// An alarm, and for how long its partition is ours.
#[derive(Debug, Clone)]
struct Remembered {
    alarm: AlarmRecord,
    tenure: Tenure,
}

impl<'a, T: Store, A: Alarms> Announcing<'a, T, A> {
    /// The store itself, where there is no place for its alarms.
    pub fn new(store: &'a T, place: Option<A>) -> Self {
        Self { store, place, state: Mutex::default() }
    }

    /// Announces what is late, as far as that is possible now, and tells what was not announced.
    pub async fn finish(&self) -> Option<String> {
        let place = self.place.as_ref()?;
        loop {
            let some = self.state().some_late();
            let Some(some) = some else { break };
            if !self.try_late(place, some).await {
                break;
            }
        }
        let state = self.state();
        let missing = state.left_out.saturating_add(u64::try_from(state.late.len()).unwrap_or(u64::MAX));
        (missing > 0)
            .then(|| format!("{} not announced: the store alone has what became of them", counted(missing, "alarm")))
    }

    /// Announces the alarms of a batch, or remembers them.
    async fn announce(&self, place: &A, Batch { alarms, tenure, .. }: &Batch) {
        let late = {
            let mut state = self.state();
            let fresh = state.not_announced(alarms);
            if state.late.is_empty() {
                if fresh.is_empty() {
                    return;
                }
                Err(fresh)
            } else {
                state.remember(fresh.into_owned(), tenure);
                Ok(state.due())
            }
        };
        match late {
            Err(fresh) => {
                if let Err(why) = attempt(place, &fresh).await {
                    let mut state = self.state();
                    state.remember(fresh.into_owned(), tenure);
                    state.failed(&why);
                }
            }
            Ok(Some(some)) => {
                self.try_late(place, some).await;
            }
            Ok(None) => {}
        }
    }

    async fn try_late(&self, place: &A, some: Vec<Remembered>) -> bool {
        let outcome = match self.still_so(&some).await {
            Ok(alarms) if alarms.is_empty() => Ok(()),
            Ok(alarms) => attempt(place, &alarms).await,
            Err(error) => Err(error.to_string()),
        };
        let mut state = self.state();
        state.is_trying = false;
        match outcome {
            Ok(()) => {
                state.next = None;
                for Remembered { alarm, .. } in some {
                    let key = alarm.key();
                    // What has become of it meanwhile is still to be told.
                    if state.late.get(&key).is_some_and(|known| known.alarm == alarm) {
                        state.late.remove(&key);
                    }
                }
                true
            }
            Err(why) => {
                state.failed(&why);
                false
            }
        }
    }

    /// These, without those whose partition was taken away and of which the store does not know exactly this any more:
    /// what has become of them was announced by whoever has them now, or will be.
    async fn still_so(&self, some: &[Remembered]) -> Result<Vec<AlarmRecord>, WriteError> {
        let mut gone: Vec<_> =
            some.iter().filter(|one| one.tenure.is_over()).map(|one| one.alarm.patient.clone()).collect();
        gone.dedup();
        let mut known = Vec::new();
        for patients in gone.chunks(PATIENTS_AT_ONCE) {
            known.extend(self.store.alarms(patients).await?);
        }
        let is_so = |one: &&Remembered| !one.tenure.is_over() || known.iter().any(|known| known.is_still(&one.alarm));
        Ok(some.iter().filter(is_so).map(|one| one.alarm.clone()).collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn attempt<A: Alarms>(place: &A, alarms: &[AlarmRecord]) -> Result<(), String> {
    match timeout(ANNOUNCING_LIMIT, place.announce(alarms)).await {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err(format!("alarms could not be announced within {} s", ANNOUNCING_LIMIT.as_secs())),
    }
}

impl State {
    /// These, without those of which exactly this was announced, and only the store has not taken it yet.
    fn not_announced<'a>(&self, alarms: &'a [AlarmRecord]) -> Cow<'a, [AlarmRecord]> {
        let is_new = |alarm: &&AlarmRecord| self.unstored.get(&alarm.key()).is_none_or(|known| known.alarm != **alarm);
        if self.unstored.is_empty() { alarms.into() } else { alarms.iter().filter(is_new).cloned().collect() }
    }

    /// Takes note of what has become of a batch's alarms in the store.
    fn written(&mut self, Batch { alarms, tenure, .. }: &Batch, is_stored: bool) {
        if is_stored && self.unstored.is_empty() {
            return;
        }
        // Whoever has their partition now raises them again.
        self.unstored.retain(|_, one| !one.tenure.is_over());
        for alarm in alarms {
            if is_stored {
                self.unstored.remove(&alarm.key());
            } else {
                self.unstored.insert(alarm.key(), Remembered { alarm: alarm.clone(), tenure: tenure.clone() });
            }
        }
    }

    fn remember(&mut self, alarms: Vec<AlarmRecord>, tenure: &Tenure) {
        for alarm in alarms {
            let key = alarm.key();
            if let Some(known) = self.late.get_mut(&key) {
                known.alarm.update(alarm);
                known.tenure = tenure.clone();
            } else if self.late.len() < MAX_LATE {
                self.late.insert(key, Remembered { alarm, tenure: tenure.clone() });
            } else {
                self.left_out = self.left_out.saturating_add(1);
            }
        }
    }

    /// What to try now, where it is time and nobody else tries.
    fn due(&mut self) -> Option<Vec<Remembered>> {
        if self.is_trying || self.next.is_some_and(|next| Instant::now() < next) {
            return None;
        }
        let some = self.some_late();
        self.is_trying = some.is_some();
        some
    }

    fn some_late(&self) -> Option<Vec<Remembered>> {
        let some: Vec<_> = self.late.values().take(LATE_AT_ONCE).cloned().collect();
        (!some.is_empty()).then_some(some)
    }

    fn failed(&mut self, why: &str) {
        self.next = Some(Instant::now() + PAUSE);
        let left_out = if self.left_out > 0 { format!(", {} no more", self.left_out) } else { String::new() };
        let late = counted(self.late.len(), "alarm");
        self.trouble =
            Some(format!("{why}; trying again, {late} remembered for it{left_out}; readings and alarms are stored"));
    }
}

impl<T: Store, A: Alarms> Store for Announcing<'_, T, A> {
    async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        let Some(place) = &self.place else { return self.store.write(batch).await };
        self.announce(place, batch).await;
        if batch.tenure.is_over() {
            return Err(WriteError::taken_away());
        }
        let outcome = self.store.write(batch).await;
        if !batch.alarms.is_empty() {
            self.state().written(batch, outcome.is_ok());
        }
        outcome
    }

    fn trouble(&self) -> Option<String> {
        self.state().trouble.take()
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

    async fn measured(
        &self,
        patient: &PatientId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, Signs)>, WriteError> {
        self.store.measured(patient, since, until).await
    }

    async fn known_patients(&self) -> Result<Vec<PatientId>, WriteError> {
        self.store.known_patients().await
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
