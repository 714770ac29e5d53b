//! An evaluator that was written to be plain: it has all readings at once, knows nothing of windows, and goes through them
//! from the beginning.

use std::collections::BTreeMap;

use super::{Alarms, scores};
use crate::alarm::machine::Alarm;
use crate::alarm::plausible::range;
use crate::alarm::rules::{Condition, Form, Limit, Micros, Quantity, Rule, RuleSet, Side};
use crate::reading::{Sign, Signs};

fn is_over(limit: &Limit, value: f64) -> bool {
    if limit.side == Side::Above { value > limit.value } else { value < limit.value }
}

fn is_back(limit: &Limit, value: f64) -> bool {
    match limit.side {
        Side::Above => value <= limit.value - limit.hysteresis,
        Side::Below => value >= limit.value + limit.hysteresis,
    }
}

#[allow(clippy::too_many_lines, reason = "one loop that is read from top to bottom")]
fn plain_alarms(rule: &Rule, samples: &[Seen], known: Option<Alarm>) -> Vec<Alarm> {
    let Condition::Limit(limit) = &rule.condition else { panic!("{rule:?}") };
    let worse = |a: f64, b: f64| if limit.side == Side::Above { a.max(b) } else { a.min(b) };
    let mut done: Vec<Alarm> = Vec::new();
    let mut active: Option<Alarm> = known.filter(|alarm| alarm.ended.is_none());
    let mut pending: Option<(Micros, f64, f64, bool)> = None;
    let raise = |(onset, value, peak, is_partial): (Micros, f64, f64, bool)| Alarm {
        onset,
        start: onset + rule.delay,
        value,
        peak,
        is_partial,
        priority: rule.priority,
        returned: None,
        acknowledged: rule.ack_after.filter(|_| rule.latch).map(|after| onset + rule.delay + after),
        ended: None,
    };
    let end_of = |alarm: &Alarm| Some(alarm.returned?.max(alarm.acknowledged?));
    for Seen { time, value, is_partial } in samples.iter().copied() {
        if let Some(mut alarm) = active
            && let Some(end) = end_of(&alarm).filter(|end| *end <= time)
        {
            alarm.ended = Some(end);
            done.push(alarm);
            active = None;
        }
        if let Some(waiting) = pending.filter(|(onset, ..)| time > onset + rule.delay) {
            active = Some(raise(waiting));
            pending = None;
        }
        if let Some(mut alarm) = active.take() {
            let mut is_on = true;
            if alarm.returned.is_none() && is_back(limit, value) {
                alarm.returned = Some(time);
                let end = if rule.latch { end_of(&alarm) } else { Some(time) };
                if end.is_some_and(|end| end <= time) {
                    alarm.returned = alarm.returned.filter(|_| rule.latch);
                    alarm.ended = end;
                    done.push(alarm);
                    is_on = false;
                }
            } else if is_over(limit, value) {
                alarm.returned = None;
                if worse(alarm.peak, value) > alarm.peak || worse(alarm.peak, value) < alarm.peak {
                    (alarm.peak, alarm.is_partial) = (value, is_partial);
                }
            }
            active = is_on.then_some(alarm);
        } else if let Some((onset, first, peak, was_partial)) = pending {
            let cancels = if rule.band { is_back(limit, value) } else { !is_over(limit, value) };
            let is_worse = worse(peak, value).to_bits() != peak.to_bits();
            let is_partial = if is_worse { is_partial && is_over(limit, value) } else { was_partial };
            pending = (!cancels).then(|| (onset, first, worse(peak, value), is_partial));
        }
        if active.is_none() && pending.is_none() && is_over(limit, value) {
            pending = Some((time, value, value, is_partial));
        }
        if let Some(waiting) = pending.filter(|(onset, ..)| active.is_none() && time >= onset + rule.delay) {
            active = Some(raise(waiting));
            pending = None;
        }
    }
    if let Some(mut alarm) = active {
        alarm.ended = end_of(&alarm);
        done.push(alarm);
    }
    done.extend(pending.map(raise));
    done
}

/// What a reading comes to for a rule.
#[derive(Clone, Copy)]
struct Seen {
    time: Micros,
    value: f64,
    is_partial: bool,
}

fn samples(rule: &Rule, readings: &BTreeMap<Micros, Signs>) -> Vec<Seen> {
    let Condition::Limit(limit) = &rule.condition else { panic!("{rule:?}") };
    let values: Vec<_> = match limit.measure.quantity {
        Quantity::Sign(sign) => {
            let seen = |(time, signs): (&Micros, _)| {
                Some(Seen { time: *time, value: believed(signs, sign)?, is_partial: false })
            };
            readings.iter().filter_map(seen).collect()
        }
        Quantity::Score { item: Some(_), max_age, .. } => {
            let seen = |time: &Micros| {
                let value = scores::not_alert(readings, *time, max_age)?;
                Some(Seen { time: *time, value, is_partial: false })
            };
            readings.keys().filter_map(seen).collect()
        }
        Quantity::Score { max_age, .. } => {
            let seen = |time: &Micros| {
                let (value, is_partial) = scores::news2(readings, *time, max_age)?;
                Some(Seen { time: *time, value, is_partial })
            };
            readings.keys().filter_map(seen).collect()
        }
        Quantity::Derived(_) => panic!("{rule:?}"),
    };
    let change = |now: &Seen| {
        let Form::Rise(span) = limit.measure.form else { return *now };
        let within = values.iter().filter(|seen| seen.time <= now.time && now.time - seen.time <= span);
        Seen { value: now.value - within.map(|seen| seen.value).fold(now.value, f64::min), ..*now }
    };
    values.iter().map(change).collect()
}

pub(super) fn believed(signs: &Signs, sign: Sign) -> Option<f64> {
    let value: f64 = signs.number(sign)?.to_string().parse().unwrap();
    let (low, high) = range(sign);
    let is_pressure = matches!(sign, Sign::Systolic | Sign::Diastolic);
    let is_in_order = !is_pressure || signs.systolic > signs.diastolic || signs.systolic.is_none();
    ((low..=high).contains(&value) && is_in_order).then_some(value)
}

pub(super) fn plain(set: &RuleSet, readings: &[(Micros, Signs)]) -> Alarms {
    let mut merged: BTreeMap<Micros, Signs> = BTreeMap::new();
    for (time, signs) in readings {
        merged.entry(*time).or_default().overlay(signs);
    }
    let mut all = Alarms::new();
    for rule in set.rules.iter().filter(|rule| !rule.is_technical()) {
        for alarm in plain_alarms(rule, &samples(rule, &merged), None) {
            all.insert((rule.name.to_string(), alarm.onset), alarm);
        }
    }
    all
}

/// As [`plain`], where readings come in any order: what was raised stays raised, and what an alarm explains does so
/// for good.
pub(super) fn plain_by_arrival(set: &RuleSet, readings: &[(Micros, Signs)]) -> Alarms {
    let mut merged: BTreeMap<Micros, Signs> = BTreeMap::new();
    let mut all = Alarms::new();
    for (time, new) in readings {
        merged.entry(*time).or_default().overlay(new);
        for rule in set.rules.iter().filter(|rule| !rule.is_technical()) {
            let last = all.iter().rev().find(|((name, _), _)| **name == *rule.name).map(|(_, alarm)| *alarm);
            let from = match last {
                Some(Alarm { ended: Some(ended), onset, returned, .. }) => returned.unwrap_or(ended).max(onset + 1),
                Some(alarm) => alarm.returned.unwrap_or(alarm.onset),
                None => Micros::MIN,
            };
            let newest = *merged.keys().next_back().unwrap();
            let later: Vec<_> = samples(rule, &merged).into_iter().filter(|seen| seen.time >= from).collect();
            let all_samples = samples(rule, &merged);
            let known = last.map(|mut alarm| {
                // The worst value of all that the alarm stands for, whenever they came.
                let Condition::Limit(limit) = &rule.condition else { panic!("{rule:?}") };
                let returned = alarm.returned.filter(|_| alarm.ended.is_none()).unwrap_or(Micros::MIN);
                for seen in all_samples.iter().filter(|seen| seen.time >= alarm.onset && seen.time < returned) {
                    let worse = limit.worse(alarm.peak, seen.value);
                    if is_over(limit, seen.value) && worse.to_bits() != alarm.peak.to_bits() {
                        (alarm.peak, alarm.is_partial) = (worse, seen.is_partial);
                    }
                }
                alarm
            });
            for mut alarm in plain_alarms(rule, &later, known) {
                // What is due or ends only behind the newest reading has not happened yet.
                let is_known = all.contains_key(&(rule.name.to_string(), alarm.onset));
                let is_due = alarm.start < newest || (alarm.start == newest && is_over_at(rule, &merged, newest));
                alarm.ended = alarm.ended.filter(|end| *end <= newest);
                if is_known || is_due {
                    all.insert((rule.name.to_string(), alarm.onset), alarm);
                }
            }
        }
    }
    all
}

/// Whether the reading of that time is one of the rule's sign: an alarm that is due at that time waits for one.
fn is_over_at(rule: &Rule, readings: &BTreeMap<Micros, Signs>, time: Micros) -> bool {
    samples(rule, readings).last().is_some_and(|last| last.time == time)
}
