//! The journals of changes: sets of rules that were applied, patients who were admitted or changed, tokens that were
//! given or taken back, and how long rows are kept. Each only grows, and says by whom, when and why.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

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
    pub fn table(self) -> &'static str {
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

    /// Which entries are in it.
    fn history(&mut self) -> &mut History;

    /// Takes up the next entry. One that cannot be read here counts as none.
    fn take(&mut self, entry: Entry);

    /// The version of the newest entry that is in it; 0 where none is.
    fn version(&mut self) -> i32 {
        self.history().version()
    }
}

/// The entries of a journal that were taken up, from the first on without a gap: a mark of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(Vec<u64>);

impl History {
    /// The version of the newest one; 0 where there is none.
    pub fn version(&self) -> i32 {
        i32::try_from(self.0.len()).unwrap_or(i32::MAX)
    }

    /// The next one is taken up.
    pub(super) fn push(&mut self, entry: &Entry) {
        self.0.push(mark(entry));
    }

    /// Whether this is what was taken up under its version; `None` where nothing was.
    pub(super) fn has(&self, entry: &Entry) -> Option<bool> {
        let place = usize::try_from(entry.version).ok()?.checked_sub(1)?;
        self.0.get(place).map(|known| *known == mark(entry))
    }
}

fn mark(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    entry.hash(&mut hasher);
    hasher.finish()
}

/// Entries of a journal that are read at once: an admission has less than a kilobyte.
pub(super) const ENTRIES_AT_ONCE: u16 = 1000;

/// What the journals are for, that there are today: every patient.
pub(super) const JOURNAL_SCOPE: &str = "all";

/// Who was admitted, as their journal says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admissions {
    history: History,
    /// By the patient's id.
    pub patients: BTreeMap<String, Admission>,
}

impl Followed for Admissions {
    const JOURNAL: Journal = Journal::Patients;

    fn history(&mut self) -> &mut History {
        &mut self.history
    }

    fn take(&mut self, entry: Entry) {
        if let Ok(admission) = Admission::parse(&entry.content) {
            self.patients.insert(entry.name, admission);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::store::up_to_gap;
    use crate::store::cassandra::{NodeAccess, Replication};
    use crate::store::{AnyStore, Consistency, StoreAddress, StoreError};

    /// A store whose rows go and come, as those of a replica that lags behind.
    struct Replica {
        folder: tempfile::TempDir,
        store: AnyStore,
        known: Admissions,
    }

    impl Replica {
        async fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let address = StoreAddress::Sqlite { path: folder.path().join("vitals.db") };
            let opened = crate::store::open(&address, NodeAccess::default(), Consistency::default()).await;
            let store = opened.expect("a store");
            store.init(&Replication::default()).await.expect("tables");
            Self { folder, store, known: Admissions::default() }
        }

        async fn add(&self, version: i32, patient: &str) {
            let entry = Entry { name: patient.to_owned(), content: "{}".to_owned(), ..entry(version, "Anna") };
            assert!(self.store.add_entry(Journal::Patients, &entry).await.expect("an answer"));
        }

        fn lose(&self, which: &str) {
            let file = rusqlite::Connection::open(self.folder.path().join("vitals.db"));
            let lost = file.and_then(|file| file.execute(&format!("DELETE FROM patient_admissions WHERE {which}"), ()));
            assert!(lost.is_ok_and(|rows| rows > 0));
        }

        /// Who is known then, and the version.
        async fn follow(&mut self) -> Result<(String, i32), StoreError> {
            self.store.follow(&mut self.known).await?;
            Ok((self.known.patients.keys().cloned().collect(), self.known.version()))
        }
    }

    #[tokio::test]
    async fn tables_that_were_made_anew_are_read_from_the_first_entry_on() {
        let mut replica = Replica::new().await;
        replica.add(1, "A").await;
        replica.add(2, "B").await;
        assert_eq!(replica.follow().await.expect("both"), ("AB".to_owned(), 2));
        for (patients, known) in [(&["C", "D"][..], "CD"), (&["E", "F", "G"], "EFG"), (&["H"], "H")] {
            replica.lose("true");
            for (version, patient) in (1..).zip(patients) {
                replica.add(version, patient).await;
            }
            let count = i32::try_from(patients.len()).expect("few");
            assert_eq!(replica.follow().await.expect("others"), (known.to_owned(), count));
        }
        replica.lose("true");
        assert_eq!(replica.follow().await.expect("none"), (String::new(), 0));
    }

    #[tokio::test]
    async fn an_entry_that_a_replica_has_not_heard_of_is_waited_for_and_not_passed_over() {
        let mut replica = Replica::new().await;
        replica.add(1, "A").await;
        assert_eq!(replica.follow().await.expect("one"), ("A".to_owned(), 1));
        replica.add(3, "C").await;
        let error = replica.follow().await.expect_err("the second is missing");
        assert!(matches!(error, StoreError::Gap { table: "patient_admissions", version: 2 }), "{error}");
        assert_eq!(replica.known.version(), 1);
        replica.add(2, "B").await;
        assert_eq!(replica.follow().await.expect("all"), ("ABC".to_owned(), 3));
        // Nor does one that lags behind take back what is known.
        replica.lose("version = 3");
        assert_eq!(replica.follow().await.expect("all"), ("ABC".to_owned(), 3));
        replica.lose("version = 2");
        replica.add(3, "C").await;
        replica.add(4, "D").await;
        assert_eq!(replica.follow().await.expect("what comes then"), ("ABCD".to_owned(), 4));
    }

    fn entry(version: i32, author: &str) -> Entry {
        let (name, reason, at, content) = (String::new(), String::new(), String::new(), String::new());
        Entry { version, name, author: author.to_owned(), reason, at, content }
    }

    fn versions(found: &[i32], behind: i32) -> Result<Vec<i32>, i32> {
        let entries = found.iter().map(|version| entry(*version, "Anna")).collect();
        up_to_gap(entries, behind).map(|entries| entries.iter().map(|entry| entry.version).collect())
    }

    #[test]
    fn what_is_behind_a_gap_waits_for_what_is_missing() {
        assert_eq!(versions(&[3, 4, 5], 2), Ok(vec![3, 4, 5]));
        assert_eq!(versions(&[3, 4, 6, 7], 2), Ok(vec![3, 4]));
        assert_eq!(versions(&[4, 5], 2), Err(3));
        assert_eq!(versions(&[], 2), Ok(vec![]));
    }

    #[test]
    fn another_entry_under_the_same_version_is_told_from_it() {
        let mut history = History::default();
        history.push(&entry(1, "Anna"));
        assert_eq!(history.version(), 1);
        assert_eq!(
            [entry(1, "Anna"), entry(1, "Bo"), entry(2, "Bo")].map(|entry| history.has(&entry)),
            [Some(true), Some(false), None]
        );
    }
}
