//! What the pipeline needs of a store.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::alarm::{AlarmRecord, KnownAlarm};
use crate::minute::PatientMinute;
use crate::reading::{PatientId, Reading, Signs, Timestamp};

/// What is written in one go: readings, no two of them of the same patient and time, and what has become of alarms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The readings, those of one patient behind one another; a sign that was not measured leaves an earlier value
    /// alone.
    pub readings: Vec<Reading>,
    /// Alarms as they are since, those of one patient behind one another, no two of the same patient, rule and onset.
    pub alarms: Vec<AlarmRecord>,
    /// What the readings of minutes come to, those of one patient behind one another, no two of the same patient and
    /// minute. They take the place of what was there, but where one of their readings need not be there any more.
    pub minutes: Vec<PatientMinute>,
    /// That none of these minutes is there: they are written also where one of their readings need not be there any more.
    pub are_minutes_missing: bool,
    /// Whether it may still be written.
    pub tenure: Tenure,
}

/// For how long partitions are ours. What is written of them later could come behind a change of their next owner, and
/// take that back: so a batch is not begun to be announced or written any more once it is over. Clones are of the same.
#[derive(Debug, Clone, Default)]
pub struct Tenure(Arc<AtomicBool>);

impl Tenure {
    /// The partitions are somebody else's, or read again.
    pub fn end(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether they are.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Where both are over, or both are not: what is written is the same.
impl PartialEq for Tenure {
    fn eq(&self, other: &Self) -> bool {
        self.is_over() == other.is_over()
    }
}

/// How much a batch should have at most: more would save nothing, or be too much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Its readings.
    pub rows: usize,
    /// The patients whose readings they are.
    pub patients: usize,
    /// Its readings, where they are of several patients.
    pub shared_rows: usize,
}

impl BatchLimits {
    /// The same with so many readings.
    #[must_use]
    pub fn with_rows(self, rows: usize) -> Self {
        Self { rows, shared_rows: self.shared_rows.min(rows), ..self }
    }
}

/// What became of a batch that the store took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Readings of it that were not written: they are older than what is kept.
    pub expired: u64,
    /// Rows that the store has deleted since the last answer, since they are older than what is kept.
    pub deleted: u64,
}

impl std::ops::AddAssign for Written {
    fn add_assign(&mut self, more: Self) {
        self.expired = self.expired.saturating_add(more.expired);
        self.deleted = self.deleted.saturating_add(more.deleted);
    }
}

/// Why the store did not take a batch.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It may take the same batch later: it is away, too slow, or overloaded.
    #[error("the store did not take the rows: {0}")]
    Later(String),
    /// It refuses this batch, and says that asking again will not help: a row of it breaks a rule of the table.
    #[error("the store refuses the rows: {0}")]
    Never(String),
}

impl WriteError {
    /// Why a batch is not written whose [tenure](Tenure) is over. Nobody tries it again.
    pub fn taken_away() -> Self {
        Self::Later("its partition was taken away".to_owned())
    }
}

/// The nodes of a store that are there, each with the run in which it is, as the store names them: one that was restarted
/// is in another run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeGeneration(pub BTreeSet<String>);

impl NodeGeneration {
    /// Whether some of what these nodes have acknowledged may be forgotten, where the nodes are `now` as they are.
    #[must_use]
    pub fn may_have_forgotten(&self, now: &Self) -> bool {
        !self.0.is_subset(&now.0)
    }
}

/// How long a store may forget what it has acknowledged, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredDelay {
    /// Zero where it forgets nothing.
    pub time: Duration,
    /// For the operator.
    pub why: String,
}

/// An entry of a journal of changes: a set of rules that was put in force, or a patient who was admitted or changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Counted up from 1 in each journal.
    pub version: i32,
    /// What it is about: the set's name, or the patient's id.
    pub name: String,
    /// Who made the change.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When, as a timestamp of ours.
    pub at: String,
    /// What holds since: the file of rules, or the [admission](crate::admission::Admission).
    pub content: String,
}

/// The entries behind a version up to the first gap.
///
/// # Errors
/// The gap comes at once: the version that is missing. It is there, and a replica that was asked has
/// not heard of it; or somebody has deleted it.
pub fn up_to_gap(mut entries: Vec<Entry>, behind: i32) -> Result<Vec<Entry>, i32> {
    let next = behind.saturating_add(1);
    let whole = entries.iter().zip(next..).take_while(|(entry, version)| entry.version == *version).count();
    if whole == 0 && !entries.is_empty() {
        return Err(next);
    }
    entries.truncate(whole);
    Ok(entries)
}

/// What the pipeline needs of a store.
pub trait Store: Send + Sync {
    /// How much a batch should have at most, as things are now.
    fn batch_limits(&self) -> BatchLimits;

    /// The last alarms of these patients, those that go on among them, each one's newest first.
    fn alarms(&self, patients: &[PatientId]) -> impl Future<Output = Result<Vec<KnownAlarm>, WriteError>> + Send;

    /// When the newest reading of each of these patients was taken that was stored before `until`; those without one are
    /// left out.
    fn newest(
        &self,
        patients: &[PatientId],
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<(PatientId, Timestamp)>, WriteError>> + Send;

    /// What was measured of a patient from `since` on and before `until`, as it is stored, the oldest first.
    fn measured(
        &self,
        patient: &PatientId,
        since: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<(Timestamp, Signs)>, WriteError>> + Send;

    /// Everyone who has readings.
    fn known_patients(&self) -> impl Future<Output = Result<Vec<PatientId>, WriteError>> + Send;

    /// What has become of patients behind this version of their journal, in its order, as much as is read at once. There is
    /// no more where it is empty; a replica that lags behind may leave some out.
    fn admissions(&self, behind: i32) -> impl Future<Output = Result<Vec<Entry>, WriteError>> + Send;

    /// The set of rules that was applied last.
    fn rules(&self) -> impl Future<Output = Result<Option<Entry>, WriteError>> + Send;

    /// Writes a batch. `Ok` means that the store has acknowledged every row and alarm of it, but for readings that are
    /// older than what is kept; after an error any part may have been written, and writing the same batch again is
    /// harmless.
    fn write(&self, batch: &Batch) -> impl Future<Output = Result<Written, WriteError>> + Send;

    /// What an operator should hear of beside the outcomes: once.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// The store's present generation; asked only where it may forget what it has acknowledged.
    fn node_generation(&self) -> impl Future<Output = Result<NodeGeneration, WriteError>> + Send;
}
