//! Record batches, as a log looks at them: whole or not, new or a repeat.

use std::collections::{HashMap, VecDeque};

use bytes::BytesMut;
use kafka_protocol::ResponseError;

use crate::kafka::records::{BatchHeader, HEADER_BYTES};

/// Reads the header in front of `data`; `None` where it is cut or cannot be one, as where its records do not take the
/// offsets that it says.
pub(super) fn read(data: &[u8]) -> Option<BatchHeader> {
    let header = BatchHeader::read(data)?;
    let counts = header.last_offset_delta >= 0 && header.count.checked_sub(1) == Some(header.last_offset_delta);
    let is_sound = header.magic == 2 && header.size_bytes >= HEADER_BYTES && counts;
    // Behind the last record there is an offset too.
    header.base_offset.checked_add(records(&header)).filter(|_| is_sound).map(|_| header)
}

/// Reads a whole batch's header, and checks the batch by its checksum.
pub(super) fn read_sound(data: &[u8]) -> Option<BatchHeader> {
    read(data).filter(|header| header.fits(data))
}

/// How many offsets the batch takes.
pub(super) fn records(header: &BatchHeader) -> i64 {
    i64::from(header.last_offset_delta) + 1
}

/// Gives the batch at `position` its first offset. The checksum does not cover that.
pub(super) fn place(batches: &mut BytesMut, position: usize, base_offset: i64) {
    if let Some(field) = batches.get_mut(position..position + size_of::<i64>()) {
        field.copy_from_slice(&base_offset.to_be_bytes());
    }
}

/// Whether the batch is an idempotent producer's.
pub(super) fn is_numbered(header: &BatchHeader) -> bool {
    header.producer_id >= 0 && header.base_sequence >= 0
}

fn last_sequence(header: &BatchHeader) -> i32 {
    header.base_sequence.wrapping_add(header.last_offset_delta) & i32::MAX
}

/// A producer has at most so many batches in flight, so a repeat is one of the last.
const REMEMBERED_BATCHES: usize = 5;

/// So many producers are remembered for a partition; beyond that those that have not sent for the longest time go.
const MAX_PRODUCERS: usize = 1_000;

/// The idempotent producers of one partition, so that a repeat is not appended twice.
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
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

impl Producers {
    /// Where the batch is there already, from which offset on; an error where one before it is missing, or its
    /// producer's id has gone to another one since.
    pub(super) fn repeat_of(&self, header: &BatchHeader) -> Result<Option<i64>, ResponseError> {
        let Some(producer) = self.by_id.get(&header.producer_id).filter(|_| is_numbered(header)) else {
            // A producer that is not known (any more) may begin anywhere, as in Kafka.
            return Ok(None);
        };
        if header.producer_epoch < producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        let expected = if header.producer_epoch > producer.epoch {
            Some(0)
        } else {
            let repeated = producer.recent.iter().find(|sent| {
                sent.first_sequence == header.base_sequence && sent.last_sequence == last_sequence(header)
            });
            if let Some(sent) = repeated {
                return Ok(Some(sent.base_offset));
            }
            producer.recent.back().map(|sent| sent.last_sequence.wrapping_add(1) & i32::MAX)
        };
        if expected == Some(header.base_sequence) { Ok(None) } else { Err(ResponseError::OutOfOrderSequenceNumber) }
    }

    /// Notes a batch that is in the log.
    pub(super) fn note(&mut self, header: &BatchHeader) {
        if !is_numbered(header) {
            return;
        }
        self.clock += 1;
        let fresh = Producer { epoch: header.producer_epoch, recent: VecDeque::new(), seen: 0 };
        let known = self.by_id.remove(&header.producer_id).filter(|known| known.epoch == header.producer_epoch);
        let mut producer = known.unwrap_or(fresh);
        producer.seen = self.clock;
        producer.recent.push_back(Sent {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset: header.base_offset,
        });
        if producer.recent.len() > REMEMBERED_BATCHES {
            producer.recent.pop_front();
        }
        self.by_id.insert(header.producer_id, producer);
        if self.by_id.len() > MAX_PRODUCERS
            && let Some(oldest) = self.by_id.iter().min_by_key(|(_, producer)| producer.seen).map(|(id, _)| *id)
        {
            self.by_id.remove(&oldest);
        }
    }
}
