//! A dead letter as it lies in its topic: the record that was refused, and headers that say where it stood and why.
//!
//! What the topic does not take as one record lies there in `parts`.

mod parts;

pub use self::parts::{Joiner, Unfinished};
pub(super) use self::parts::{cut, would_be_misread};
use crate::record::{Header, Record};

/// The code of the reason for which it was refused.
const REASON: &str = "vitals.reason";
/// The topic that it was read from.
const TOPIC: &str = "vitals.topic";
/// The partition that it was read from, as decimal text.
const PARTITION: &str = "vitals.partition";
/// Its offset there, as decimal text.
const OFFSET: &str = "vitals.offset";

/// A dead letter that was read back. Topic, partition and offset identify it; it may be there several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLetter {
    /// The code of the reason for which it was refused.
    pub reason: String,
    /// The topic that it was read from.
    pub topic: String,
    /// The partition that it was read from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// The record that was refused: its key, value and headers. Its offset is the one above, and its time that of the
    /// letter where nothing tells its own.
    pub original: Record,
}

/// A record of a dead-letter topic: a whole letter, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    letter: KeptLetter,
    share: Option<parts::Share>,
}

impl Piece {
    /// Reads a record of a dead-letter topic; `None` where it is no letter of ours.
    pub fn read(record: &Record) -> Option<Self> {
        let letter = KeptLetter::read(record)?;
        Some(Self { share: parts::Share::read(&letter.original), letter })
    }

    /// The letter, which of a part has everything but what was refused: for that, [join](Joiner::join) it.
    pub fn letter(&self) -> &KeptLetter {
        &self.letter
    }

    /// Which part it is, and of how many; `None` for a whole letter.
    pub fn part(&self) -> Option<(u32, u32)> {
        self.share.as_ref().map(|share| (share.part, share.parts))
    }
}

impl KeptLetter {
    fn read(record: &Record) -> Option<Self> {
        let reason = text(record, REASON)?;
        let topic = text(record, TOPIC)?;
        let partition = text(record, PARTITION)?.parse().ok()?;
        let offset = text(record, OFFSET)?.parse().ok()?;
        let mut original = Record { offset, ..record.clone() };
        for name in [REASON, TOPIC, PARTITION, OFFSET] {
            if let Some(place) = place(&original, name) {
                original.headers.remove(place);
            }
        }
        Some(Self { reason, topic, partition, offset, original })
    }
}

/// How many headers make a letter of a record.
pub(super) const MARKS: usize = 4;

/// The headers that make a letter of a record.
pub(super) fn headers(reason: &str, topic: &str, partition: i32, offset: i64) -> [Header; MARKS] {
    [
        header(REASON, reason.to_owned()),
        header(TOPIC, topic.to_owned()),
        header(PARTITION, partition.to_string()),
        header(OFFSET, offset.to_string()),
    ]
}

fn header(name: &'static str, value: String) -> Header {
    Header { key: name.into(), value: Some(value.into()) }
}

/// Where a header stands. A letter that was a letter before has it twice; the last one is its own.
fn place(record: &Record, name: &str) -> Option<usize> {
    record.headers.iter().rposition(|header| header.key == name.as_bytes())
}

fn text(record: &Record, name: &str) -> Option<String> {
    let header = record.headers.get(place(record, name)?)?;
    String::from_utf8(header.value.as_ref()?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn kept(headers: Vec<Header>) -> Record {
        let value = Some(Bytes::from_static(b"{"));
        Record { offset: 7, timestamp_ms: 5, key: None, value, headers, fault: None }
    }

    #[test]
    fn a_letter_gives_back_what_was_refused_and_from_where() {
        let own = Header { key: Bytes::from_static(b"\xff"), value: None };
        let record = kept([vec![own.clone()], headers("not_json", "t", 2, 41).to_vec()].concat());
        let letter = KeptLetter::read(&record).unwrap();
        assert_eq!((letter.reason.as_str(), letter.topic.as_str()), ("not_json", "t"));
        assert_eq!((letter.partition, letter.offset), (2, 41));
        assert_eq!(letter.original, Record { offset: 41, ..kept(vec![own]) });
    }

    #[test]
    fn a_letter_that_was_a_letter_before_keeps_what_it_had() {
        let before = headers("not_json", "t", 2, 41).to_vec();
        let record = kept([before.clone(), headers("no_sign", "t.dlq", 0, 3).to_vec()].concat());
        let letter = KeptLetter::read(&record).unwrap();
        assert_eq!((letter.reason.as_str(), letter.offset), ("no_sign", 3));
        assert_eq!(letter.original.headers, before);
    }

    #[test]
    fn what_does_not_say_where_it_stood_is_no_letter() {
        assert_eq!(KeptLetter::read(&kept(Vec::new())), None);
        let mut strange = headers("not_json", "t", 2, 41);
        strange[3].value = Some(Bytes::from_static(b"last"));
        assert_eq!(KeptLetter::read(&kept(strange.to_vec())), None);
    }

    /// Headers as anybody may send them: ours, and others, with any value.
    fn any_headers() -> impl Strategy<Value = Vec<Header>> {
        let own =
            prop::sample::select(vec![REASON, TOPIC, PARTITION, OFFSET]).prop_map(|name| name.as_bytes().to_vec());
        let key = prop_oneof![own, prop::collection::vec(any::<u8>(), 0..20)];
        let number = any::<i64>().prop_map(|number| number.to_string().into_bytes());
        let value = prop::option::of(prop_oneof![number, prop::collection::vec(any::<u8>(), 0..20)]);
        let header = (key, value).prop_map(|(key, value)| Header { key: key.into(), value: value.map(Bytes::from) });
        prop::collection::vec(header, 0..8)
    }

    proptest! {
        #[test]
        fn whatever_the_headers_it_is_a_letter_or_none(headers in any_headers()) {
            let count = headers.len();
            if let Some(letter) = KeptLetter::read(&kept(headers)) {
                prop_assert_eq!(letter.original.headers.len(), count - 4);
            }
        }
    }
}
