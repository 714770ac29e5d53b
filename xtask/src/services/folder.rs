//! Where a stack keeps its files.

use std::fs;
use std::path::{Path, PathBuf};

use super::server::Role;
use crate::error::Error;
use crate::repository;

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

    /// The stack's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is remembered of running servers.
    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state.json")
    }

    /// Held while servers are started or stopped. Outside the folder, so that the folder can be removed meanwhile.
    pub(crate) fn lock(&self) -> PathBuf {
        repository::services_folder().join("locks").join(format!("stack-{}", self.name))
    }

    /// Configuration files.
    pub(crate) fn conf(&self) -> PathBuf {
        self.path.join("conf")
    }

    /// A server's data, by a name of its own choice.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.path.join("data").join(name)
    }

    /// A server's log.
    pub(crate) fn log(&self, role: Role) -> PathBuf {
        self.path.join("logs").join(format!("{}.log", role.file_name()))
    }

    /// Makes what all servers need.
    pub(crate) fn make(&self) -> Result<(), Error> {
        for folder in [self.conf(), self.path.join("data"), self.path.join("logs")] {
            make_folder(&folder)?;
        }
        Ok(())
    }

    /// Removes everything of the stack.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        remove_folder(&self.path)
    }

    /// Removes everything of the stack but its logs.
    pub(crate) fn remove_all_but_logs(&self) -> Result<(), Error> {
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

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("make the folder", path))
}

/// Writes a file that an earlier start may have left.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("write", path))
}

/// Removes a folder with everything in it, if it is there.
pub(crate) fn remove_folder(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

fn all_stacks() -> PathBuf {
    repository::services_folder().join("stacks")
}
