//! Messages that are not in the table, until their dead letters are found: what is no reading, and readings whose row the
//! store has refused.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::Hasher as _;

use super::report::{Discrepancy, Finding};
use crate::kafka::letter::KeptLetter;
use crate::reading::reject::{Reject, UNDECODABLE_BATCH};
use crate::record::Record;

/// So many are remembered: some thirty megabytes. Beyond that the dead letters are read before the audit goes on.
pub(super) const MAX_REFUSED: usize = 200_000;

/// Messages whose letters are looked for.
#[derive(Debug, Default)]
pub(super) struct Refused {
    by_letter: HashMap<(i32, LetterKey), Vec<WithoutLetter>>,
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

#[derive(Debug)]
struct WithoutLetter {
    content: ContentHash,
    /// Whether a letter of its offset was found, with another content.
    has_other: bool,
    /// What is wrong where there is no letter.
    finding: Finding,
}

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
        let messages = self.by_letter.entry((finding.partition, key)).or_default();
        messages.push(WithoutLetter { content, has_other: false, finding });
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
        found.get_mut().retain(|message| message.content != content);
        found.get_mut().iter_mut().for_each(|message| message.has_other = true);
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
        let messages = self.by_letter.drain().flat_map(|(_, messages)| messages);
        messages
            .map(|WithoutLetter { mut finding, has_other, .. }| {
                if let Discrepancy::NoLetter(reason) = finding.discrepancy
                    && has_other
                {
                    finding.discrepancy = Discrepancy::LetterDiffers(reason);
                }
                finding
            })
            .collect()
    }
}

fn letter_key(reason: &str, offset: i64, content: ContentHash) -> LetterKey {
    if reason == UNDECODABLE_BATCH { LetterKey::Batch(content) } else { LetterKey::Offset(offset) }
}

impl ContentHash {
    /// What a record says.
    pub(super) fn of(record: &Record) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut add = |bytes: Option<&[u8]>| {
            // The length stands before the bytes, so that no two records run into the same text.
            hasher.write_i64(bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX)));
            hasher.write(bytes.unwrap_or_default());
        };
        add(record.key.as_deref());
        add(record.value.as_deref());
        for header in &record.headers {
            add(Some(&header.key));
            add(header.value.as_deref());
        }
        Self(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::record::BatchFault;

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
