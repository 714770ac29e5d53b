//! What is remembered of a stack's servers from one call of `xtask` to the next.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::folder::StackFolder;
use super::server::Role;
use crate::error::Error;
use crate::process::Identity;

/// The servers of a stack that were started and not yet stopped.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// In the order in which they were started.
    pub(crate) servers: Vec<Record>,
}

/// One server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Which server.
    pub(crate) role: Role,
    /// Its version: the two layouts of Kafka differ in it.
    pub(crate) version: String,
    /// Where its clients connect.
    pub(crate) port: u16,
    pub(crate) process: Identity,
}

impl State {
    /// Nothing is remembered of a stack that was never started.
    pub(crate) fn read(folder: &StackFolder) -> Result<Self, Error> {
        let path = folder.state();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::State { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }

    /// Written beside and then renamed, so that a reader never sees half of it.
    pub(crate) fn write(&self, folder: &StackFolder) -> Result<(), Error> {
        let path = folder.state();
        let bytes = serde_json::to_vec_pretty(self).map_err(|source| Error::State { path: path.clone(), source })?;
        let beside = path.with_extension("json.new");
        fs::write(&beside, bytes).map_err(Error::file("write", &beside))?;
        fs::rename(&beside, &path).map_err(Error::file("write", &path))
    }

    /// Those whose process still runs.
    pub(crate) fn alive(&self, folder: &StackFolder) -> Vec<Record> {
        self.servers.iter().filter(|server| server.is_alive(folder)).cloned().collect()
    }
}

impl Record {
    /// Whether the process is still the one that was started for this stack: its start time fits, and its command line
    /// names the stack's folder (start times begin anew with the machine).
    pub(crate) fn is_alive(&self, folder: &StackFolder) -> bool {
        self.process.is_alive() && self.process.command_line_has(&folder.path().display().to_string())
    }
}
