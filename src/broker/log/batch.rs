//! The header of a record batch, as far as a log needs it.

use bytes::{Buf, BytesMut};

/// Base offset and length: what stands before the part that the length counts.
const PREFIX_BYTES: usize = 12;
/// With everything up to the record count.
pub(super) const HEADER_BYTES: usize = 61;
/// Where the part begins that the checksum covers.
const CHECKED_FROM: usize = 21;

/// What a log needs to know of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) base_offset: i64,
    /// The whole batch, from its base offset to its last record.
    pub(super) size_bytes: usize,
    checksum: u32,
    last_offset_delta: i32,
    pub(super) max_time_ms: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    count: i32,
}

impl Header {
    /// Reads the header in front of `data`; `None` where it is cut or cannot be one, as where its records do not take the
    /// offsets that it says.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let mut fields = data.get(..HEADER_BYTES)?;
        let base_offset = fields.get_i64();
        let length = usize::try_from(fields.get_i32()).ok()?;
        fields.advance(4);
        let magic = fields.get_i8();
        let checksum = fields.get_u32();
        fields.advance(2);
        let last_offset_delta = fields.get_i32();
        fields.advance(8);
        let header = Self {
            base_offset,
            size_bytes: PREFIX_BYTES.checked_add(length)?,
            checksum,
            last_offset_delta,
            max_time_ms: fields.get_i64(),
            producer_id: fields.get_i64(),
            producer_epoch: fields.get_i16(),
            base_sequence: fields.get_i32(),
            count: fields.get_i32(),
        };
        let counts = last_offset_delta >= 0 && header.count.checked_sub(1) == Some(last_offset_delta);
        let is_sound = magic == 2 && header.size_bytes >= HEADER_BYTES && counts;
        // Behind the last record there is an offset too.
        base_offset.checked_add(header.records()).filter(|_| is_sound).map(|_| header)
    }

    /// Reads a whole batch's header, and checks the batch by its checksum.
    pub(super) fn read_sound(data: &[u8]) -> Option<Self> {
        let header = Self::read(data)?;
        let checked = data.get(CHECKED_FROM..header.size_bytes)?;
        (crc32c::crc32c(checked) == header.checksum).then_some(header)
    }

    /// How many offsets the batch takes.
    pub(super) fn records(&self) -> i64 {
        i64::from(self.last_offset_delta) + 1
    }

    /// The sequence number of its last record.
    pub(super) fn last_sequence(&self) -> i32 {
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }
}

/// Gives the batch at `position` its first offset. The checksum does not cover that.
pub(super) fn place(batches: &mut BytesMut, position: usize, base_offset: i64) {
    if let Some(field) = batches.get_mut(position..position + size_of::<i64>()) {
        field.copy_from_slice(&base_offset.to_be_bytes());
    }
}
