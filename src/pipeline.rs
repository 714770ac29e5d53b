//! The way of a reading: fetched, decoded, judged, stored, and only then committed.
//!
//! Nothing is committed before it is stored, or kept as a dead letter: that order is the promise. The
//! [ledger](crate::ledger) keeps it for each partition, whatever order the answers come in.
//!
//! One task runs this loop. It holds no more than [`MAX_IN_FLIGHT_BYTES`] of messages; beyond that it reads on only
//! when the store has taken some.

pub mod lanes;
pub mod letters;
pub mod observer;
pub mod source;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};

use self::lanes::{Job, Lanes};
use self::letters::{DeadLetters, Letter, Mail, Outbox};
use self::observer::{Observer, Progress};
use self::source::{Assigned, Chunk, Event, Source};
use crate::alarm::{self, Limits};
use crate::kafka::records::Record;
use crate::ledger::Ledger;
use crate::reading::{self, Reading};
use crate::reject::Reject;
use crate::shutdown::Shutdown;
use crate::store::{Store, WriteError};

/// How many bytes of messages may be taken up and not yet settled.
pub const MAX_IN_FLIGHT_BYTES: usize = 32 * 1024 * 1024;

/// How many batches may be on their way to the store. More only queue up inside of it.
pub const MAX_WRITES_IN_FLIGHT: usize = 32;

/// How long settling may take after a signal, so that the process ends within 5 s.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// How long settling may take before a rebalance; less than what the member waits for.
const RELEASE_LIMIT: Duration = Duration::from_secs(4);

/// How long the answer to the last commit may take.
const LAST_COMMIT_LIMIT: Duration = Duration::from_secs(1);

/// How often offsets are committed. What was stored since is read again after a crash.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// How often the observer is told how far things are.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// When the pipeline ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Until {
    /// After so many messages.
    pub max_messages: Option<u64>,
    /// At the end that the partitions had when they were assigned.
    pub end: bool,
}

/// How the pipeline ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How far it came.
    pub progress: Progress,
    /// Whether everything taken up is settled and committed; what is not is read again.
    pub is_clean: bool,
}

/// What the loop is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Taking up what comes.
    Reading,
    /// Settling before the partitions are given away.
    Releasing { by: Instant },
    /// Settling before the end; without a time limit where the end came by itself.
    Ending { by: Option<Instant> },
    /// Everything is settled that could be; the last commit's answer is awaited.
    LastCommit { by: Instant, then: Then },
}

/// What comes after a last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Release,
    End { settled: bool },
}
