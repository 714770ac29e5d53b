//! Where a stack keeps its files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::options::StackOptions;
use super::ports::FreePorts;
use super::server::{Member, Server};
use super::stack::Stack;
use crate::error::{Error, Result};
use crate::process::{Identity, Life};
use crate::{repository, say};

/// The folder of one stack: `target/services/stacks/NAME`.
#[derive(Clone, Debug)]
pub(crate) struct StackFolder {
    name: String,
    path: PathBuf,
}

impl StackFolder {
    /// The folder that a stack of this name has; nothing is made yet.
    pub(crate) fn of(name: &str) -> Self {
        Self { name: name.to_owned(), path: all_stacks().join(name) }
    }

    /// The names of all stacks that have a folder, sorted.
    pub(crate) fn names() -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(all_stacks())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// Held while servers are started or stopped. Outside the folder, so that the folder can be removed meanwhile.
    pub(crate) fn lock(&self) -> PathBuf {
        repository::services_folder().join("locks").join(format!("stack-{}", self.name))
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.path.join("conf")
    }

    /// A server's data, by a name of its own choice.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.path.join("data").join(name)
    }

    pub(crate) fn log(&self, member: Member) -> PathBuf {
        self.path.join("logs").join(format!("{}.log", member.file_name()))
    }

    pub(crate) fn make(&self) -> Result<()> {
        for folder in [self.conf(), self.path.join("data"), self.path.join("logs")] {
            make_folder(&folder)?;
        }
        Ok(())
    }

    pub(crate) fn remove(&self) -> Result<()> {
        remove_folder(&self.path)
    }

    pub(crate) fn remove_all_but_logs(&self) -> Result<()> {
        // Without a state the stack is no longer shown as one that has servers.
        match fs::remove_file(self.state()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &self.state())(error));
            }
            _ => {}
        }
        remove_folder(&self.path.join("data"))?;
        remove_folder(&self.conf())
    }
}

pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::file("make the folder", path))
}

/// Writes a file that an earlier start may have left.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::file("write", path))
}

/// Removes a folder with everything in it, if it is there.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

fn all_stacks() -> PathBuf {
    repository::services_folder().join("stacks")
}

/// The servers of a stack that were started and not yet stopped.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// In the order in which they were started.
    pub(crate) servers: Vec<Record>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(flatten)]
    pub(crate) member: Member,
    /// Its version: the two layouts of Kafka differ in it.
    pub(crate) version: String,
    pub(crate) port: u16,
    pub(crate) process: Identity,
}

impl State {
    /// Nothing is remembered of a stack that was never started.
    pub(crate) fn read(folder: &StackFolder) -> Result<Self> {
        let path = folder.state();
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::State { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }

    /// Written beside and then renamed, so that a reader never sees half of it.
    pub(crate) fn write(&self, folder: &StackFolder) -> Result<()> {
        let path = folder.state();
        let bytes = serde_json::to_vec_pretty(self).map_err(|source| Error::State { path: path.clone(), source })?;
        let beside = path.with_extension("json.new");
        fs::write(&beside, bytes).map_err(Error::file("write", &beside))?;
        fs::rename(&beside, &path).map_err(Error::file("write", &path))
    }

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

/// The mark of these folders, followed by what they are for and the pid of the `xtask` they belong to.
const PREFIX: &str = "fresh-";

/// The folders and ports of this process's stacks.
#[derive(Debug)]
pub(crate) struct FreshStacks {
    folders: Vec<StackFolder>,
    ports: FreePorts,
}

impl FreshStacks {
    /// Removes what ended runs have left, so that their logs do not pile up.
    pub(crate) fn new() -> Self {
        for name in StackFolder::names().iter().filter(|name| owner_has_ended(name)) {
            // Another run may be removing the same folder; the next one tries again.
            let _ = StackFolder::of(name).remove();
        }
        Self { folders: Vec::new(), ports: FreePorts::new() }
    }

    /// An empty folder for a stack.
    pub(crate) fn folder(&mut self, purpose: &str) -> Result<StackFolder> {
        let folder = StackFolder::of(&format!("{PREFIX}{purpose}-{}", std::process::id()));
        folder.remove()?;
        self.folders.push(folder.clone());
        Ok(folder)
    }

    /// The servers that `options` ask for; no two stacks of this process get the same free port.
    pub(crate) fn servers(&mut self, options: &StackOptions) -> Result<Vec<Box<dyn Server>>> {
        options.servers(&mut self.ports)
    }

    /// Starts a stack for `purpose` that ends with this process.
    pub(crate) fn start(&mut self, purpose: &str, options: &StackOptions) -> Result<Stack> {
        let (folder, servers) = (self.folder(purpose)?, self.servers(options)?);
        Stack::start(folder, servers, Life::EndsWithParent)
    }

    /// After the stacks have ended: with or without their logs.
    pub(crate) fn end(self, is_good: bool) -> Result<()> {
        if is_good { self.remove() } else { self.keep_logs() }
    }

    fn remove(mut self) -> Result<()> {
        std::mem::take(&mut self.folders).iter().try_for_each(StackFolder::remove)
    }

    fn keep_logs(mut self) -> Result<()> {
        for folder in std::mem::take(&mut self.folders) {
            folder.remove_all_but_logs()?;
            let logs = folder.path().join("logs");
            say::talk(&format!("the servers' logs stay until the next run: {}", from_root(&logs)));
        }
        Ok(())
    }
}

/// After a failed start only the logs are of use; the failure's message names them.
impl Drop for FreshStacks {
    fn drop(&mut self) {
        for folder in &self.folders {
            let _ = folder.remove_all_but_logs();
        }
    }
}

fn owner_has_ended(name: &str) -> bool {
    let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.rsplit('-').next()?.parse().ok());
    owner.is_some_and(|pid| Identity::of(pid).is_none())
}

fn from_root(path: &Path) -> String {
    path.strip_prefix(crate::repository::root()).unwrap_or(path).display().to_string()
}
