//! What a package holds: files by the paths that they have where it is installed.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// A file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) mode: u32,
    pub(crate) content: Vec<u8>,
}

impl Entry {
    pub(crate) fn data(content: Vec<u8>) -> Self {
        Self { mode: 0o644, content }
    }

    pub(crate) fn program(content: Vec<u8>) -> Self {
        Self { mode: 0o755, content }
    }
}

/// Files by their paths, in the order of these: no folder's own order gets into a package.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Entry>,
}

impl Tree {
    /// `path` is relative, with `/`.
    pub(crate) fn add(&mut self, path: &str, entry: Entry) {
        self.files.insert(path.to_owned(), entry);
    }

    /// Every file of `folder`, as data.
    pub(crate) fn add_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.add_below(folder, "")
    }

    fn add_below(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for found in fs::read_dir(folder)? {
            let found = found?;
            let path = format!("{prefix}{}", found.file_name().to_string_lossy());
            if found.file_type()?.is_dir() {
                self.add_below(&found.path(), &format!("{path}/"))?;
            } else {
                self.add(&path, Entry::data(fs::read(found.path())?));
            }
        }
        Ok(())
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.files.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The folders that `path` is in, outermost first.
    pub(crate) fn folders_of(path: &str) -> impl Iterator<Item = &str> {
        path.match_indices('/').filter_map(|(at, _)| path.get(..at))
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.files.values().map(|entry| entry.content.len()).sum()
    }
}
