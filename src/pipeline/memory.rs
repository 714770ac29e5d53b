//! Readings of patients whose alarms are not known yet: they wait until the store has told.
//!
//! That is one question for a patient and assignment. Readings of others go on meanwhile; those of one patient stay in
//! their order.

use std::collections::{HashMap, VecDeque};

use chrono::{TimeDelta, Utc};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

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
/// Of these, such as were asked before in vain: patients of whom the store can never tell must not keep it from others.
const MAX_ASKED_AGAIN: usize = 8;

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

/// Whom the store is asked about together.
struct Question {
    patients: Vec<PatientId>,
    /// How often that was in vain.
    attempts: u32,
    /// How many answers there had been when it was in vain for the first time.
    answers: u64,
}

/// What the store tells of some patients.
pub(super) struct Told {
    question: Question,
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
    /// What was asked in vain, and when it is asked again. No more than there is waiting.
    to_ask_again: VecDeque<(Instant, Question)>,
    /// How many of the questions are such.
    asked_again: usize,
    /// How often the store has told something.
    answers: u64,
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
            to_ask_again: VecDeque::new(),
            asked_again: 0,
            answers: 0,
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

    /// The store has told something: it is there.
    pub(super) fn answered(&mut self) {
        self.answers += 1;
    }

    /// When something is to be asked again, where there is room for it.
    pub(super) fn due(&self) -> Option<Instant> {
        let has_room = self.questions.len() < MAX_QUESTIONS && self.asked_again < MAX_ASKED_AGAIN;
        self.to_ask_again.front().filter(|_| has_room && self.is_open).map(|(due, _)| *due)
    }

    /// Asks for the patients that have readings waiting.
    pub(super) fn ask(&mut self) {
        while self.is_open && self.questions.len() < MAX_QUESTIONS {
            if self.due().is_some_and(|due| due <= Instant::now())
                && let Some((_, question)) = self.to_ask_again.pop_front()
            {
                self.asked_again += 1;
                self.push(question);
            } else if !self.to_ask.is_empty() {
                let count = self.to_ask.len().min(MAX_PATIENTS);
                let patients = self.to_ask.drain(..count).collect();
                self.push(Question { patients, attempts: 0, answers: self.answers });
            } else {
                break;
            }
        }
    }

    /// Takes an answer. Where there was none, it is asked again.
    pub(super) fn told(&mut self, told: Told) -> Result<Known, Trouble> {
        let Told { question, outcome } = told;
        if question.attempts > 0 {
            self.asked_again = self.asked_again.saturating_sub(1);
        }
        match outcome {
            Ok(past) => {
                self.answered();
                let waiting = question.patients.iter().filter_map(|patient| self.waiting.remove(patient));
                Ok(Known { past, waiting: waiting.collect() })
            }
            Err(error) => {
                let text = format!("{error}; the alarms of some patients are not known yet, trying again");
                let attempts = question.attempts + 1;
                self.ask_later(Question { attempts, ..question });
                Err(Trouble { attempts, text })
            }
        }
    }

    /// In two halves where the store has told something else meanwhile: it may be one of them of whom it cannot tell.
    fn ask_later(&mut self, mut question: Question) {
        let Question { attempts, answers, .. } = question;
        let due = Instant::now() + retry::pause_before(attempts);
        if attempts == 1 {
            question.answers = self.answers;
        } else if self.answers > answers && question.patients.len() > 1 {
            question.answers = self.answers;
            let patients = question.patients.split_off(question.patients.len() / 2);
            self.to_ask_again.push_back((due, Question { patients, ..question }));
        }
        self.to_ask_again.push_back((due, question));
    }

    fn push(&mut self, question: Question) {
        let is_silent =
            |patient: &&PatientId| self.waiting.get(*patient).is_some_and(|waiting| waiting.heard.is_empty());
        let silent = question.patients.iter().filter(is_silent).cloned().collect();
        self.questions.push(Box::pin(ask(self.store, question, silent)));
    }

    /// Whether it is known who has to wait.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether nobody waits, and it is known who could.
    pub(super) fn is_idle(&self) -> bool {
        self.is_open && self.waiting.is_empty()
    }

    /// Drops what waits, and gives its size: its partitions are somebody else's.
    pub(super) fn clear(&mut self) -> usize {
        self.to_ask.clear();
        self.to_ask_again.clear();
        self.asked_again = 0;
        self.questions.clear();
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().flat_map(|waiting| waiting.heard).map(|heard| heard.size_bytes).sum()
    }
}

async fn ask<T: Store>(store: &T, question: Question, silent: Vec<PatientId>) -> Told {
    let outcome = past_of(store, &question.patients, &silent).await;
    Told { question, outcome }
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
