//! Record batches: as they come, and as the records of a batch whose header and checksum are right. The first byte is the
//! codec, the second the count.
#![no_main]

use bytes::{BufMut, Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use vitals::kafka::records::decode;

/// A batch with these attributes and records.
fn batch(codec: u8, count: u8, records: &[u8]) -> Bytes {
    let mut checked = BytesMut::new();
    checked.put_i16(i16::from(codec & 0b1111));
    checked.put_i32(i32::from(count).saturating_sub(1));
    checked.put_i64(1_000);
    checked.put_i64(2_000);
    checked.put_i64(-1);
    checked.put_i16(-1);
    checked.put_i32(-1);
    checked.put_i32(i32::from(count));
    checked.extend_from_slice(records);
    let mut batch = BytesMut::new();
    batch.put_i64(7);
    batch.put_i32(i32::try_from(checked.len() + 9).expect("an input is short"));
    batch.put_i32(0);
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.extend_from_slice(&checked);
    batch.freeze()
}

fuzz_target!(|content: &[u8]| {
    let _ = decode(Bytes::copy_from_slice(content), 0);
    if let [codec, count, records @ ..] = content {
        let decoded = decode(batch(*codec, *count, records), 7);
        assert!(decoded.next_offset.is_some(), "reading goes on behind a whole batch");
    }
});
