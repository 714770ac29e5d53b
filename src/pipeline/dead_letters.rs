//! Dead letters: messages that cannot become readings, kept whole.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;

use crate::ledger::InFlight;
use crate::reading::reject::Reject;
use crate::record::Record;

/// A refused record, where it stood, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The partition that it was read from.
    pub partition: i32,
    /// The record as it was read: key, value and headers.
    pub record: Record,
    /// Why it was refused.
    pub reject: Reject,
}

/// Where dead letters are kept.
pub trait DeadLetters: Send + Sync {
    /// Why a dead letter could not be kept yet.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Keeps dead letters. `Ok` means that all of them are kept, with what the operator should hear of it; after an
    /// error any part may be, and keeping the same dead letters again only adds copies.
    fn keep(&self, dead_letters: &[DeadLetter]) -> impl Future<Output = Result<Option<String>, Self::Error>> + Send;
}

/// How many bytes of dead letters go out in one go.
const BATCH_BYTES: usize = 512 * 1024;

/// Dead letters of one partition that go out together, and what is acknowledged when they are kept.
#[derive(Debug)]
pub struct DeadLetterBatch {
    /// The dead letters.
    pub dead_letters: Vec<DeadLetter>,
    /// The records that they stand for.
    pub in_flight: Vec<InFlight>,
    /// What they take of the memory limit.
    pub size_bytes: usize,
    /// How often it was tried.
    pub attempts: u32,
}

/// Dead letters that wait to be kept, partition by partition: one that cannot be kept holds up no other's. Of each
/// partition one batch is in flight at a time, so its dead letters keep their order.
#[derive(Debug, Default)]
pub struct DeadLetterQueue {
    partitions: BTreeMap<i32, PartitionQueue>,
}

#[derive(Debug, Default)]
struct PartitionQueue {
    waiting: VecDeque<(DeadLetter, InFlight)>,
    is_in_flight: bool,
}

impl DeadLetterBatch {
    /// The partition that the dead letters were read from.
    #[must_use]
    pub fn partition(&self) -> Option<i32> {
        self.dead_letters.first().map(|dead_letter| dead_letter.partition)
    }
}

impl DeadLetterQueue {
    /// Puts a dead letter in.
    pub fn add(&mut self, dead_letter: DeadLetter, in_flight: InFlight) {
        self.partitions.entry(dead_letter.partition).or_default().waiting.push_back((dead_letter, in_flight));
    }

    /// The next dead letters to go out, all of one partition: at least one, and not more than `BATCH_BYTES` where there
    /// are several.
    pub fn next_batch(&mut self) -> Option<DeadLetterBatch> {
        let is_ready = |queue: &&mut PartitionQueue| !queue.is_in_flight && !queue.waiting.is_empty();
        let queue = self.partitions.values_mut().find(is_ready)?;
        queue.is_in_flight = true;
        let mut batch = DeadLetterBatch { dead_letters: Vec::new(), in_flight: Vec::new(), size_bytes: 0, attempts: 0 };
        while let Some((dead_letter, _)) = queue.waiting.front() {
            let size_bytes = dead_letter.record.size_bytes();
            if !batch.dead_letters.is_empty() && batch.size_bytes + size_bytes > BATCH_BYTES {
                break;
            }
            batch.size_bytes += size_bytes;
            let (dead_letter, in_flight) = queue.waiting.pop_front()?;
            batch.dead_letters.push(dead_letter);
            batch.in_flight.push(in_flight);
        }
        Some(batch)
    }

    /// Notes that a partition's batch is not in flight any more.
    pub fn done(&mut self, partition: i32) {
        if let Some(queue) = self.partitions.get_mut(&partition) {
            queue.is_in_flight = false;
        }
    }

    /// Drops what has not gone out yet, and gives its size.
    pub fn clear(&mut self) -> usize {
        let waiting = self.partitions.values_mut().flat_map(|queue| queue.waiting.drain(..));
        waiting.map(|(dead_letter, _)| dead_letter.record.size_bytes()).sum()
    }
}
