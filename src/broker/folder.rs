//! What the broker keeps beside the records: its id, its topics, and what groups have committed.
//!
//! ```text
//! lock            held by the broker that runs; names its process
//! format          the version of this layout
//! cluster_id
//! offsets         what groups have committed
//! topics/NAME/topic.json, topics/NAME/PARTITION/*.log
//! ```

mod inspect;
mod offsets;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::inspect::{FolderState, inspect};
pub use self::offsets::{OffsetsFile, Present};
use super::log::{LogError, LogLimits, PartitionLog};
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
    #[error("the folder {} is in use by the process {pid}", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The other broker's process, as far as it says.
        pid: String,
    },
    /// It was written by a newer version.
    #[error("the folder {} has the format {found}, which this version does not know", folder.display())]
    Format {
        /// The folder.
        folder: PathBuf,
        /// The format that it says it has.
        found: String,
    },
    /// A topic of this name is there.
    #[error("the topic '{name}' is there already")]
    TopicExists {
        /// Its name.
        name: String,
    },
    /// There is no such topic.
    #[error("the topic '{name}' does not exist")]
    NoTopic {
        /// Its name.
        name: String,
    },
    /// The name cannot be a topic's.
    #[error("'{name}' cannot be a topic: 1 to 249 letters, digits, '.', '_' or '-', and neither '.' nor '..'")]
    TopicName {
        /// The name.
        name: String,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Advice for FolderError {
    fn code(&self) -> Code {
        Code::Unreachable
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::InUse { .. } => "end the other broker, or choose another folder with --data",
                Self::Format { .. } => "use the newer version of vitals, or choose another folder with --data",
                Self::Io { .. } => "check the rights and the room there, or choose another folder with --data",
                Self::TopicExists { .. } | Self::NoTopic { .. } | Self::TopicName { .. } => return None,
            }
            .to_owned(),
        )
    }
}

/// A topic as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicMeta {
    /// Its name.
    pub name: String,
    /// Another one for every topic, also of the same name.
    pub id: Uuid,
    /// Its number of partitions.
    pub partitions: i32,
    /// Its settings, by Kafka's names.
    pub settings: BTreeMap<String, String>,
}

/// The folder of one broker, locked for as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    cluster_id: String,
    topics: BTreeMap<String, TopicMeta>,
    /// Locked; the system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Opens the folder, or makes it, for this user alone: it holds data of patients. One that is there keeps its rights.
    ///
    /// # Errors
    /// Another broker has it, a newer version has written it, or it cannot be used.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        make_private(path).and_then(|()| fs::create_dir_all(path.join("topics"))).map_err(failed(path))?;
        let lock = take_lock(path)?;
        let format = kept_text(&path.join("format"), || FORMAT.to_owned())?;
        if format != FORMAT {
            return Err(FolderError::Format { folder: path.to_owned(), found: format });
        }
        let cluster_id = kept_text(&path.join("cluster_id"), new_cluster_id)?;
        let topics = read_topics(&path.join("topics"))?;
        Ok(Self { path: path.to_owned(), cluster_id, topics, _lock: lock })
    }

    /// The cluster's id, the same every time.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// All topics, by name.
    #[must_use]
    pub fn topics(&self) -> Vec<TopicMeta> {
        self.topics.values().cloned().collect()
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// It is there, its name cannot be used, or it cannot be written.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        settings: BTreeMap<String, String>,
    ) -> Result<TopicMeta, FolderError> {
        if !is_topic_name(name) {
            return Err(FolderError::TopicName { name: name.to_owned() });
        }
        if self.topics.contains_key(name) {
            return Err(FolderError::TopicExists { name: name.to_owned() });
        }
        let id = Uuid::from_bytes(rand::rng().random());
        let meta = TopicMeta { name: name.to_owned(), id, partitions, settings };
        let folder = self.topic_folder(name);
        // Where names that differ in case alone are one folder, it is another topic's.
        if folder.join(TOPIC_FILE).try_exists().map_err(failed(&folder))? {
            return Err(FolderError::TopicExists { name: name.to_owned() });
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

    /// Deletes a topic: when this returns it is gone, whatever happens. Its records are left to
    /// [`clear`](Self::clear).
    ///
    /// # Errors
    /// There is none, or it cannot be removed; then it is still there.
    pub fn delete_topic(&mut self, name: &str) -> Result<(), FolderError> {
        if !self.topics.contains_key(name) {
            return Err(FolderError::NoTopic { name: name.to_owned() });
        }
        let folder = self.topic_folder(name);
        // Without its description the rest is no topic.
        fs::remove_file(folder.join(TOPIC_FILE)).map_err(failed(&folder))?;
        self.topics.remove(name);
        Ok(())
    }

    /// Removes what a topic that was deleted has left.
    ///
    /// # Errors
    /// It cannot be removed; the next start tries again.
    pub fn clear(&self, name: &str) -> Result<(), FolderError> {
        let (topics, folder) = (self.path.join("topics"), self.topic_folder(name));
        // Its records go when it is sure that it will not come back without them.
        let clear =
            || sync_folder(&folder).and_then(|()| fs::remove_dir_all(&folder)).and_then(|()| sync_folder(&topics));
        clear().map_err(failed(&folder))
    }

    /// Brings the names of a topic's partitions to the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync_topic(&self, name: &str) -> Result<(), FolderError> {
        let folder = self.topic_folder(name);
        sync_folder(&folder).map_err(failed(&folder))
    }

    /// Opens the log of a topic's partition.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open_log(&self, topic: &str, partition: i32, limits: LogLimits) -> Result<PartitionLog, LogError> {
        PartitionLog::open(&self.topic_folder(topic).join(partition.to_string()), limits)
    }

    /// Opens what groups have committed of the partitions that are `present`.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open_offsets(&self, present: impl Fn(&str, i32) -> Option<Present>) -> Result<OffsetsFile, FolderError> {
        let path = self.path.join("offsets");
        OffsetsFile::open(&path, present).map_err(failed(&path))
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
            return Err(FolderError::InUse { folder: folder.to_owned(), pid: pid.trim().to_owned() });
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
    |source| FolderError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
