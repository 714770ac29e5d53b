//! What groups have committed, in one file that is appended to.
//!
//! An entry is a line: a checksum and the entry as JSON. A later entry of the same group, topic and partition takes the
//! place of an earlier one. It names the topic's id: where that is not the present topic's, it was committed for an earlier
//! topic of the same name, and is left out when the file is opened. So nothing has to be written here for a topic to take
//! its offsets with it. What a crash has torn off at the end is cut away, and a damaged line costs itself alone; when
//! much of the file is outdated it is written anew.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use crate::broker::flush::{Durable, Flushed};
use crate::disk::sync_folder;

/// With more outdated entries than this the file is written anew.
const MAX_OUTDATED: usize = 10_000;

/// An offset that a group committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Its topic's id: another one for every topic, also of the same name.
    pub(crate) topic_id: Uuid,
    /// The offset to read on from.
    pub(crate) offset: i64,
    /// What the member wrote beside it; mostly empty.
    pub(crate) metadata: String,
    /// The leader epoch that the member had seen; -1 where it is not kept.
    pub(crate) leader_epoch: i32,
}

/// A committed offset and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) committed: Committed,
}

/// A partition, as far as a committed offset has to fit it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partition {
    pub(crate) topic_id: Uuid,
    /// The first offset that is there.
    pub(crate) start_offset: i64,
    /// Behind the last record.
    pub(crate) end_offset: i64,
    /// When its topic was made; `None` where that was before this start.
    pub(crate) made: Option<Instant>,
}

/// All committed offsets.
#[derive(Debug)]
pub(crate) struct OffsetsFile {
    path: PathBuf,
    pub(crate) file: Arc<File>,
    /// Counts what was written.
    written: i64,
    durable: Durable,
    kept: BTreeMap<Key, Committed>,
    outdated: usize,
    /// How many were set back when the file was opened, because they may not fit the records that are there.
    pub(crate) set_back: usize,
}

/// Group, topic and partition.
type Key = (String, String, i32);

#[derive(Serialize, Deserialize)]
struct Line {
    group: String,
    topic: String,
    /// None where a version wrote it that did not know of it.
    topic_id: Option<Uuid>,
    partition: i32,
    /// None where it was removed.
    offset: Option<i64>,
    metadata: String,
    leader_epoch: i32,
}

impl Line {
    /// What it says of a partition that is there. Where it does not name the topic, nobody can tell whether it was committed
    /// for this one: then the group reads from the start, so that it passes nothing over. The same for an offset beyond the
    /// end, where a power cut has cost records: what comes next is read.
    fn fit(self, partition: &Partition) -> Option<Committed> {
        let Partition { topic_id, start_offset, end_offset, .. } = *partition;
        let committed = self.offset?;
        let offset = match self.topic_id {
            None => start_offset,
            Some(id) if id != topic_id => return None,
            Some(_) if committed > end_offset => end_offset,
            Some(_) => {
                let (metadata, leader_epoch) = (self.metadata, self.leader_epoch);
                return Some(Committed { topic_id, offset: committed, metadata, leader_epoch });
            }
        };
        Some(Committed { topic_id, offset, metadata: String::new(), leader_epoch: -1 })
    }
}

impl OffsetsFile {
    /// Opens the file, or makes it. Lines that are torn or damaged are left out, and those of partitions that are not
    /// there.
    pub(crate) fn open(path: &Path, partition_of: impl Fn(&str, i32) -> Option<Partition>) -> io::Result<Self> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut lines = BTreeMap::new();
        for line in text.split_inclusive(|byte| *byte == b'\n').filter_map(read_line) {
            lines.insert((line.group.clone(), line.topic.clone(), line.partition), line);
        }
        let mut kept = BTreeMap::new();
        let mut set_back = 0;
        for (key, line) in lines {
            let written = line.offset;
            if let Some(committed) = partition_of(&key.1, key.2).and_then(|partition| line.fit(&partition)) {
                set_back += usize::from(written != Some(committed.offset));
                kept.insert(key, committed);
            }
        }
        let file = Arc::new(rewrite(path, &kept)?);
        path.parent().map_or(Ok(()), sync_folder)?;
        Ok(Self { path: path.to_owned(), file, written: 0, durable: Durable::default(), kept, outdated: 0, set_back })
    }

    /// Keeps offsets of a group, all of them or none. They outlive this process when this returns.
    pub(crate) fn put(&mut self, group: &str, entries: &[Entry]) -> io::Result<()> {
        let mut keyed = Vec::with_capacity(entries.len());
        let mut lines = Vec::new();
        for Entry { topic, partition, committed } in entries {
            let key = (group.to_owned(), topic.clone(), *partition);
            lines.extend(line_of(&key, Some(committed))?);
            keyed.push((key, committed.clone()));
        }
        self.append(&lines)?;
        for (key, committed) in keyed {
            self.outdated += usize::from(self.kept.insert(key, committed).is_some());
        }
        self.rewrite_when_outdated();
        Ok(())
    }

    /// Forgets what a group has committed of these partitions, all of them or none.
    pub(crate) fn remove(&mut self, group: &str, partitions: &[(String, i32)]) -> io::Result<()> {
        let keys = partitions.iter().map(|(topic, partition)| (group.to_owned(), topic.clone(), *partition));
        let keys: Vec<Key> = keys.filter(|key| self.kept.contains_key(key)).collect();
        let lines = keys.iter().map(|key| line_of(key, None)).collect::<io::Result<Vec<_>>>()?;
        self.append(&lines.concat())?;
        for key in keys {
            self.kept.remove(&key);
            self.outdated += 2;
        }
        self.rewrite_when_outdated();
        Ok(())
    }

    /// Forgets what all groups have committed of a topic that is gone. Nothing has to be written for that to hold; the file
    /// is rid of it where it can be written anew.
    pub(crate) fn forget(&mut self, topic_id: Uuid) {
        let before = self.kept.len();
        self.kept.retain(|_, committed| committed.topic_id != topic_id);
        if self.kept.len() < before {
            self.rewrite();
        }
    }

    pub(crate) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        self.kept.get(&(group.to_owned(), topic.to_owned(), partition)).cloned()
    }

    /// Everything that a group has committed, in order.
    pub(crate) fn all(&self, group: &str) -> Vec<Entry> {
        let of_group = self.kept.iter().filter(|((of, ..), _)| of == group);
        let entries = of_group.map(|((_, topic, partition), committed)| Entry {
            topic: topic.clone(),
            partition: *partition,
            committed: committed.clone(),
        });
        entries.collect()
    }

    /// All groups that have committed something, in order.
    pub(crate) fn groups(&self) -> Vec<String> {
        let mut groups: Vec<_> = self.kept.keys().map(|(group, ..)| group.clone()).collect();
        groups.dedup();
        groups
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.durable.check()?;
        let mut file = &*self.file;
        let whole = file.seek(SeekFrom::End(0))?;
        file.write_all(lines).inspect_err(|_| {
            // Half a line would spoil the next one.
            let _ = file.set_len(whole);
        })?;
        self.written += 1;
        Ok(())
    }

    fn rewrite_when_outdated(&mut self) {
        if self.outdated > MAX_OUTDATED {
            self.rewrite();
        }
    }

    /// Where this fails the old file goes on, which has everything; the next try is many entries away.
    fn rewrite(&mut self) {
        if let Ok(file) = rewrite(&self.path, &self.kept) {
            self.file = Arc::new(file);
            self.durable.note(self.written, &self.path.parent().map_or(Ok(()), sync_folder));
        }
        self.outdated = 0;
    }
}

impl Flushed for OffsetsFile {
    fn written(&self) -> Option<(i64, Arc<File>)> {
        Some((self.written, Arc::clone(&self.file)))
    }

    fn durable(&mut self) -> &mut Durable {
        &mut self.durable
    }
}

/// Writes what is kept into a fresh file, which takes the old one's place when it is whole.
fn rewrite(path: &Path, kept: &BTreeMap<Key, Committed>) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut text = Vec::new();
    for (key, committed) in kept {
        text.extend(line_of(key, Some(committed))?);
    }
    let mut file = File::create(&fresh)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(file)
}

/// What was committed, or that it was removed.
fn line_of((group, topic, partition): &Key, committed: Option<&Committed>) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(&Line {
        group: group.clone(),
        topic: topic.clone(),
        topic_id: committed.map(|committed| committed.topic_id),
        partition: *partition,
        offset: committed.map(|committed| committed.offset),
        metadata: committed.map(|committed| committed.metadata.clone()).unwrap_or_default(),
        leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
    })?;
    Ok(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())).into_bytes())
}

fn read_line(line: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (checksum, json) = text.split_once(' ')?;
    let sound = u32::from_str_radix(checksum, 16).ok()? == crc32c::crc32c(json.as_bytes());
    sound.then(|| serde_json::from_str(json).ok())?
}
