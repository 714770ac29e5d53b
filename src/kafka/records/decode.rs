//! What a fetch response holds of one partition, as records.

use bytes::{Buf, Bytes, TryGetError};

use super::{MAX_BATCH_HEADERS, MAX_BATCH_RECORDS, MAX_INFLATED_BYTES, compression};
use crate::record::{BatchFault, Header, Record};

/// Base offset and length: what stands before the part that the length counts.
const PREFIX_BYTES: usize = 12;
/// With everything up to the record count.
pub(crate) const HEADER_BYTES: usize = 61;
/// Where the magic byte stands, in every format.
const MAGIC_AT: usize = 16;
/// Where the part begins that the checksum covers.
const CHECKED_FROM: usize = 21;

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
    let mut prefix = data.get(..PREFIX_BYTES)?;
    let base_offset = prefix.get_i64();
    let size = PREFIX_BYTES.checked_add(usize::try_from(prefix.get_i32()).ok()?)?;
    (data.len() >= size).then(|| Batch { base_offset, whole: data.split_to(size) })
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
            // Half a batch is no batch: what was read of it is in the dead letter too.
            records.truncate(before);
            if last >= from {
                records.push(self.as_fault(fault, from));
            }
        }
        last
    }

    fn header(&self) -> Result<BatchHeader, BatchFault> {
        let Some(header) = BatchHeader::read(&self.whole) else {
            // Older formats are shorter.
            let magic = self.whole.get(MAGIC_AT);
            return Err(magic.map_or(BatchFault::Record, |magic| BatchFault::Magic(magic.cast_signed())));
        };
        if header.magic != 2 {
            return Err(BatchFault::Magic(header.magic));
        }
        if header.fits(&self.whole) { Ok(header) } else { Err(BatchFault::Checksum) }
    }

    fn open(&self, header: &BatchHeader, records: &mut Vec<Record>, from: i64) -> Result<(), BatchFault> {
        let data = self.whole.slice(HEADER_BYTES..);
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

/// The header of a batch of message format 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of Kafka's protocol guide, \"Record Batch\"")]
pub struct BatchHeader {
    pub base_offset: i64,
    /// The whole batch, from its base offset to its last record.
    pub size_bytes: usize,
    pub magic: i8,
    pub checksum: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
}

impl BatchHeader {
    /// Reads the header in front of `data`, and checks nothing in it; `None` where it is cut, or of a negative length.
    pub fn read(data: &[u8]) -> Option<Self> {
        let mut fields = data.get(..HEADER_BYTES)?;
        let base_offset = fields.get_i64();
        let size_bytes = PREFIX_BYTES.checked_add(usize::try_from(fields.get_i32()).ok()?)?;
        fields.advance(4); // the leader's epoch
        Some(Self {
            base_offset,
            size_bytes,
            magic: fields.get_i8(),
            checksum: fields.get_u32(),
            attributes: fields.get_i16(),
            last_offset_delta: fields.get_i32(),
            base_timestamp_ms: fields.get_i64(),
            max_timestamp_ms: fields.get_i64(),
            producer_id: fields.get_i64(),
            producer_epoch: fields.get_i16(),
            base_sequence: fields.get_i32(),
            count: fields.get_i32(),
        })
    }

    /// Whether `data`, which begins with the batch, is what its checksum says.
    pub(crate) fn fits(&self, data: &[u8]) -> bool {
        data.get(CHECKED_FROM..self.size_bytes).is_some_and(|checked| crc32c::crc32c(checked) == self.checksum)
    }

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
        let sent = self.base_timestamp_ms.saturating_add(timestamp_delta);
        Ok(Record {
            offset: base_offset.checked_add(offset_delta).ok_or(BatchFault::Record)?,
            timestamp_ms: if appended { self.max_timestamp_ms } else { sent },
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
    take_varint(data).ok_or(BatchFault::Record)
}

/// Seven bits a byte: a 64-bit number has at most ten.
const MAX_VARINT_BYTES: u32 = 10;

/// Takes one zig-zag varint from the front of `from`; `None` where it is cut or too long.
pub(super) fn take_varint(from: &mut Bytes) -> Option<i64> {
    let mut value = 0_u64;
    for index in 0..MAX_VARINT_BYTES {
        let byte = u64::from(from.try_get_u8().ok()?);
        value |= (byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

impl From<TryGetError> for BatchFault {
    fn from(_: TryGetError) -> Self {
        Self::Record
    }
}
