//! Dead letters: messages that cannot become readings, kept whole.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;

use crate::ledger::Receipt;
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
    /// Why a letter could not be kept yet.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Keeps letters. `Ok` means that all of them are kept, with what the operator should hear of it; after an error any
    /// part may be, and keeping the same letters again only adds copies.
    fn keep(&self, letters: &[DeadLetter]) -> impl Future<Output = Result<Option<String>, Self::Error>> + Send;
}

/// How many bytes of letters go out in one go.
const BATCH_BYTES: usize = 512 * 1024;

/// Letters of one partition that go out together, and what is settled when they are kept.
#[derive(Debug)]
pub struct DeadLetterBatch {
    /// The letters.
    pub letters: Vec<DeadLetter>,
    /// The records that they stand for.
    pub receipts: Vec<Receipt>,
    /// What they take of the memory limit.
    pub size_bytes: usize,
    /// How often it was tried.
    pub attempts: u32,
}

/// Letters that wait to be kept, partition by partition: one that cannot be kept holds up no other's. Of each partition
/// one batch is in flight at a time, so its letters keep their order.
#[derive(Debug, Default)]
pub struct DeadLetterQueue {
    partitions: BTreeMap<i32, PartitionQueue>,
}

#[derive(Debug, Default)]
struct PartitionQueue {
    waiting: VecDeque<(DeadLetter, Receipt)>,
    in_flight: bool,
}

impl DeadLetterBatch {
    /// The partition that the letters were read from.
    #[must_use]
    pub fn partition(&self) -> Option<i32> {
        self.letters.first().map(|letter| letter.partition)
    }
}

impl DeadLetterQueue {
    /// Puts a letter in.
    pub fn add(&mut self, letter: DeadLetter, receipt: Receipt) {
        self.partitions.entry(letter.partition).or_default().waiting.push_back((letter, receipt));
    }

    /// The next letters to go out, all of one partition: at least one, and not more than `BATCH_BYTES` where there are
    /// several.
    pub fn next_batch(&mut self) -> Option<DeadLetterBatch> {
        let is_ready = |queue: &&mut PartitionQueue| !queue.in_flight && !queue.waiting.is_empty();
        let queue = self.partitions.values_mut().find(is_ready)?;
        queue.in_flight = true;
        let mut batch = DeadLetterBatch { letters: Vec::new(), receipts: Vec::new(), size_bytes: 0, attempts: 0 };
        while let Some((letter, _)) = queue.waiting.front() {
            let size_bytes = letter.record.size_bytes();
            if !batch.letters.is_empty() && batch.size_bytes + size_bytes > BATCH_BYTES {
                break;
            }
            batch.size_bytes += size_bytes;
            let (letter, receipt) = queue.waiting.pop_front()?;
            batch.letters.push(letter);
            batch.receipts.push(receipt);
        }
        Some(batch)
    }

    /// Notes that a partition's batch is not in flight any more.
    pub fn done(&mut self, partition: i32) {
        if let Some(queue) = self.partitions.get_mut(&partition) {
            queue.in_flight = false;
        }
    }

    /// Drops what has not gone out yet, and gives its size.
    pub fn clear(&mut self) -> usize {
        let waiting = self.partitions.values_mut().flat_map(|queue| queue.waiting.drain(..));
        waiting.map(|(letter, _)| letter.record.size_bytes()).sum()
    }
}
