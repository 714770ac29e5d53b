//! Messages of which the row has other values, until it is known whether another message brought them.
//!
//! A patient's messages are in one partition, where the later one wins; but a topic may have been filled without keys,
//! and what was sent after the range that is audited may have been stored as well. So every message of the topic is
//! asked.

use std::collections::HashMap;

use super::refused::ContentHash;
use super::report::{Difference, Discrepancy, Finding};
use super::window::Key;
use crate::reading::Reading;

/// So many are remembered: some fifty megabytes. Beyond that the topic is read before the audit goes on.
pub(super) const MAX_DIFFERING: usize = 100_000;

/// What is not decided yet.
#[derive(Debug, Default)]
pub(super) struct Differing {
    by_key: HashMap<Key, Vec<DifferingMessage>>,
    count: usize,
}

#[derive(Debug)]
struct DifferingMessage {
    partition: i32,
    offset: i64,
    content: ContentHash,
    /// What nobody has explained yet.
    differences: Vec<Difference>,
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
    /// Remembers that the row of this message has other values.
    pub(super) fn add(&mut self, partition: i32, message: (i64, ContentHash), key: Key, differences: Vec<Difference>) {
        let (offset, content) = message;
        self.by_key.entry(key).or_default().push(DifferingMessage { partition, offset, content, differences });
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
                    let brought = other.reading.signs().get(difference.sign);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{PatientId, Sign, Signs, Timestamp};

    fn reading(heart_rate: i32) -> Reading {
        let time = Timestamp::parse("2025-10-26T10:30:15Z").unwrap();
        let signs = Signs { heart_rate: Some(heart_rate), ..Signs::default() };
        Reading::new(PatientId::parse("P1").unwrap(), time, signs).unwrap()
    }

    /// Whether a message that says `value` explains why the row of the one at 2:10, which said 80, has 90.
    fn is_explained(partition: i32, offset: i64, value: i32, is_audited: bool) -> bool {
        let mut differing = Differing::default();
        let key = (reading(80).patient().clone(), reading(80).time());
        let difference = Difference { sign: Sign::HeartRate, sent: 80.0, stored: 90.0 };
        differing.add(2, (10, ContentHash::default()), key, vec![difference]);
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
            let told = (partition, offset, value, is_audited);
            assert_eq!(is_explained(partition, offset, value, is_audited), expected, "{told:?}");
        }
    }
}
