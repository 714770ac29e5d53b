//! Messages that are no readings, until their dead letters are found.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::Hasher as _;

use super::fault::{Fault, Finding};
use crate::kafka::letter::KeptLetter;
use crate::kafka::records::Record;
use crate::reject::Reject;

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
    Batch(u64),
}

#[derive(Debug)]
struct Lost {
    offset: i64,
    patient: Option<String>,
    reason: &'static str,
    /// What it said, hashed.
    content: u64,
    /// Whether a letter of its offset was found, with another content.
    is_other: bool,
}

impl Refused {
    /// Keeps in mind that `record` was refused.
    pub(super) fn add(&mut self, partition: i32, record: &Record, reject: &Reject) {
        let content = content(record);
        let lost = Lost {
            offset: record.offset,
            patient: record.key.as_deref().and_then(|key| Some(str::from_utf8(key).ok()?.to_owned())),
            reason: reject.code(),
            content,
            is_other: false,
        };
        self.by_mark.entry((partition, mark(reject.code(), record.offset, content))).or_default().push(lost);
        self.count += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Shows a letter of the topic, and gives how many messages it stands for.
    pub(super) fn show(&mut self, letter: &KeptLetter) -> u64 {
        let content = content(&letter.original);
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
        let finding = |((partition, _), lost): ((i32, Mark), Vec<Lost>)| {
            lost.into_iter().map(move |Lost { offset, patient, reason, is_other, .. }| {
                let fault = if is_other { Fault::LetterDiffers { reason } } else { Fault::NoLetter { reason } };
                Finding { partition, offset, patient, time: None, fault }
            })
        };
        self.by_mark.drain().flat_map(finding).collect()
    }
}

fn mark(reason: &str, offset: i64, content: u64) -> Mark {
    if reason == UNDECODABLE_BATCH { Mark::Batch(content) } else { Mark::Offset(offset) }
}

/// The code of [`Reject::Batch`].
const UNDECODABLE_BATCH: &str = "undecodable_batch";

/// Key, value and headers, hashed; two that differ have the same one in 2^64 cases.
fn content(record: &Record) -> u64 {
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
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::reject::BatchFault;

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
