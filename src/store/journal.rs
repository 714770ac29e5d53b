//! The journals of changes: sets of rules that were applied, patients who were admitted or changed, tokens that were
//! given or taken back, and how long rows are kept. Each only grows, and says by whom, when and why.

use std::collections::BTreeMap;

use crate::admission::Admission;
use crate::pipeline::store::Entry;

/// A table of changes, each an [`Entry`] with a version of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// The sets of rules that were applied: the newest one is in force.
    Rules,
    /// The patients who were admitted or changed: the newest entry of each holds.
    Patients,
    /// Who may come to the server, and who may no more: the newest entry of each name holds.
    Tokens,
    /// How long rows are kept: the newest entry is in force.
    Retention,
}

impl Journal {
    /// Its table.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Rules => "alarm_rules",
            Self::Patients => "patient_admissions",
            Self::Tokens => "access_tokens",
            Self::Retention => "retention_changes",
        }
    }

    /// Its columns behind the scope, in the order of an entry.
    pub(super) fn columns(self) -> &'static str {
        match self {
            Self::Rules => "version, name, author, reason, applied_at, content",
            Self::Patients => "version, patient_id, author, reason, changed_at, content",
            Self::Tokens | Self::Retention => "version, name, author, reason, changed_at, content",
        }
    }
}

/// What the entries of a journal add up to.
pub trait Followed: Default {
    /// Which one.
    const JOURNAL: Journal;

    /// The version of the newest entry that is in it; 0 where none is.
    fn version(&self) -> i32;

    /// Takes up the next entry. One that cannot be read here counts as none, but for its version.
    fn take(&mut self, entry: Entry);
}

/// Entries of a journal that are read at once: an admission has less than a kilobyte.
pub(super) const ENTRIES_AT_ONCE: u16 = 1000;

/// What the journals are for, that there are today: every patient.
pub(super) const JOURNAL_SCOPE: &str = "all";

/// Who was admitted, and the version of the journal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admissions {
    /// The version of the newest entry; 0 where there is none.
    pub version: i32,
    /// By the patient's id.
    pub patients: BTreeMap<String, Admission>,
}

impl Followed for Admissions {
    const JOURNAL: Journal = Journal::Patients;

    fn version(&self) -> i32 {
        self.version
    }

    fn take(&mut self, entry: Entry) {
        self.version = entry.version;
        if let Ok(admission) = Admission::parse(&entry.content) {
            self.patients.insert(entry.name, admission);
        }
    }
}
