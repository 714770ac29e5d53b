//! All patients that are watched, in the partitions that are ours.

mod beds;
mod partition;
mod restore;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use self::beds::Bed;
pub use self::beds::Silence;
use self::partition::Partition;
use super::change::{AlarmChange, AlarmKey, AlarmRecord, KnownAlarm, record};
use super::machine::{Alarm, Step, Steps};
use super::patient::{Change, Patient};
use super::rules::{Micros, RuleSet, SECOND};
use crate::reading::{PatientId, Reading};

/// How late a reading may come: an alarm that is due waits so much longer for one that could cancel it.
pub const LATENESS: Micros = 2 * SECOND;
/// Readings of other patients tell what time it is, unless they are of another era: a recording that is played beside
/// another one.
const ERA: Micros = 24 * 60 * 60 * SECOND;
/// A reading so far ahead of the clock was timed by another one that is wrong, unless all of its patient's are: they are
/// a recording.
const AHEAD: Micros = 5 * 60 * SECOND;
/// So much the clock of a sender may be behind.
const NEAR: Micros = 2 * 60 * SECOND;

/// All patients that are watched by one set of rules.
#[derive(Debug)]
pub struct Watch {
    set: Arc<RuleSet>,
    /// Apart from the table, which has free places, and of which there are two while it grows.
    patients: HashMap<PatientId, Box<Watched>>,
    partitions: BTreeMap<i32, Partition>,
    /// Whether a patient was seen in two partitions.
    has_strays: bool,
    /// Whether what a reading ahead of the clock had left behind was taken back.
    has_fast_clock: bool,
    /// Up to when readings may be by the clock, where that was told.
    known_to: Micros,
    /// The patients who were admitted.
    beds: HashMap<PatientId, Bed>,
}

#[derive(Debug)]
struct Watched {
    patient: Patient,
    /// The rules for this patient, where they are not those of the others.
    own: Option<Arc<RuleSet>>,
    partition: i32,
    /// The onsets of what is pending, and the offset of the record that it began with.
    pending: Vec<(Micros, i64)>,
    /// When the next alarm is due, as its partition knows it.
    due: Option<Micros>,
    /// The newest reading that the store had when the patient was taken up without one, and when that was; long ago where
    /// there was none.
    newest_stored: Micros,
    asked: Micros,
    /// When something came last, by our clock: that of a monitor may be wrong.
    heard: Micros,
    /// Alarms that the store has and that are raised once more, when the readings that raised them are heard again.
    stored: Vec<KnownAlarm>,
    /// Of an onset up to here the store may have an alarm already: it was restored, other rules have raised it, or a clock
    /// that was wrong.
    raised_to: Micros,
}

impl Watched {
    fn set<'a>(&'a self, of_all: &'a Arc<RuleSet>) -> &'a Arc<RuleSet> {
        self.own.as_ref().unwrap_or(of_all)
    }

    /// The time of the newest reading that is known.
    fn newest(&self) -> Option<Micros> {
        self.patient.newest().max(Some(self.newest_stored)).filter(|newest| *newest > Micros::MIN)
    }

    /// Whether the time of a reading is known.
    fn is_heard(&self) -> bool {
        self.newest().is_some()
    }

    /// Something has come, whatever time it tells: a silence that was raised before is over.
    fn end_silence_by_message(&mut self, set: &RuleSet, time: Micros, tell: &mut impl FnMut(Change<'_>)) {
        let is_over = |alarm: &Alarm| self.heard > alarm.start && time <= alarm.onset;
        if self.patient.silence(set).is_some_and(is_over) {
            self.patient.end_silence(set, self.heard, tell);
        }
    }

    /// The offset at which the pending alarm of this onset began, or the first of all that is pending.
    fn began(&self, onset: Micros) -> Option<i64> {
        let own = self.pending.iter().find(|(other, _)| *other == onset).map(|(_, since)| *since);
        own.or_else(|| self.pending.iter().map(|(_, since)| *since).min())
    }
}

impl Watch {
    /// Nobody yet.
    pub fn new(set: RuleSet) -> Self {
        Self {
            set: Arc::new(set),
            patients: HashMap::new(),
            partitions: BTreeMap::new(),
            has_strays: false,
            has_fast_clock: false,
            known_to: Micros::MAX,
            beds: HashMap::new(),
        }
    }

    /// The clock says `now`. Until it is told, no reading is ahead of it.
    pub fn tell_time(&mut self, now: Micros) {
        self.known_to = now.saturating_add(AHEAD);
    }

    /// The patients with alarms that end only when somebody acknowledges them.
    pub fn unacknowledged(&self) -> Vec<PatientId> {
        if !self.set.rules.iter().any(|rule| rule.latch) {
            return Vec::new();
        }
        let awaits = |watched: &Watched| watched.patient.awaits_acknowledgement(watched.set(&self.set));
        self.patients.iter().filter(|(_, watched)| awaits(watched)).map(|(id, _)| id.clone()).collect()
    }

    /// Takes up what somebody has acknowledged, and tells what became of alarms.
    pub fn acknowledge(&mut self, known: &[KnownAlarm]) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        let set = &self.set;
        for KnownAlarm { patient: id, rule, alarm } in known {
            if let Some(at) = alarm.acknowledged
                && let Some(watched) = self.patients.get_mut(id)
            {
                let set = Arc::clone(watched.set(set));
                let tell = &mut |change: Change<'_>| changes.push(record(&set, id, change));
                watched.patient.acknowledge(&set, rule, (alarm.onset, at), tell);
            }
        }
        changes
    }

    /// Puts another set in force, and tells what became of alarms with it. Alarms go on under a rule of the same name; those
    /// whose rule is gone end.
    pub fn change_set(&mut self, set: RuleSet) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        let old = std::mem::replace(&mut self.set, Arc::new(set));
        let ids: Vec<_> = self.patients.keys().cloned().collect();
        for id in ids {
            self.change_rules_of(&id, &old, &mut changes);
        }
        changes
    }

    /// The rules for a patient are others than before, when those for all were `old`.
    fn change_rules_of(&mut self, id: &PatientId, old: &Arc<RuleSet>, changes: &mut Vec<AlarmChange>) {
        let own = self.beds.get(id).and_then(|bed| bed.rules(&self.set));
        let Some(watched) = self.patients.get_mut(id) else { return };
        let before = std::mem::replace(&mut watched.own, own);
        let (before, now) = (before.unwrap_or_else(|| Arc::clone(old)), Arc::clone(watched.set(&self.set)));
        watched.raised_to = watched.raised_to.max(watched.patient.newest().unwrap_or(Micros::MIN));
        let raised_to = watched.raised_to;
        let tell = &mut |change: Change<'_>| changes.push(record(&now, id, change).whole_to(raised_to));
        watched.patient.change_set(&before, &now, tell);
        if let Some(place) = self.partitions.get_mut(&watched.partition) {
            let offset = place.next_offset;
            place.follow(&now, id, watched, offset);
        }
    }

    /// Whether the alarms of this patient are known; else they have to be [restored](Self::restore) before a reading is
    /// judged.
    pub fn knows(&self, patient: &PatientId) -> bool {
        self.patients.contains_key(patient)
    }

    /// Takes a reading of a patient that is known, and tells what became of alarms, its own and those of others that
    /// were due before it.
    pub fn take(&mut self, partition: i32, offset: i64, sent_ms: i64, reading: &Reading) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        let now = reading.time().as_micros();
        let known_to = self.known_to;
        let place = self.partitions.entry(partition).or_default();
        place.note(offset, sent_ms);
        if let Some(watched) = self.patients.get_mut(reading.patient()) {
            if watched.partition != partition {
                watched.partition = partition;
                self.has_strays = true;
            }
            let id = reading.patient();
            watched.heard = watched.heard.max(heard_at(sent_ms, known_to));
            let set = Arc::clone(watched.set(&self.set));
            let stored = std::mem::take(&mut watched.stored);
            // A clock was wrong: what has come of times to come would keep the rules from all that comes now.
            let was_fast = now <= known_to && watched.patient.is_past(known_to);
            if was_fast {
                self.has_fast_clock = true;
                watched.raised_to = watched.raised_to.max(watched.patient.newest().unwrap_or(Micros::MIN));
            }
            let raised_to = watched.raised_to;
            let tell = &mut |change: Change<'_>| {
                if !restore::is_stored(&stored, &change) {
                    let is_of_stored = restore::is_of(&stored, &change);
                    let mut change = record(&set, id, change).whole_to(raised_to);
                    if is_of_stored {
                        // What the store has may be less bad, where whoever wrote it had heard less.
                        change.record.steps = change.record.steps.and(Steps::of(Step::Worse));
                    }
                    changes.push(change);
                }
            };
            if was_fast {
                watched.patient.forget_past(&set, known_to, tell);
            }
            // Of the time before the first reading that is known here others have told.
            if let Some(bed) = self.beds.get(id).filter(|_| watched.is_heard() && now <= known_to) {
                bed.look_for_gap(watched, &set, now, tell);
            }
            watched.end_silence_by_message(&set, now, tell);
            watched.patient.take(&set, now, reading.signs(), tell);
            watched.stored = restore::still_to_come(stored, now);
            place.follow(&set, id, watched, offset);
        }
        self.raise_due(partition, now.saturating_sub(LATENESS), Some(now), &mut changes);
        changes
    }

    /// The partition is read to its end, and the clock says `now`: tells what became of alarms.
    pub fn advance(&mut self, partition: i32, now: Micros) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        self.raise_due(partition, now.saturating_sub(LATENESS), None, &mut changes);
        self.raise_silent(partition, now.saturating_sub(LATENESS), &mut changes);
        changes
    }

    fn raise_due(&mut self, partition: i32, now: Micros, read: Option<Micros>, changes: &mut Vec<AlarmChange>) {
        let Some(place) = self.partitions.get_mut(&partition) else { return };
        let mut of_other_eras = Vec::new();
        while place.due.peek().is_some_and(|Reverse((due, _))| *due < now)
            && let Some(Reverse((due, id))) = place.due.pop()
        {
            let Some(watched) = self.patients.get_mut(&id) else { continue };
            let newest = watched.patient.newest().unwrap_or(due);
            let is_of_another_era =
                |read: Micros| read.saturating_sub(newest) > ERA || read > self.known_to && newest <= self.known_to;
            if read.is_some_and(is_of_another_era) {
                of_other_eras.push(Reverse((due, id)));
                continue;
            }
            let set = Arc::clone(watched.set(&self.set));
            let mut raised = Vec::new();
            let raised_to = watched.raised_to;
            watched
                .patient
                .advance(&set, now, &mut |change| raised.push(record(&set, &id, change).whole_to(raised_to)));
            for change in raised {
                // No record of the partition stands for it.
                if let Some(began) = watched.began(change.record.alarm.onset) {
                    place.unstored.insert(change.record.key(), began);
                }
                changes.push(change);
            }
            let offset = place.next_offset;
            place.follow(&set, &id, watched, offset);
        }
        place.due.extend(of_other_eras);
    }

    /// Nothing of this partition's readings may count any more.
    pub fn forget(&mut self, partition: i32) {
        self.partitions.remove(&partition);
        self.patients.retain(|_, watched| watched.partition != partition);
    }

    /// From which offset on the records below `committed` have to be heard again by whoever goes on there.
    pub fn history(&self, partition: i32, committed: i64) -> i64 {
        self.partitions.get(&partition).map_or(committed, |place| place.history(committed, self.set.remembers()))
    }

    /// Whoever goes on now does so at this offset.
    pub fn committed(&mut self, partition: i32, offset: i64) {
        let remembers = self.set.remembers();
        if let Some(place) = self.partitions.get_mut(&partition) {
            place.committed(offset, remembers);
        }
    }

    /// The store has these alarms.
    pub fn stored<'a>(&mut self, records: impl Iterator<Item = &'a AlarmRecord>) {
        for record in records {
            for place in self.partitions.values_mut() {
                if let Some(began) = place.unstored.remove(&record.key()) {
                    // The records that are committed now are heard again once more: the store may forget it yet.
                    place.decided.push_back((place.next_offset.saturating_add(1), began));
                }
            }
        }
    }

    /// Whether something waits to be [stored](Self::stored).
    pub fn awaits_stored(&self) -> bool {
        self.partitions.values().any(|place| !place.unstored.is_empty())
    }

    /// Whether a patient was seen in two partitions: then its alarms are only right while both are ours.
    pub fn has_strays(&self) -> bool {
        self.has_strays
    }

    /// Whether a reading was timed far ahead of the clock, and one of the same patient that was not has taken back what it
    /// had left behind.
    pub fn has_fast_clock(&self) -> bool {
        self.has_fast_clock
    }
}

/// When a message came that was sent at this time, where the clock is told by `known_to`: now, unless it was sent just
/// before, and may be heard again.
fn heard_at(sent_ms: i64, known_to: Micros) -> Micros {
    let (sent, now) = (sent_ms.saturating_mul(1000), known_to.saturating_sub(AHEAD));
    let is_near = now.saturating_sub(sent) <= NEAR && sent <= now;
    if is_near || known_to == Micros::MAX { sent } else { now }
}

#[cfg(test)]
mod tests;
