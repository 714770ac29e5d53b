//! Rows on their way into the store: many batches in flight, each tried again until it is in.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::chunk::{Batch, Chunk};
use crate::advice::{Advice, Code};
use crate::cmd::common::progress_line::ProgressLine;
use crate::output::{Output, Progress, counted};
use crate::pipeline::MAX_WRITES_IN_FLIGHT;
use crate::pipeline::store::WriteError;
use crate::retry;
use crate::store::AnyStore;

/// For how long a batch is tried. A consumer goes on for ever; whoever imports sits beside it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// Why rows did not get into the store.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It will never take one of them.
    #[error("{reason}; {} written", counted(*.written, "row"))]
    Refused {
        /// What the store says.
        reason: String,
        /// How many rows were written.
        written: u64,
    },
    /// It did not take them in time.
    #[error("{reason}, for {} s; {} written", GIVE_UP_AFTER.as_secs(), counted(*.written, "row"))]
    Away {
        /// What the store says.
        reason: String,
        /// How many rows were written.
        written: u64,
    },
}

impl Advice for ImportError {
    fn code(&self) -> Code {
        match self {
            Self::Refused { .. } => Code::BadData,
            Self::Away { .. } => Code::Unreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { .. } => None,
            Self::Away { .. } => Some("import it again when the store is back: that is safe".to_owned()),
        }
    }
}

/// Writes chunks.
pub(super) struct Pour<'a> {
    store: &'a AnyStore,
    output: &'a Output,
    pace: ProgressLine,
    progress: Progress,
    writes: FuturesUnordered<BoxFuture<'a, Result<Arc<Batch>, WriteError>>>,
    in_flight: Vec<Arc<Batch>>,
}

impl<'a> Pour<'a> {
    pub(super) fn new(store: &'a AnyStore, output: &'a Output, pace: ProgressLine, progress: Progress) -> Self {
        Self { store, output, pace, progress, writes: FuturesUnordered::new(), in_flight: Vec::new() }
    }

    /// How many rows of the file were written so far.
    pub(super) fn rows(&self) -> u64 {
        self.pace.rows()
    }

    pub(super) fn into_pace(self) -> ProgressLine {
        self.pace
    }

    /// Writes all that comes, and waits until all of it is in.
    pub(super) async fn take_all(&mut self, chunks: &mut mpsc::Receiver<Chunk>) -> Result<(), ImportError> {
        while let Some(chunk) = chunks.recv().await {
            for batch in chunk.batches {
                // Of two writes of one key the one that arrives later wins, and that would be left to chance.
                while self.writes.len() >= MAX_WRITES_IN_FLIGHT
                    || self.in_flight.iter().any(|other| other.touches(&batch))
                {
                    self.settle_one().await?;
                }
                let batch = Arc::new(batch);
                self.in_flight.push(Arc::clone(&batch));
                self.writes.push(Box::pin(insist(self.store, self.output, batch)));
            }
        }
        while !self.writes.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<(), ImportError> {
        let written = self.pace.rows();
        match self.writes.next().await {
            Some(Ok(batch)) => {
                self.in_flight.retain(|other| !Arc::ptr_eq(other, &batch));
                self.pace.add(batch.read, "importing", &mut self.progress);
                Ok(())
            }
            Some(Err(WriteError::Never(reason))) => Err(ImportError::Refused { reason, written }),
            Some(Err(WriteError::Later(reason))) => Err(ImportError::Away { reason, written }),
            None => Ok(()),
        }
    }
}

/// Tries until the batch is in, or the time is over.
async fn insist(store: &AnyStore, output: &Output, batch: Arc<Batch>) -> Result<Arc<Batch>, WriteError> {
    let end = Instant::now() + GIVE_UP_AFTER;
    let mut failed = 0;
    loop {
        match store.restore(&batch.rows).await {
            Ok(()) => return Ok(batch),
            Err(WriteError::Later(reason)) if Instant::now() < end => {
                failed += 1;
                if retry::is_worth_telling(failed) {
                    output.note(format_args!("{reason}; trying again"));
                }
            }
            Err(error) => return Err(error),
        }
        sleep(retry::pause_before(failed)).await;
    }
}
