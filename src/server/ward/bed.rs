//! One bed: the newest value of every sign, the score of these, and the alarms that are open.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::admission::Admission;
use crate::alarm::rules::{Micros, Rule, RuleSet, SECOND};
use crate::alarm::{MAX_SCORED_AGE, Newest, Priority, implausible};
use crate::reading::{Number, Reading, Sign, Timestamp};
use crate::score::{BuiltIn, Inputs, Score};
use crate::store::{AlarmState, StoredAlarm};

/// The score of the ward screen.
pub(in crate::server) const SCORE: BuiltIn = BuiltIn::News2;

/// An alarm is announced before it is stored: for so long the store may know less than the topic told.
const STORED_AFTER: Micros = 10 * SECOND;

/// One that was announced and never stored is shown for so long at most: whoever raised it tries to store it for as long as
/// it lives.
const UNSTORED_LIMIT: Micros = 60 * 60 * SECOND;

/// An alarm: its rule's name and its onset.
type Key = (String, String);

/// What is known of one patient.
#[derive(Debug, Default)]
pub(in crate::server) struct Bed {
    pub(in crate::server) admission: Option<Admission>,
    /// The time of the newest reading.
    newest: Option<Timestamp>,
    /// In the order of [`Sign::ALL`].
    signs: [Option<Measured>; Sign::ALL.len()],
    /// Of what is believed.
    believed: Newest,
    alarms: BTreeMap<Key, OpenAlarm>,
    /// When those ended that ended just now: the store may not know it yet.
    ended: BTreeMap<Key, Micros>,
    /// When something came last, by our clock.
    pub(super) heard: Micros,
    /// Whether it was shown as paused.
    is_paused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    value: Number,
    time: Timestamp,
    is_implausible: bool,
}

#[derive(Debug, PartialEq)]
struct OpenAlarm {
    row: StoredAlarm,
    /// When the topic told of it last.
    told: Option<Micros>,
    /// Whether the store has had it.
    was_stored: bool,
}

impl Bed {
    /// Of whom nothing has come, as of `now`.
    pub(in crate::server) fn of(admission: Option<Admission>, now: Micros) -> Self {
        Self { admission, heard: now, ..Self::default() }
    }

    /// A reading, which came at `now`. Whether something else is shown since.
    pub(super) fn hear(&mut self, reading: &Reading, now: Micros) -> bool {
        self.heard = self.heard.max(now);
        let (time, signs) = (reading.time(), reading.signs());
        let doubts = implausible(signs);
        let mut has_changed = self.newest.is_none_or(|newest| time > newest);
        self.newest = self.newest.max(Some(time));
        for (held, sign) in self.signs.iter_mut().zip(Sign::ALL) {
            if let Some(value) = signs.number(sign).filter(|_| held.is_none_or(|held| time >= held.time)) {
                let is_implausible = doubts.iter().any(|doubt| doubt.concerns(sign));
                let measured = Some(Measured { value, time, is_implausible });
                has_changed |= *held != measured;
                *held = measured;
            }
        }
        let inputs = self.inputs();
        self.believed.take(time.as_micros(), signs);
        has_changed || self.inputs() != inputs
    }

    /// What the topic of alarms told at `now`: the last message of an alarm counts. Whether something else is shown since.
    pub(super) fn hear_alarm(&mut self, alarm: StoredAlarm, now: Micros) -> bool {
        let key = key(&alarm);
        if !alarm.state().is_on() {
            self.ended.insert(key.clone(), now);
            return self.alarms.remove(&key).is_some();
        }
        self.ended.remove(&key);
        let (row, was_stored) = match self.alarms.get(&key) {
            Some(known) => (with_what_was_told_before(alarm, &known.row), known.was_stored),
            None => (alarm, false),
        };
        let has_changed = self.alarms.get(&key).is_none_or(|known| known.row != row);
        self.alarms.insert(key, OpenAlarm { row, told: Some(now), was_stored });
        has_changed
    }

    /// All alarms that the store had open at `now`. Whether something else is shown since.
    pub(super) fn compare_alarms(&mut self, open: Vec<StoredAlarm>, now: Micros) -> bool {
        let is_new = |at: Micros| at.saturating_add(STORED_AFTER) > now;
        self.ended.retain(|_, at| is_new(*at));
        let mut stored = BTreeMap::new();
        for row in open {
            let key = key(&row);
            if !self.ended.contains_key(&key) {
                stored.insert(key, row);
            }
        }
        let mut has_changed = false;
        self.alarms.retain(|key, alarm| {
            // What a consumer announces and cannot store is on all the same.
            let limit = if alarm.was_stored { STORED_AFTER } else { UNSTORED_LIMIT };
            let is_told = alarm.told.is_some_and(|at| at.saturating_add(limit) > now);
            let is_kept = stored.contains_key(key) || is_told;
            has_changed |= !is_kept;
            is_kept
        });
        for (key, row) in stored {
            match self.alarms.get_mut(&key) {
                Some(known) if known.row == row || known.told.is_some_and(is_new) => known.was_stored = true,
                _ => {
                    self.alarms.insert(key, OpenAlarm { row, told: None, was_stored: true });
                    has_changed = true;
                }
            }
        }
        has_changed
    }

    /// Whether it was shown as paused, and is so no more at `now`.
    pub(super) fn has_pause_ended(&mut self, now: Micros) -> bool {
        let is_paused = self.paused_until(now).is_some();
        std::mem::replace(&mut self.is_paused, is_paused) && !is_paused
    }

    fn paused_until(&self, now: Micros) -> Option<Timestamp> {
        let admission = self.admission.as_ref().filter(|admission| admission.is_in())?;
        Timestamp::from_micros(now).and_then(|now| admission.paused_until(now))
    }

    /// What a score is made of: nothing older than an hour before the newest reading.
    fn inputs(&self) -> Option<Inputs> {
        let newest = self.newest?.as_micros();
        let spo2_scale = self.admission.as_ref().map(|admission| admission.spo2_scale).unwrap_or_default();
        Some(Inputs { spo2_scale, ..self.believed.inputs_since(newest.saturating_sub(MAX_SCORED_AGE)) })
    }

    /// The score; none of a child, whom the charts of adults do not fit.
    fn score(&self) -> Option<(Score, Timestamp)> {
        let is_child = self.admission.as_ref().is_some_and(Admission::is_child);
        let inputs = self.inputs().filter(|_| !is_child)?;
        Some((SCORE.chart().score(&inputs), self.newest?))
    }

    /// Whether somebody is watched here.
    pub(in crate::server) fn is_admitted(&self) -> bool {
        self.admission.as_ref().is_some_and(Admission::is_in)
    }

    /// Whether it shows somebody of whom nothing has come since `then`, and nothing is known.
    pub(super) fn is_forgotten(&self, then: Micros) -> bool {
        self.admission.is_none() && self.alarms.is_empty() && self.heard < then
    }

    /// The ward that it is in, as far as that is known.
    pub(in crate::server) fn ward(&self) -> Option<&str> {
        self.admission.as_ref()?.ward.as_deref()
    }

    /// The alarms that are open, in no order that means anything.
    pub(in crate::server) fn alarms<'a>(&'a self, set: &'a RuleSet) -> impl Iterator<Item = ShownAlarm<'a>> {
        self.alarms.values().map(|alarm| ShownAlarm::of(&alarm.row, set))
    }

    /// What is shown of the bed of `patient` at `now`, by the rules for all.
    pub(in crate::server) fn show<'a>(&'a self, patient: &'a str, set: &'a RuleSet, now: Micros) -> ShownBed<'a> {
        let admission = self.admission.as_ref();
        let shown_score = |(score, time): (Score, Timestamp)| ShownScore {
            name: SCORE.name(),
            total: score.total,
            level: score.level.name(),
            is_partial: score.is_partial,
            time,
        };
        let signs = self.signs.iter().zip(Sign::ALL);
        let signs = signs.filter_map(|(measured, sign)| Some((sign.name(), ShownSign::of(measured.as_ref()?))));
        let mut alarms: Vec<_> = self.alarms(set).collect();
        ShownAlarm::sort(&mut alarms);
        ShownBed {
            patient_id: patient,
            name: admission.and_then(|admission| admission.name.as_deref()),
            ward: self.ward(),
            bed: admission.and_then(|admission| admission.bed.as_deref()),
            is_admitted: self.is_admitted(),
            paused_until: self.paused_until(now),
            time: self.newest,
            signs: signs.collect(),
            score: self.score().map(shown_score),
            alarms,
        }
    }
}

fn key(alarm: &StoredAlarm) -> Key {
    (alarm.rule.clone(), alarm.onset.clone())
}

/// What only the message of the start has, and that somebody acknowledged it, stays true.
fn with_what_was_told_before(alarm: StoredAlarm, before: &StoredAlarm) -> StoredAlarm {
    StoredAlarm {
        limit: alarm.limit.or(before.limit),
        rules: alarm.rules.or_else(|| before.rules.clone()),
        acknowledged_at: alarm.acknowledged_at.or_else(|| before.acknowledged_at.clone()),
        acknowledged_by: alarm.acknowledged_by.or_else(|| before.acknowledged_by.clone()),
        ..alarm
    }
}

/// A bed as it is sent to whoever looks on.
#[derive(Debug, Serialize)]
pub(in crate::server) struct ShownBed<'a> {
    patient_id: &'a str,
    name: Option<&'a str>,
    ward: Option<&'a str>,
    bed: Option<&'a str>,
    is_admitted: bool,
    paused_until: Option<Timestamp>,
    time: Option<Timestamp>,
    signs: BTreeMap<&'static str, ShownSign>,
    score: Option<ShownScore>,
    alarms: Vec<ShownAlarm<'a>>,
}

#[derive(Debug, Serialize)]
struct ShownSign {
    /// `null` is a number that JSON has none for.
    value: Number,
    time: Timestamp,
    is_implausible: bool,
}

impl ShownSign {
    fn of(measured: &Measured) -> Self {
        let Measured { value, time, is_implausible } = *measured;
        Self { value, time, is_implausible }
    }
}

#[derive(Debug, Serialize)]
struct ShownScore {
    name: &'static str,
    total: u8,
    level: &'static str,
    is_partial: bool,
    time: Timestamp,
}

/// An alarm as it is sent to whoever looks on.
#[derive(Debug, Serialize)]
pub(in crate::server) struct ShownAlarm<'a> {
    id: String,
    patient_id: &'a str,
    rule: &'a str,
    priority: Option<&'a str>,
    is_technical: bool,
    state: &'static str,
    text: Option<&'a str>,
    value: Option<f64>,
    peak: Option<f64>,
    limit: Option<f64>,
    onset: &'a str,
    started: Option<&'a str>,
    returned: Option<&'a str>,
    ended: Option<&'a str>,
    acknowledged_at: Option<&'a str>,
    acknowledged_by: Option<&'a str>,
    /// What its rule looks at.
    signs: Vec<&'static str>,
}

impl<'a> ShownAlarm<'a> {
    /// `set` are the rules for all, where its rule is looked up.
    pub(in crate::server) fn of(row: &'a StoredAlarm, set: &RuleSet) -> Self {
        // An empty text stands for none.
        let there = |text: &'a Option<String>| text.as_deref().filter(|text| !text.is_empty());
        let rule = set.rule(&row.rule);
        let is_about = |sign: &Sign| rule.is_some_and(|rule| rule.concerns(*sign));
        let is_ended = row.state() == AlarmState::Ended;
        Self {
            id: row.id().to_string(),
            patient_id: &row.patient_id,
            rule: &row.rule,
            priority: row.priority.as_deref(),
            is_technical: rule.is_some_and(Rule::is_technical),
            state: row.state().name(),
            text: row.message.as_deref(),
            value: row.value,
            peak: row.peak,
            limit: row.limit,
            onset: &row.onset,
            started: there(&row.started),
            returned: there(&row.returned),
            ended: row.end().filter(|_| is_ended),
            acknowledged_at: there(&row.acknowledged_at),
            acknowledged_by: there(&row.acknowledged_by),
            signs: Sign::ALL.into_iter().filter(is_about).map(Sign::name).collect(),
        }
    }

    /// The most pressing first.
    pub(in crate::server) fn sort(alarms: &mut [Self]) {
        alarms.sort_by_key(|alarm| Reverse(alarm.pressure()));
    }

    /// What is more pressing is greater: by priority, then what nobody has acknowledged, then what has lasted longest.
    fn pressure(&self) -> (Option<Priority>, bool, Reverse<&'a str>) {
        let priority = Priority::ALL.into_iter().find(|priority| Some(priority.name()) == self.priority);
        (priority, self.acknowledged_at.is_none(), Reverse(self.onset))
    }
}

#[cfg(test)]
mod tests;
