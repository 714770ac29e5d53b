//! Stacks for one run only: new folders, and no trace of them after a good end.

use std::path::Path;

use super::folder::StackFolder;
use super::options::StackOptions;
use super::ports::FreePorts;
use super::server::Server;
use super::stack::Stack;
use crate::error::Error;
use crate::process::{Identity, Life};
use crate::say;
use crate::signals::Interrupt;

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
    pub(crate) fn folder(&mut self, purpose: &str) -> Result<StackFolder, Error> {
        let folder = StackFolder::of(&format!("{PREFIX}{purpose}-{}", std::process::id()));
        folder.remove()?;
        self.folders.push(folder.clone());
        Ok(folder)
    }

    /// The servers that `options` ask for; no two stacks of this process get the same free port.
    pub(crate) fn servers(&mut self, options: &StackOptions) -> Result<Vec<Box<dyn Server>>, Error> {
        options.servers(&mut self.ports)
    }

    /// Starts a stack for `purpose` that ends with this process.
    pub(crate) fn start(
        &mut self,
        purpose: &str,
        options: &StackOptions,
        interrupt: &Interrupt,
    ) -> Result<Stack, Error> {
        let (folder, servers) = (self.folder(purpose)?, self.servers(options)?);
        Stack::start(folder, servers, Life::EndsWithParent, interrupt)
    }

    /// After the stacks have ended: with or without their logs.
    pub(crate) fn end(self, is_good: bool) -> Result<(), Error> {
        if is_good { self.remove() } else { self.keep_logs() }
    }

    /// Removes the folders of stacks that have ended.
    fn remove(mut self) -> Result<(), Error> {
        std::mem::take(&mut self.folders).iter().try_for_each(StackFolder::remove)
    }

    /// Removes all but the logs, and says where they are.
    fn keep_logs(mut self) -> Result<(), Error> {
        for folder in std::mem::take(&mut self.folders) {
            folder.remove_all_but_logs()?;
            let logs = folder.path().join("logs");
            say::talk(&format!("the servers' logs stay until the next run: {}", shortened(&logs)));
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

fn shortened(path: &Path) -> String {
    path.strip_prefix(crate::repository::root()).unwrap_or(path).display().to_string()
}
