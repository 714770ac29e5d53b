//! An embedded broker in this process, on a free port.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use vitals::broker::flush::Flush;
use vitals::broker::folder::FolderError;
use vitals::broker::{Broker, BrokerError, Config};

pub(crate) fn config(folder: &Path) -> Config {
    Config::alone(folder.to_owned(), Flush::default())
}

/// How long a folder may still be locked whose broker was stopped.
const LOCKED: Duration = Duration::from_secs(5);

/// Another test of this process may be starting a program just now: until that is itself, it has all files of ours open
/// too, and with the file of a broker that was stopped its lock.
pub(crate) async fn started(folder: &Path) -> Broker {
    let begun = Instant::now();
    loop {
        match Broker::start(config(folder)).await {
            Err(BrokerError::Folder(FolderError::InUse(..))) if begun.elapsed() < LOCKED => {
                sleep(Duration::from_millis(10)).await;
            }
            started => return started.unwrap(),
        }
    }
}

/// One on a folder of its own, which goes with it.
pub(crate) async fn started_anew() -> (Broker, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (started(folder.path()).await, folder)
}
