//! What a fetch response holds of one partition, as records.

use bytes::{Buf, Bytes, TryGetError};

use super::{MAX_BATCH_HEADERS, MAX_BATCH_RECORDS, MAX_INFLATED_BYTES, compression, varint};
use crate::record::{BatchFault, Header, Record};

/// Base offset and length: what stands before the part that the length counts.
const PREFIX_BYTES: usize = 12;
/// From the leader epoch to the record count.
const FIXED_BYTES: usize = 49;
/// The checksum covers what stands behind it: epoch (4), magic (1) and the checksum itself (4) are left out.
const UNCHECKED_BYTES: usize = 9;

const CODEC_BITS: i16 = 0b111;
const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
const CONTROL_BIT: i16 = 1 << 5;

/// What was read of one partition.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The records from the asked-for offset on, in order. Transaction markers are left out.
    pub records: Vec<Record>,
    /// Where to read on; `None` where not even one whole batch was there.
    pub next_offset: Option<i64>,
}

/// Reads all whole batches of `data` and keeps the records from offset `from` on; the last batch of a response may be
/// cut, and is read with the next one.
pub fn decode(mut data: Bytes, from: i64) -> Decoded {
    let mut decoded = Decoded::default();
    let mut inflated_bytes = 0;
    while inflated_bytes < MAX_INFLATED_BYTES
        && let Some(batch) = next_batch(&mut data)
    {
        let before = decoded.records.len();
        let last = batch.read_into(&mut decoded.records, from);
        inflated_bytes += decoded.records.iter().skip(before).map(Record::size_bytes).sum::<usize>();
        decoded.next_offset = Some(decoded.next_offset.unwrap_or(from).max(last.saturating_add(1)));
    }
    decoded
}

fn next_batch(data: &mut Bytes) -> Option<Batch> {
    let mut peek = data.clone();
    let base_offset = peek.try_get_i64().ok()?;
    let length = usize::try_from(peek.try_get_i32().ok()?).ok()?;
    if peek.remaining() < length {
        return None;
    }
    let whole = data.split_to(PREFIX_BYTES + length);
    Some(Batch { base_offset, whole })
}

/// One batch as it stands in the log.
struct Batch {
    base_offset: i64,
    whole: Bytes,
}

impl Batch {
    /// Reads the batch's records into `records`, and gives its last offset.
    fn read_into(&self, records: &mut Vec<Record>, from: i64) -> i64 {
        let before = records.len();
        let (last, outcome) = match self.header() {
            Ok(header) => {
                let last = self.base_offset.saturating_add(i64::from(header.last_offset_delta.max(0)));
                let outcome = if header.is_control() { Ok(()) } else { self.open(&header, records, from) };
                (last, outcome)
            }
            // Nothing of a broken header can be trusted but where the batch stands; one record on is progress.
            Err(fault) => (self.base_offset.max(from), Err(fault)),
        };
        if let Err(fault) = outcome {
            // Half a batch is no batch: what was read of it is in the letter too.
            records.truncate(before);
            if last >= from {
                records.push(self.as_fault(fault, from));
            }
        }
        last
    }

    fn header(&self) -> Result<BatchHeader, BatchFault> {
        let mut fields = self.whole.slice(PREFIX_BYTES..);
        if fields.len() < FIXED_BYTES {
            // Older formats are shorter, and have the magic byte in the same place.
            return Err(fields.get(4).map_or(BatchFault::Record, |magic| BatchFault::Magic(magic.cast_signed())));
        }
        fields.advance(4);
        let magic = fields.get_i8();
        if magic != 2 {
            return Err(BatchFault::Magic(magic));
        }
        let checksum = fields.get_u32();
        if crc32c::crc32c(&self.whole.slice(PREFIX_BYTES + UNCHECKED_BYTES..)) != checksum {
            return Err(BatchFault::Checksum);
        }
        let attributes = fields.get_i16();
        let last_offset_delta = fields.get_i32();
        let base_timestamp = fields.get_i64();
        let max_timestamp = fields.get_i64();
        // Producer id, epoch and sequence are for brokers.
        fields.advance(8 + 2 + 4);
        let count = fields.get_i32();
        Ok(BatchHeader { attributes, last_offset_delta, base_timestamp, max_timestamp, count })
    }

    fn open(&self, header: &BatchHeader, records: &mut Vec<Record>, from: i64) -> Result<(), BatchFault> {
        let data = self.whole.slice(PREFIX_BYTES + FIXED_BYTES..);
        if !(0..=MAX_BATCH_RECORDS).contains(&header.count) {
            return Err(BatchFault::Record);
        }
        let mut data = compression::open(header.codec(), data)?;
        let mut headers_left = MAX_BATCH_HEADERS;
        for _ in 0..header.count {
            let record = header.record(&mut data, self.base_offset, &mut headers_left)?;
            if record.offset >= from {
                records.push(record);
            }
        }
        // More than was announced: the count lies, and what is left would be passed over in silence.
        if data.is_empty() { Ok(()) } else { Err(BatchFault::Record) }
    }

    fn as_fault(&self, fault: BatchFault, from: i64) -> Record {
        Record {
            offset: self.base_offset.max(from),
            timestamp_ms: -1,
            key: None,
            value: Some(self.whole.clone()),
            headers: Vec::new(),
            fault: Some(fault),
        }
    }
}

struct BatchHeader {
    attributes: i16,
    last_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
}

impl BatchHeader {
    fn codec(&self) -> u8 {
        let [_, low] = (self.attributes & CODEC_BITS).to_be_bytes();
        low
    }

    /// Transaction markers are for brokers and transactional readers; they hold no message.
    fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    fn record(&self, data: &mut Bytes, base_offset: i64, headers_left: &mut usize) -> Result<Record, BatchFault> {
        let length = usize::try_from(number(data)?).map_err(|_| BatchFault::Record)?;
        let mut fields = split(data, length)?;
        fields.try_get_i8()?;
        let timestamp_delta = number(&mut fields)?;
        let offset_delta = number(&mut fields)?;
        let key = optional(&mut fields)?;
        let value = optional(&mut fields)?;
        let headers = headers(&mut fields, headers_left)?;
        let appended = self.attributes & LOG_APPEND_TIME_BIT != 0;
        let sent = self.base_timestamp.saturating_add(timestamp_delta);
        Ok(Record {
            offset: base_offset.checked_add(offset_delta).ok_or(BatchFault::Record)?,
            timestamp_ms: if appended { self.max_timestamp } else { sent },
            key,
            value,
            headers,
            fault: None,
        })
    }
}

/// `left` is how many the batch may still have.
fn headers(fields: &mut Bytes, left: &mut usize) -> Result<Vec<Header>, BatchFault> {
    let count = number(fields)?;
    let many = usize::try_from(count).unwrap_or_default();
    *left = left.checked_sub(many).ok_or(BatchFault::Record)?;
    // No capacity from the count: it may lie. Each header takes two bytes at least, so the loop ends with the data.
    let mut headers = Vec::new();
    for _ in 0..count {
        let key = optional(fields)?.unwrap_or_default();
        headers.push(Header { key, value: optional(fields)? });
    }
    Ok(headers)
}

/// Bytes behind their length; -1 is null.
fn optional(fields: &mut Bytes) -> Result<Option<Bytes>, BatchFault> {
    match number(fields)? {
        -1 => Ok(None),
        length => split(fields, usize::try_from(length).map_err(|_| BatchFault::Record)?).map(Some),
    }
}

fn split(data: &mut Bytes, length: usize) -> Result<Bytes, BatchFault> {
    if length > data.remaining() { Err(BatchFault::Record) } else { Ok(data.split_to(length)) }
}

fn number(data: &mut Bytes) -> Result<i64, BatchFault> {
    varint::take(data).ok_or(BatchFault::Record)
}

impl From<TryGetError> for BatchFault {
    fn from(_: TryGetError) -> Self {
        Self::Record
    }
}
