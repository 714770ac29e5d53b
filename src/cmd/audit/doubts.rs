//! Messages of which the row has other values, until it is known whether another message brought them.
//!
//! A patient's messages are in one partition, where the later one wins; but a topic may have been filled without keys,
//! and what was sent after the range that is audited may have been stored as well. So every message of the topic is
//! asked.

use std::collections::HashMap;

use super::fault::{Difference, Fault, Finding};
use super::refused::Content;
use super::window::Key;
use crate::reading::Reading;

/// So many are kept in mind: some fifty megabytes. Beyond that the topic is read before the audit goes on.
pub(super) const MAX_DOUBTS: usize = 100_000;

/// What is not decided yet.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    by_key: HashMap<Key, Vec<Doubt>>,
    count: usize,
}

#[derive(Debug)]
struct Doubt {
    partition: i32,
    offset: i64,
    content: Content,
    /// What nobody has explained yet.
    differences: Vec<Difference>,
}

/// A message that may explain a difference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness<'a> {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// What it says.
    pub(super) reading: &'a Reading,
    /// Whether it is audited itself, so that a row without its values comes to light there.
    pub(super) is_audited: bool,
}

impl Doubts {
    /// Keeps in mind that the row of the message at this place has other values.
    pub(super) fn add(&mut self, partition: i32, message: (i64, Content), key: Key, differences: Vec<Difference>) {
        let (offset, content) = message;
        self.by_key.entry(key).or_default().push(Doubt { partition, offset, content, differences });
        self.count += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Asks a message of the topic.
    pub(super) fn ask(&mut self, witness: Witness<'_>) {
        let key = (witness.reading.patient().clone(), witness.reading.time());
        for doubt in self.by_key.get_mut(&key).into_iter().flatten() {
            let is_later = doubt.partition == witness.partition && doubt.offset < witness.offset;
            if is_later || doubt.partition != witness.partition {
                // Between partitions there is no order: whoever brought the value that is there explains it.
                let any_value = is_later && witness.is_audited;
                doubt.differences.retain(|difference| !witness.explains(difference, any_value));
            }
        }
    }

    /// Ends the asking: gives what nobody explained, and how many are repeats.
    pub(super) fn decide(&mut self) -> (Vec<(Content, Finding)>, u64) {
        self.count = 0;
        let (mut findings, mut repeats) = (Vec::new(), 0);
        for ((patient, time), doubts) in self.by_key.drain() {
            for Doubt { partition, offset, content, differences } in doubts {
                if differences.is_empty() {
                    repeats += 1;
                    continue;
                }
                let (patient, time) = (Some(patient.to_string()), Some(time));
                let fault = Fault::SignDiffers(differences);
                findings.push((content, Finding { partition, offset, patient, time, fault }));
            }
        }
        (findings, repeats)
    }
}

impl Witness<'_> {
    fn explains(&self, difference: &Difference, any_value: bool) -> bool {
        let brought = self.reading.signs().get(difference.sign);
        brought.is_some() && (any_value || brought == Some(difference.stored))
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
        let mut doubts = Doubts::default();
        let key = (reading(80).patient().clone(), reading(80).time());
        doubts.add(
            2,
            (10, Content::default()),
            key,
            vec![Difference { sign: Sign::HeartRate, sent: 80.0, stored: 90.0 }],
        );
        doubts.ask(Witness { partition, offset, reading: &reading(value), is_audited });
        let (findings, repeats) = doubts.decide();
        assert_eq!(findings.len() + usize::try_from(repeats).unwrap(), 1);
        assert_eq!(doubts.len(), 0);
        findings.is_empty()
    }

    #[test]
    fn a_later_message_of_the_partition_explains_the_value_that_it_brought() {
        assert!(is_explained(2, 11, 90, true));
        assert!(is_explained(2, 11, 90, false));
    }

    #[test]
    fn a_later_message_that_is_audited_itself_answers_for_the_value() {
        assert!(is_explained(2, 11, 70, true));
        assert!(!is_explained(2, 11, 70, false));
    }

    #[test]
    fn an_earlier_message_and_the_message_itself_explain_nothing() {
        assert!(!is_explained(2, 9, 90, true));
        assert!(!is_explained(2, 10, 90, true));
    }

    #[test]
    fn a_message_of_another_partition_explains_exactly_what_it_brought() {
        assert!(is_explained(0, 3, 90, true));
        assert!(!is_explained(0, 30, 70, true));
    }
}
