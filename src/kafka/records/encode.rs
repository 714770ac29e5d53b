//! Records as one batch for a produce request.

use bytes::{BufMut, Bytes, BytesMut};

use super::MAX_INFLATED_BYTES;
use super::compression::{self, Codec};
use crate::record::Record;

/// Base offset and length, leader epoch, magic and checksum: what stands before the part that is checked.
const UNCHECKED_BYTES: usize = 21;
/// From the attributes to the record count: what of the checked part stands before the records.
const CHECKED_HEAD_BYTES: usize = 40;
/// Leader epoch, magic and checksum: what of it the length counts.
const COUNTED_BYTES: usize = 9;

/// Writes `records` as one batch, compressed with gzip where they take more than `large_bytes`, less by it, and not more
/// than can be decompressed here. Their offsets are left to the broker, their timestamps are kept.
pub fn encode(records: &[Record], large_bytes: usize) -> Bytes {
    let data = put_records(records);
    let codec = if data.len() > large_bytes { Codec::Gzip } else { Codec::None };
    batch(records, &data, codec)
}

/// Writes `records` as one batch, compressed with `codec` where they are less by it, and not more than can be
/// decompressed here. Their offsets are left to the broker, their timestamps are kept.
pub fn encode_with(records: &[Record], codec: Codec) -> Bytes {
    batch(records, &put_records(records), codec)
}

fn batch(records: &[Record], data: &[u8], codec: Codec) -> Bytes {
    let (base, last) = times(records);
    let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
    let packed = if data.len() <= MAX_INFLATED_BYTES { compression::pack(codec, data) } else { None };
    let packed = packed.filter(|packed| packed.len() < data.len());
    let codec = if packed.is_some() { codec } else { Codec::None };
    let data = packed.as_deref().unwrap_or(data);

    let mut checked = BytesMut::with_capacity(CHECKED_HEAD_BYTES + data.len());
    checked.put_i16(codec.bits()); // and the time of sending
    checked.put_i32(count - 1);
    checked.put_i64(base);
    checked.put_i64(last);
    checked.put_i64(-1); // no producer id,
    checked.put_i16(-1); // no epoch
    checked.put_i32(-1); // and no sequence: what is sent is there at least once
    checked.put_i32(count);
    checked.extend_from_slice(data);

    let mut batch = BytesMut::with_capacity(UNCHECKED_BYTES + checked.len());
    batch.put_i64(0);
    batch.put_i32(i32::try_from(checked.len() + COUNTED_BYTES).unwrap_or(i32::MAX));
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.extend_from_slice(&checked);
    batch.freeze()
}

/// The earliest and the latest.
fn times(records: &[Record]) -> (i64, i64) {
    let times = records.iter().map(|record| record.timestamp_ms);
    (times.clone().min().unwrap_or(0), times.max().unwrap_or(0))
}

fn put_records(records: &[Record]) -> BytesMut {
    let (base, _) = times(records);
    let mut data = BytesMut::with_capacity(records.iter().map(Record::size_bytes).sum());
    let mut fields = BytesMut::new();
    for (offset_delta, record) in (0_i64..).zip(records) {
        fields.clear();
        fields.put_i8(0); // no attributes
        put_varint(&mut fields, record.timestamp_ms.saturating_sub(base));
        put_varint(&mut fields, offset_delta);
        put_optional(&mut fields, record.key.as_ref());
        put_optional(&mut fields, record.value.as_ref());
        put_length(&mut fields, record.headers.len());
        for header in &record.headers {
            put_optional(&mut fields, Some(&header.key));
            put_optional(&mut fields, header.value.as_ref());
        }
        put_length(&mut data, fields.len());
        data.extend_from_slice(&fields);
    }
    data
}

fn put_optional(to: &mut BytesMut, bytes: Option<&Bytes>) {
    match bytes {
        None => put_varint(to, -1),
        Some(bytes) => {
            put_length(to, bytes.len());
            to.extend_from_slice(bytes);
        }
    }
}

fn put_length(to: &mut BytesMut, length: usize) {
    put_varint(to, i64::try_from(length).unwrap_or(i64::MAX));
}

/// Puts one zig-zag varint at the end of `to`.
pub(super) fn put_varint(to: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        to.put_u8(low_seven_bits(rest) | 0x80);
        rest >>= 7;
    }
    to.put_u8(low_seven_bits(rest));
}

fn low_seven_bits(value: u64) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low & 0x7f
}
