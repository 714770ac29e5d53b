//! An archive beside the table.

use std::collections::{BTreeMap, BTreeSet};

use color_eyre::eyre::Result;

use super::table::Table;
use crate::archive::folder::Folder;
use crate::archive::merge::{Comparison, Met};
use crate::archive::month::Month;
use crate::cmd::common::progress_line::ProgressLine;
use crate::output::Output;
use crate::store::{AnyStore, StoredReading};

/// How many rows of a month are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// In both, and the same.
    pub(super) same: u64,
    /// In both, with other values.
    pub(super) differ: u64,
    /// In the table alone.
    pub(super) table_only: u64,
    /// In the archive alone.
    pub(super) archive_only: u64,
}

impl Compared {
    /// Whether all that the table has is in the archive.
    pub(super) fn is_archived(self) -> bool {
        self.differ == 0 && self.table_only == 0
    }
}

/// The patients whose rows were compared.
#[derive(Debug, Default)]
pub(super) struct Patients {
    /// Those with rows that are in both: the first and the last moment of these, and how many they are.
    pub(super) archived: BTreeMap<String, Archived>,
    /// Those with rows that are in the table alone, or differ.
    pub(super) not_archived: BTreeSet<String>,
}

impl Patients {
    fn take(&mut self, row: &StoredReading, met: Met) {
        let id = &row.patient_id;
        if met != Met::Same {
            if !self.not_archived.contains(id) {
                self.not_archived.insert(id.clone());
            }
        } else if let Some(archived) = self.archived.get_mut(id) {
            archived.take(&row.timestamp);
        } else {
            self.archived.entry(id.clone()).or_default().take(&row.timestamp);
        }
    }
}

/// The rows of a patient that are in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Archived {
    pub(super) oldest: String,
    pub(super) newest: String,
    pub(super) rows: u64,
}

impl Archived {
    fn take(&mut self, time: &str) {
        if self.rows == 0 || time < self.oldest.as_str() {
            time.clone_into(&mut self.oldest);
        }
        if time > self.newest.as_str() {
            time.clone_into(&mut self.newest);
        }
        self.rows += 1;
    }
}

/// Compares month by month all rows of the table up to where the archive goes. The files were checked.
pub(super) async fn compare(
    store: &AnyStore,
    folder: &Folder,
    output: &Output,
    mut take: impl FnMut(Month, Compared),
) -> Result<Patients> {
    let mut patients = Patients::default();
    let Some(end) = folder.manifest.end() else { return Ok(patients) };
    let mut table = Table::look(store, end).await?;
    let mut left = folder.manifest.months();
    let mut line = ProgressLine::new();
    let mut progress = output.progress(None);
    while let Some(month) = table.next_month().into_iter().chain(left.first().copied()).min() {
        left.remove(&month);
        let (mut archived, mut compared) = (Comparison::of(folder.rows(month)?)?, Compared::default());
        if table.next_month() == Some(month) {
            let read = table.read_month(month, |rows| {
                for row in &rows {
                    let met = archived.meet(row, |_| compared.archive_only += 1)?;
                    match met {
                        Met::Same => compared.same += 1,
                        Met::Differs => compared.differ += 1,
                        Met::Missing => compared.table_only += 1,
                    }
                    patients.take(row, met);
                }
                line.add(u64::try_from(rows.len()).unwrap_or(u64::MAX), "comparing", &mut progress);
                Ok(())
            });
            read.await?;
        }
        archived.finish(|_| compared.archive_only += 1)?;
        take(month, compared);
    }
    Ok(patients)
}
