//! What the store knows of the alarms of patients who were not seen before.
//!
//! The store is asked once for each, and for a short while: who looks on wants to see the ward, with or without it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Message, REOPEN_INTERVAL};
use crate::alarm::KnownAlarm;
use crate::cmd::top::patients::MAX_PATIENTS;
use crate::pipeline::store::Store;
use crate::reading::PatientId;

/// How long at most until the store is open, from the start, and until it has answered a question.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Patients in one question.
pub(super) const PATIENTS_AT_ONCE: usize = 25;

/// So many patients are remembered as seen; then it begins anew. To ask again costs time and changes nothing.
const MAX_SEEN: usize = 2 * MAX_PATIENTS;

/// The store, when it is open, and who was seen.
#[derive(Debug)]
pub(super) struct History<S> {
    store: watch::Receiver<Option<Arc<S>>>,
    seen: HashSet<PatientId>,
    /// Until when it is waited for a store that is not open yet.
    patience: Instant,
    /// Until when a store that did not answer is not asked again.
    quiet: Option<Instant>,
}

impl<S: Store> History<S> {
    pub(super) fn of(store: watch::Receiver<Option<Arc<S>>>) -> Self {
        Self { store, seen: HashSet::new(), patience: Instant::now() + ANSWER_LIMIT, quiet: None }
    }

    /// Adds what is known to the first message of each patient who was not seen before. Where the store does not answer
    /// there is nothing to add.
    pub(super) async fn add_to(&mut self, messages: &mut [Message]) {
        let mut first = HashMap::new();
        for (place, message) in messages.iter().enumerate() {
            if let Ok(reading) = &message.reading
                && !self.seen.contains(reading.patient())
            {
                first.entry(reading.patient().clone()).or_insert(place);
            }
        }
        if first.is_empty() {
            return;
        }
        if self.seen.len() + first.len() > MAX_SEEN {
            self.seen.clear();
        }
        self.seen.extend(first.keys().cloned());
        let patients: Vec<_> = first.keys().cloned().collect();
        for alarm in self.ask(&patients).await {
            let message = first.get(&alarm.patient).and_then(|place| messages.get_mut(*place));
            if let Some(message) = message {
                message.known.push(alarm);
            }
        }
    }

    async fn ask(&mut self, patients: &[PatientId]) -> Vec<KnownAlarm> {
        if self.quiet.is_some_and(|until| Instant::now() < until) {
            return Vec::new();
        }
        // Whether it is open then is looked at next.
        let _ = timeout_at(self.patience, self.store.wait_for(Option::is_some)).await;
        let Some(store) = self.store.borrow().clone() else { return Vec::new() };
        let mut known = Vec::new();
        for patients in patients.chunks(PATIENTS_AT_ONCE) {
            let Ok(Ok(alarms)) = timeout(ANSWER_LIMIT, store.alarms(patients)).await else {
                self.quiet = Some(Instant::now() + REOPEN_INTERVAL);
                break;
            };
            known.extend(alarms);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::alarm::{Alarm, Priority};
    use crate::pipeline::store::{Batch, BatchLimits, Entry, NodeGeneration, WriteError, Written};
    use crate::reading::{Reading, Signs, Timestamp};

    /// Knows one alarm of each patient whose id begins with I, and counts who is asked about.
    #[derive(Debug, Default)]
    struct Records {
        asked: Mutex<Vec<String>>,
        is_away: Mutex<bool>,
    }

    impl Store for Records {
        fn batch_limits(&self) -> BatchLimits {
            BatchLimits { rows: 1, patients: 1, shared_rows: 1 }
        }

        async fn alarms(&self, patients: &[PatientId]) -> Result<Vec<KnownAlarm>, WriteError> {
            self.asked.lock().expect("asked").extend(patients.iter().map(ToString::to_string));
            if *self.is_away.lock().expect("away") {
                return Err(WriteError::Later("away".to_owned()));
            }
            let ill = patients.iter().filter(|patient| patient.as_str().starts_with('I'));
            Ok(ill.map(known).collect())
        }

        async fn newest(&self, _: &[PatientId], _: Timestamp) -> Result<Vec<(PatientId, Timestamp)>, WriteError> {
            Ok(Vec::new())
        }

        async fn measured(
            &self,
            _: &PatientId,
            _: Timestamp,
            _: Timestamp,
        ) -> Result<Vec<(Timestamp, Signs)>, WriteError> {
            Ok(Vec::new())
        }

        async fn known_patients(&self) -> Result<Vec<PatientId>, WriteError> {
            Ok(Vec::new())
        }

        async fn admissions(&self, _: i32) -> Result<Vec<Entry>, WriteError> {
            Ok(Vec::new())
        }

        async fn rules(&self) -> Result<Option<Entry>, WriteError> {
            Ok(None)
        }

        async fn write(&self, _: &Batch) -> Result<Written, WriteError> {
            Ok(Written::default())
        }

        async fn node_generation(&self) -> Result<NodeGeneration, WriteError> {
            Ok(NodeGeneration::default())
        }
    }

    fn known(patient: &PatientId) -> KnownAlarm {
        let alarm = Alarm {
            onset: 1,
            start: 1,
            value: 120.0,
            peak: 120.0,
            is_partial: false,
            priority: Priority::Medium,
            returned: None,
            acknowledged: None,
            ended: None,
        };
        KnownAlarm { patient: patient.clone(), rule: "heart_rate_high".to_owned(), alarm }
    }

    fn messages(ids: &[&str]) -> Vec<Message> {
        let message = |id: &&str| {
            let time = Timestamp::parse("2025-10-26T10:30:15Z").expect("a time");
            let signs = Signs { heart_rate: Some(80), ..Signs::default() };
            let reading = Reading::new(PatientId::parse(id).expect("an id"), time, signs);
            Message { second: None, reading, known: Vec::new() }
        };
        ids.iter().map(message).collect()
    }

    async fn known_of(history: &mut History<Records>, ids: &[&str]) -> Vec<usize> {
        let mut messages = messages(ids);
        history.add_to(&mut messages).await;
        messages.iter().map(|message| message.known.len()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_is_asked_once_for_each_patient_and_the_first_message_has_the_answer() {
        let records = Arc::new(Records::default());
        let mut history = History::of(watch::channel(Some(Arc::clone(&records))).1);
        assert_eq!(known_of(&mut history, &["Well", "Ill", "Ill"]).await, [0, 1, 0]);
        assert_eq!(known_of(&mut history, &["Ill", "Ida"]).await, [0, 1]);
        let mut asked = records.asked.lock().expect("asked").clone();
        asked.sort_unstable();
        assert_eq!(asked, ["Ida", "Ill", "Well"]);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_store_that_does_not_open_and_but_once_for_one_that_is_away() {
        let mut history = History::<Records>::of(watch::channel(None).1);
        let began = Instant::now();
        assert_eq!(known_of(&mut history, &["Ill"]).await, [0]);
        assert_eq!(known_of(&mut history, &["Ida"]).await, [0]);
        assert!(began.elapsed() <= ANSWER_LIMIT);
        let records = Arc::new(Records::default());
        *records.is_away.lock().expect("away") = true;
        let mut history = History::of(watch::channel(Some(Arc::clone(&records))).1);
        assert_eq!(known_of(&mut history, &["Ill"]).await, [0]);
        assert_eq!(known_of(&mut history, &["Ida"]).await, [0]);
        assert_eq!(*records.asked.lock().expect("asked"), ["Ill"]);
    }
}
