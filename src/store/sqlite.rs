//! SQLite, in one file on this machine, through `rusqlite`.
//!
//! - [`schema`]: the file and its tables: what `init` makes, what `consume` needs. The SQL is in `migrations/sqlite/`
//! - [`mod@write`]: readings and alerts in
//! - [`read`]: readings and alerts out
//! - `acknowledge`: whose alarms there are, and who has acknowledged them
//! - `minutes`: what the readings of minutes come to, in and out
//! - `stock`: what the tables hold, as far as that is quickly told
//! - `sweep`: rows that are older than what is kept go
//! - [`remove`]: rows that are kept elsewhere go, and all that is known of a patient
//! - `file`: opening the file, and how it is kept
//! - `describe`: the file and its tables as they are
//! - [`error`]: what can go wrong, and what to do about it
//!
//! Several processes may use one file at once: the write-ahead log lets readers go on while one writes, and writers
//! wait for each other. The file has to lie on a local disk: the log needs memory that all of them share.

mod acknowledge;
mod describe;
pub mod error;
mod file;
mod journal;
pub(super) mod minutes;
pub mod read;
pub mod remove;
pub mod schema;
mod stock;
mod sweep;
pub mod write;

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

pub use error::SqliteError;
#[cfg(feature = "testing")]
pub use file::BUSY_LIMIT;
use tokio::sync::Semaphore;

use self::error::Doing;
use self::write::Writer;

/// An SQLite file as the store of readings and alerts.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    /// For who reads at the same time.
    readers: Semaphore,
}

/// So many reads go on at the same time, or one for each core: every further thread keeps memory of its own, and they would
/// wait for the cores.
const READERS: usize = 4;

impl SqliteStore {
    /// The store in the file at `path`, which need not exist yet: it is opened by what is done first.
    pub fn at(path: PathBuf) -> Result<Self, SqliteError> {
        let readers = available_parallelism().map_or(READERS, |cores| READERS.max(cores.get()));
        Ok(Self { writer: Writer::start(&path)?, path, readers: Semaphore::new(readers) })
    }

    /// The file.
    #[cfg(feature = "testing")]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file with everything in it: for one that was made for a while.
    pub fn remove(self) -> Result<(), SqliteError> {
        let Self { path, writer, .. } = self;
        // The writer's connection closes first, or it would leave its log behind.
        drop(writer);
        file::remove(&path)
    }

    /// Removes our tables, and the file with them if nothing else is in it. Tells each part that went.
    pub async fn clear(self) -> Result<Vec<String>, SqliteError> {
        let Self { path, writer, .. } = self;
        // The writer's connection closes first, or it would leave its log behind.
        drop(writer);
        let store = Self::at(path)?;
        store.blocking(Doing::Remove, schema::clear).await
    }

    /// Does `work` on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        doing: Doing,
        work: impl FnOnce(&Path) -> Result<T, SqliteError> + Send + 'static,
    ) -> Result<T, SqliteError> {
        let path = self.path.clone();
        // It is never closed. What changes something waits for nobody who reads.
        let _reader = if doing == Doing::Read { self.readers.acquire().await.ok() } else { None };
        let outcome = tokio::task::spawn_blocking(move || work(&path)).await;
        outcome.unwrap_or_else(|ended| Err(SqliteError::failed(&self.path, doing, ended)))
    }
}
