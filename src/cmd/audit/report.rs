//! What an audit finds: messages that are not where they should be, and the counts of all.

use color_eyre::eyre::Result;

use super::datum::{Content, Datum};
use super::scope::Scope;
use crate::advice::Code;
use crate::cmd::common::table::{Field, Table};
use crate::output::{Column, FormatArgs, Output, counted};
use crate::reading::Timestamp;

/// So many findings are brought into order before they are shown.
const SORTED_FINDINGS: usize = 10_000;

/// A message that is not where it should be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// The patient; of what is no reading the key, where that is text.
    pub(super) patient: Option<String>,
    pub(super) time: Option<Timestamp>,
    pub(super) discrepancy: Discrepancy,
}

/// Why a message is not where it should be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Discrepancy {
    /// The table has no row of its patient and time.
    NoRow,
    /// The row has no value of signs or observations that it carried.
    SignMissing(Vec<Datum>),
    /// The row has other values, and no message that could have brought them.
    SignDiffers(Vec<Difference>),
    /// It was refused, for this reason, and is not among the dead letters.
    NoLetter(&'static str),
    /// It was refused, for this reason, and the dead letter of its offset has another content.
    LetterDiffers(&'static str),
}

/// What has another value in the row than in the message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    pub(super) datum: Datum,
    /// What the message said.
    pub(super) sent: Content,
    /// What the row has.
    pub(super) stored: Content,
}

const FIELDS: [Field<Finding>; 7] = [
    (Column::for_programs("partition"), |of| of.partition.into()),
    (Column::for_programs("offset"), |of| of.offset.into()),
    (Column::text("place", "PLACE"), |of| format!("{}:{}", of.partition, of.offset).into()),
    (Column::text("patient_id", "PATIENT"), |of| of.patient.clone().into()),
    (Column::text("timestamp", "TIME"), |of| of.time.map(|time| time.to_string()).into()),
    (Column::text("reason", "REASON"), |of| of.discrepancy.code().into()),
    (Column::text("detail", "DETAIL"), |of| of.discrepancy.detail().into()),
];

/// Counts messages, and shows those that are not where they should be.
pub(super) struct Report<'a> {
    output: &'a Output,
    table: Table<'a, Finding>,
    waiting: Vec<Finding>,
    pub(super) counts: Counts,
}

/// How many messages are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Those whose values a row has.
    pub(super) rows: u64,
    /// Those that a later message of the same patient and time went over.
    pub(super) repeats: u64,
    /// Those that were refused and are kept.
    pub(super) letters: u64,
    /// Those that are older than what is kept, and whose rows have gone or were never written.
    pub(super) expired: u64,
    /// Those that are none of these.
    pub(super) faults: u64,
}

impl<'a> Report<'a> {
    pub(super) fn new(format: FormatArgs, output: &'a Output) -> Self {
        Self { output, table: Table::new(output, format, &FIELDS), waiting: Vec::new(), counts: Counts::default() }
    }

    pub(super) fn add(&mut self, finding: Finding) -> Result<()> {
        self.counts.faults += 1;
        self.waiting.push(finding);
        if self.waiting.len() < SORTED_FINDINGS { Ok(()) } else { self.show() }
    }

    fn show(&mut self) -> Result<()> {
        self.waiting.sort_by_key(|finding| (finding.partition, finding.offset));
        Ok(self.waiting.drain(..).try_for_each(|finding| self.table.push(&finding))?)
    }

    /// Shows what was found before something kept the audit from its end.
    pub(super) fn break_off(mut self) -> Result<()> {
        self.show()?;
        self.table.flush()?;
        self.output.note(format_args!("the audit did not come to its end; so far: {}", self.counts.text()));
        Ok(())
    }

    pub(super) fn finish(mut self, scope: &Scope, group: &str) -> Result<Code> {
        self.show()?;
        self.table.finish()?;
        for line in summary(&self.counts, scope, group) {
            self.output.note(line);
        }
        Ok(if self.counts.faults == 0 { Code::Done } else { Code::Finding })
    }
}

fn summary(counts: &Counts, scope: &Scope, group: &str) -> Vec<String> {
    let mut lines = vec![counts.text()];
    let empty = scope.offsets().saturating_sub(counts.messages());
    if empty > 0 && !scope.has_times() {
        let verb = if empty == 1 { "holds" } else { "hold" };
        lines.push(format!("{} {verb} no message (transaction markers, or compacted)", counted(empty, "offset")));
    }
    if scope.not_yet > 0 {
        lines.push(format!("{} above what the group '{group}' has stored: not there yet", offsets_are(scope.not_yet)));
    }
    if scope.gone > 0 {
        lines.push(format!("{} gone from the log, and cannot be audited", offsets_are(scope.gone)));
    }
    lines
}

fn offsets_are(count: u64) -> String {
    format!("{} {}", counted(count, "offset"), if count == 1 { "is" } else { "are" })
}

impl Counts {
    fn messages(&self) -> u64 {
        let Self { rows, repeats, letters, expired, faults } = self;
        rows + repeats + letters + expired + faults
    }

    fn text(&self) -> String {
        let Self { rows, repeats, letters, expired, faults } = self;
        let messages = self.messages();
        if messages == 0 {
            return "there was no message to audit".to_owned();
        }
        let verdict = if *faults == 0 { "nothing is missing".to_owned() } else { format!("{faults} AT FAULT") };
        let expired = if *expired == 0 { String::new() } else { format!(", expired {expired}") };
        format!(
            "messages audited: {messages} (rows {rows}, repeats {repeats}, dead letters {letters}{expired}); {verdict}"
        )
    }
}

impl Discrepancy {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoRow => "no_row",
            Self::SignMissing(_) => "sign_missing",
            Self::SignDiffers(_) => "sign_differs",
            Self::NoLetter(_) => "no_letter",
            Self::LetterDiffers(_) => "letter_differs",
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::NoRow => None,
            Self::SignMissing(signs) => Some(signs.iter().map(Datum::to_string).collect::<Vec<_>>().join(", ")),
            Self::SignDiffers(differences) => {
                Some(differences.iter().map(Difference::text).collect::<Vec<_>>().join(", "))
            }
            Self::NoLetter(reason) | Self::LetterDiffers(reason) => Some(format!("refused: {reason}")),
        }
    }
}

impl Difference {
    fn text(&self) -> String {
        let Self { datum, sent, stored } = self;
        format!("{datum}: sent {sent}, stored {stored}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;
    use crate::kafka::history::Stretch;
    use crate::reading::{Observation, Sign};

    const SCOPE: Scope = Scope { stretches: Vec::new(), since: None, until: None, not_yet: 0, gone: 0 };

    #[test]
    fn a_clean_audit_says_so_on_one_line() {
        let counts = Counts { rows: 7, repeats: 2, letters: 1, ..Counts::default() };
        let stretches = vec![Stretch { partition: 0, start: 0, end: 10 }];
        let lines = summary(&counts, &Scope { stretches, ..SCOPE }, "g");
        assert_eq!(lines, ["messages audited: 10 (rows 7, repeats 2, dead letters 1); nothing is missing"]);
    }

    #[test]
    fn what_is_older_than_what_is_kept_is_counted_and_no_fault() {
        let counts = Counts { rows: 7, expired: 3, ..Counts::default() };
        let expected = "messages audited: 10 (rows 7, repeats 0, dead letters 0, expired 3); nothing is missing";
        assert_eq!(counts.text(), expected);
    }

    #[test]
    fn what_was_not_audited_is_told() {
        let stretches = vec![Stretch { partition: 0, start: 0, end: 4 }];
        let scope = Scope { stretches, not_yet: 1, gone: 2, ..SCOPE };
        let lines = summary(&Counts { rows: 2, faults: 1, ..Counts::default() }, &scope, "g");
        assert!(lines[0].ends_with("; 1 AT FAULT"), "{lines:?}");
        assert_eq!(lines[1], "1 offset holds no message (transaction markers, or compacted)");
        assert_eq!(lines[2], "1 offset is above what the group 'g' has stored: not there yet");
        assert_eq!(lines[3], "2 offsets are gone from the log, and cannot be audited");
    }

    #[test]
    fn programs_get_place_patient_reason_and_detail() {
        let time = Timestamp::parse("2025-10-26T10:30:15Z").ok();
        let reading =
            |discrepancy| Finding { partition: 2, offset: 41, patient: Some("P1".to_owned()), time, discrepancy };
        let number = |sign, sent, stored| {
            let [sent, stored] = [sent, stored].map(Content::Number);
            Difference { datum: Datum::Sign(sign), sent, stored }
        };
        let differences = vec![
            number(Sign::HeartRate, 80.0, 81.0),
            number(Sign::Temperature, f64::from(36.8_f32), 37.0),
            Difference {
                datum: Datum::Observation(Observation::Consciousness),
                sent: Content::Text("V"),
                stored: Content::Text("A"),
            },
        ];
        let refused = Finding { patient: None, time: None, ..reading(Discrepancy::NoLetter("not_json")) };
        let expected = concat!(
            r#"{"partition":2,"offset":41,"place":"2:41","patient_id":"P1","#,
            r#""timestamp":"2025-10-26T10:30:15+00:00","reason":"no_row","detail":null}"#,
            "\n",
            r#"{"partition":2,"offset":41,"place":"2:41","patient_id":"P1","timestamp":"2025-10-26T10:30:15+00:00","#,
            r#""reason":"sign_differs","#,
            r#""detail":"heart_rate: sent 80, stored 81, temperature: sent 36.8, stored 37, "#,
            r#"consciousness: sent V, stored A"}"#,
            "\n",
            r#"{"partition":2,"offset":41,"place":"2:41","patient_id":null,"timestamp":null,"reason":"no_letter","#,
            r#""detail":"refused: not_json"}"#,
            "\n"
        );
        let findings = [reading(Discrepancy::NoRow), reading(Discrepancy::SignDiffers(differences)), refused];
        assert_eq!(ndjson(&FIELDS, findings), expected);
    }
}
