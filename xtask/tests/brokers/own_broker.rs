//! An embedded broker in this process, on a free port.

use std::path::Path;

use vitals::broker::flush::Flush;
use vitals::broker::{Broker, Config};

pub(crate) fn config(folder: &Path) -> Config {
    Config { folder: folder.to_owned(), listen: ([127, 0, 0, 1], 0).into(), advertise: None, flush: Flush::default() }
}

pub(crate) async fn started(folder: &Path) -> Broker {
    Broker::start(config(folder)).await.unwrap()
}

/// One on a folder of its own, which goes with it.
pub(crate) async fn started_anew() -> (Broker, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (started(folder.path()).await, folder)
}
