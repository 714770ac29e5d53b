//! What alarms come to, patient by patient and in all.

use super::clock::HOUR;
use super::course::{Course, Peak};
use super::period::Period;
use super::raised::Raised;
use crate::alarm::Priority;
use crate::alarm::rules::Micros;
use crate::cmd::common::number::decimal;
use crate::cmd::common::patient_days::{in_days, noisiest_tenth, tenth_of};

/// A rate per day that is made of less time says nothing.
const LEAST_WATCHED: Micros = HOUR;

/// How many alarms, by priority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Also those whose priority is none of ours.
    pub(super) all: usize,
    pub(super) high: usize,
    pub(super) medium: usize,
    pub(super) low: usize,
}

impl Counts {
    fn note(&mut self, priority: Option<Priority>) {
        self.all += 1;
        match priority {
            Some(Priority::High) => self.high += 1,
            Some(Priority::Medium) => self.medium += 1,
            Some(Priority::Low) => self.low += 1,
            None => {}
        }
    }

    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.high += other.high;
        self.medium += other.medium;
        self.low += other.low;
    }

    pub(super) fn of(&self, priority: Priority) -> usize {
        match priority {
            Priority::High => self.high,
            Priority::Medium => self.medium,
            Priority::Low => self.low,
        }
    }
}

/// What a patient's alarms come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Burden {
    pub(super) patient: String,
    /// What the patient is called.
    pub(super) label: String,
    /// The alarms that were raised in the time of the report.
    pub(super) raised: Counts,
    /// How many others were on already.
    pub(super) carried: usize,
    /// Of all these, how many are on.
    pub(super) on: usize,
    /// Of all these, how many nobody has acknowledged.
    pub(super) unacknowledged: usize,
    /// Of those that are on, how many nobody has acknowledged.
    pub(super) on_unacknowledged: usize,
    /// For how long any of them was on; several at once count once.
    pub(super) in_alarm: Micros,
    /// The longest, from its start to its end.
    pub(super) longest: Option<Micros>,
    /// For how long there were readings.
    pub(super) watched: Micros,
    pub(super) peak: Option<Peak>,
}

impl Burden {
    /// Of the alarms that are in the time of the report, and of what the readings came to.
    pub(super) fn of(patient: &str, label: &str, alarms: &[Raised], course: &Course, period: &Period) -> Self {
        let count = |meant: &dyn Fn(&Raised) -> bool| alarms.iter().filter(|alarm| meant(alarm)).count();
        let is_raised = |alarm: &Raised| period.holds(alarm.start);
        let is_open = |alarm: &Raised| !alarm.row.is_acknowledged();
        let mut raised = Counts::default();
        alarms.iter().filter(|alarm| is_raised(alarm)).for_each(|alarm| raised.note(alarm.priority));
        Self {
            patient: patient.to_owned(),
            label: label.to_owned(),
            raised,
            carried: count(&|alarm| !is_raised(alarm)),
            on: count(&Raised::is_on),
            unacknowledged: count(&is_open),
            on_unacknowledged: count(&|alarm| alarm.is_on() && is_open(alarm)),
            in_alarm: together(alarms.iter().filter_map(|alarm| alarm.within(period)).collect()),
            longest: alarms.iter().map(|alarm| alarm.lasted(period)).max(),
            watched: course.watched(),
            peak: course.peak(),
        }
    }

    /// Alarms per patient-day.
    pub(super) fn per_day(&self) -> Option<f64> {
        per_day(self.raised.all, self.watched)
    }

    /// Which part of `all` alarms it has.
    pub(super) fn share(&self, all: usize) -> Option<f64> {
        (all > 0).then(|| decimal(self.raised.all) / decimal(all))
    }
}

fn per_day(alarms: usize, watched: Micros) -> Option<f64> {
    (watched >= LEAST_WATCHED).then(|| decimal(alarms) / in_days(watched))
}

/// How long spans are that may overlap, where each moment counts once.
fn together(mut spans: Vec<(Micros, Micros)>) -> Micros {
    spans.sort_unstable();
    let mut counted = Micros::MIN;
    let mut sum = 0;
    for (from, to) in spans {
        sum += to.saturating_sub(from.max(counted)).max(0);
        counted = counted.max(to);
    }
    sum
}

/// What the alarms of all patients come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) patients: usize,
    pub(super) raised: Counts,
    pub(super) carried: usize,
    pub(super) on: usize,
    pub(super) unacknowledged: usize,
    pub(super) on_unacknowledged: usize,
    pub(super) watched: Micros,
    pub(super) per_day: Option<f64>,
    /// Which part of the alarms the noisiest tenth of the patients has, where there are alarms.
    pub(super) noisiest_tenth: Option<f64>,
    /// How many patients that tenth is.
    pub(super) tenth: usize,
}

impl Totals {
    pub(super) fn of<'a>(burdens: impl Iterator<Item = &'a Burden>) -> Self {
        let mut totals = Self::default();
        let mut counts = Vec::new();
        for burden in burdens {
            counts.push(burden.raised.all);
            totals.raised.add(burden.raised);
            totals.carried += burden.carried;
            totals.on += burden.on;
            totals.unacknowledged += burden.unacknowledged;
            totals.on_unacknowledged += burden.on_unacknowledged;
            totals.watched += burden.watched;
        }
        let patients = counts.len();
        Self {
            patients,
            per_day: per_day(totals.raised.all, totals.watched),
            tenth: if patients == 0 { 0 } else { tenth_of(patients) },
            noisiest_tenth: noisiest_tenth(counts),
            ..totals
        }
    }
}
