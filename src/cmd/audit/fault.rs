//! What is wrong with a message that should be stored, or kept as a dead letter.

use crate::output::{Cell, Column, Value};
use crate::reading::{Sign, Timestamp};

/// Why a message is not where it should be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// The table has no row of its patient and time.
    NoRow,
    /// The row has no value of signs that it carried.
    SignMissing(Vec<Sign>),
    /// The row has other values, and no message that could have brought them.
    SignDiffers(Vec<Difference>),
    /// It was refused, and is not among the dead letters.
    NoLetter {
        /// The code of the reason.
        reason: &'static str,
    },
    /// It was refused, and the letter of its offset has another content.
    LetterDiffers {
        /// The code of the reason.
        reason: &'static str,
    },
}

/// A sign that has another value in the row than in the message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    pub(super) sign: Sign,
    /// What the message said.
    pub(super) sent: f64,
    /// What the row has.
    pub(super) stored: f64,
}

/// A fault, and of which message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// The patient; of what is no reading the key, where that is text.
    pub(super) patient: Option<String>,
    /// The time of the reading.
    pub(super) time: Option<Timestamp>,
    /// What is wrong.
    pub(super) fault: Fault,
}

pub(super) const COLUMNS: [Column; 7] = [
    Column::for_programs("partition"),
    Column::for_programs("offset"),
    Column::text("place", "PLACE"),
    Column::text("patient_id", "PATIENT"),
    Column::text("timestamp", "TIME"),
    Column::text("reason", "REASON"),
    Column::text("detail", "DETAIL"),
];

impl Fault {
    /// Its stable code.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoRow => "no_row",
            Self::SignMissing(_) => "sign_missing",
            Self::SignDiffers(_) => "sign_differs",
            Self::NoLetter { .. } => "no_letter",
            Self::LetterDiffers { .. } => "letter_differs",
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::NoRow => None,
            Self::SignMissing(signs) => Some(joined(signs.iter().map(Sign::to_string))),
            Self::SignDiffers(differences) => Some(joined(differences.iter().map(Difference::text))),
            Self::NoLetter { reason } | Self::LetterDiffers { reason } => Some(format!("refused: {reason}")),
        }
    }
}

impl Difference {
    fn text(&self) -> String {
        let Self { sign, sent, stored } = self;
        format!("{sign}: sent {}, stored {}", short(*sent), short(*stored))
    }
}

/// As it was sent: the table's width makes 36.79999923706055 of 36.8.
#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "back to the width that it came from")]
fn short(value: f64) -> String {
    (value as f32).to_string()
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}

impl Finding {
    /// A row of [`COLUMNS`].
    pub(super) fn row(&self) -> Vec<Cell> {
        let values: [Value; 7] = [
            self.partition.into(),
            self.offset.into(),
            format!("{}:{}", self.partition, self.offset).into(),
            self.patient.clone().into(),
            self.time.map(|time| time.to_string()).into(),
            self.fault.code().into(),
            self.fault.detail().into(),
        ];
        values.into_iter().map(Cell::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, FormatArgs, Output};

    fn printed(findings: &[Finding]) -> String {
        let (output, memory) = Output::into_memory();
        let mut rows = output.rows(FormatArgs { format: Some(Format::Ndjson) }, &COLUMNS);
        for finding in findings {
            rows.push(finding.row()).unwrap();
        }
        rows.finish().unwrap();
        memory.stdout()
    }

    #[test]
    fn programs_get_place_patient_reason_and_detail() {
        let time = Timestamp::parse("2025-10-26T10:30:15Z").ok();
        let reading = |fault| Finding { partition: 2, offset: 41, patient: Some("P1".to_owned()), time, fault };
        let differences = vec![
            Difference { sign: Sign::HeartRate, sent: 80.0, stored: 81.0 },
            Difference { sign: Sign::Temperature, sent: f64::from(36.8_f32), stored: 37.0 },
        ];
        let letter = Fault::NoLetter { reason: "not_json" };
        let refused = Finding { patient: None, time: None, ..reading(letter) };
        let expected = concat!(
            r#"{"partition":2,"offset":41,"place":"2:41","patient_id":"P1","#,
            r#""timestamp":"2025-10-26T10:30:15+00:00","reason":"no_row","detail":null}"#,
            "\n",
            r#"{"partition":2,"offset":41,"place":"2:41","patient_id":"P1","timestamp":"2025-10-26T10:30:15+00:00","#,
            r#""reason":"sign_differs","#,
            r#""detail":"heart_rate: sent 80, stored 81, temperature: sent 36.8, stored 37"}"#,
            "\n",
            r#"{"partition":2,"offset":41,"place":"2:41","patient_id":null,"timestamp":null,"reason":"no_letter","#,
            r#""detail":"refused: not_json"}"#,
            "\n"
        );
        assert_eq!(printed(&[reading(Fault::NoRow), reading(Fault::SignDiffers(differences)), refused]), expected);
    }
}
