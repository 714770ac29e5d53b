//! Taking up what the store knows of a patient's alarms.

use std::sync::Arc;

use super::{LATENESS, Watch, Watched};
use crate::alarm::change::{AlarmChange, KnownAlarm, record_of};
use crate::alarm::machine::{Alarm, Step};
use crate::alarm::patient::{Change, Patient};
use crate::alarm::rules::{Micros, Rule};
use crate::reading::PatientId;

impl Watch {
    /// Takes up what is known of a patient's alarms, the newest first, before its reading of the time `at` is judged. Tells
    /// which of them end now, since the rules that raised them are gone or they have raised another one since.
    pub fn restore(
        &mut self,
        partition: i32,
        patient: &PatientId,
        at: Micros,
        known: &[&KnownAlarm],
    ) -> Vec<AlarmChange> {
        let own = self.beds.get(patient).and_then(|bed| bed.rules(&self.set));
        let mut watched = Watched {
            patient: Patient::default(),
            own,
            partition,
            pending: Vec::new(),
            due: None,
            newest_stored: Micros::MIN,
            asked: Micros::MIN,
            heard: Micros::MIN,
            stored: Vec::new(),
            raised_to: known.iter().map(|known| known.alarm.onset).max().unwrap_or(Micros::MIN),
        };
        let set = Arc::clone(watched.set(&self.set));
        let mut changes = Vec::new();
        // As in [`Self::take`]: what was raised by a clock that was wrong is over, and explains nothing.
        let (known, ahead): (Vec<&KnownAlarm>, Vec<&KnownAlarm>) =
            known.iter().copied().partition(|known| at > self.known_to || known.alarm.onset <= self.known_to);
        let mut end = |KnownAlarm { rule, alarm, .. }: &KnownAlarm, end: Micros| {
            let ended = Alarm { ended: Some(end), ..*alarm };
            let record = record_of(&set, patient, rule, ended);
            changes.push(AlarmChange { step: Step::Ended, record, is_covered: false, is_paused: false });
        };
        ahead.iter().filter(|known| known.alarm.ended.is_none()).for_each(|known| end(known, known.alarm.onset));
        for (index, one) in known.iter().enumerate().rev() {
            let KnownAlarm { rule, alarm, .. } = one;
            if !counts(one) && watched.patient.is_on(&set, rule) {
                continue;
            }
            let before = known.iter().skip(index + 1).find(|before| is_heard_again(before, one, at));
            if before.is_some() && watched.patient.is_on(&set, rule) {
                watched.stored.push((*one).clone());
                continue;
            }
            let has_rule = watched.patient.restore(&set, rule, *alarm);
            let later = known.iter().take(index).rev().find(|later| later.rule == *rule && counts(later));
            let is_told_by_readings = has_rule && later.is_some() && at <= alarm.onset;
            let over = later.map(|later| later.alarm.onset).or_else(|| (!has_rule).then_some(at.max(alarm.onset)));
            if let Some(over) = over.filter(|_| alarm.ended.is_none() && !is_told_by_readings) {
                end(one, over);
            }
        }
        self.patients.insert(patient.clone(), Box::new(watched));
        self.end_silence_of_before(patient, &mut changes);
        changes
    }
}

/// Where one ended as it began, it was none.
fn counts(known: &KnownAlarm) -> bool {
    known.alarm.ended != Some(known.alarm.onset)
}

/// Whether `before` has no end in the store, though its rule has raised `later` since. A consumer that had stood still, and
/// went on to write what it knew, can have taken the end away. Where the readings from its onset on are heard again, they
/// tell when it was.
fn is_heard_again(before: &KnownAlarm, later: &KnownAlarm, at: Micros) -> bool {
    before.rule == later.rule && before.alarm.ended.is_none() && at <= before.alarm.onset
}

/// Whether it is of an alarm that the store has.
pub(super) fn is_of(stored: &[KnownAlarm], Change { rule, alarm, .. }: &Change<'_>) -> bool {
    of(stored, rule, alarm).is_some()
}

fn of<'a>(stored: &'a [KnownAlarm], rule: &Rule, alarm: &Alarm) -> Option<&'a KnownAlarm> {
    stored.iter().find(|known| *known.rule == *rule.name && known.alarm.onset == alarm.onset)
}

/// Whether the store has it already.
pub(super) fn is_stored(stored: &[KnownAlarm], Change { rule, step, alarm, .. }: &Change<'_>) -> bool {
    of(stored, rule, alarm).is_some_and(|KnownAlarm { alarm: known, .. }| match step {
        Step::Raised => true,
        Step::Ended => known.ended == alarm.ended && is_as_bad(rule, known, alarm),
        Step::Rose | Step::Worse | Step::Returned | Step::Again => {
            known.ended.is_some() && is_as_bad(rule, known, alarm)
        }
    })
}

fn is_as_bad(rule: &Rule, known: &Alarm, alarm: &Alarm) -> bool {
    let limit = rule.condition.limits().first();
    let worst = limit.map_or(known.peak, |limit| limit.worse(known.peak, alarm.peak));
    worst.to_bits() == known.peak.to_bits() && known.priority >= alarm.priority
}

/// Those that readings after `now` may raise once more.
pub(super) fn still_to_come(mut stored: Vec<KnownAlarm>, now: Micros) -> Vec<KnownAlarm> {
    stored.retain(|known| known.alarm.ended.unwrap_or(known.alarm.start).saturating_add(LATENESS) >= now);
    stored
}
