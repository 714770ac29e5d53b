//! Batches that real producers write, and batches that are broken on purpose.

use std::io::Write;

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::decode::take_varint;
use super::encode::put_varint;
use super::*;
use crate::record::{BatchFault, Header, Record};

fn record(offset: i64, value: &[u8]) -> Record {
    Record {
        offset,
        timestamp_ms: 1_000 + offset,
        key: Some(Bytes::from_static(b"P001")),
        value: Some(Bytes::copy_from_slice(value)),
        headers: Vec::new(),
        fault: None,
    }
}

/// Gives an encoded batch another base offset, attributes and data, with a checksum that fits.
fn rebuilt(batch: &Bytes, base: i64, attributes: i16, data: &[u8]) -> Bytes {
    let mut checked = BytesMut::new();
    checked.put_i16(attributes);
    checked.extend_from_slice(&batch[23..61]);
    checked.extend_from_slice(data);
    let mut rebuilt = BytesMut::new();
    rebuilt.put_i64(base);
    rebuilt.put_i32(i32::try_from(checked.len() + 9).expect("length"));
    rebuilt.put_i32(0);
    rebuilt.put_i8(2);
    rebuilt.put_u32(crc32c::crc32c(&checked));
    rebuilt.extend_from_slice(&checked);
    rebuilt.freeze()
}

fn with_codec(codec: i16, compress: impl Fn(&[u8]) -> Vec<u8>) -> Bytes {
    let plain = encode(&[record(0, b"one"), record(1, b"two")], usize::MAX);
    rebuilt(&plain, 0, codec, &compress(&plain[61..]))
}

fn values(decoded: &Decoded) -> Vec<&[u8]> {
    decoded.records.iter().filter_map(|record| record.value.as_deref()).collect()
}

fn fault(batch: &Bytes) -> Option<BatchFault> {
    decode(batch.clone(), 0).records.first().and_then(|record| record.fault)
}

#[test]
fn what_was_encoded_decodes_with_strange_headers_and_null_values() {
    let strange = Record {
        key: None,
        value: None,
        headers: vec![
            Header { key: Bytes::from_static(b"\xff\xfe"), value: None },
            Header { key: Bytes::from_static(b"twice"), value: Some(Bytes::from_static(b"1")) },
            Header { key: Bytes::from_static(b"twice"), value: Some(Bytes::new()) },
        ],
        ..record(1, b"")
    };
    let records = vec![record(0, b"one"), strange];
    let decoded = decode(encode(&records, usize::MAX), 0);
    assert_eq!(decoded, Decoded { records, next_offset: Some(2) });
}

#[test]
fn a_large_batch_is_compressed_and_comes_back() {
    let records = vec![record(0, &[b'x'; 10_000]), record(1, b"two")];
    let batch = encode(&records, 1_000);
    assert!(batch.len() < 1_000);
    assert_eq!(decode(batch, 0), Decoded { records, next_offset: Some(2) });
}

#[test]
fn a_broken_batch_is_never_where_reading_stops() {
    let mut broken = encode(&[record(0, b"one"), record(1, b"two")], usize::MAX).to_vec();
    broken[70] ^= 1;
    let decoded = decode(broken.into(), 1);
    assert_eq!((decoded.records[0].offset, decoded.next_offset), (1, Some(2)));
}

#[test]
fn a_count_that_lies_is_a_fault() {
    let batch = encode(&[record(0, b"one"), record(1, b"two")], usize::MAX);
    let mut fewer = batch.to_vec();
    fewer[60] = 1;
    let fewer = rebuilt(&Bytes::from(fewer), 0, 0, &batch[61..]);
    assert_eq!(fault(&fewer), Some(BatchFault::Record));
}

#[test]
fn records_before_the_asked_for_offset_are_left_out() {
    let decoded = decode(encode(&[record(0, b"one"), record(1, b"two")], usize::MAX), 1);
    assert_eq!(values(&decoded), [b"two"]);
}

#[test]
fn a_batch_that_is_cut_waits_for_the_next_response() {
    let whole = encode(&[record(0, b"one")], usize::MAX);
    let mut data = BytesMut::from(&whole[..]);
    data.extend_from_slice(&rebuilt(&whole, 1, 0, &whole[61..])[..40]);
    let decoded = decode(data.freeze(), 0);
    assert_eq!((decoded.records.len(), decoded.next_offset), (1, Some(1)));
    assert_eq!(decode(whole.slice(..20), 0).next_offset, None);
}

#[test]
fn every_codec_is_opened() {
    let gzip = |data: &[u8]| {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        to.write_all(data).expect("write");
        to.finish().expect("finish")
    };
    let lz4 = |data: &[u8]| {
        let mut to = lz4_flex::frame::FrameEncoder::new(Vec::new());
        to.write_all(data).expect("write");
        to.finish().expect("finish")
    };
    let raw_snappy = |data: &[u8]| snap::raw::Encoder::new().compress_vec(data).expect("compress");
    let xerial = |data: &[u8]| {
        let mut to = b"\x82SNAPPY\x00\0\0\0\x01\0\0\0\x01".to_vec();
        for half in data.chunks(data.len() / 2 + 1) {
            let block = raw_snappy(half);
            to.extend_from_slice(&u32::try_from(block.len()).expect("length").to_be_bytes());
            to.extend_from_slice(&block);
        }
        to
    };
    let zstd = |data: &[u8]| ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest);
    for batch in
        [with_codec(1, gzip), with_codec(2, raw_snappy), with_codec(2, xerial), with_codec(3, lz4), with_codec(4, zstd)]
    {
        let decoded = decode(batch, 0);
        assert_eq!(values(&decoded), [b"one", b"two"]);
        assert_eq!(decoded.next_offset, Some(2));
    }
}

#[test]
fn an_unknown_codec_becomes_one_fault_with_the_whole_batch_and_reading_goes_on() {
    let batch = with_codec(6, <[u8]>::to_vec);
    let behind = rebuilt(&batch, 2, 0, &batch[61..]);
    let decoded = decode([&batch[..], &behind[..]].concat().into(), 0);
    assert_eq!(decoded.records[0].fault, Some(BatchFault::Codec(6)));
    assert_eq!(decoded.records[0].value.as_ref(), Some(&batch));
    assert_eq!((decoded.records.len(), decoded.next_offset), (3, Some(4)));
}

#[test]
fn transaction_markers_are_passed_over() {
    let marker = rebuilt(&encode(&[record(0, b"marker")], usize::MAX), 7, 0b11_0000, b"\x10\0\0\0\x08\0\0\0\0");
    assert_eq!(decode(marker, 7), Decoded { records: Vec::new(), next_offset: Some(8) });
}

#[test]
fn broken_batches_are_faults() {
    let good = encode(&[record(0, b"one")], usize::MAX);
    let mut flipped = good.to_vec();
    flipped[70] ^= 1;
    assert_eq!(fault(&flipped.into()), Some(BatchFault::Checksum));
    let mut old = good.to_vec();
    old[16] = 1;
    assert_eq!(fault(&old.into()), Some(BatchFault::Magic(1)));
    assert_eq!(fault(&rebuilt(&good, 0, 0, b"\x7e\0")), Some(BatchFault::Record));
    assert_eq!(fault(&rebuilt(&good, 0, 1, b"not gzip")), Some(BatchFault::Compression));
}

/// A batch whose data is these bytes in this codec.
fn packed(codec: i16, data: &[u8]) -> Bytes {
    rebuilt(&encode(&[record(0, b"one")], usize::MAX), 0, codec, data)
}

/// A zstd frame of zeros that says that its window is 2 TB; each block of four bytes gives 128 KiB.
fn zstd_bomb(blocks: usize) -> Vec<u8> {
    let mut frame = b"\x28\xb5\x2f\xfd\x00\xf8".to_vec();
    for block in 1..=blocks {
        let header = (0x2_0000_u32 << 3) | 0b010 | u32::from(block == blocks);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn a_compression_bomb_of_any_codec_is_a_fault_and_not_memory() {
    let zeros = vec![0; 64 * 1024];
    let pieces = || std::iter::repeat_n(&zeros[..], MAX_INFLATED_BYTES / zeros.len() + 1);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    let mut xerial = b"\x82SNAPPY\x00\0\0\0\x01\0\0\0\x01".to_vec();
    let block = snap::raw::Encoder::new().compress_vec(&zeros).expect("compress");
    for piece in pieces() {
        gzip.write_all(piece).expect("write");
        lz4.write_all(piece).expect("write");
        xerial.extend_from_slice(&u32::try_from(block.len()).expect("length").to_be_bytes());
        xerial.extend_from_slice(&block);
    }
    let raw_snappy = b"\xff\xff\xff\xff\x0f\0\0".to_vec();
    let bombs = [
        (1, gzip.finish().expect("finish")),
        (2, xerial),
        (2, raw_snappy),
        (3, lz4.finish().expect("finish")),
        (4, zstd_bomb(MAX_INFLATED_BYTES / (128 * 1024) + 20)),
    ];
    for (codec, bomb) in bombs {
        assert!(bomb.len() < 8 * 1024 * 1024, "codec {codec}");
        assert_eq!(fault(&packed(codec, &bomb)), Some(BatchFault::Inflated), "codec {codec}");
    }
}

#[test]
fn what_is_within_the_limit_is_opened_whatever_the_window_of_its_frame() {
    let opened = compression::open(4, zstd_bomb(20).into()).expect("opened");
    assert_eq!(opened.len(), 20 * 128 * 1024);
}

#[test]
fn a_record_of_nothing_but_headers_is_a_fault_and_not_memory() {
    let count = MAX_BATCH_HEADERS + 1;
    let mut fields = BytesMut::from(&b"\0\0\0\x01\x01"[..]);
    put_varint(&mut fields, i64::try_from(count).expect("fits"));
    fields.put_bytes(0, 2 * count);
    let mut data = BytesMut::new();
    put_varint(&mut data, i64::try_from(fields.len()).expect("fits"));
    data.extend_from_slice(&fields);
    assert_eq!(fault(&packed(0, &data)), Some(BatchFault::Record));
}

/// Texts as devices send them, and what no codec can make smaller.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let reading = (any::<u32>(), 0_u16..300).prop_map(|(time, rate)| {
        format!(r#"{{"patient_id":"P001","timestamp":"2026-01-01T10:00:00.{time:010}+00:00","heart_rate":{rate}}}"#)
    });
    let noise = proptest::collection::vec(any::<u8>(), 0..2_000);
    let run = (any::<u8>(), 0_usize..20_000).prop_map(|(byte, length)| vec![byte; length]);
    prop_oneof![reading.prop_map(String::into_bytes), noise, run]
}

proptest! {
    #[test]
    fn what_was_compressed_comes_back(values in proptest::collection::vec(any_value(), 1..50)) {
        let records: Vec<_> = (0..).zip(&values).map(|(offset, value)| record(offset, value)).collect();
        let plain = encode(&records, usize::MAX);
        for codec in [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Zstd] {
            let batch = encode_with(&records, codec);
            prop_assert!(batch.len() <= plain.len());
            prop_assert_eq!(&decode(batch, 0).records, &records, "{:?}", codec);
        }
    }

    #[test]
    fn numbers_come_back(value in any::<i64>()) {
        let mut bytes = BytesMut::new();
        put_varint(&mut bytes, value);
        prop_assert_eq!(take_varint(&mut bytes.freeze()), Some(value));
    }

    #[test]
    fn no_bytes_panic(data in proptest::collection::vec(any::<u8>(), 0..256), from in any::<i64>()) {
        let _ = decode(data.into(), from);
    }

    #[test]
    fn no_damaged_data_panics(at in 0_usize..120, byte in any::<u8>(), codec in 0_i16..8) {
        let mut data = encode(&[record(0, b"some value of a record"), record(1, b"two")], usize::MAX)[61..].to_vec();
        let at = at % data.len();
        data[at] = byte;
        let plain = encode(&[record(0, b"")], usize::MAX);
        let _ = decode(rebuilt(&plain, 0, codec, &data), 0);
    }
}
