//! What the broker keeps beside the records: its id, its topics, and what groups have committed.
//!
//! ```text
//! lock            held by the broker that runs; names its process
//! format          the version of this layout
//! cluster_id
//! offsets         what groups have committed
//! topics/NAME/topic.json, topics/NAME/PARTITION/*.log
//! ```

mod offsets;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use self::offsets::{Committed, Entry, OffsetsFile, Partition};
use super::BrokerError;
use super::log::{LogLimits, PartitionLog};
use crate::advice::{Advice, Code};
use crate::disk::sync_folder;

/// The version of the layout that is written.
const FORMAT: &str = "1";

/// The file that the broker that runs holds locked.
const LOCK_FILE: &str = "lock";

/// The ids of embedded clusters begin with this, so that nobody takes one for Kafka.
pub const CLUSTER_ID_PREFIX: &str = "vitals-";

/// The longest name of a topic, as in Kafka.
const MAX_NAME_BYTES: usize = 249;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another broker has it.
    #[error("the folder {} is in use by the process {}", .0.display(), .1)]
    InUse(PathBuf, String),
    /// It was written by a newer version.
    #[error("the folder {} has the format {}, which this version does not know", .0.display(), .1)]
    Format(PathBuf, String),
    /// A topic of this name is there.
    #[error("the topic is there")]
    TopicExists,
    /// There is no topic of this name.
    #[error("there is no such topic")]
    NoTopic,
    /// The name cannot be a topic's: 1 to 249 letters, digits, '.', '_' or '-', and neither '.' nor '..'.
    #[error("that cannot be a topic's name")]
    TopicName,
    /// A file cannot be read or written.
    #[error("cannot use {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

impl Advice for FolderError {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::InUse(..) => "end the other broker, or choose another folder with --data",
            Self::Format(..) => "use the newer version of vitals, or choose another folder with --data",
            Self::Io(..) => "check the rights and the room there, or choose another folder with --data",
            Self::TopicExists | Self::NoTopic | Self::TopicName => return None,
        };
        Some(hint.to_owned())
    }
}

/// A broker's folder, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderState {
    /// There is none yet: the first `vitals up` makes it.
    Missing,
    /// It is there, and no broker runs on it.
    Free,
    /// A broker runs on it.
    InUse {
        /// Its process, as far as it says.
        pid: String,
    },
}

/// Looks at the folder at `path`. Changes nothing.
pub fn inspect(path: &Path) -> Result<FolderState, FolderError> {
    let lock = path.join(LOCK_FILE);
    let file = match File::open(&lock) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FolderState::Missing),
        Err(error) => return Err(failed(&lock)(error)),
    };
    if let Ok(format) = fs::read_to_string(path.join("format"))
        && format.trim() != FORMAT
    {
        return Err(FolderError::Format(path.to_owned(), format.trim().to_owned()));
    }
    // Shared, so that two who look do not meet; it is given back at once.
    match file.try_lock_shared() {
        Ok(()) => Ok(FolderState::Free),
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&lock).unwrap_or_default();
            Ok(FolderState::InUse { pid: pid.trim().to_owned() })
        }
        Err(TryLockError::Error(source)) => Err(failed(&lock)(source)),
    }
}

/// A topic: as it was made, with the settings that it has since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TopicMeta {
    pub(super) name: String,
    /// Another one for every topic, also of the same name.
    pub(super) id: Uuid,
    /// How many.
    pub(super) partitions: i32,
    /// By Kafka's names.
    pub(super) settings: BTreeMap<String, String>,
}

/// The folder of one broker, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The same every time.
    pub(super) cluster_id: String,
    pub(super) topics: BTreeMap<String, TopicMeta>,
    /// Locked; the system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Opens the folder, or makes it, for this user alone: it holds data of patients. One that is there keeps its rights.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        make_private(path).and_then(|()| fs::create_dir_all(path.join("topics"))).map_err(failed(path))?;
        let lock = take_lock(path)?;
        let format = kept_text(&path.join("format"), || FORMAT.to_owned())?;
        if format != FORMAT {
            return Err(FolderError::Format(path.to_owned(), format));
        }
        let cluster_id = kept_text(&path.join("cluster_id"), new_cluster_id)?;
        let topics = read_topics(&path.join("topics"))?;
        Ok(Self { path: path.to_owned(), cluster_id, topics, _lock: lock })
    }

    pub(super) fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        settings: BTreeMap<String, String>,
    ) -> Result<TopicMeta, FolderError> {
        if !is_topic_name(name) {
            return Err(FolderError::TopicName);
        }
        if self.topics.contains_key(name) {
            return Err(FolderError::TopicExists);
        }
        let id = Uuid::from_bytes(rand::rng().random());
        let meta = TopicMeta { name: name.to_owned(), id, partitions, settings };
        let folder = self.topic_folder(name);
        // Where names that differ in case alone are one folder, it is another topic's.
        if folder.join(TOPIC_FILE).try_exists().map_err(failed(&folder))? {
            return Err(FolderError::TopicExists);
        }
        // What a deletion or a crash has left belongs to no topic.
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(failed(&folder))?;
        }
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let text = serde_json::to_vec_pretty(&meta).map_err(|error| failed(&folder)(error.into()))?;
        write_whole(&folder.join(TOPIC_FILE), &text)?;
        let topics = self.path.join("topics");
        sync_folder(&topics).map_err(failed(&topics))?;
        self.topics.insert(name.to_owned(), meta.clone());
        Ok(meta)
    }

    /// Gives a topic other settings: when this returns they are on the disk.
    pub(super) fn change_topic(&mut self, name: &str, settings: BTreeMap<String, String>) -> Result<(), FolderError> {
        let folder = self.topic_folder(name);
        let meta = self.topics.get_mut(name).ok_or(FolderError::NoTopic)?;
        let changed = TopicMeta { settings, ..meta.clone() };
        let text = serde_json::to_vec_pretty(&changed).map_err(|error| failed(&folder)(error.into()))?;
        write_whole(&folder.join(TOPIC_FILE), &text)?;
        *meta = changed;
        Ok(())
    }

    /// Deletes a topic: when this returns it is gone, whatever happens. Its records are left to
    /// [`clear`](Self::clear). Where this fails it is still there.
    pub(super) fn delete_topic(&mut self, name: &str) -> Result<(), FolderError> {
        if !self.topics.contains_key(name) {
            return Err(FolderError::NoTopic);
        }
        let folder = self.topic_folder(name);
        // Without its description the rest is no topic.
        fs::remove_file(folder.join(TOPIC_FILE)).map_err(failed(&folder))?;
        self.topics.remove(name);
        Ok(())
    }

    /// Removes what a topic that was deleted has left. Where this fails the next start tries again.
    pub(super) fn clear(&self, name: &str) -> Result<(), FolderError> {
        let (topics, folder) = (self.path.join("topics"), self.topic_folder(name));
        // Its records go when it is sure that it will not come back without them.
        let synced = sync_folder(&folder);
        synced.and_then(|()| fs::remove_dir_all(&folder)).and_then(|()| sync_folder(&topics)).map_err(failed(&folder))
    }

    /// Opens the logs of a topic's partitions, and brings their names to the disk.
    pub(super) fn open_logs(&self, topic: &TopicMeta, limits: LogLimits) -> Result<Vec<PartitionLog>, BrokerError> {
        let folder = self.topic_folder(&topic.name);
        let logs = (0..topic.partitions).map(|partition| {
            let folder = folder.join(partition.to_string());
            PartitionLog::open(&folder, limits).map_err(|source| BrokerError::Log(folder, source))
        });
        let logs = logs.collect::<Result<_, _>>()?;
        sync_folder(&folder).map_err(failed(&folder))?;
        Ok(logs)
    }

    /// Opens what groups have committed of the partitions that are there.
    pub(super) fn open_offsets(
        &self,
        partition_of: impl Fn(&str, i32) -> Option<Partition>,
    ) -> Result<OffsetsFile, FolderError> {
        let path = self.path.join("offsets");
        OffsetsFile::open(&path, partition_of).map_err(failed(&path))
    }

    fn topic_folder(&self, name: &str) -> PathBuf {
        self.path.join("topics").join(name)
    }
}

const TOPIC_FILE: &str = "topic.json";

fn is_topic_name(name: &str) -> bool {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len()) && name != "." && name != "..";
    fits && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn take_lock(folder: &Path) -> Result<File, FolderError> {
    let path = folder.join(LOCK_FILE);
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // Who holds it is worth a word, and no more.
            let _ = file.read_to_string(&mut pid);
            return Err(FolderError::InUse(folder.to_owned(), pid.trim().to_owned()));
        }
        Err(TryLockError::Error(source)) => return Err(failed(&path)(source)),
    }
    file.set_len(0).map_err(failed(&path))?;
    writeln!(file, "{}", std::process::id()).map_err(failed(&path))?;
    Ok(file)
}

/// The text of a file, which is made with a first text if it is not there.
fn kept_text(path: &Path, first: impl FnOnce() -> String) -> Result<String, FolderError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = first();
            write_whole(path, text.as_bytes())?;
            Ok(text)
        }
        Err(error) => Err(failed(path)(error)),
    }
}

fn new_cluster_id() -> String {
    let random = rand::rng().sample_iter(Alphanumeric).take(16).map(char::from);
    CLUSTER_ID_PREFIX.chars().chain(random).collect()
}

fn read_topics(folder: &Path) -> Result<BTreeMap<String, TopicMeta>, FolderError> {
    let mut topics = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let left = entry.map_err(failed(folder))?.path();
        let path = left.join(TOPIC_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            // What a crash in the middle of making or deleting a topic has left; making one of its name tries again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let _ = fs::remove_dir_all(&left);
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
            // A topic that were passed over would lose what its groups have committed.
            Err(error) => return Err(failed(&path)(error)),
        };
        let meta: TopicMeta = serde_json::from_slice(&text).map_err(|error| failed(&path)(error.into()))?;
        topics.insert(meta.name.clone(), meta);
    }
    Ok(topics)
}

/// Writes a file so that it is there whole or not at all.
fn write_whole(path: &Path, text: &[u8]) -> Result<(), FolderError> {
    let fresh = path.with_extension("new");
    let write = || {
        let mut file = File::create(&fresh)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        path.parent().map_or(Ok(()), sync_folder)
    };
    write().map_err(failed(path))
}

/// Makes the folder, and those above it, so that a power cut does not take them with all that is in them.
fn make_private(folder: &Path) -> io::Result<()> {
    let named = folder.ancestors().filter(|part| !part.as_os_str().is_empty());
    let missing = named.take_while(|part| !part.exists()).count();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    folder.canonicalize()?.ancestors().skip(1).take(missing).try_for_each(sync_folder)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FolderError + use<'_> {
    |source| FolderError::Io(path.to_owned(), source)
}

#[cfg(test)]
mod tests;
