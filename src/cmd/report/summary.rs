//! The report: what all patients come to.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::burden::{Burden, Totals};
use super::course::Course;
use super::period::Period;
use super::raised::{LOOKED_THROUGH, Raised};
use super::trend::Line;
use crate::alarm::Priority;
use crate::alarm::rules::{Micros, SECOND};
use crate::output::counted;

/// So many of the longest alarms are named.
const LONGEST: usize = 10;

/// So many alarms that nobody has acknowledged are named: more is work for `vitals alarms list`.
const UNACKNOWLEDGED: usize = 100;

/// So many of a patient's alarms are listed on a page, the newest ones: with the trend, what a printed page takes.
const LISTED: usize = 25;

/// An alarm that was on for less than this was hardly worth a walk to the bed.
pub(super) const SHORT: Micros = 30 * SECOND;

/// All that a report tells.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) period: Period,
    pub(super) totals: Totals,
    /// Who has most alarms comes first.
    pub(super) patients: Vec<Patient>,
    /// The rule with most alarms comes first.
    pub(super) rules: Vec<OfRule>,
    /// The most urgent that are on come first, the oldest of these before others.
    pub(super) unacknowledged: Vec<Raised>,
    pub(super) longest: Vec<Raised>,
    missing: Missing,
}

/// A patient, and where a page is wanted what is drawn.
#[derive(Debug)]
pub(super) struct Patient {
    pub(super) burden: Burden,
    pub(super) detail: Option<Detail>,
}

/// What a page shows of a patient.
#[derive(Debug)]
pub(super) struct Detail {
    /// The newest of its alarms, in their order.
    pub(super) alarms: Vec<Raised>,
    /// How many there are before these.
    pub(super) unlisted: usize,
    /// When alarms were on, all of them.
    pub(super) bands: Vec<Band>,
    pub(super) lines: Vec<Line>,
}

/// When an alarm was on, of the time of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) priority: Option<Priority>,
    pub(super) from: Micros,
    pub(super) to: Micros,
}

/// What the alarms of a rule come to that were raised in the time of the report.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OfRule {
    pub(super) rule: String,
    pub(super) raised: usize,
    /// One that goes on counts as long as it has lasted.
    pub(super) median: Micros,
    /// How many have ended in that time, and in less than [`SHORT`].
    pub(super) short: usize,
}

/// What is not in the figures.
#[derive(Debug, Default)]
struct Missing {
    /// Whether minutes were read and not readings.
    by_minutes: bool,
    /// Rows of an earlier `vitals`.
    lines: usize,
    /// Readings whose time is none.
    timeless: u64,
    /// Patients of whom not all alarms were looked through.
    cut_off: usize,
}

/// What was seen of one patient.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) patient: String,
    /// What the patient is called.
    pub(super) label: String,
    /// The alarms that are in the time of the report.
    pub(super) alarms: Vec<Raised>,
    /// Rows of an earlier `vitals` in that time.
    pub(super) lines: usize,
    /// Whether there may be further alarms.
    pub(super) is_cut_off: bool,
    pub(super) course: Course,
    /// Readings whose time is none.
    pub(super) timeless: u64,
}

/// Puts a report together, patient by patient in whatever order.
#[derive(Debug)]
pub(super) struct Builder {
    period: Period,
    patients: Vec<Patient>,
    /// How long the alarms of each rule lasted, and whether they are over.
    rules: BTreeMap<String, Vec<(Micros, bool)>>,
    unacknowledged: Vec<Raised>,
    longest: Vec<Raised>,
    missing: Missing,
}

impl Builder {
    pub(super) fn new(period: Period, by_minutes: bool) -> Self {
        let (rules, missing) = (BTreeMap::new(), Missing { by_minutes, ..Missing::default() });
        Self { period, patients: Vec::new(), rules, unacknowledged: Vec::new(), longest: Vec::new(), missing }
    }

    pub(super) fn take(&mut self, seen: Seen) {
        let Seen { patient, label, alarms, lines, is_cut_off, course, timeless } = seen;
        self.missing.lines += lines;
        self.missing.timeless += timeless;
        self.missing.cut_off += usize::from(is_cut_off);
        if alarms.is_empty() && course.readings() == 0 {
            return;
        }
        let period = self.period;
        for alarm in alarms.iter().filter(|alarm| period.holds(alarm.start)) {
            let lasted = self.rules.entry(alarm.row.rule.clone()).or_default();
            lasted.push((alarm.lasted(&period), !alarm.goes_on(&period)));
        }
        self.unacknowledged.extend(alarms.iter().filter(|alarm| !alarm.row.is_acknowledged()).cloned());
        keep(&mut self.unacknowledged, UNACKNOWLEDGED, |alarm| {
            (!alarm.is_on(), Reverse(alarm.priority), alarm.start, alarm.row.id().to_string())
        });
        self.longest.extend(alarms.iter().cloned());
        keep(&mut self.longest, LONGEST, |alarm| (Reverse(alarm.lasted(&period)), alarm.row.id().to_string()));
        let burden = Burden::of(&patient, &label, &alarms, &course, &period);
        let detail = course.lines().map(|lines| Detail::of(alarms, lines, &period));
        self.patients.push(Patient { burden, detail });
    }

    pub(super) fn finish(self) -> Summary {
        let Self { period, mut patients, rules, unacknowledged, longest, missing } = self;
        let key =
            |of: &Patient| (Reverse(of.burden.raised.all), Reverse(of.burden.in_alarm), of.burden.patient.clone());
        patients.sort_by_cached_key(key);
        let mut rules: Vec<_> = rules.into_iter().map(|(rule, lasted)| OfRule::of(rule, lasted)).collect();
        // Stable, so that those with as many stay in the order of their names.
        rules.sort_by_key(|rule| Reverse(rule.raised));
        let totals = Totals::of(patients.iter().map(|patient| &patient.burden));
        Summary { period, totals, patients, rules, unacknowledged, longest, missing }
    }
}

/// Keeps the first of them.
fn keep<K: Ord>(alarms: &mut Vec<Raised>, at_most: usize, key: impl Fn(&Raised) -> K) {
    alarms.sort_by_cached_key(key);
    alarms.truncate(at_most);
}

impl Detail {
    fn of(mut alarms: Vec<Raised>, lines: Vec<Line>, period: &Period) -> Self {
        alarms.sort_by_key(|alarm| alarm.start);
        let band = |alarm: &Raised| {
            // One that ended as it began is shown where it was.
            let (from, to) = alarm.within(period).unwrap_or((alarm.start, alarm.start));
            Band { priority: alarm.priority, from, to }
        };
        let bands = alarms.iter().map(band).collect();
        let unlisted = alarms.len().saturating_sub(LISTED);
        Self { alarms: alarms.split_off(unlisted), unlisted, bands, lines }
    }
}

impl OfRule {
    fn of(rule: String, mut lasted: Vec<(Micros, bool)>) -> Self {
        lasted.sort_unstable();
        let short = lasted.iter().filter(|(lasted, is_over)| *is_over && *lasted < SHORT).count();
        let median = lasted.get(lasted.len() / 2).map_or(0, |(lasted, _)| *lasted);
        Self { rule, raised: lasted.len(), median, short }
    }
}

impl Summary {
    /// What is not in the figures, each in a sentence.
    pub(super) fn gaps(&self) -> Vec<String> {
        let Missing { by_minutes, lines, timeless, cut_off } = self.missing;
        let mut gaps = Vec::new();
        if by_minutes {
            gaps.push(
                "NEWS2 is that of the last values of each minute, and without observations: a time of more than 3 days, \
                 or one whose readings need not be there any more, is told by its minutes"
                    .to_owned(),
            );
        }
        if lines > 0 {
            let rows = counted(lines, "row");
            gaps.push(format!("{rows} of an earlier vitals left out, one a reading over a limit: these are no alarms"));
        }
        if timeless > 0 {
            gaps.push(format!("{} left out whose time is none", counted(timeless, "reading")));
        }
        if cut_off > 0 {
            let patients = counted(cut_off, "patient");
            gaps.push(format!(
                "of {patients} only the newest {LOOKED_THROUGH} rows of alarms were looked through, and what is on: what \
                 began before these and is over may be missing"
            ));
        }
        gaps
    }
}
