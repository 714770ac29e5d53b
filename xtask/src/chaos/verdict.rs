//! What the findings of a campaign say about its promise.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::fault::Fault;
use super::findings::Findings;
use super::stack::Kind;

/// One campaign, come to its end.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verdict {
    /// The promise.
    #[serde(serialize_with = "as_text")]
    pub(super) fault: Fault,
    /// What it was attacked on.
    #[serde(serialize_with = "as_text")]
    pub(super) stack: Kind,
    /// The bug that was planted, if any: it must be found.
    pub(super) planted: Option<&'static str>,
    /// How many faults were made.
    pub(super) faults: u32,
    /// After how many of them work did not go on in time.
    pub(super) stalls: u32,
    /// What was found.
    #[serde(flatten)]
    pub(super) findings: Findings,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub(super) took: Duration,
}

impl Verdict {
    /// Whether the promise held; with a planted bug, whether that was caught.
    pub(super) fn is_good(&self) -> bool {
        // Without readings to check, nothing has been shown.
        let held = self.findings.is_clean() && self.stalls == 0 && self.findings.checked > 0;
        if self.planted.is_some() { !self.findings.is_clean() } else { held }
    }

    fn word(&self) -> &'static str {
        match (self.planted.is_some(), self.is_good()) {
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
        self.findings.examples.iter().take(5).try_for_each(|example| write!(out, "\n  {example}"))
    }
}

/// The verdicts as lines of text.
pub(super) fn table(verdicts: &[Verdict]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<22} {:<8} {:>6} {:>7} {:>5} {:>5} {:>5} {:>8} {:>6}",
        "promise", "stack", "faults", "checked", "lost", "wrong", "ahead", "invented", ""
    )];
    lines.extend(verdicts.iter().map(|verdict| {
        let Findings { checked, lost, wrong, ahead, invented, .. } = &verdict.findings;
        format!(
            "{:<22} {:<8} {:>6} {checked:>7} {lost:>5} {wrong:>5} {ahead:>5} {invented:>8} {:>6}",
            verdict.name(),
            verdict.stack,
            verdict.faults,
            verdict.word(),
        )
    }));
    lines.extend(verdicts.iter().filter_map(note));
    lines
}

/// What the counts do not tell by themselves.
fn note(verdict: &Verdict) -> Option<String> {
    let Verdict { faults, stalls, planted, .. } = verdict;
    if *stalls > 0 {
        return Some(format!("{}: after {stalls} of {faults} faults work did not go on in time", verdict.name()));
    }
    let says_something = planted.is_none() && verdict.is_good();
    says_something.then(|| {
        let percent = 100.0 * excluded(*faults);
        let name = format!("{} on {}", verdict.fault, verdict.stack);
        format!("{name}: excludes, by 95 %, a loss at more than {percent:.0} % of such faults")
    })
}

/// So many faults without a loss have a chance of 5 % when each of them loses something with this chance.
fn excluded(faults: u32) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / f64::from(faults.max(1)))
}

/// The verdicts for programs.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(planted: Option<&'static str>, lost: u64) -> Verdict {
        Verdict {
            fault: Fault::R3,
            stack: Kind::Servers,
            planted,
            faults: 5,
            stalls: 0,
            findings: Findings { checked: 10, lost, ..Findings::default() },
            took: Duration::from_secs(7),
        }
    }

    #[test]
    fn a_promise_holds_when_nothing_is_lost_and_a_planted_bug_is_caught_when_something_is() {
        assert!(verdict(None, 0).is_good() && !verdict(None, 1).is_good());
        assert!(verdict(Some("no settle time"), 1).is_good() && !verdict(Some("no settle time"), 0).is_good());
    }

    #[test]
    fn a_hundred_faults_without_a_loss_exclude_three_percent() {
        assert!((excluded(100) - 0.0295).abs() < 0.0001);
        assert!((excluded(1) - 0.95).abs() < 0.0001);
    }

    #[test]
    fn nothing_checked_shows_nothing() {
        let mut empty = verdict(None, 0);
        empty.findings.checked = 0;
        assert!(!empty.is_good());
    }

    #[test]
    fn a_line_of_the_table_fits_80_columns() {
        let lines = table(&[verdict(Some("no settle time"), 12_345), verdict(None, 0)]);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
    }

    #[test]
    fn the_names_for_programs_are_stable() {
        let expected = r#"{"seed":7,"verdicts":[{"ahead":0,"checked":10,"committed":0,"examples":[],"fault":"R3","faults":5,"invented":0,"looked_at":0,"lost":0,"planted":null,"seconds":7.0,"stack":"servers","stalls":0,"verdict":"held","wrong":0}]}"#;
        assert_eq!(json(7, &[verdict(None, 0)]), expected);
    }
}
