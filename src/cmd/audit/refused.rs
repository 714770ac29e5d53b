//! Messages that are not in the table, until their dead letters are found: what is no reading, and readings whose row the
//! store has refused.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::Hasher as _;

use super::fault::{Fault, Finding};
use crate::kafka::dead_letter::KeptLetter;
use crate::reading::reject::Reject;
use crate::record::Record;

/// So many are kept in mind: some thirty megabytes. Beyond that the dead letters are read before the audit goes on.
pub(super) const MAX_REFUSED: usize = 200_000;

/// Messages whose letters are looked for.
#[derive(Debug, Default)]
pub(super) struct Refused {
    by_mark: HashMap<(i32, Mark), Vec<Lost>>,
    count: usize,
}

/// How a letter is recognised in its partition.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Mark {
    Offset(i64),
    /// A batch that cannot be opened, by its bytes: where it seems to stand depends on where the reading began.
    Batch(Content),
}

/// Key, value and headers of a message, hashed; two that differ have the same one in 2^64 cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Content(u64);

#[derive(Debug)]
struct Lost {
    content: Content,
    /// Whether a letter of its offset was found, with another content.
    is_other: bool,
    /// What is wrong where there is no letter.
    finding: Finding,
}

impl Refused {
    /// Keeps in mind that `record` was refused.
    pub(super) fn add(&mut self, partition: i32, record: &Record, reject: &Reject) {
        let (content, offset, reason) = (Content::of(record), record.offset, reject.code());
        let patient = record.key.as_deref().and_then(|key| Some(str::from_utf8(key).ok()?.to_owned()));
        let finding = Finding { partition, offset, patient, time: None, fault: Fault::NoLetter { reason } };
        self.look_for(mark(reason, offset, content), content, finding);
    }

    /// Keeps in mind that the row of a reading is not as it should be: the store may have refused it.
    pub(super) fn add_reading(&mut self, content: Content, finding: Finding) {
        self.look_for(Mark::Offset(finding.offset), content, finding);
    }

    fn look_for(&mut self, mark: Mark, content: Content, finding: Finding) {
        let lost = Lost { content, is_other: false, finding };
        self.by_mark.entry((lost.finding.partition, mark)).or_default().push(lost);
        self.count += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Shows a letter of the topic, and gives how many messages it stands for.
    pub(super) fn show(&mut self, letter: &KeptLetter) -> u64 {
        let content = Content::of(&letter.original);
        let mark = mark(&letter.reason, letter.offset, content);
        let Entry::Occupied(mut found) = self.by_mark.entry((letter.partition, mark)) else { return 0 };
        let before = found.get().len();
        found.get_mut().retain(|lost| lost.content != content);
        found.get_mut().iter_mut().for_each(|lost| lost.is_other = true);
        let kept = before - found.get().len();
        if found.get().is_empty() {
            found.remove();
        }
        self.count = self.count.saturating_sub(kept);
        u64::try_from(kept).unwrap_or(u64::MAX)
    }

    /// Ends the showing: gives those without a letter.
    pub(super) fn decide(&mut self) -> Vec<Finding> {
        self.count = 0;
        let finding = |Lost { finding, is_other, .. }: Lost| match finding.fault {
            Fault::NoLetter { reason } if is_other => Finding { fault: Fault::LetterDiffers { reason }, ..finding },
            _ => finding,
        };
        self.by_mark.drain().flat_map(|(_, lost)| lost).map(finding).collect()
    }
}

fn mark(reason: &str, offset: i64, content: Content) -> Mark {
    if reason == UNDECODABLE_BATCH { Mark::Batch(content) } else { Mark::Offset(offset) }
}

/// The code of [`Reject::Batch`].
const UNDECODABLE_BATCH: &str = "undecodable_batch";

impl Content {
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

    /// What is told of the refused message "{" at 2:41 after this letter.
    fn told(letter: &KeptLetter) -> Option<&'static str> {
        let mut refused = Refused::default();
        refused.add(2, &record(41, "{"), &Reject::NotUtf8);
        let kept = refused.show(letter);
        let findings = refused.decide();
        assert_eq!(findings.len() + usize::try_from(kept).unwrap(), 1);
        findings.first().map(|finding| finding.fault.code())
    }

    #[test]
    fn a_letter_of_its_place_and_content_is_its_letter() {
        assert_eq!(told(&letter(2, &Reject::NotUtf8, record(41, "{"))), None);
    }

    #[test]
    fn a_letter_of_another_place_is_not() {
        assert_eq!(told(&letter(1, &Reject::NotUtf8, record(41, "{"))), Some("no_letter"));
        assert_eq!(told(&letter(2, &Reject::NotUtf8, record(40, "{"))), Some("no_letter"));
    }

    #[test]
    fn a_letter_of_its_place_with_another_content_is_told_apart() {
        assert_eq!(told(&letter(2, &Reject::NotUtf8, record(41, "}"))), Some("letter_differs"));
    }

    #[test]
    fn a_batch_is_found_by_its_bytes_from_wherever_it_was_read() {
        let reject = Reject::Batch(BatchFault::Checksum);
        let mut refused = Refused::default();
        refused.add(2, &record(44, "batch"), &reject);
        assert_eq!(refused.show(&letter(2, &reject, record(40, "other"))), 0);
        assert_eq!(refused.show(&letter(2, &reject, record(40, "batch"))), 1);
        assert_eq!(refused.len(), 0);
    }
}
