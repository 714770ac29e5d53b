//! One check, and the sheet that they are noted on.

use std::fmt;

use crate::advice::Advice;
use crate::diagnose::{Finding, Problem};
use crate::output::{Cell, Column, Tone};

/// What came out of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and may yet surprise.
    Warn,
    /// Something does not work.
    Fail,
    /// It could not be looked at.
    Skipped,
}

impl Verdict {
    pub(super) fn tone(self) -> Option<Tone> {
        match self {
            Self::Ok => Some(Tone::Good),
            Self::Warn => Some(Tone::Doubt),
            Self::Fail => Some(Tone::Alert),
            Self::Skipped => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::Skipped => "skip",
        })
    }
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// Its name, which never changes.
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) found: String,
    /// Why it matters, where it is not as it should be.
    pub(super) why: Option<&'static str>,
    /// What mends it.
    pub(super) cure: Option<String>,
}

pub(super) const COLUMNS: [Column; 5] = [
    Column::text("check", "CHECK"),
    Column::text("verdict", "VERDICT"),
    Column::text("found", "FOUND"),
    Column::text("why", "WHY"),
    Column::text("cure", "CURE"),
];

impl Check {
    pub(super) fn row(&self) -> Vec<Cell> {
        vec![
            self.name.into(),
            self.verdict.to_string().to_ascii_lowercase().into(),
            self.found.as_str().into(),
            self.why.into(),
            self.cure.as_deref().into(),
        ]
    }
}

/// Checks in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) checks: Vec<Check>,
}

impl Sheet {
    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.checks.push(Check { name, verdict: Verdict::Ok, found: found.into(), why: None, cure: None });
    }

    pub(super) fn warn(&mut self, name: &'static str, wrong: Problem, why: &'static str) {
        self.add(name, Verdict::Warn, wrong, why);
    }

    pub(super) fn fail(&mut self, name: &'static str, wrong: Problem, why: &'static str) {
        self.add(name, Verdict::Fail, wrong, why);
    }

    /// A check that was judged.
    pub(super) fn note(&mut self, name: &'static str, finding: Finding) {
        match finding {
            Finding::Well(found) => self.ok(name, found),
            Finding::Doubt(wrong, why) => self.warn(name, wrong, why),
            Finding::Fault(wrong, why) => self.fail(name, wrong, why),
        }
    }

    /// A check that ended with an error.
    pub(super) fn fail_of(&mut self, name: &'static str, error: &(impl Advice + 'static), why: &'static str) {
        self.fail(name, Problem::of(error), why);
    }

    fn add(&mut self, name: &'static str, verdict: Verdict, wrong: Problem, why: &'static str) {
        self.checks.push(Check { name, verdict, found: wrong.what, why: Some(why), cure: Some(wrong.fix) });
    }

    /// Notes those of `names` that were not made: they need the one that failed last.
    pub(super) fn skip_rest(&mut self, names: &[&'static str]) {
        self.skip(names, self.last_failed());
    }

    /// The check that failed last.
    pub(super) fn last_failed(&self) -> Option<&'static str> {
        self.checks.iter().rev().find(|check| check.verdict == Verdict::Fail).map(|check| check.name)
    }

    /// Notes those of `names` that were not made: they need another check.
    pub(super) fn skip(&mut self, names: &[&'static str], needed: Option<&'static str>) {
        let found = needed.map_or_else(|| "it was not answered in time".to_owned(), |needed| format!("needs {needed}"));
        for name in names {
            if !self.checks.iter().any(|check| check.name == *name) {
                let found = found.clone();
                self.checks.push(Check { name, verdict: Verdict::Skipped, found, why: None, cure: None });
            }
        }
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.checks.append(&mut other.checks);
    }

    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_made_is_skipped_with_the_name_of_what_it_needs() {
        let mut sheet = Sheet::default();
        sheet.ok("one", "fine");
        sheet.fail("two", Problem::new("broken", "mend it"), "it matters");
        sheet.skip_rest(&["one", "two", "three"]);
        let last = sheet.checks.last().unwrap();
        assert_eq!((sheet.checks.len(), last.name, last.verdict), (3, "three", Verdict::Skipped));
        assert_eq!(last.found, "needs two");
    }
}
