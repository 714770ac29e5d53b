//! What the findings of a campaign say about its promise.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::promises::Promise;
use super::stack::Kind;
use crate::error::{Error, Result};

/// How long work may take to go on after a fault, by the promise,
const PROGRESS_PROMISE: Duration = Duration::from_secs(10);
/// and what a busy machine may add to that. The figure itself is reported.
const PROGRESS_ROOM: Duration = Duration::from_secs(10);
/// How many examples of what was found are shown.
const SHOWN_EXAMPLES: usize = 5;

/// One campaign: what it has done and found so far, and in the end what that says.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verdict {
    #[serde(serialize_with = "as_text")]
    pub(super) fault: Promise,
    #[serde(serialize_with = "as_text")]
    pub(super) stack: Kind,
    /// The bug that was planted, if any: it must be found.
    pub(super) planted: Option<&'static str>,
    faults: BTreeMap<&'static str, u32>,
    /// After how many of them work did not go on in time.
    stalls: u32,
    #[serde(rename = "slowest_seconds", serialize_with = "as_seconds")]
    slowest: Duration,
    /// What was measured, in words.
    figures: Vec<String>,
    broken: Vec<String>,
    /// Why it did not come to its end: then nothing is known.
    failed: Option<String>,
    #[serde(flatten)]
    pub(super) findings: Findings,
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    took: Duration,
    #[serde(skip)]
    begun: Instant,
}

impl Verdict {
    pub(super) fn begin(fault: Promise, stack: Kind, planted: Option<&'static str>) -> Self {
        Self {
            fault,
            stack,
            planted,
            faults: BTreeMap::new(),
            stalls: 0,
            slowest: Duration::ZERO,
            figures: Vec::new(),
            broken: Vec::new(),
            failed: None,
            findings: Findings::default(),
            took: Duration::ZERO,
            begun: Instant::now(),
        }
    }

    /// Counts a fault; `kind` is a plural for the report, such as "kills".
    pub(super) fn fault(&mut self, kind: &'static str) {
        self.faults(kind, 1);
    }

    /// Counts faults that come many at once.
    pub(super) fn faults(&mut self, kind: &'static str, count: u32) {
        let made = self.faults.entry(kind).or_default();
        // A night invents billions of inputs.
        *made = made.saturating_add(count);
    }

    /// Notes how long work took to go on after a fault; `None` is longer than anybody waited.
    pub(super) fn got_on(&mut self, after: Option<Duration>) {
        match after {
            Some(after) => {
                self.slowest = self.slowest.max(after);
                self.stalls += u32::from(after > PROGRESS_PROMISE + PROGRESS_ROOM);
            }
            None => self.stalls += 1,
        }
    }

    pub(super) fn measured(&mut self, what: impl Into<String>) {
        self.figures.push(what.into());
    }

    pub(super) fn breaks(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    /// Takes over what the readers found in the middle: what is not committed may still be missing then.
    pub(super) fn look(&mut self, findings: &Findings) {
        self.findings.add_look(findings);
    }

    /// Takes over what the readers found when everything had come to rest.
    pub(super) fn conclude(&mut self, mut findings: Findings) {
        findings.add_look(&self.findings);
        self.findings = findings;
    }

    /// Stops its clock; with an error it did not come to its end.
    pub(super) fn end(&mut self, error: Option<&Error>) {
        self.took = self.begun.elapsed();
        self.failed = error.map(ToString::to_string);
    }

    fn made(&self) -> u32 {
        self.faults.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether something was found that breaks the promise.
    pub(super) fn is_broken(&self) -> bool {
        !self.findings.is_clean() || self.stalls > 0 || !self.broken.is_empty()
    }

    /// Whether the promise held; with a planted bug, whether that was caught.
    pub(super) fn is_good(&self) -> bool {
        // Without faults and readings to check, nothing has been shown.
        let says_something = self.findings.checked > 0 && self.made() > 0;
        let is_as_expected =
            if self.planted.is_some() { self.is_broken() } else { says_something && !self.is_broken() };
        self.failed.is_none() && is_as_expected
    }

    fn word(&self) -> &'static str {
        match (self.planted.is_some(), self.is_good()) {
            _ if self.failed.is_some() => "FAILED",
            (false, true) => "held",
            (false, false) => "BROKEN",
            (true, true) => "caught",
            (true, false) => "MISSED",
        }
    }

    fn name(&self) -> String {
        self.planted.map_or_else(|| self.fault.to_string(), |bug| format!("{}: {bug}", self.fault))
    }
}

/// One line, with what was found.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} on {}: {} ({:.0} s)", self.name(), self.stack, self.word(), self.took.as_secs_f64())?;
        let found = self.failed.iter().chain(&self.broken).chain(self.findings.examples.iter().take(SHOWN_EXAMPLES));
        found.into_iter().try_for_each(|example| write!(out, "\n  {example}"))
    }
}

pub(super) fn table(verdicts: &[Verdict]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<23} {:<8} {:>6} {:>7} {:>5} {:>5} {:>5} {:>7} {:>6}",
        "promise", "stack", "faults", "checked", "lost", "wrong", "ahead", "made up", ""
    )];
    lines.extend(verdicts.iter().map(|verdict| {
        let Findings { checked, lost, wrong, ahead, invented, .. } = &verdict.findings;
        let checked = short(*checked);
        format!(
            "{:<23} {:<8} {:>6} {checked:>7} {lost:>5} {wrong:>5} {ahead:>5} {invented:>7} {:>6}",
            verdict.name(),
            verdict.stack,
            short(verdict.made().into()),
            verdict.word(),
        )
    }));
    lines.extend(verdicts.iter().flat_map(notes));
    lines
}

/// A count that fits its column.
fn short(count: u64) -> String {
    if count < 10_000_000 { count.to_string() } else { format!("{}M", count / 1_000_000) }
}

/// What the counts do not tell by themselves.
fn notes(verdict: &Verdict) -> Vec<String> {
    let name = format!("{} on {}", verdict.name(), verdict.stack);
    let mut notes = Vec::new();
    if verdict.planted.is_none() {
        let kinds: Vec<_> = verdict.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        notes.push(format!("{name}: {}", kinds.join(", ")));
        if !verdict.slowest.is_zero() {
            notes.push(format!("{name}: work went on after {:.1} s at the latest", verdict.slowest.as_secs_f64()));
        }
    }
    if verdict.findings.theirs > 0 {
        notes.push(format!("{name}: {} readings are of members of other kinds", verdict.findings.theirs));
    }
    notes.extend(verdict.figures.iter().map(|figure| format!("{name}: {figure}")));
    if verdict.planted.is_none() && verdict.is_good() {
        let percent = 100.0 * excluded(verdict.made());
        notes.push(format!("{name}: excludes, by 95 %, a loss at more than {percent:.1} % of such faults"));
    }
    if verdict.planted.is_none() && verdict.stalls > 0 {
        notes.push(format!("{name}: after {} faults work did not go on in time", verdict.stalls));
    }
    if verdict.planted.is_none() {
        notes.extend(verdict.broken.iter().map(|what| format!("{name}: {what}")));
    }
    notes.extend(verdict.failed.iter().map(|why| format!("{name}: {why}")));
    notes
}

/// So many faults without a loss have a chance of 5 % when each of them loses something with this chance.
fn excluded(faults: u32) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / f64::from(faults.max(1)))
}

pub(super) fn json(seed: u64, verdicts: &[Verdict]) -> String {
    let all: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            let mut object = serde_json::to_value(verdict).unwrap_or_default();
            if let Some(object) = object.as_object_mut() {
                object.insert("verdict".to_owned(), verdict.word().to_lowercase().into());
            }
            object
        })
        .collect();
    serde_json::json!({ "seed": seed, "verdicts": all }).to_string()
}

fn as_text<S: serde::Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 10.0).round() / 10.0)
}

/// Counts of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Findings {
    /// Acknowledged ones that were looked for.
    pub(super) checked: u64,
    /// Those of them whose offset is committed.
    pub(super) committed: u64,
    /// How many were committed, and so looked for, at all looks in the middle together.
    #[serde(default)]
    pub(super) looked_at: u64,
    /// Acknowledged ones that are nowhere, were read by members of other kinds, and are committed.
    #[serde(default)]
    pub(super) theirs: u64,
    /// Acknowledged ones that are nowhere otherwise.
    pub(super) lost: u64,
    /// Acknowledged ones that are kept otherwise than they were sent.
    pub(super) wrong: u64,
    /// Those of the lost and wrong ones whose offset is committed: nobody will write them again.
    pub(super) ahead: u64,
    /// What is kept, and was never sent.
    pub(super) invented: u64,
    /// Some of them, by number.
    pub(super) examples: Vec<String>,
}

impl Findings {
    /// Whether nothing is lost, wrong or invented.
    pub(super) fn is_clean(&self) -> bool {
        self.lost + self.wrong + self.ahead + self.invented == 0
    }

    /// Adds what was found on another stage of the same campaign.
    pub(super) fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.committed += other.committed;
        self.looked_at += other.looked_at;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.ahead += other.ahead;
        self.invented += other.invented;
        self.examples.extend(other.examples);
    }

    /// Takes over what a look in the middle found: what is not committed may still be missing then. What was committed
    /// too early is mostly missing at each look, and counted once.
    pub(super) fn add_look(&mut self, look: &Self) {
        self.looked_at += look.committed + look.looked_at;
        self.ahead = self.ahead.max(look.ahead);
        self.invented = self.invented.max(look.invented);
        if look.ahead + look.invented > 0 {
            self.examples.extend(look.examples.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(planted: Option<&'static str>, lost: u64) -> Verdict {
        let mut verdict = Verdict::begin(Promise::R3, Kind::Servers, planted);
        verdict.fault("kills");
        verdict.conclude(Findings { checked: 10, lost, ..Findings::default() });
        verdict
    }

    #[test]
    fn a_promise_holds_when_nothing_is_lost_and_a_planted_bug_is_caught_when_something_is() {
        assert!(verdict(None, 0).is_good() && !verdict(None, 1).is_good());
        assert!(
            verdict(Some("no durability delay"), 1).is_good() && !verdict(Some("no durability delay"), 0).is_good()
        );
    }

    #[test]
    fn what_takes_too_long_and_whatever_else_is_found_breaks_the_promise() {
        let mut slow = verdict(None, 0);
        slow.got_on(Some(PROGRESS_PROMISE));
        assert!(slow.is_good());
        slow.got_on(Some(Duration::from_secs(21)));
        assert!(!slow.is_good());
        let mut stuck = verdict(None, 0);
        stuck.got_on(None);
        assert!(!stuck.is_good());
        let mut fat = verdict(None, 0);
        fat.breaks("resident memory is over its limit");
        assert!(!fat.is_good());
    }

    #[test]
    fn a_campaign_that_did_not_come_to_its_end_shows_nothing_even_of_a_bug() {
        for mut failed in [verdict(None, 0), verdict(Some("no durability delay"), 1)] {
            failed.end(Some(&Error::NoServer("such server")));
            assert!(!failed.is_good());
        }
    }

    #[test]
    fn a_hundred_faults_without_a_loss_exclude_three_percent() {
        assert!((excluded(100) - 0.0295).abs() < 0.0001);
        assert!((excluded(1) - 0.95).abs() < 0.0001);
    }

    #[test]
    fn nothing_checked_or_nothing_broken_on_purpose_shows_nothing() {
        let mut empty = verdict(None, 0);
        empty.findings.checked = 0;
        assert!(!empty.is_good());
        let mut calm = Verdict::begin(Promise::R3, Kind::Servers, None);
        calm.conclude(Findings { checked: 10, ..Findings::default() });
        assert!(!calm.is_good());
    }

    #[test]
    fn a_line_of_the_table_fits_80_columns() {
        let mut many = verdict(None, 0);
        many.findings.checked = 12_345_678_901;
        let lines = table(&[verdict(Some("commit-before-store"), 12_345), verdict(None, 0), many]);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
    }

    #[test]
    fn the_names_for_programs_are_stable() {
        let expected = r#"{"seed":7,"verdicts":[{"ahead":0,"broken":[],"checked":10,"committed":0,"examples":[],"failed":null,"fault":"R3","faults":{"kills":1},"figures":[],"invented":0,"looked_at":0,"lost":0,"planted":null,"seconds":0.0,"slowest_seconds":0.0,"stack":"servers","stalls":0,"theirs":0,"verdict":"held","wrong":0}]}"#;
        assert_eq!(json(7, &[verdict(None, 0)]), expected);
    }

    #[test]
    fn what_is_lost_of_some_messages_counts_among_others() {
        let mut findings = Findings { checked: 5, ..Findings::default() };
        findings.add(Findings { checked: 3, lost: 1, ..Findings::default() });
        assert!(findings.checked == 8 && !findings.is_clean());
    }

    #[test]
    fn what_is_not_committed_may_be_missing_in_the_middle() {
        let mut findings = Findings::default();
        findings.add_look(&Findings { lost: 9, ..Findings::default() });
        assert!(findings.is_clean());
        findings.add_look(&Findings { lost: 9, ahead: 1, ..Findings::default() });
        assert!(!findings.is_clean());
    }
}
