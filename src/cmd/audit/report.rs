//! What an audit has found so far.

use color_eyre::eyre::Result;

use super::fault::{COLUMNS, Finding};
use super::scope::Scope;
use crate::advice::Code;
use crate::output::{FormatArgs, Output, Rows};

/// So many findings are brought into order before they are shown.
const SORTED_FINDINGS: usize = 10_000;

/// Counts messages, and shows those that are not where they should be.
#[derive(Debug)]
pub(super) struct Report<'a> {
    output: &'a Output,
    rows: Rows<'a>,
    waiting: Vec<Finding>,
    /// How many there are of each kind.
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
    /// Those that are none of these.
    pub(super) faults: u64,
}

impl<'a> Report<'a> {
    pub(super) fn new(format: FormatArgs, output: &'a Output) -> Self {
        let rows = output.rows(format, &COLUMNS);
        Self { output, rows, waiting: Vec::new(), counts: Counts::default() }
    }

    /// Takes up a message that is not where it should be.
    ///
    /// # Errors
    /// Nobody reads what is shown.
    pub(super) fn add(&mut self, finding: Finding) -> Result<()> {
        self.counts.faults += 1;
        self.waiting.push(finding);
        if self.waiting.len() < SORTED_FINDINGS { Ok(()) } else { self.show() }
    }

    fn show(&mut self) -> Result<()> {
        self.waiting.sort_by_key(|finding| (finding.partition, finding.offset));
        Ok(self.waiting.drain(..).try_for_each(|finding| self.rows.push(finding.row()))?)
    }

    /// Shows what was found before something kept the audit from its end.
    ///
    /// # Errors
    /// Nobody reads what is shown.
    pub(super) fn break_off(mut self) -> Result<()> {
        self.show()?;
        self.rows.flush()?;
        self.output.note(format_args!("the audit did not come to its end; so far: {}", self.counts.text()));
        Ok(())
    }

    /// Shows the rest and the summary.
    ///
    /// # Errors
    /// Nobody reads what is shown.
    pub(super) fn finish(mut self, scope: &Scope, group: &str) -> Result<Code> {
        self.show()?;
        self.rows.finish()?;
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
        lines.push(format!("{} no message (transaction markers, or compacted)", offsets(empty, "hold")));
    }
    if scope.not_yet > 0 {
        let not_yet = offsets(scope.not_yet, "are above");
        lines.push(format!("{not_yet} what the group '{group}' has stored: not there yet"));
    }
    if scope.gone > 0 {
        lines.push(format!("{} gone from the log, and cannot be audited", offsets(scope.gone, "are")));
    }
    lines
}

/// `1 offset is`, `2 offsets are`: the verb is given for several.
fn offsets(count: u64, verb: &str) -> String {
    match count {
        1 if verb.starts_with("are") => format!("1 offset {}", verb.replacen("are", "is", 1)),
        1 => format!("1 offset {verb}s"),
        count => format!("{count} offsets {verb}"),
    }
}

impl Counts {
    /// How many messages were audited.
    fn messages(&self) -> u64 {
        let Self { rows, repeats, letters, faults } = self;
        rows + repeats + letters + faults
    }

    fn text(&self) -> String {
        let Self { rows, repeats, letters, faults } = self;
        if self.messages() == 0 {
            return "there was no message to audit".to_owned();
        }
        let verdict = if *faults == 0 { "nothing is missing".to_owned() } else { format!("{faults} AT FAULT") };
        format!(
            "messages audited: {} (rows {rows}, repeats {repeats}, dead letters {letters}); {verdict}",
            self.messages()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::history::Stretch;

    const SCOPE: Scope = Scope { stretches: Vec::new(), since: None, until: None, not_yet: 0, gone: 0 };

    #[test]
    fn a_clean_audit_says_so_on_one_line() {
        let counts = Counts { rows: 7, repeats: 2, letters: 1, faults: 0 };
        let stretches = vec![Stretch { partition: 0, start: 0, end: 10 }];
        let told = summary(&counts, &Scope { stretches, ..SCOPE }, "g");
        assert_eq!(told, ["messages audited: 10 (rows 7, repeats 2, dead letters 1); nothing is missing"]);
    }

    #[test]
    fn what_was_not_audited_is_told() {
        let stretches = vec![Stretch { partition: 0, start: 0, end: 4 }];
        let scope = Scope { stretches, not_yet: 1, gone: 2, ..SCOPE };
        let told = summary(&Counts { rows: 2, faults: 1, ..Counts::default() }, &scope, "g");
        assert!(told[0].ends_with("; 1 AT FAULT"), "{told:?}");
        assert_eq!(told[1], "1 offset holds no message (transaction markers, or compacted)");
        assert_eq!(told[2], "1 offset is above what the group 'g' has stored: not there yet");
        assert_eq!(told[3], "2 offsets are gone from the log, and cannot be audited");
    }
}
