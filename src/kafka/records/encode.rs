//! Records as one batch for a produce request.
//!
//! For dead letters, which repeat what somebody sent byte for byte: header keys that are not UTF-8, null headers and
//! headers named twice, which no map of texts can hold.

use std::io::Write as _;

use bytes::{BufMut, Bytes, BytesMut};

use super::{MAX_INFLATED_BYTES, Record, varint};

/// Base offset and length, leader epoch, magic and checksum: what stands before the part that is checked.
const UNCHECKED_BYTES: usize = 21;
/// Leader epoch, magic and checksum: what of it the length counts.
const COUNTED_BYTES: usize = 9;

/// Writes `records` as one batch, compressed with gzip where they take more than `large_bytes`, less by it, and not more
/// than can be decompressed here. Their offsets are left to the broker, their timestamps are kept.
#[must_use]
pub fn encode(records: &[Record], large_bytes: usize) -> Bytes {
    let times = records.iter().map(|record| record.timestamp_ms);
    let base = times.clone().min().unwrap_or(0);
    let last = times.max().unwrap_or(0);
    let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
    let mut data = BytesMut::new();
    for (delta, record) in (0_i64..).zip(records) {
        put_record(&mut data, record, record.timestamp_ms.saturating_sub(base), delta);
    }
    let may_be_packed = data.len() > large_bytes && data.len() <= MAX_INFLATED_BYTES;
    let packed = may_be_packed.then(|| gzip(&data)).filter(|packed| packed.len() < data.len());
    let (codec, data) = packed.map_or_else(|| (NO_CODEC, data.freeze()), |packed| (GZIP, packed));

    let mut checked = BytesMut::with_capacity(data.len() + 40);
    checked.put_i16(codec); // and the time of sending
    checked.put_i32(count - 1);
    checked.put_i64(base);
    checked.put_i64(last);
    checked.put_i64(-1); // no producer id,
    checked.put_i16(-1); // no epoch
    checked.put_i32(-1); // and no sequence: dead letters are kept at least once
    checked.put_i32(count);
    checked.extend_from_slice(&data);

    let mut batch = BytesMut::with_capacity(checked.len() + UNCHECKED_BYTES);
    batch.put_i64(0);
    batch.put_i32(i32::try_from(checked.len() + COUNTED_BYTES).unwrap_or(i32::MAX));
    batch.put_i32(-1);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.extend_from_slice(&checked);
    batch.freeze()
}

const NO_CODEC: i16 = 0;
const GZIP: i16 = 1;

fn gzip(data: &[u8]) -> Bytes {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing into memory cannot fail.
    let _ = packed.write_all(data);
    packed.finish().unwrap_or_default().into()
}

fn put_record(to: &mut BytesMut, record: &Record, timestamp_delta: i64, offset_delta: i64) {
    let mut fields = BytesMut::with_capacity(record.size_bytes());
    fields.put_i8(0);
    varint::put(&mut fields, timestamp_delta);
    varint::put(&mut fields, offset_delta);
    put_optional(&mut fields, record.key.as_ref());
    put_optional(&mut fields, record.value.as_ref());
    put_length(&mut fields, record.headers.len());
    for header in &record.headers {
        put_optional(&mut fields, Some(&header.key));
        put_optional(&mut fields, header.value.as_ref());
    }
    put_length(to, fields.len());
    to.extend_from_slice(&fields);
}

fn put_optional(to: &mut BytesMut, bytes: Option<&Bytes>) {
    match bytes {
        None => varint::put(to, -1),
        Some(bytes) => {
            put_length(to, bytes.len());
            to.extend_from_slice(bytes);
        }
    }
}

fn put_length(to: &mut BytesMut, length: usize) {
    varint::put(to, i64::try_from(length).unwrap_or(i64::MAX));
}
