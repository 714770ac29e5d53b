//! What the tables hold, as far as that can be told within moments: for who thinks about how long it is kept.

use super::tables::READING_BYTES;
use crate::span::Keep;

/// What the tables hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Stock {
    /// Readings, minutes, alarms.
    pub(crate) tables: Vec<TableStock>,
    /// Of an SQLite file.
    pub(crate) file: Option<FileRoom>,
}

/// What one table holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TableStock {
    pub(crate) table: &'static str,
    /// How many patients have rows in it.
    pub(crate) patients: usize,
    /// Of how many of them it was asked what follows.
    pub(crate) looked: usize,
    /// The time of the oldest row, as the table has it.
    pub(crate) oldest: Option<String>,
    /// How many rows there are, where that can be told: an estimate.
    pub(crate) rows: Option<u64>,
    /// How many of them are older than what would be kept; `None` where that cannot be told.
    pub(crate) over: Option<u64>,
    /// Whether `over` was counted, and is no estimate.
    pub(crate) is_counted: bool,
    /// What a row takes on the disk, about.
    pub(crate) row_bytes: u64,
}

/// The patients with the most readings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Largest {
    /// The largest first, and not more than three.
    pub(crate) patients: Vec<PatientRows>,
    /// Whether their rows were counted, and are no estimate.
    pub(crate) is_counted: bool,
    /// Where the rows of a patient are a partition: what the largest takes on the disk of the node that was asked, if it
    /// tells.
    pub(crate) partition_bytes: Option<u64>,
    /// Whether the rows of a patient are a partition.
    pub(crate) has_partitions: bool,
}

/// How many readings a patient has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PatientRows {
    pub(crate) patient: String,
    pub(crate) rows: u64,
    /// What they take on the disk, about.
    pub(crate) bytes: u64,
}

impl Largest {
    /// The largest of these.
    pub(super) fn of(rows: impl IntoIterator<Item = (String, u64)>) -> Self {
        let of = |(patient, rows): (String, u64)| {
            let bytes = rows.saturating_mul(READING_BYTES);
            PatientRows { patient, rows, bytes }
        };
        let mut patients: Vec<_> = rows.into_iter().map(of).collect();
        patients.sort_by(|one, other| other.rows.cmp(&one.rows).then_with(|| one.patient.cmp(&other.patient)));
        patients.truncate(LARGEST);
        Self { patients, ..Self::default() }
    }
}

/// So many are told.
const LARGEST: usize = 3;

/// What becomes of the room of rows that have gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileRoom {
    /// In the file, and used by no row.
    pub(crate) free_bytes: u64,
    /// Whether the file becomes smaller; else the room is used again.
    pub(crate) shrinks: bool,
}

impl TableStock {
    /// How much of `count` of the patients that were looked at is for all of them.
    pub(super) fn for_all(&self, count: u64) -> u64 {
        let [patients, looked] =
            [self.patients, self.looked.max(1)].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        u64::try_from(u128::from(count) * u128::from(patients) / u128::from(looked)).unwrap_or(u64::MAX)
    }
}

/// How long the rows of each table are kept: readings, minutes, alarms.
pub(super) fn keeps(kept: super::Kept) -> [Keep; 3] {
    [kept.raw, kept.minutes, kept.alerts]
}
