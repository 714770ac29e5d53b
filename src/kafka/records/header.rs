//! The header of a record batch. The layout is that of Kafka's protocol guide, "Record Batch".

use bytes::Buf;

/// What stands before the part that a batch's length counts: base offset and length.
pub(super) const PREFIX_BYTES: usize = 12;
/// Everything before the records.
pub(crate) const HEADER_BYTES: usize = 61;
/// Where the part begins that the checksum covers.
const CHECKED_FROM: usize = 21;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    /// The whole batch, from its base offset to its last record.
    pub(crate) size_bytes: usize,
    pub(crate) magic: i8,
    checksum: u32,
    pub(super) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(super) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) count: i32,
}

impl BatchHeader {
    /// Reads the header in front of `data`, whatever it says; `None` where it is cut.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let mut fields = data.get(..HEADER_BYTES)?;
        let base_offset = fields.get_i64();
        let size_bytes = PREFIX_BYTES.checked_add(usize::try_from(fields.get_i32()).ok()?)?;
        // The leader epoch, which readers do not need.
        fields.advance(4);
        Some(Self {
            base_offset,
            size_bytes,
            magic: fields.get_i8(),
            checksum: fields.get_u32(),
            attributes: fields.get_i16(),
            last_offset_delta: fields.get_i32(),
            base_timestamp: fields.get_i64(),
            max_timestamp: fields.get_i64(),
            producer_id: fields.get_i64(),
            producer_epoch: fields.get_i16(),
            base_sequence: fields.get_i32(),
            count: fields.get_i32(),
        })
    }

    /// Whether the batch, which stands in front of `data`, is whole and as it was written.
    pub(crate) fn fits(&self, data: &[u8]) -> bool {
        data.get(CHECKED_FROM..self.size_bytes).is_some_and(|checked| crc32c::crc32c(checked) == self.checksum)
    }
}
