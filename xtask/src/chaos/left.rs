//! What a `vitals consume` has left behind at its end.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::stack::Addresses;
use super::stand::{MANY_LIMIT, Stand};
use crate::error::Error;

const READER: &str = "chaos_ended.py";

/// Counts of messages.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Left {
    /// It has shown so many of the partitions that it had last.
    pub(super) taken: u64,
    /// So many of them are not committed: the next member reads them again.
    pub(super) repeated: u64,
    /// Partition and offset: what is stored, though the group has not committed it and has everything below it.
    pub(super) uncommitted: Vec<(i32, i64)>,
}

impl Left {
    /// Compares what it has shown with what is committed. Others may be at work.
    pub(super) fn of(stand: &Stand, at: &Addresses, log: &Path) -> Result<Self, Error> {
        Self::look(stand, at, log, &[])
    }

    /// Compares what is stored with what is committed, too. Nobody else may be at work, and each end has to be looked at.
    pub(super) fn of_last(stand: &Stand, at: &Addresses, log: &Path) -> Result<Self, Error> {
        let state = state(stand, at).display().to_string();
        Self::look(stand, at, log, &[&at.reader, &state])
    }

    fn look(stand: &Stand, at: &Addresses, log: &Path, store: &[&str]) -> Result<Self, Error> {
        let log = log.display().to_string();
        let arguments = [&[at.brokers.as_str(), &at.topic, &at.group, &log], store].concat();
        let printed = stand.run(READER, &stand.script(READER, &arguments), MANY_LIMIT)?;
        let found = printed.lines().last().and_then(|line| serde_json::from_str(line).ok());
        found.ok_or(Error::Unclear { what: READER, missing: "counts", said: printed })
    }
}

/// Where the reader keeps what it has found before.
fn state(stand: &Stand, at: &Addresses) -> PathBuf {
    stand.path(&format!("{}.left", at.topic))
}
