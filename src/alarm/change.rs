//! Alarms as they leave the rules: what is stored, shown and passed on of each, and what is known of it from elsewhere.

use std::sync::Arc;

use super::machine::{Alarm, Step, Steps};
use super::patient::Change;
use super::rules::{Micros, PARTIAL, Rule, RuleSet};
use crate::reading::PatientId;

/// An alarm as it is stored, shown and passed on.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmRecord {
    /// Whose it is.
    pub patient: PatientId,
    /// The stable name of its rule.
    pub rule: Arc<str>,
    /// What is shown: `High heart rate: 115`, with the value that was worst.
    pub text: String,
    /// The limit that was in force at its start, in the measure's unit. Where it was not raised just now, or is technical,
    /// it is not here.
    pub limit: Option<f64>,
    /// The set of rules that was in force at its start, where it was raised just now.
    pub rules: Option<Arc<str>>,
    /// What has become of it since it was written last.
    pub steps: Steps,
    /// Its times and values.
    pub alarm: Alarm,
}

/// What tells an alarm from all others: its patient, its rule and its onset.
pub type AlarmKey = (PatientId, Arc<str>, Micros);

impl AlarmRecord {
    /// Takes what has become of the same alarm since.
    pub fn update(&mut self, later: Self) {
        *self = Self {
            limit: later.limit.or(self.limit),
            rules: later.rules.or(self.rules.take()),
            steps: self.steps.and(later.steps),
            ..later
        };
    }

    /// Whether it is the same alarm, at whatever time.
    pub fn is_of(&self, other: &Self) -> bool {
        self.alarm.onset == other.alarm.onset && self.rule == other.rule && self.patient == other.patient
    }

    /// Whether it was raised just now: what ended one of the same onset before does not count for it.
    pub fn is_raised(&self) -> bool {
        self.steps.have(&[Step::Raised])
    }

    /// What tells it from all others.
    pub fn key(&self) -> AlarmKey {
        (self.patient.clone(), Arc::clone(&self.rule), self.alarm.onset)
    }
}

/// What became of an alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmChange {
    /// What happened.
    pub step: Step,
    /// The alarm since.
    pub record: AlarmRecord,
    /// Whether nobody need hear of it: a rule of higher priority about the same sign and side is active.
    pub is_covered: bool,
    /// Whether somebody has paused the alarms of this patient.
    pub is_paused: bool,
}

impl AlarmChange {
    /// One that was raised with an onset up to here is written whole, whatever the store has of it.
    pub(super) fn whole_to(mut self, to: Micros) -> Self {
        if self.step == Step::Raised && self.record.alarm.onset <= to {
            self.record.steps = self.record.steps.and(Steps::of(Step::Again));
        }
        self
    }
}

/// What the store knows of a patient's alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownAlarm {
    /// Whose it is.
    pub patient: PatientId,
    /// The stable name of its rule.
    pub rule: String,
    /// Its times and values.
    pub alarm: Alarm,
}

impl KnownAlarm {
    /// Whether it is this one, and nothing has become of it since; that somebody has acknowledged it is not counted.
    pub fn is_still(&self, record: &AlarmRecord) -> bool {
        let bare = |alarm: &Alarm| Alarm { acknowledged: None, is_partial: false, ..*alarm };
        self.patient == record.patient && self.rule == *record.rule && bare(&self.alarm) == bare(&record.alarm)
    }
}

pub(super) fn record(set: &RuleSet, patient: &PatientId, change: Change<'_>) -> AlarmChange {
    let Change { rule, step, alarm, is_covered } = change;
    let is_new = step == Step::Raised;
    let record = AlarmRecord {
        patient: patient.clone(),
        rule: Arc::clone(&rule.name),
        text: text(rule, alarm),
        limit: rule.limit().filter(|_| is_new),
        rules: is_new.then(|| Arc::clone(&set.label)),
        steps: Steps::of(step),
        alarm: *alarm,
    };
    AlarmChange { step, record, is_covered, is_paused: false }
}

/// An alarm that is known from elsewhere. Where its rule is gone, its text is made of its name.
pub(super) fn record_of(set: &RuleSet, patient: &PatientId, name: &str, alarm: Alarm) -> AlarmRecord {
    let own = set.rules.iter().find(|rule| *rule.name == *name);
    let bare = || {
        let partial = if alarm.is_partial { format!(" {PARTIAL}") } else { String::new() };
        format!("{}{partial}: {}", name.replace('_', " "), alarm.peak)
    };
    let text = own.map_or_else(bare, |rule| text(rule, &alarm));
    AlarmRecord {
        patient: patient.clone(),
        rule: name.into(),
        text,
        limit: None,
        rules: None,
        steps: Steps::of(Step::Ended),
        alarm,
    }
}

fn text(rule: &Rule, alarm: &Alarm) -> String {
    rule.text(alarm.peak, alarm.is_partial)
}
