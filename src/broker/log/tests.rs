//! A log gives back what it took, after a crash too.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::record::Record;

fn record(value: &str, time_ms: i64) -> Record {
    Record {
        offset: 0,
        timestamp_ms: time_ms,
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Vec::new(),
        fault: None,
    }
}

fn batch(values: &[&str]) -> Bytes {
    timed(values, 1_000)
}

fn timed(values: &[&str], time_ms: i64) -> Bytes {
    let records: Vec<_> = values.iter().map(|value| record(value, time_ms)).collect();
    records::encode(&records, usize::MAX)
}

/// The batch of an idempotent producer.
fn numbered(values: &[&str], producer: i64, epoch: i16, sequence: i32) -> Bytes {
    let plain = batch(values);
    let mut checked = BytesMut::from(&plain[21..]);
    checked[22..30].copy_from_slice(&producer.to_be_bytes());
    checked[30..32].copy_from_slice(&epoch.to_be_bytes());
    checked[32..36].copy_from_slice(&sequence.to_be_bytes());
    let mut whole = BytesMut::from(&plain[..17]);
    whole.put_u32(crc32c::crc32c(&checked));
    whole.extend_from_slice(&checked);
    whole.freeze()
}

fn open(folder: &Path) -> PartitionLog {
    PartitionLog::open(folder, LogLimits::default()).expect("opened")
}

fn small(folder: &Path) -> PartitionLog {
    PartitionLog::open(folder, LogLimits { segment_bytes: 200, ..LogLimits::default() }).expect("opened")
}

/// A log in a folder of its own.
fn fresh(open: fn(&Path) -> PartitionLog) -> (tempfile::TempDir, PartitionLog) {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    (dir, log)
}

fn read(log: &PartitionLog, offset: i64, max_bytes: usize) -> Result<Bytes, ResponseError> {
    log.read(offset, max_bytes, &Buffers::default())
}

fn values(log: &PartitionLog, mut from: i64) -> Vec<String> {
    let mut values = Vec::new();
    while from < log.end_offset() {
        let decoded = records::decode(read(log, from, 300).expect("read"), from);
        for record in &decoded.records {
            values.push(String::from_utf8_lossy(record.value.as_ref().expect("value")).into_owned());
        }
        from = decoded.next_offset.expect("a whole batch");
    }
    values
}

#[test]
fn records_get_the_next_offsets_and_come_back() {
    let (_dir, mut log) = fresh(open);
    assert_eq!(log.append(&batch(&["a", "b"])).expect("taken"), Appended { base_offset: 0, last_offset: 1 });
    let two = [&batch(&["c"])[..], &batch(&["d", "e"])[..]].concat();
    assert_eq!(log.append(&two.into()).expect("taken"), Appended { base_offset: 2, last_offset: 4 });
    assert_eq!(values(&log, 0), ["a", "b", "c", "d", "e"]);
    assert_eq!(values(&log, 3), ["d", "e"]);
    assert_eq!(read(&log, 5, 100).expect("the end"), Bytes::new());
    assert_eq!(read(&log, 6, 100), Err(ResponseError::OffsetOutOfRange));
}

#[test]
fn a_read_gives_one_whole_batch_at_least_and_no_more_than_asked_for() {
    let (_dir, mut log) = fresh(open);
    let one = batch(&["a"]);
    for _ in 0..3 {
        log.append(&one).expect("taken");
    }
    assert_eq!(read(&log, 0, 1).expect("read").len(), one.len());
    assert_eq!(log.read(0, 2 * one.len() + 5, &Buffers::default()).expect("read").len(), 2 * one.len());
}

#[test]
fn records_that_are_not_on_the_disk_are_not_read_where_they_have_to_be() {
    let dir = tempfile::tempdir().expect("folder");
    let limits = LogLimits { shows_unsynced: false, segment_bytes: 200, ..LogLimits::default() };
    let mut log = PartitionLog::open(dir.path(), limits).expect("opened");
    log.append(&batch(&["a"])).expect("taken");
    log.sync().expect("on the disk");
    log.append(&batch(&["b"])).expect("taken");
    assert_eq!(log.end_offset(), 1);
    assert_eq!(values(&log, 0), ["a"]);
    assert_eq!(read(&log, 1, 1_000).expect("the end"), Bytes::new());
    assert_eq!(log.offset_for_time(500), Some((0, 1_000)));
    log.sync().expect("on the disk");
    assert_eq!(values(&log, 0), ["a", "b"]);
    // What is there when it is opened is brought to the disk first.
    log.append(&batch(&["c"])).expect("taken");
    assert_eq!(values(&PartitionLog::open(dir.path(), limits).expect("opened"), 0), ["a", "b", "c"]);
}

#[test]
fn broken_and_oversized_batches_leave_nothing_behind() {
    let (_dir, mut log) = fresh(open);
    let mut broken = batch(&["a"]).to_vec();
    *broken.last_mut().expect("bytes") ^= 1;
    assert_eq!(log.append(&broken.into()), Err(ResponseError::CorruptMessage));
    assert_eq!(log.append(&Bytes::new()), Err(ResponseError::CorruptMessage));
    assert_eq!(log.append(&batch(&["a"]).slice(..65)), Err(ResponseError::CorruptMessage));
    let large = "x".repeat(1_100_000);
    assert_eq!(log.append(&batch(&[&large])), Err(ResponseError::MessageTooLarge));
    let second_broken = [&batch(&["a"])[..], b"rest"].concat();
    assert_eq!(log.append(&second_broken.into()), Err(ResponseError::CorruptMessage));
    assert_eq!(log.end_offset(), 0);
}

#[test]
fn a_torn_end_is_cut_off_wherever_it_is_torn_and_the_log_goes_on_behind_it() {
    let (dir, mut log) = fresh(open);
    log.append(&batch(&["a"])).expect("taken");
    log.append(&batch(&["b"])).expect("taken");
    drop(log);
    let path = dir.path().join("00000000000000000000.log");
    let whole = std::fs::read(&path).expect("read");
    for cut in whole.len() / 2..whole.len() {
        std::fs::write(&path, &whole[..cut]).expect("torn");
        let mut log = open(dir.path());
        assert_eq!(values(&log, 0), ["a"], "cut at {cut}");
        assert_eq!(log.append(&batch(&["c"])).expect("taken").base_offset, 1);
        assert_eq!(values(&open(dir.path()), 0), ["a", "c"]);
    }
}

#[test]
fn a_full_segment_gets_a_successor_and_reading_goes_across() {
    let dir = tempfile::tempdir().expect("folder");
    let (log, sent) = several_segments(dir.path());
    assert!(std::fs::read_dir(dir.path()).expect("folder").count() > 5);
    assert_eq!(values(&log, 0), sent);
    assert_eq!(values(&small(dir.path()), 7), sent[7..]);
}

#[test]
fn retention_drops_the_oldest_segments_by_time_and_by_size_and_never_the_last() {
    let (dir, mut log) = fresh(small);
    for time in 0..20 {
        log.append(&timed(&["some value"], time * 1_000)).expect("taken");
    }
    log.retain(25_000, Some(15_000), None).expect("retained");
    let start = log.start_offset();
    assert!(start > 0 && start <= 10, "{start}");
    assert_eq!(read(&log, start - 1, 100), Err(ResponseError::OffsetOutOfRange));
    log.retain(25_000, None, Some(0)).expect("retained");
    assert!(log.start_offset() > start && log.start_offset() < log.end_offset());
    assert_eq!(small(dir.path()).start_offset(), log.start_offset());
}

#[test]
fn where_all_that_there_is_is_too_old_all_of_it_goes_and_the_offsets_go_on() {
    let (dir, mut log) = fresh(open);
    log.append(&timed(&["a", "b"], 1_000)).expect("taken");
    log.append(&timed(&["c"], 9_000)).expect("taken");
    log.retain(20_000, Some(15_000), None).expect("retained");
    assert_eq!((log.start_offset(), log.end_offset()), (0, 3), "one of its records is young enough");
    log.retain(30_000, Some(15_000), None).expect("retained");
    log.retain(30_000, Some(15_000), None).expect("nothing is left to go");
    let mut log = open(dir.path());
    assert_eq!((log.start_offset(), log.end_offset()), (3, 3));
    assert_eq!(read(&log, 0, 100), Err(ResponseError::OffsetOutOfRange));
    assert_eq!(log.append(&timed(&["d"], 31_000)).expect("taken").base_offset, 3);
    assert_eq!(values(&log, 3), ["d"]);
}

#[test]
fn a_repeat_of_an_idempotent_producer_is_not_appended_twice_also_after_a_restart() {
    let (dir, mut log) = fresh(open);
    let first = numbered(&["a", "b"], 7, 0, 0);
    assert_eq!(log.append(&first).expect("taken").base_offset, 0);
    assert_eq!(log.append(&numbered(&["c"], 7, 0, 2)).expect("taken").base_offset, 2);
    let mut log = open(dir.path());
    assert_eq!(log.append(&first).expect("known"), Appended { base_offset: 0, last_offset: 1 });
    assert_eq!(log.append(&numbered(&["x"], 7, 0, 9)), Err(ResponseError::OutOfOrderSequenceNumber));
    assert_eq!(log.append(&numbered(&["d"], 7, 1, 0)).expect("a new epoch").base_offset, 3);
    assert_eq!(log.append(&numbered(&["x"], 7, 0, 3)), Err(ResponseError::InvalidProducerEpoch));
    assert_eq!(log.end_offset(), 4);
}

#[test]
fn the_first_record_of_a_time_is_found() {
    let (_dir, mut log) = fresh(small);
    for time in [1_000, 2_000, 1_500, 4_000, 5_000] {
        log.append(&records::encode(&[record("x", time), record("y", time + 100)], usize::MAX)).expect("taken");
    }
    assert_eq!(log.offset_for_time(0), Some((0, 1_000)));
    assert_eq!(log.offset_for_time(1_050), Some((1, 1_100)));
    assert_eq!(log.offset_for_time(2_050), Some((3, 2_100)));
    assert_eq!(log.offset_for_time(2_200), Some((6, 4_000)));
    assert_eq!(log.offset_for_time(9_000), None);
}

/// A log of several small segments, each of several batches, with the values that it holds.
fn several_segments(folder: &Path) -> (PartitionLog, Vec<String>) {
    let mut log = small(folder);
    let sent: Vec<_> = (0..20).map(|number| format!("value {number}")).collect();
    for value in &sent {
        log.append(&batch(&[value])).expect("taken");
    }
    (log, sent)
}

/// Where the second segment begins.
fn second_base(folder: &Path) -> i64 {
    let names = std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path());
    let mut bases: Vec<_> = names.filter_map(|path| segment::base_of(&path)).collect();
    bases.sort_unstable();
    bases[1]
}

#[test]
fn a_flaw_in_a_closed_segment_costs_no_more_than_what_stands_behind_it_there() {
    let dir = tempfile::tempdir().expect("folder");
    let (_, sent) = several_segments(dir.path());
    let next = second_base(dir.path());
    let path = dir.path().join(format!("{:020}.log", 0));
    let whole = std::fs::read(&path).expect("read");
    let second = batch(&["value 0"]).len();
    assert!(next > 1 && whole.len() > second);
    // The second batch's base offset, length, magic number, last offset delta and count.
    for byte in [7, 8, 16, 26, 60] {
        let mut flawed = whole.clone();
        flawed[second + byte] ^= 1;
        std::fs::write(&path, &flawed).expect("written");
        let log = small(dir.path());
        assert_eq!(std::fs::read(&path).expect("read"), flawed, "byte {byte}");
        assert_eq!((log.start_offset(), log.end_offset()), (0, 20));
        assert_eq!(read(&log, 0, 1).expect("before the flaw").len(), second);
        assert_eq!(read(&log, 1, 300), Err(ResponseError::KafkaStorageError));
        assert_eq!(values(&log, next), sent[usize::try_from(next).expect("offset")..]);
    }
}

#[test]
fn a_bad_bit_in_a_record_of_a_closed_segment_is_left_to_the_reader_to_find() {
    let dir = tempfile::tempdir().expect("folder");
    several_segments(dir.path());
    let path = dir.path().join(format!("{:020}.log", 0));
    let mut flawed = std::fs::read(&path).expect("read");
    flawed[70] ^= 1;
    std::fs::write(&path, &flawed).expect("written");
    let log = small(dir.path());
    assert_eq!(std::fs::read(&path).expect("read"), flawed);
    let data = read(&log, 0, 1).expect("read");
    assert_eq!(batch::read_sound(&data), None);
}

#[test]
fn a_segment_that_reaches_into_the_next_one_is_an_error_and_both_stay() {
    let (dir, mut log) = fresh(open);
    for value in ["a", "b"] {
        log.append(&batch(&[value])).expect("taken");
    }
    drop(log);
    let path = dir.path().join(format!("{:020}.log", 1));
    std::fs::write(&path, b"anything").expect("written");
    let error = PartitionLog::open(dir.path(), LogLimits::default()).expect_err("overlapping");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(std::fs::read(&path).expect("there"), b"anything");
}

#[test]
fn a_batch_of_an_idempotent_producer_comes_alone_or_is_refused() {
    let (_dir, mut log) = fresh(open);
    let first = numbered(&["a"], 7, 0, 0);
    log.append(&first).expect("taken");
    for behind in [numbered(&["b"], 7, 0, 1), batch(&["b"])] {
        let both = [&first[..], &behind[..]].concat();
        assert_eq!(log.append(&both.into()), Err(ResponseError::CorruptMessage));
    }
    let both = [&numbered(&["b"], 7, 0, 1)[..], &numbered(&["c"], 7, 0, 2)[..]].concat();
    assert_eq!(log.append(&both.into()), Err(ResponseError::CorruptMessage));
    assert_eq!(log.end_offset(), 1);
    assert_eq!(log.append(&numbered(&["b"], 7, 0, 1)).expect("alone").base_offset, 1);
}

#[test]
fn records_without_a_time_are_as_old_as_their_file() {
    let (_dir, mut log) = fresh(small);
    for _ in 0..10 {
        log.append(&timed(&["some value"], -1)).expect("taken");
    }
    let now_ms = chrono::Utc::now().timestamp_millis();
    log.retain(now_ms, Some(604_800_000), None).expect("retained");
    assert_eq!(log.start_offset(), 0);
    log.retain(now_ms + 700_000_000, Some(604_800_000), None).expect("retained");
    assert!(log.start_offset() > 0);
}

#[test]
fn only_files_named_with_twenty_digits_are_segments() {
    let dir = tempfile::tempdir().expect("folder");
    let strays = ["5.log", "-5.log", "9223372036854775807.log", "-0000000000000000005.log", "+0000000000000000005.log"];
    for name in strays {
        std::fs::write(dir.path().join(name), b"stray").expect("written");
    }
    let mut log = open(dir.path());
    assert_eq!(log.append(&batch(&["a", "b"])).expect("taken").base_offset, 0);
    assert_eq!(values(&open(dir.path()), 0), ["a", "b"]);
    for name in strays {
        assert_eq!(std::fs::read(dir.path().join(name)).expect("left alone"), b"stray");
    }
}

#[test]
fn every_offset_of_a_large_segment_is_found_also_after_a_restart() {
    let (dir, mut log) = fresh(open);
    for number in 0..500_usize {
        log.append(&batch(&[&"x".repeat(number * 37 % 9_000)])).expect("taken");
    }
    for log in [log, open(dir.path())] {
        for offset in 0..500 {
            let header = batch::read_sound(&read(&log, offset, 1).expect("read")).expect("a whole batch");
            assert_eq!(header.base_offset, offset);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_appended_is_there_after_a_restart(sizes in proptest::collection::vec(1_usize..5, 1..20)) {
        let (dir, mut log) = fresh(small);
        let mut sent = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let texts: Vec<_> = (0..*size).map(|part| format!("{number}.{part}")).collect();
            log.append(&batch(&texts.iter().map(String::as_str).collect::<Vec<_>>())).expect("taken");
            sent.extend(texts);
        }
        prop_assert_eq!(values(&log, 0), sent.clone());
        prop_assert_eq!(values(&small(dir.path()), 0), sent);
    }

    #[test]
    fn no_bytes_in_a_segment_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::write(dir.path().join("00000000000000000000.log"), bytes).expect("written");
        let mut log = open(dir.path());
        log.append(&batch(&["a"])).expect("taken");
        prop_assert_eq!(values(&log, log.start_offset()), ["a"]);
    }
}
