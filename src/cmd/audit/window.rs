//! Some messages of one partition, held against the rows that they belong to.

use std::collections::{BTreeMap, HashMap};

use super::fault::{Difference, Fault};
use super::refused::Content;
use crate::reading::{PatientId, Reading, Sign, Signs, Timestamp};

/// How many messages are looked at together: some ten megabytes of memory.
pub(super) const WINDOW_MESSAGES: usize = 50_000;

/// A row of the table, by its key.
pub(super) type Key = (PatientId, Timestamp);

/// The readings of one partition that are looked at together, by the rows that they belong to.
#[derive(Debug, Default)]
pub(super) struct Window {
    patients: BTreeMap<PatientId, BTreeMap<Timestamp, Vec<Sent>>>,
    messages: usize,
}

/// What one message carried.
#[derive(Debug)]
struct Sent {
    offset: i64,
    content: Content,
    signs: Signs,
}

/// A message that was held against its row.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) offset: i64,
    /// What it said.
    pub(super) content: Content,
    /// Its row.
    pub(super) key: Key,
    /// What became of it.
    pub(super) verdict: Verdict,
}

/// What became of one message.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The row has exactly what it carried.
    Row,
    /// A later message of the same patient and time went over it, or says the same.
    Repeat,
    /// It is not in the row.
    Fault(Fault),
    /// The row has other values, which a message elsewhere may have brought.
    Doubt(Vec<Difference>),
}

impl Window {
    /// Takes the message at `offset`. They come in the order of their offsets.
    pub(super) fn add(&mut self, offset: i64, content: Content, reading: &Reading) {
        let rows = self.patients.entry(reading.patient().clone()).or_default();
        rows.entry(reading.time()).or_default().push(Sent { offset, content, signs: *reading.signs() });
        self.messages += 1;
    }

    /// Whether it should be judged before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.messages >= WINDOW_MESSAGES
    }

    /// The rows that are needed to judge it: by patient, the times in order.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (&PatientId, Vec<Timestamp>)> {
        self.patients.iter().map(|(patient, rows)| (patient, rows.keys().copied().collect()))
    }

    /// Tells of each message what became of it, where these are the rows that there are.
    pub(super) fn judge(self, rows: &HashMap<Key, Signs>) -> Vec<Judged> {
        let mut verdicts = Vec::with_capacity(self.messages);
        for (patient, times) in self.patients {
            for (time, sent) in times {
                let key = (patient.clone(), time);
                let row = rows.get(&key);
                let mut later = sent.as_slice();
                while let Some((message, rest)) = later.split_first() {
                    later = rest;
                    let Sent { offset, content, signs } = message;
                    let verdict = verdict(signs, rest, row);
                    verdicts.push(Judged { offset: *offset, content: *content, key: key.clone(), verdict });
                }
            }
        }
        verdicts
    }
}

fn verdict(signs: &Signs, later: &[Sent], row: Option<&Signs>) -> Verdict {
    let Some(row) = row else { return Verdict::Fault(Fault::NoRow) };
    let carried = || Sign::ALL.into_iter().filter_map(|sign| Some((sign, signs.get(sign)?)));
    let missing: Vec<_> = carried().filter(|(sign, _)| row.get(*sign).is_none()).map(|(sign, _)| sign).collect();
    if !missing.is_empty() {
        return Verdict::Fault(Fault::SignMissing(missing));
    }
    let went_over = |sign: Sign| later.iter().any(|later| later.signs.get(sign).is_some());
    let differences: Vec<_> = carried()
        .filter_map(|(sign, sent)| Some(Difference { sign, sent, stored: row.get(sign)? }))
        .filter(|difference| Some(difference.sent) != Some(difference.stored) && !went_over(difference.sign))
        .collect();
    match (differences.is_empty(), later.is_empty()) {
        (false, _) => Verdict::Doubt(differences),
        (true, true) => Verdict::Row,
        (true, false) => Verdict::Repeat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(second: u32, signs: Signs) -> Reading {
        let time = Timestamp::parse(&format!("2025-10-26T10:30:{second:02}Z")).unwrap();
        Reading::new(PatientId::parse("P1").unwrap(), time, signs).unwrap()
    }

    fn heart(rate: i32) -> Signs {
        Signs { heart_rate: Some(rate), ..Signs::default() }
    }

    fn spo2(percent: i32) -> Signs {
        Signs { spo2: Some(percent), ..Signs::default() }
    }

    /// What becomes of messages of one time, where this is their row.
    fn judged(sent: &[Signs], row: Option<Signs>) -> Vec<Verdict> {
        let mut window = Window::default();
        for (offset, signs) in (0..).zip(sent) {
            window.add(offset, Content::default(), &reading(1, *signs));
        }
        let key = (PatientId::parse("P1").unwrap(), reading(1, heart(1)).time());
        let verdicts = window.judge(&row.map(|row| (key, row)).into_iter().collect());
        assert!(verdicts.is_sorted_by_key(|judged| judged.offset));
        verdicts.into_iter().map(|judged| judged.verdict).collect()
    }

    #[test]
    fn a_message_whose_values_the_row_has_is_that_row() {
        assert_eq!(judged(&[heart(80)], Some(heart(80))), [Verdict::Row]);
    }

    #[test]
    fn what_other_messages_brought_into_the_row_does_not_matter() {
        let row = Signs { spo2: Some(97), ..heart(80) };
        assert_eq!(judged(&[heart(80)], Some(row)), [Verdict::Row]);
    }

    #[test]
    fn a_message_without_a_row_is_a_fault() {
        assert_eq!(judged(&[heart(80)], None), [Verdict::Fault(Fault::NoRow)]);
    }

    #[test]
    fn a_sign_that_the_row_lacks_is_a_fault_even_where_a_later_message_has_it() {
        let missing = || Verdict::Fault(Fault::SignMissing(vec![Sign::HeartRate]));
        assert_eq!(judged(&[heart(80), heart(90)], Some(spo2(97))), [missing(), missing()]);
    }

    #[test]
    fn a_message_that_a_later_one_went_over_is_a_repeat() {
        assert_eq!(judged(&[heart(80), heart(90)], Some(heart(90))), [Verdict::Repeat, Verdict::Row]);
        assert_eq!(judged(&[heart(80), heart(80)], Some(heart(80))), [Verdict::Repeat, Verdict::Row]);
    }

    #[test]
    fn a_later_message_without_the_sign_does_not_go_over_it() {
        let row = Signs { spo2: Some(97), ..heart(81) };
        let difference = Difference { sign: Sign::HeartRate, sent: 80.0, stored: 81.0 };
        assert_eq!(judged(&[heart(80), spo2(97)], Some(row)), [Verdict::Doubt(vec![difference]), Verdict::Row]);
    }

    #[test]
    fn an_earlier_value_that_came_back_is_a_doubt_about_the_later_message() {
        let difference = Difference { sign: Sign::HeartRate, sent: 90.0, stored: 80.0 };
        assert_eq!(
            judged(&[heart(80), heart(90)], Some(heart(80))),
            [Verdict::Repeat, Verdict::Doubt(vec![difference])]
        );
    }

    #[test]
    fn a_temperature_is_compared_in_the_width_of_its_column() {
        let signs = Signs { temperature: Some(36.8), ..Signs::default() };
        assert_eq!(judged(&[signs], Some(signs)), [Verdict::Row]);
    }
}
