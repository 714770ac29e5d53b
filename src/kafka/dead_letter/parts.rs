//! A letter that its topic does not take as one record: cut into numbered parts, and joined again.
//!
//! What is cut is the refused record as a record batch, the format of Kafka's own logs: that has its key, value, headers
//! and time, and a checksum. Each part carries the headers of a letter, its number, and what tells the batch from others:
//! parts may be missing, may be there twice, and may stand between those of other letters.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{KeptLetter, MARKS, Piece, header, text};
use crate::kafka::records::{self, MAX_BATCH_HEADERS};
use crate::record::{Header, Record};

/// Which part it is, from 1, as decimal text.
const PART: &str = "vitals.part";
/// How many parts there are, as decimal text.
const PARTS: &str = "vitals.parts";
/// What the parts of one batch have in common: its checksum and length.
const WHOLE: &str = "vitals.whole";

/// What lengths inside of a batch may add when its record gets a value.
const LENGTHS_BYTES: usize = 16;
/// A topic that leaves less room beside the headers is no place for letters.
const MIN_ROOM_BYTES: usize = 64;

/// Whether a letter that is kept as one record would be read as something else: as a part, or as no record.
pub(in crate::kafka) fn would_be_misread(record: &Record) -> bool {
    record.headers.iter().any(|header| header.key == PART.as_bytes())
        || record.headers.len() + MARKS > MAX_BATCH_HEADERS
}

/// Cuts the batch `whole` of a refused record into parts, which as batches take `max_bytes` at most. The cuts follow
/// from their number, so that parts of different attempts fit each other. `None` where that leaves no room.
pub(in crate::kafka) fn cut(whole: &Bytes, marks: &[Header; MARKS], max_bytes: usize) -> Option<Vec<Record>> {
    let name = format!("{:08x}-{}", crc32c::crc32c(whole), whole.len());
    let part = |number: usize, of: usize, value: Bytes| {
        let mut headers =
            vec![header(PART, number.to_string()), header(PARTS, of.to_string()), header(WHOLE, name.clone())];
        headers.extend_from_slice(marks);
        let place: Vec<_> = marks.iter().filter_map(|mark| mark.value.as_deref()).collect();
        // A topic that is compacted wants a key, and keeps each part by it. It takes a record without a time at any time.
        let key = [&place.join(&b'/'), format!("/{name}/{number}").as_bytes()].concat();
        Record { offset: 0, timestamp_ms: -1, key: Some(key.into()), value: Some(value), headers, fault: None }
    };
    let empty = records::encode(&[part(whole.len(), whole.len(), Bytes::new())], usize::MAX);
    let room = max_bytes.checked_sub(empty.len() + LENGTHS_BYTES).filter(|room| *room >= MIN_ROOM_BYTES)?;
    let size = whole.len().div_ceil(whole.len().div_ceil(room).max(1)).max(1);
    let starts = (0..whole.len()).step_by(size);
    let count = starts.len();
    let value = |start: usize| whole.slice(start..whole.len().min(start + size));
    Some(starts.enumerate().map(|(at, start)| part(at + 1, count, value(start))).collect())
}

/// What a part says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) part: u32,
    pub(super) parts: u32,
    whole: String,
}

impl Share {
    pub(super) fn read(record: &Record) -> Option<Self> {
        let number = |name| text(record, name)?.parse().ok();
        let (part, parts) = (number(PART)?, number(PARTS)?);
        let whole = text(record, WHOLE)?;
        ((1..=parts).contains(&part) && whole.len() <= MAX_WHOLE_BYTES).then_some(Self { part, parts, whole })
    }
}

/// The longest name of a whole: what is held by it is counted without it.
const MAX_WHOLE_BYTES: usize = 32;

/// What is held of letters in parts: some of the largest messages that are read.
const HELD_BYTES: usize = 256 * 1024 * 1024;
/// What a part takes in memory beside its bytes, about.
const PART_COST_BYTES: usize = 128;

/// Joins parts, in whatever order they come.
#[derive(Debug, Default)]
pub struct Joiner {
    open: BTreeMap<Name, BTreeMap<u32, Bytes>>,
    held_bytes: usize,
    /// How many letters were given up: they had to make room for others, or somebody has changed their parts.
    pub given_up: u64,
}

/// What parts of one whole have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    topic: String,
    partition: i32,
    offset: i64,
    parts: u32,
    whole: String,
}

/// A letter of which parts are missing.
#[allow(missing_docs, reason = "each field says what it is")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    pub partition: i32,
    pub offset: i64,
    pub found: usize,
    /// How many there should be.
    pub parts: u32,
}

impl Joiner {
    /// Gives the letter that the piece is, or that it is the last part of.
    pub fn join(&mut self, piece: Piece) -> Option<KeptLetter> {
        let Piece { letter, share } = piece;
        let Some(Share { part, parts, whole }) = share else { return Some(letter) };
        let KeptLetter { reason, topic, partition, offset, original } = letter;
        let name = Name { topic: topic.clone(), partition, offset, parts, whole };
        let held = self.open.entry(name.clone()).or_default();
        // A copy: a slice would hold on to its whole fetch.
        let value = Bytes::copy_from_slice(original.value.as_deref().unwrap_or_default());
        self.held_bytes += cost(&value);
        if let Some(repeated) = held.insert(part, value) {
            self.held_bytes -= cost(&repeated);
        }
        if u32::try_from(held.len()).unwrap_or(u32::MAX) < parts {
            self.make_room();
            return None;
        }
        let record = opened(&self.drop_parts(&name));
        self.given_up += u64::from(record.is_none());
        let record = record?;
        Some(KeptLetter { reason, topic, partition, offset, original: Record { offset, ..record } })
    }

    /// Letters of which not all parts have come, without those that were given up.
    pub fn unfinished(&self) -> impl Iterator<Item = Unfinished> {
        self.open.iter().map(|(name, held)| {
            let Name { partition, offset, parts, .. } = *name;
            Unfinished { partition, offset, found: held.len(), parts }
        })
    }

    fn make_room(&mut self) {
        while self.held_bytes > HELD_BYTES
            && let Some(name) = self.open.keys().next().cloned()
        {
            self.drop_parts(&name);
            self.given_up += 1;
        }
    }

    fn drop_parts(&mut self, name: &Name) -> BTreeMap<u32, Bytes> {
        let parts = self.open.remove(name).unwrap_or_default();
        self.held_bytes -= parts.values().map(cost).sum::<usize>();
        parts
    }
}

fn cost(value: &Bytes) -> usize {
    PART_COST_BYTES + value.len()
}

/// The record that parts hold together; none where somebody has changed them.
fn opened(parts: &BTreeMap<u32, Bytes>) -> Option<Record> {
    let whole = parts.values().map(|part| &part[..]).collect::<Vec<_>>().concat();
    let mut records = records::decode(whole.into(), 0).records;
    let record = records.pop().filter(|record| record.fault.is_none())?;
    records.is_empty().then_some(record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kafka::dead_letter::headers;

    fn any_bytes() -> impl Strategy<Value = Option<Bytes>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..3_000).prop_map(Bytes::from))
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let header = (any_bytes(), any_bytes());
        let header = header.prop_map(|(key, value)| Header { key: key.unwrap_or_default(), value });
        let fields = (any_bytes(), any_bytes(), prop::collection::vec(header, 0..3), -1..2_000_000_000_000_i64);
        fields.prop_map(|(key, value, headers, timestamp_ms)| Record {
            offset: 41,
            timestamp_ms,
            key,
            value,
            headers,
            fault: None,
        })
    }

    fn pieces(record: &Record, offset: i64, max_bytes: usize) -> Vec<Piece> {
        // Compressed or not, the parts have to fit.
        let whole = records::encode(std::slice::from_ref(record), 4_000);
        let parts = cut(&whole, &headers("not_json", "t", 2, offset), max_bytes).unwrap();
        for part in &parts {
            assert!(records::encode(std::slice::from_ref(part), usize::MAX).len() <= max_bytes);
        }
        parts.iter().map(|part| Piece::read(part).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn parts_are_joined_byte_for_byte_whatever_stands_between_them(
            (record, other) in (any_record(), any_record()),
            max_bytes in 400_usize..5_000,
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let mut parts = pieces(&record, 41, max_bytes);
            parts.extend(pieces(&other, 42, max_bytes));
            parts.extend(pieces(&record, 41, max_bytes + 100));
            let twice = order.iter().map(|at| at.get(&parts).clone()).collect::<Vec<_>>();
            parts.extend(twice);
            for (at, to) in order.iter().enumerate() {
                let (at, to) = (at % parts.len(), to.index(parts.len()));
                parts.swap(at, to);
            }
            let mut joiner = Joiner::default();
            let joined: Vec<_> = parts.into_iter().filter_map(|part| joiner.join(part)).collect();
            let of = |offset| joined.iter().filter(move |letter| letter.offset == offset);
            prop_assert!(of(41).count() > 0 && of(42).count() > 0);
            prop_assert!(of(41).all(|letter| letter.original == record && letter.reason == "not_json"));
            let other = Record { offset: 42, ..other };
            prop_assert!(of(42).all(|letter| letter.original == other));
        }

        #[test]
        fn without_one_of_its_parts_there_is_no_letter(record in any_record(), missing in any::<prop::sample::Index>()) {
            let mut parts = pieces(&record, 41, 400);
            let count = parts.len();
            parts.remove(missing.index(count));
            let mut joiner = Joiner::default();
            prop_assert_eq!(parts.into_iter().find_map(|part| joiner.join(part)), None);
            let found: Vec<_> = joiner.unfinished().map(|letter| (letter.offset, letter.found)).collect();
            prop_assert_eq!(found, if count > 1 { vec![(41, count - 1)] } else { Vec::new() });
        }
    }

    #[test]
    fn a_limit_that_leaves_no_room_beside_the_headers_cuts_nothing() {
        assert_eq!(cut(&Bytes::from_static(b"batch"), &headers("not_json", "t", 2, 41), 200), None);
    }

    #[test]
    fn parts_that_somebody_has_changed_are_no_letter() {
        let record = Record { offset: 41, timestamp_ms: 0, key: None, value: None, headers: Vec::new(), fault: None };
        let [mut part] = <[Piece; 1]>::try_from(pieces(&record, 41, 400)).unwrap();
        part.letter.original.value = Some(Bytes::from_static(b"something else"));
        let mut joiner = Joiner::default();
        assert_eq!((joiner.join(part), joiner.given_up), (None, 1));
    }

    #[test]
    fn what_is_held_of_unfinished_letters_has_a_limit() {
        let part = |offset| Piece {
            letter: KeptLetter {
                reason: "not_json".to_owned(),
                topic: "t".to_owned(),
                partition: 0,
                offset,
                original: Record {
                    offset,
                    timestamp_ms: 0,
                    key: None,
                    value: Some(vec![0; HELD_BYTES / 10].into()),
                    headers: Vec::new(),
                    fault: None,
                },
            },
            share: Some(Share { part: 1, parts: 2, whole: String::new() }),
        };
        let mut joiner = Joiner::default();
        assert!((0..12).all(|offset| joiner.join(part(offset)).is_none()));
        assert!(joiner.held_bytes <= HELD_BYTES && joiner.given_up == 3, "{}", joiner.given_up);
    }
}
