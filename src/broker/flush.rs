//! When what was written reaches the disk, and the waiting for it.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::state::lock;

/// When records and committed offsets are brought to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flush {
    /// Before they are acknowledged, or shown to anybody: a power cut costs nothing that was.
    #[default]
    BeforeAck,
    /// Once in so long: a power cut costs what was acknowledged since.
    Every(Duration),
}

/// How far a file is on the disk, counted as its owner does.
#[derive(Debug, Default)]
pub(super) struct Durable {
    mark: i64,
    refused: Option<String>,
}

impl Durable {
    pub(super) fn up_to(mark: i64) -> Self {
        Self { mark, refused: None }
    }

    pub(super) fn mark(&self) -> i64 {
        self.mark
    }

    /// An error where the disk has refused once. What is there since nobody knows: the system forgets what it could not
    /// write, and a second try would succeed.
    pub(super) fn check(&self) -> io::Result<i64> {
        self.refused.as_ref().map_or(Ok(self.mark), |why| Err(io::Error::other(why.clone())))
    }

    /// Notes what came of bringing everything up to `mark` to the disk.
    pub(super) fn note(&mut self, mark: i64, outcome: &io::Result<()>) {
        match outcome {
            Ok(()) => self.mark = self.mark.max(mark),
            Err(error) => self.refused = Some(error.to_string()),
        }
    }
}

/// A file that is appended to.
pub(super) trait Flushed: Send + 'static {
    /// How far it is written, and the file; `None` where it is closed.
    fn written(&self) -> Option<(i64, Arc<File>)>;
    fn durable(&mut self) -> &mut Durable;
}

/// A file that many append to, and wait for.
#[derive(Debug)]
pub(super) struct Shared<T> {
    kept: Mutex<T>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<T: Flushed> Shared<T> {
    pub(super) fn new(kept: T) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::new(kept), turn: Arc::default() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.kept)
    }

    /// Waits until everything up to `mark` is on the disk. Who finds nobody at it goes at once, and takes everything along
    /// that is written; who comes meanwhile waits, and the first of those takes the others' along.
    pub(super) async fn flushed(self: &Arc<Self>, mark: i64) -> io::Result<()> {
        if self.lock().durable().check()? >= mark {
            return Ok(());
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (written, file) = {
            let mut kept = self.lock();
            match kept.written() {
                Some(written) if kept.durable().check()? < mark => written,
                _ => return Ok(()),
            }
        };
        let shared = Arc::clone(self);
        // Goes on where the one who waits has gone: neither its turn nor what comes of it may be lost.
        let synced = spawn_blocking(move || {
            let outcome = file.sync_data();
            let mut kept = shared.lock();
            kept.durable().note(written, &outcome);
            drop(turn);
            kept.durable().check().map(drop)
        });
        synced.await.map_err(io::Error::other)?
    }

    /// Waits until all that is written is on the disk; whether that had to be waited for.
    pub(super) async fn flush(self: &Arc<Self>) -> io::Result<bool> {
        let (written, before) = {
            let mut kept = self.lock();
            (kept.written().map(|(mark, _)| mark), kept.durable().check()?)
        };
        match written {
            Some(mark) if mark > before => self.flushed(mark).await.map(|()| true),
            _ => Ok(false),
        }
    }
}
