//! Which batches of idempotent producers are there already, so that a repeat is not appended twice.

use std::collections::{HashMap, VecDeque};

use super::batch::Header;

/// A producer has at most so many batches in flight, so a repeat is one of the last.
const REMEMBERED_BATCHES: usize = 5;

/// So many producers are remembered for a partition; beyond that those that have not sent for the longest time go.
const MAX_PRODUCERS: usize = 1_000;

/// What a batch is to what its producer has sent before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// It follows, or its producer does not number its batches.
    Next,
    /// It is there already, from this offset on.
    Repeat(i64),
    /// One before it is missing.
    OutOfOrder,
    /// Its producer's id has gone to another one since.
    OldEpoch,
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// Counts batches, which tells who sent last.
    clock: u64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    recent: VecDeque<Sent>,
    seen: u64,
}

#[derive(Debug)]
struct Sent {
    first: i32,
    last: i32,
    base_offset: i64,
}

impl Producers {
    pub(super) fn judge(&self, header: &Header) -> Sequence {
        let Some(producer) = self.by_id.get(&header.producer_id).filter(|_| is_numbered(header)) else {
            // A producer that is not known (any more) may begin anywhere, as in Kafka.
            return Sequence::Next;
        };
        if header.producer_epoch < producer.epoch {
            return Sequence::OldEpoch;
        }
        if header.producer_epoch > producer.epoch {
            return if header.base_sequence == 0 { Sequence::Next } else { Sequence::OutOfOrder };
        }
        let same = |sent: &&Sent| sent.first == header.base_sequence && sent.last == header.last_sequence();
        if let Some(sent) = producer.recent.iter().find(same) {
            return Sequence::Repeat(sent.base_offset);
        }
        let expected = producer.recent.back().map(|sent| sent.last.wrapping_add(1) & i32::MAX);
        if expected == Some(header.base_sequence) { Sequence::Next } else { Sequence::OutOfOrder }
    }

    /// Notes a batch that is in the log.
    pub(super) fn note(&mut self, header: &Header, base_offset: i64) {
        if !is_numbered(header) {
            return;
        }
        self.clock += 1;
        let fresh = || Producer { epoch: header.producer_epoch, recent: VecDeque::new(), seen: 0 };
        let producer = self.by_id.entry(header.producer_id).or_insert_with(fresh);
        if producer.epoch != header.producer_epoch {
            *producer = fresh();
        }
        producer.seen = self.clock;
        producer.recent.push_back(Sent { first: header.base_sequence, last: header.last_sequence(), base_offset });
        if producer.recent.len() > REMEMBERED_BATCHES {
            producer.recent.pop_front();
        }
        self.forget_the_oldest();
    }

    fn forget_the_oldest(&mut self) {
        if self.by_id.len() > MAX_PRODUCERS
            && let Some(oldest) = self.by_id.iter().min_by_key(|(_, producer)| producer.seen).map(|(id, _)| *id)
        {
            self.by_id.remove(&oldest);
        }
    }
}

/// Whether the batch is an idempotent producer's.
pub(super) fn is_numbered(header: &Header) -> bool {
    header.producer_id >= 0 && header.base_sequence >= 0
}
