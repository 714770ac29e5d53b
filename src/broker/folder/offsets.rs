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
use uuid::Uuid;

use crate::broker::flush::{Durable, Flushed};
use crate::broker::groups::{Committed, Entry};
use crate::disk::sync_folder;

/// With more outdated entries than this the file is written anew.
const MAX_OUTDATED: usize = 10_000;

/// All committed offsets.
#[derive(Debug)]
pub struct OffsetsFile {
    path: PathBuf,
    pub(super) file: Arc<File>,
    /// Counts what was written.
    written: i64,
    durable: Durable,
    kept: BTreeMap<Key, Kept>,
    outdated: usize,
    set_back: usize,
}

type Key = (String, String, i32);

/// What was committed, with the id of its topic.
type Kept = (Uuid, Committed);

/// A partition as it is when the file is opened.
#[derive(Debug, Clone, Copy)]
pub struct Present {
    /// Its topic's id.
    pub topic_id: Uuid,
    /// The first offset that is there.
    pub start_offset: i64,
    /// Behind the last record.
    pub end_offset: i64,
}

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
    fn new(group: &str, topic: &str, partition: i32) -> Self {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        Self { group, topic, topic_id: None, partition, offset: None, metadata: String::new(), leader_epoch: -1 }
    }

    fn of((group, topic, partition): &Key, (topic_id, committed): &Kept) -> Self {
        let Committed { offset, metadata, leader_epoch } = committed.clone();
        let (topic_id, offset) = (Some(*topic_id), Some(offset));
        Self { topic_id, offset, metadata, leader_epoch, ..Self::new(group, topic, *partition) }
    }

    /// What it says of a partition that is there. Where it does not name the topic, nobody can tell whether it was committed
    /// for this one: then the group reads from the start, so that it passes nothing over. The same for an offset beyond the
    /// end, where a power cut has cost records: what comes next is read.
    fn fit(self, present: &Present) -> Option<Kept> {
        let safe = |offset| Committed { offset, metadata: String::new(), leader_epoch: -1 };
        let committed = match (self.topic_id, self.offset?) {
            (None, _) => safe(present.start_offset),
            (Some(id), _) if id != present.topic_id => return None,
            (_, offset) if offset > present.end_offset => safe(present.end_offset),
            (_, offset) => Committed { offset, metadata: self.metadata, leader_epoch: self.leader_epoch },
        };
        Some((present.topic_id, committed))
    }
}

impl OffsetsFile {
    /// Opens the file, or makes it. Lines that are torn or damaged are left out, and those of partitions that are not
    /// `present`.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open(path: &Path, present: impl Fn(&str, i32) -> Option<Present>) -> io::Result<Self> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut lines = BTreeMap::new();
        for entry in text.split_inclusive(|byte| *byte == b'\n').filter_map(read_entry) {
            lines.insert((entry.group.clone(), entry.topic.clone(), entry.partition), entry);
        }
        let mut kept = BTreeMap::new();
        let mut set_back = 0;
        for (key, line) in lines {
            let said = line.offset;
            if let Some(fitting) = present(&key.1, key.2).and_then(|present| line.fit(&present)) {
                set_back += usize::from(said != Some(fitting.1.offset));
                kept.insert(key, fitting);
            }
        }
        let file = Arc::new(rewrite(path, &kept)?);
        path.parent().map_or(Ok(()), sync_folder)?;
        Ok(Self { path: path.to_owned(), file, written: 0, durable: Durable::default(), kept, outdated: 0, set_back })
    }

    /// How many offsets were set back when the file was opened, because they may not fit the records that are there.
    #[must_use]
    pub fn set_back(&self) -> usize {
        self.set_back
    }

    /// Keeps offsets of a group. They outlive this process when this returns.
    ///
    /// # Errors
    /// They cannot be written; none of them is kept.
    pub fn put(&mut self, group: &str, entries: &[Entry]) -> io::Result<()> {
        let keyed = |Entry { topic, topic_id, partition, committed }: Entry| {
            ((group.to_owned(), topic, partition), (topic_id, committed))
        };
        let entries: Vec<(Key, Kept)> = entries.iter().cloned().map(keyed).collect();
        let lines = entries.iter().map(|(key, kept)| line(&Line::of(key, kept))).collect::<io::Result<Vec<_>>>()?;
        self.append(&lines.concat())?;
        for (key, kept) in entries {
            self.outdated += usize::from(self.kept.insert(key, kept).is_some());
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

    /// Forgets what all groups have committed of a topic that is gone. Nothing has to be written for that to hold; the file
    /// is rid of it where it can be written anew.
    pub fn forget(&mut self, topic_id: Uuid) {
        let before = self.kept.len();
        self.kept.retain(|_, (of, _)| *of != topic_id);
        if self.kept.len() < before {
            self.write_anew();
        }
    }

    /// What a group has committed of a partition.
    #[must_use]
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        self.kept.get(&(group.to_owned(), topic.to_owned(), partition)).map(|(_, committed)| committed.clone())
    }

    /// Everything that a group has committed, in order.
    #[must_use]
    pub fn all(&self, group: &str) -> Vec<Entry> {
        let of_group = self.kept.iter().filter(|((of, ..), _)| of == group);
        let entry = |((_, topic, partition), (topic_id, committed)): (&Key, &Kept)| Entry {
            topic: topic.clone(),
            topic_id: *topic_id,
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

    fn tidy(&mut self) {
        if self.outdated > MAX_OUTDATED {
            self.write_anew();
        }
    }

    /// Where this fails the old file goes on, which has everything; the next try is many entries away.
    fn write_anew(&mut self) {
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
fn rewrite(path: &Path, kept: &BTreeMap<Key, Kept>) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut text = Vec::new();
    for (key, kept) in kept {
        text.extend(line(&Line::of(key, kept))?);
    }
    let mut file = File::create(&fresh)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
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
