//! Readings of patients whose alarms are not known yet: they wait until the store has told.
//!
//! That is one question for a patient and assignment. Readings of others go on meanwhile; those of one patient stay in
//! their order.

use std::collections::{HashMap, VecDeque};

use chrono::{TimeDelta, Utc};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;

use super::store::{Store, WriteError};
use crate::alarm::KnownAlarm;
use crate::ledger::InFlight;
use crate::reading::{PatientId, Reading, Timestamp};
use crate::retry;

/// Patients in one question.
const MAX_PATIENTS: usize = 25;
/// A reading that is further ahead of the clock tells nothing about when it came.
const LARGEST_CLOCK_ERROR: TimeDelta = TimeDelta::minutes(5);
/// Questions at the same time.
const MAX_QUESTIONS: usize = 16;

/// A reading that was taken up, or is only heard again.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) sent_ms: i64,
    pub(super) reading: Reading,
    /// What its message takes of the memory limit.
    pub(super) size_bytes: usize,
    /// Where it is to be stored.
    pub(super) in_flight: Option<InFlight>,
    /// Whether somebody should hear what becomes of alarms with it.
    pub(super) is_news: bool,
}

/// Whose alarms are not known, and what waits for them.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) patient: PatientId,
    pub(super) partition: i32,
    /// In order. Nothing of a patient of whom nothing has come: that is what is to be noticed.
    pub(super) heard: Vec<Heard>,
}

/// What the store tells of some patients, and how often it was asked.
pub(super) struct Told {
    patients: Vec<PatientId>,
    attempts: u32,
    outcome: Result<Past, WriteError>,
}

/// What the store knows of patients.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) alarms: Vec<KnownAlarm>,
    /// When the newest reading was taken of those of whom nothing has come.
    pub(super) newest: Vec<(PatientId, Timestamp)>,
}

/// What the store has told of some patients.
pub(super) struct Known {
    pub(super) past: Past,
    pub(super) waiting: Vec<Waiting>,
}

/// That the store did not tell.
pub(super) struct Trouble {
    pub(super) attempts: u32,
    pub(super) text: String,
}

/// Who is asked about, and what waits for it.
pub(super) struct Memory<'a, T> {
    store: &'a T,
    waiting: HashMap<PatientId, Waiting>,
    to_ask: VecDeque<PatientId>,
    /// Whether the rules are known: nothing can be judged before.
    is_open: bool,
    pub(super) questions: FuturesUnordered<BoxFuture<'a, Told>>,
}

impl<'a, T: Store> Memory<'a, T> {
    pub(super) fn new(store: &'a T) -> Self {
        Self {
            store,
            waiting: HashMap::new(),
            to_ask: VecDeque::new(),
            is_open: false,
            questions: FuturesUnordered::new(),
        }
    }

    pub(super) fn wait(&mut self, heard: Heard) {
        let patient = heard.reading.patient().clone();
        self.waiting_for(patient, heard.partition).heard.push(heard);
    }

    /// Has the store asked about a patient of whom nothing has come.
    pub(super) fn wait_for_silent(&mut self, patient: PatientId, partition: i32) {
        self.waiting_for(patient, partition);
    }

    fn waiting_for(&mut self, patient: PatientId, partition: i32) -> &mut Waiting {
        let to_ask = &mut self.to_ask;
        self.waiting.entry(patient).or_insert_with_key(|patient| {
            to_ask.push_back(patient.clone());
            Waiting { patient: patient.clone(), partition, heard: Vec::new() }
        })
    }

    /// The rules are known.
    pub(super) fn open(&mut self) {
        self.is_open = true;
    }

    /// Asks for the patients that have readings waiting.
    pub(super) fn ask(&mut self) {
        while self.is_open && self.questions.len() < MAX_QUESTIONS && !self.to_ask.is_empty() {
            let count = self.to_ask.len().min(MAX_PATIENTS);
            let patients = self.to_ask.drain(..count).collect();
            self.push_question(patients, 0);
        }
    }

    /// Takes an answer. Where there was none, it is asked again.
    pub(super) fn told(&mut self, told: Told) -> Result<Known, Trouble> {
        let Told { patients, attempts, outcome } = told;
        match outcome {
            Ok(past) => {
                let waiting = patients.iter().filter_map(|patient| self.waiting.remove(patient));
                Ok(Known { past, waiting: waiting.collect() })
            }
            Err(error) => {
                let text = format!("{error}; the alarms of some patients are not known yet, trying again");
                self.push_question(patients, attempts + 1);
                Err(Trouble { attempts: attempts + 1, text })
            }
        }
    }

    fn push_question(&mut self, patients: Vec<PatientId>, attempts: u32) {
        let is_silent =
            |patient: &&PatientId| self.waiting.get(*patient).is_some_and(|waiting| waiting.heard.is_empty());
        let silent = patients.iter().filter(is_silent).cloned().collect();
        self.questions.push(Box::pin(ask(self.store, patients, silent, attempts)));
    }

    /// Whether nobody waits, and it is known who could.
    pub(super) fn is_idle(&self) -> bool {
        self.is_open && self.waiting.is_empty()
    }

    /// Drops what waits, and gives its size: its partitions are somebody else's.
    pub(super) fn clear(&mut self) -> usize {
        self.to_ask.clear();
        self.questions.clear();
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().flat_map(|waiting| waiting.heard).map(|heard| heard.size_bytes).sum()
    }
}

async fn ask<T: Store>(store: &T, patients: Vec<PatientId>, silent: Vec<PatientId>, attempts: u32) -> Told {
    sleep(retry::pause_before(attempts)).await;
    let outcome = past_of(store, &patients, &silent).await;
    Told { patients, attempts, outcome }
}

async fn past_of<T: Store>(store: &T, patients: &[PatientId], silent: &[PatientId]) -> Result<Past, WriteError> {
    let alarms = store.alarms(patients).await?;
    // One of a time to come was timed by a clock that is wrong.
    let newest = match Timestamp::from_utc(Utc::now() + LARGEST_CLOCK_ERROR) {
        Ok(until) if !silent.is_empty() => store.newest(silent, until).await?,
        _ => Vec::new(),
    };
    Ok(Past { alarms, newest })
}
