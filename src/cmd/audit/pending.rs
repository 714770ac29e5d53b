//! What a window alone cannot decide, until the topic or the dead letters are read once more.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::Hasher as _;

use super::report::{Difference, Discrepancy, Finding};
use super::window::Key;
use crate::kafka::dead_letter::KeptLetter;
use crate::reading::Reading;
use crate::reading::reject::{Reject, UNDECODABLE_BATCH};
use crate::record::Record;

/// So many differing messages are remembered: some fifty megabytes. Beyond that the topic is read before the audit goes
/// on.
pub(super) const MAX_DIFFERING: usize = 100_000;

/// So many refused messages are remembered: some thirty megabytes. Beyond that the dead letters are read before the audit
/// goes on.
pub(super) const MAX_REFUSED: usize = 200_000;

/// Messages of which the row has other values, until it is known whether another message brought them.
///
/// A patient's messages are in one partition, where the later one wins; but a topic may have been filled without keys,
/// and what was sent after the range that is audited may have been stored as well. So every message of the topic is
/// asked.
#[derive(Debug, Default)]
pub(super) struct Differing {
    by_key: HashMap<Key, Vec<DifferingMessage>>,
    count: usize,
}

#[derive(Debug)]
pub(super) struct DifferingMessage {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) content: ContentHash,
    /// What nobody has explained yet.
    pub(super) differences: Vec<Difference>,
}

/// A message that may explain a difference.
#[derive(Debug, Clone, Copy)]
pub(super) struct OtherMessage<'a> {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) reading: &'a Reading,
    /// Whether it is audited itself, so that a row without its values comes to light there.
    pub(super) is_audited: bool,
}

impl Differing {
    pub(super) fn add(&mut self, key: Key, message: DifferingMessage) {
        self.by_key.entry(key).or_default().push(message);
        self.count += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Drops the differences that this message of the topic explains.
    pub(super) fn explain(&mut self, other: OtherMessage<'_>) {
        let key = (other.reading.patient().clone(), other.reading.time());
        for message in self.by_key.get_mut(&key).into_iter().flatten() {
            let is_later = message.partition == other.partition && message.offset < other.offset;
            if is_later || message.partition != other.partition {
                // Between partitions there is no order: whoever brought the value that is there explains it.
                let any_value = is_later && other.is_audited;
                message.differences.retain(|difference| {
                    let brought = difference.datum.of(other.reading.signs());
                    brought.is_none() || !(any_value || brought == Some(difference.stored))
                });
            }
        }
    }

    /// After the whole topic was read: gives what nobody explained, and how many are repeats.
    pub(super) fn decide(&mut self) -> (Vec<(ContentHash, Finding)>, u64) {
        self.count = 0;
        let (mut findings, mut repeats) = (Vec::new(), 0);
        for ((patient, time), messages) in self.by_key.drain() {
            for DifferingMessage { partition, offset, content, differences } in messages {
                if differences.is_empty() {
                    repeats += 1;
                    continue;
                }
                let (patient, time) = (Some(patient.to_string()), Some(time));
                let discrepancy = Discrepancy::SignDiffers(differences);
                findings.push((content, Finding { partition, offset, patient, time, discrepancy }));
            }
        }
        (findings, repeats)
    }
}

/// Messages that are not in the table, until their dead letters are found: what is no reading, and readings whose row the
/// store has refused.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// What is wrong where there is no letter, by partition and letter.
    by_letter: HashMap<(i32, LetterKey), Vec<(ContentHash, Finding)>>,
    count: usize,
}

/// How a letter is recognised in its partition.
#[derive(Debug, PartialEq, Eq, Hash)]
enum LetterKey {
    Offset(i64),
    /// A batch that cannot be opened, by its bytes: where it seems to stand depends on where the reading began.
    Batch(ContentHash),
}

/// Key, value and headers of a message, hashed; two that differ have the same one in 2^64 cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct ContentHash(u64);

impl Refused {
    /// Remembers that `record` was refused.
    pub(super) fn add(&mut self, partition: i32, record: &Record, reject: &Reject) {
        let (content, offset) = (ContentHash::of(record), record.offset);
        let patient = record.key.as_deref().and_then(|key| Some(str::from_utf8(key).ok()?.to_owned()));
        let discrepancy = Discrepancy::NoLetter(reject.code());
        let finding = Finding { partition, offset, patient, time: None, discrepancy };
        self.look_for(letter_key(reject.code(), offset, content), content, finding);
    }

    /// Remembers that the row of a reading is not as it should be: the store may have refused it.
    pub(super) fn add_reading(&mut self, content: ContentHash, finding: Finding) {
        self.look_for(LetterKey::Offset(finding.offset), content, finding);
    }

    fn look_for(&mut self, key: LetterKey, content: ContentHash, finding: Finding) {
        self.by_letter.entry((finding.partition, key)).or_default().push((content, finding));
        self.count += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Takes a letter of the topic, and gives how many messages it stands for.
    pub(super) fn found(&mut self, letter: &KeptLetter) -> u64 {
        let content = ContentHash::of(&letter.original);
        let key = letter_key(&letter.reason, letter.offset, content);
        let Entry::Occupied(mut found) = self.by_letter.entry((letter.partition, key)) else { return 0 };
        let before = found.get().len();
        found.get_mut().retain(|(sent, _)| *sent != content);
        for (_, finding) in found.get_mut() {
            if let Discrepancy::NoLetter(reason) = finding.discrepancy {
                finding.discrepancy = Discrepancy::LetterDiffers(reason);
            }
        }
        let kept = before - found.get().len();
        if found.get().is_empty() {
            found.remove();
        }
        self.count = self.count.saturating_sub(kept);
        u64::try_from(kept).unwrap_or(u64::MAX)
    }

    /// After all letters were read: gives the messages without one.
    pub(super) fn decide(&mut self) -> Vec<Finding> {
        self.count = 0;
        self.by_letter.drain().flat_map(|(_, messages)| messages).map(|(_, finding)| finding).collect()
    }
}

fn letter_key(reason: &str, offset: i64, content: ContentHash) -> LetterKey {
    if reason == UNDECODABLE_BATCH { LetterKey::Batch(content) } else { LetterKey::Offset(offset) }
}

impl ContentHash {
    /// What a record says.
    pub(super) fn of(record: &Record) -> Self {
        let mut hasher = DefaultHasher::new();
        let headers = record.headers.iter().flat_map(|header| [Some(&header.key), header.value.as_ref()]);
        for bytes in [record.key.as_ref(), record.value.as_ref()].into_iter().chain(headers) {
            // The length stands before the bytes, so that no two records run into the same text.
            hasher.write_i64(bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX)));
            hasher.write(bytes.map_or(&[], |bytes| bytes));
        }
        Self(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::datum::{Content, Datum};
    use super::*;
    use crate::reading::{PatientId, Sign, Signs, Timestamp};
    use crate::record::BatchFault;

    fn reading(heart_rate: i32) -> Reading {
        let time = Timestamp::parse("2025-10-26T10:30:15Z").unwrap();
        let signs = Signs { heart_rate: Some(heart_rate), ..Signs::default() };
        Reading::new(PatientId::parse("P1").unwrap(), time, signs).unwrap()
    }

    /// Whether a message that says `value` explains why the row of the one at 2:10, which said 80, has 90.
    fn is_explained(partition: i32, offset: i64, value: i32, is_audited: bool) -> bool {
        let mut differing = Differing::default();
        let key = (reading(80).patient().clone(), reading(80).time());
        let (sent, stored) = (Content::Number(80.0), Content::Number(90.0));
        let differences = vec![Difference { datum: Datum::Sign(Sign::HeartRate), sent, stored }];
        let content = ContentHash::default();
        differing.add(key, DifferingMessage { partition: 2, offset: 10, content, differences });
        differing.explain(OtherMessage { partition, offset, reading: &reading(value), is_audited });
        let (findings, repeats) = differing.decide();
        assert_eq!(findings.len() + usize::try_from(repeats).unwrap(), 1);
        assert_eq!(differing.len(), 0);
        findings.is_empty()
    }

    #[test]
    fn a_later_message_explains_what_it_brought_or_answers_for_it_itself_and_another_partition_what_it_brought() {
        for (partition, offset, value, is_audited, expected) in [
            (2, 11, 90, true, true),
            (2, 11, 90, false, true),
            (2, 11, 70, true, true),
            (2, 11, 70, false, false),
            // An earlier message, and the message itself.
            (2, 9, 90, true, false),
            (2, 10, 90, true, false),
            (0, 3, 90, true, true),
            (0, 30, 70, true, false),
        ] {
            let place = (partition, offset, value, is_audited);
            assert_eq!(is_explained(partition, offset, value, is_audited), expected, "{place:?}");
        }
    }

    fn record(offset: i64, value: &'static str) -> Record {
        let (key, value) = (Some(Bytes::from_static(b"P1")), Some(Bytes::from_static(value.as_bytes())));
        Record { offset, timestamp_ms: 0, key, value, headers: Vec::new(), fault: None }
    }

    fn letter(partition: i32, reject: &Reject, original: Record) -> KeptLetter {
        let (reason, topic) = (reject.code().to_owned(), "t".to_owned());
        KeptLetter { reason, topic, partition, offset: original.offset, original }
    }

    /// What is found of the refused message "{" at 2:41 where there is this letter.
    fn code(partition: i32, offset: i64, value: &'static str) -> Option<&'static str> {
        let mut refused = Refused::default();
        refused.add(2, &record(41, "{"), &Reject::NotUtf8);
        let kept = refused.found(&letter(partition, &Reject::NotUtf8, record(offset, value)));
        let findings = refused.decide();
        assert_eq!(findings.len() + usize::try_from(kept).unwrap(), 1);
        findings.first().map(|finding| finding.discrepancy.code())
    }

    #[test]
    fn a_letter_is_that_of_the_message_at_its_place_with_its_content() {
        assert_eq!(code(2, 41, "{"), None);
        assert_eq!(code(1, 41, "{"), Some("no_letter"));
        assert_eq!(code(2, 40, "{"), Some("no_letter"));
        assert_eq!(code(2, 41, "}"), Some("letter_differs"));
    }

    #[test]
    fn a_batch_is_found_by_its_bytes_from_wherever_it_was_read() {
        let reject = Reject::Batch(BatchFault::Checksum);
        let mut refused = Refused::default();
        refused.add(2, &record(44, "batch"), &reject);
        assert_eq!(refused.found(&letter(2, &reject, record(40, "other"))), 0);
        assert_eq!(refused.found(&letter(2, &reject, record(40, "batch"))), 1);
        assert_eq!(refused.len(), 0);
    }
}
