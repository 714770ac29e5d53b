//! What is to be sent, and which of it was acknowledged.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use chrono::Utc;

use crate::reading::{Reading, encode};
use crate::record::Record;
use crate::record::murmur2::partition_of;

/// What the protocol adds to a record, at most: lengths, deltas, and the record's share of the batch's head.
const RECORD_OVERHEAD_BYTES: usize = 24;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Decides the partition: the patient's id.
    pub key: Bytes,
    /// The message.
    pub value: Bytes,
}

/// A reading under its patient's id.
impl From<&Reading> for Outgoing {
    fn from(reading: &Reading) -> Self {
        Self { key: Bytes::copy_from_slice(reading.patient().as_str().as_bytes()), value: encode(reading).into() }
    }
}

/// Messages to be sent together, in the order in which they enter their partitions.
#[derive(Debug)]
pub struct Delivery {
    records: Vec<Outgoing>,
    acknowledged: Vec<bool>,
}

impl Delivery {
    /// Messages of which none was acknowledged. It is the caller who bounds how many.
    pub fn new(records: Vec<Outgoing>) -> Self {
        let acknowledged = vec![false; records.len()];
        Self { records, acknowledged }
    }

    /// The messages that were acknowledged, in the order of the delivery.
    pub fn acknowledged(&self) -> impl Iterator<Item = &Outgoing> {
        self.records.iter().zip(&self.acknowledged).filter_map(|(record, done)| done.then_some(record))
    }

    /// The places of the messages that were not, counted from 0.
    pub fn outstanding(&self) -> impl Iterator<Item = usize> {
        self.acknowledged.iter().enumerate().filter_map(|(index, done)| (!done).then_some(index))
    }

    pub(super) fn acknowledge(&mut self, indices: &[usize]) {
        for index in indices {
            if let Some(done) = self.acknowledged.get_mut(*index) {
                *done = true;
            }
        }
    }

    /// The places of what is outstanding, by partition.
    pub(super) fn by_partition(&self, partitions: i32) -> BTreeMap<i32, VecDeque<usize>> {
        let mut queues = BTreeMap::<_, VecDeque<_>>::new();
        for (index, record) in self.records.iter().enumerate() {
            if self.acknowledged.get(index) == Some(&false) {
                queues.entry(partition_of(&record.key, partitions)).or_default().push_back(index);
            }
        }
        queues
    }

    pub(super) fn size(&self, index: usize) -> usize {
        self.records.get(index).map_or(0, |record| record.key.len() + record.value.len() + RECORD_OVERHEAD_BYTES)
    }

    /// The records at `indices` for the wire. A record's time is the time of sending, never the reading's.
    pub(super) fn records_at(&self, indices: &[usize]) -> Vec<Record> {
        let timestamp_ms = Utc::now().timestamp_millis();
        indices
            .iter()
            .filter_map(|index| self.records.get(*index))
            .map(|record| Record {
                offset: 0,
                timestamp_ms,
                key: Some(record.key.clone()),
                value: Some(record.value.clone()),
                headers: Vec::new(),
                fault: None,
            })
            .collect()
    }
}
