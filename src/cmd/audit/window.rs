//! Some messages of one partition, held against the rows that they belong to.

use std::collections::{BTreeMap, HashMap};

use super::refused::ContentHash;
use super::report::{Difference, Discrepancy};
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
    content: ContentHash,
    signs: Signs,
}

/// A message that was held against its row.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) offset: i64,
    /// What it said.
    pub(super) content: ContentHash,
    /// Its row.
    pub(super) key: Key,
    pub(super) verdict: Verdict,
}

/// What becomes of one message.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The row has exactly what it carried.
    Row,
    /// A later message of the same patient and time went over it, or says the same.
    Repeat,
    /// It is not in the row.
    Wrong(Discrepancy),
    /// The row has other values, which a message elsewhere may have brought.
    Differs(Vec<Difference>),
}

impl Window {
    /// Takes the message at `offset`. They come in the order of their offsets.
    pub(super) fn add(&mut self, offset: i64, content: ContentHash, reading: &Reading) {
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
                while let Some((Sent { offset, content, signs }, rest)) = later.split_first() {
                    later = rest;
                    let verdict = verdict(signs, rest, row);
                    verdicts.push(Judged { offset: *offset, content: *content, key: key.clone(), verdict });
                }
            }
        }
        verdicts
    }
}

fn verdict(signs: &Signs, later: &[Sent], row: Option<&Signs>) -> Verdict {
    let Some(row) = row else { return Verdict::Wrong(Discrepancy::NoRow) };
    let carried = || Sign::ALL.into_iter().filter_map(|sign| Some((sign, signs.get(sign)?)));
    let missing: Vec<_> = carried().filter(|(sign, _)| row.get(*sign).is_none()).map(|(sign, _)| sign).collect();
    if !missing.is_empty() {
        return Verdict::Wrong(Discrepancy::SignMissing(missing));
    }
    let went_over = |sign: Sign| later.iter().any(|later| later.signs.get(sign).is_some());
    let differences: Vec<_> = carried()
        .filter_map(|(sign, sent)| Some(Difference { sign, sent, stored: row.get(sign)? }))
        .filter(|difference| Some(difference.sent) != Some(difference.stored) && !went_over(difference.sign))
        .collect();
    match (differences.is_empty(), later.is_empty()) {
        (false, _) => Verdict::Differs(differences),
        (true, true) => Verdict::Row,
        (true, false) => Verdict::Repeat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heart(rate: i32) -> Signs {
        Signs { heart_rate: Some(rate), ..Signs::default() }
    }

    fn spo2(percent: i32) -> Signs {
        Signs { spo2: Some(percent), ..Signs::default() }
    }

    /// What becomes of messages of one time, where this is their row.
    fn judged(sent: &[Signs], row: Option<Signs>) -> Vec<Verdict> {
        let key = (PatientId::parse("P1").unwrap(), Timestamp::parse("2025-10-26T10:30:01Z").unwrap());
        let mut window = Window::default();
        for (offset, signs) in (0..).zip(sent) {
            window.add(offset, ContentHash::default(), &Reading::new(key.0.clone(), key.1, *signs).unwrap());
        }
        let verdicts = window.judge(&row.map(|row| (key, row)).into_iter().collect());
        assert!(verdicts.is_sorted_by_key(|judged| judged.offset));
        verdicts.into_iter().map(|judged| judged.verdict).collect()
    }

    #[test]
    fn a_message_is_a_row_a_repeat_or_wrong() {
        let both = |rate| Signs { spo2: Some(97), ..heart(rate) };
        let missing = || Verdict::Wrong(Discrepancy::SignMissing(vec![Sign::HeartRate]));
        let differs = |sent, stored| Verdict::Differs(vec![Difference { sign: Sign::HeartRate, sent, stored }]);
        let temperature = Signs { temperature: Some(36.8), ..Signs::default() };
        for (sent, row, verdicts) in [
            (vec![heart(80)], Some(heart(80)), vec![Verdict::Row]),
            // What other messages brought into the row does not matter.
            (vec![heart(80)], Some(both(80)), vec![Verdict::Row]),
            (vec![heart(80)], None, vec![Verdict::Wrong(Discrepancy::NoRow)]),
            // A sign that the row lacks is wrong even where a later message has it.
            (vec![heart(80), heart(90)], Some(spo2(97)), vec![missing(), missing()]),
            (vec![heart(80), heart(90)], Some(heart(90)), vec![Verdict::Repeat, Verdict::Row]),
            (vec![heart(80), heart(80)], Some(heart(80)), vec![Verdict::Repeat, Verdict::Row]),
            // A later message without the sign does not go over it.
            (vec![heart(80), spo2(97)], Some(both(81)), vec![differs(80.0, 81.0), Verdict::Row]),
            // An earlier value that came back is a difference of the later message.
            (vec![heart(80), heart(90)], Some(heart(80)), vec![Verdict::Repeat, differs(90.0, 80.0)]),
            // A temperature is compared in the width of its column.
            (vec![temperature], Some(temperature), vec![Verdict::Row]),
        ] {
            assert_eq!(judged(&sent, row), verdicts, "{sent:?} {row:?}");
        }
    }
}
