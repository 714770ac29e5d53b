//! What groups have committed, in one file that is appended to.
//!
//! An entry is a line: a checksum and the entry as JSON. A later entry of the same group, topic and partition takes the
//! place of an earlier one. What a crash has torn off at the end is cut away, and a damaged line costs itself alone; when
//! much of the file is outdated it is written anew.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::sync_folder_of;
use crate::broker::groups::{Committed, Entry};

/// With more outdated entries than this the file is written anew.
const MAX_OUTDATED: usize = 10_000;

/// All committed offsets.
#[derive(Debug)]
pub struct OffsetsFile {
    path: PathBuf,
    pub(super) file: File,
    kept: BTreeMap<Key, Committed>,
    outdated: usize,
}

type Key = (String, String, i32);

#[derive(Serialize, Deserialize)]
struct Line {
    group: String,
    topic: String,
    partition: i32,
    /// None where it was removed.
    offset: Option<i64>,
    metadata: String,
    leader_epoch: i32,
}

impl Line {
    fn new(group: &str, topic: &str, partition: i32) -> Self {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        Self { group, topic, partition, offset: None, metadata: String::new(), leader_epoch: -1 }
    }

    fn of(group: &str, entry: &Entry) -> Self {
        let Committed { offset, metadata, leader_epoch } = entry.committed.clone();
        Self { offset: Some(offset), metadata, leader_epoch, ..Self::new(group, &entry.topic, entry.partition) }
    }
}

impl OffsetsFile {
    /// Opens the file, or makes it. Lines that are torn or damaged are left out.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut kept = BTreeMap::new();
        for entry in text.split_inclusive(|byte| *byte == b'\n').filter_map(read_entry) {
            let key = (entry.group.clone(), entry.topic.clone(), entry.partition);
            match entry.offset {
                Some(offset) => {
                    let Line { metadata, leader_epoch, .. } = entry;
                    kept.insert(key, Committed { offset, metadata, leader_epoch })
                }
                None => kept.remove(&key),
            };
        }
        let file = rewrite(path, &kept)?;
        Ok(Self { path: path.to_owned(), file, kept, outdated: 0 })
    }

    /// Keeps offsets of a group. They outlive this process when this returns.
    ///
    /// # Errors
    /// They cannot be written; none of them is kept.
    pub fn put(&mut self, group: &str, entries: &[Entry]) -> io::Result<()> {
        let lines = entries.iter().map(|entry| line(&Line::of(group, entry))).collect::<io::Result<Vec<_>>>()?;
        self.append(&lines.concat())?;
        for Entry { topic, partition, committed } in entries.iter().cloned() {
            let before = self.kept.insert((group.to_owned(), topic, partition), committed);
            self.outdated += usize::from(before.is_some());
        }
        self.tidy();
        Ok(())
    }

    /// Forgets what a group has committed of these partitions.
    ///
    /// # Errors
    /// It cannot be written; none of them is forgotten.
    pub fn remove(&mut self, group: &str, partitions: &[(String, i32)]) -> io::Result<()> {
        let key = |(topic, partition): &(String, i32)| (group.to_owned(), topic.clone(), *partition);
        let keys: Vec<Key> = partitions.iter().map(key).filter(|key| self.kept.contains_key(key)).collect();
        let gone = |(_, topic, partition): &Key| line(&Line::new(group, topic, *partition));
        self.append(&keys.iter().map(gone).collect::<io::Result<Vec<_>>>()?.concat())?;
        for key in keys {
            self.kept.remove(&key);
            self.outdated += 2;
        }
        self.tidy();
        Ok(())
    }

    /// What a group has committed of a partition.
    #[must_use]
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        self.kept.get(&(group.to_owned(), topic.to_owned(), partition)).cloned()
    }

    /// Everything that a group has committed, in order.
    #[must_use]
    pub fn all(&self, group: &str) -> Vec<Entry> {
        let of_group = self.kept.iter().filter(|((of, ..), _)| of == group);
        let entry = |((_, topic, partition), committed): (&Key, &Committed)| Entry {
            topic: topic.clone(),
            partition: *partition,
            committed: committed.clone(),
        };
        of_group.map(entry).collect()
    }

    /// All groups that have committed something, in order.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<_> = self.kept.keys().map(|(group, ..)| group.clone()).collect();
        groups.dedup();
        groups
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let whole = self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(lines).inspect_err(|_| {
            // Half a line would spoil the next one.
            let _ = self.file.set_len(whole);
        })
    }

    fn tidy(&mut self) {
        if self.outdated > MAX_OUTDATED {
            // Where this fails the old file goes on, which has everything; the next try is as many entries away.
            if let Ok(file) = rewrite(&self.path, &self.kept) {
                self.file = file;
            }
            self.outdated = 0;
        }
    }
}

/// Writes what is kept into a fresh file, which takes the old one's place when it is whole.
fn rewrite(path: &Path, kept: &BTreeMap<Key, Committed>) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut text = Vec::new();
    for ((group, topic, partition), committed) in kept {
        let entry = Entry { topic: topic.clone(), partition: *partition, committed: committed.clone() };
        text.extend(line(&Line::of(group, &entry))?);
    }
    let mut file = File::create(&fresh)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_folder_of(path);
    Ok(file)
}

fn line(entry: &Line) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(entry)?;
    Ok(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())).into_bytes())
}

fn read_entry(line: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (checksum, json) = text.split_once(' ')?;
    let sound = u32::from_str_radix(checksum, 16).ok()? == crc32c::crc32c(json.as_bytes());
    sound.then(|| serde_json::from_str(json).ok())?
}
