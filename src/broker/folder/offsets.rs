//! What groups have committed, in one file that is appended to.
//!
//! An entry is a line: a checksum and the entry as JSON. A later entry of the same group, topic and partition takes the
//! place of an earlier one. What a crash has torn off at the end is cut away; when much of the file is outdated it is
//! written anew.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// With more outdated entries than this the file is written anew.
const MAX_OUTDATED: usize = 10_000;

/// What a group has committed of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The offset to read on from.
    pub offset: i64,
    /// What the member said beside it.
    pub metadata: String,
}

/// All committed offsets.
#[derive(Debug)]
pub struct OffsetsFile {
    path: PathBuf,
    file: File,
    kept: BTreeMap<Key, Kept>,
    outdated: usize,
}

type Key = (String, String, i32);

#[derive(Serialize, Deserialize)]
struct Entry {
    group: String,
    topic: String,
    partition: i32,
    /// None where it was removed.
    offset: Option<i64>,
    metadata: String,
}

impl OffsetsFile {
    /// Opens the file, or makes it. A torn end is cut off.
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
        for entry in text.split_inclusive(|byte| *byte == b'\n').map_while(read_entry) {
            let key = (entry.group, entry.topic, entry.partition);
            match entry.offset {
                Some(offset) => kept.insert(key, Kept { offset, metadata: entry.metadata }),
                None => kept.remove(&key),
            };
        }
        let file = rewrite(path, &kept)?;
        Ok(Self { path: path.to_owned(), file, kept, outdated: 0 })
    }

    /// Keeps an offset. It outlives this process when this returns.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&mut self, group: &str, topic: &str, partition: i32, offset: i64, metadata: &str) -> io::Result<()> {
        self.append(group, topic, partition, Some(offset), metadata)?;
        let kept = Kept { offset, metadata: metadata.to_owned() };
        let before = self.kept.insert((group.to_owned(), topic.to_owned(), partition), kept);
        self.outdated += usize::from(before.is_some());
        self.tidy()
    }

    /// Forgets an offset.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remove(&mut self, group: &str, topic: &str, partition: i32) -> io::Result<()> {
        if self.kept.remove(&(group.to_owned(), topic.to_owned(), partition)).is_some() {
            self.append(group, topic, partition, None, "")?;
            self.outdated += 2;
        }
        self.tidy()
    }

    /// What a group has committed of a partition.
    #[must_use]
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Kept> {
        self.kept.get(&(group.to_owned(), topic.to_owned(), partition)).cloned()
    }

    /// Everything that a group has committed, in order.
    #[must_use]
    pub fn all(&self, group: &str) -> Vec<(String, i32, Kept)> {
        let of_group = self.kept.iter().filter(|((of, ..), _)| of == group);
        of_group.map(|((_, topic, partition), kept)| (topic.clone(), *partition, kept.clone())).collect()
    }

    /// All groups that have committed something, in order.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<_> = self.kept.keys().map(|(group, ..)| group.clone()).collect();
        groups.dedup();
        groups
    }

    fn append(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: Option<i64>,
        metadata: &str,
    ) -> io::Result<()> {
        let entry = Entry {
            group: group.to_owned(),
            topic: topic.to_owned(),
            partition,
            offset,
            metadata: metadata.to_owned(),
        };
        self.file.write_all(&line(&entry)?)
    }

    fn tidy(&mut self) -> io::Result<()> {
        if self.outdated > MAX_OUTDATED {
            self.file = rewrite(&self.path, &self.kept)?;
            self.outdated = 0;
        }
        Ok(())
    }
}

/// Writes what is kept into a fresh file, which takes the old one's place when it is whole.
fn rewrite(path: &Path, kept: &BTreeMap<Key, Kept>) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut text = Vec::new();
    for ((group, topic, partition), kept) in kept {
        let entry = Entry {
            group: group.clone(),
            topic: topic.clone(),
            partition: *partition,
            offset: Some(kept.offset),
            metadata: kept.metadata.clone(),
        };
        text.extend(line(&entry)?);
    }
    let mut file = File::create(&fresh)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    OpenOptions::new().append(true).open(path)
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(entry)?;
    Ok(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())).into_bytes())
}

fn read_entry(line: &[u8]) -> Option<Entry> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (checksum, json) = text.split_once(' ')?;
    let sound = u32::from_str_radix(checksum, 16).ok()? == crc32c::crc32c(json.as_bytes());
    sound.then(|| serde_json::from_str(json).ok())?
}
