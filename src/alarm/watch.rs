//! All patients that are watched, in the partitions that are ours.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use super::machine::{Alarm, Step};
use super::patient::{Change, Patient};
use super::rules::{Micros, PARTIAL, Rule, RuleSet, SECOND};
use crate::reading::{PatientId, Reading};

/// How late a reading may come: an alarm that is due waits so much longer for one that could cancel it.
pub const LATENESS: Micros = 2 * SECOND;
/// Readings of other patients tell what time it is, unless they are of another era: a recording that is played beside
/// another one.
const ERA: Micros = 24 * 60 * 60 * SECOND;
/// A reading so far ahead of the clock was timed by another one that is wrong, unless all of its patient's are: they are
/// a recording.
const AHEAD: Micros = 5 * 60 * SECOND;
/// So many records before the committed offset are heard again at most, unless an alarm is pending for longer.
const MAX_HEARD_AGAIN: i64 = 100_000;

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
    /// Whether it has risen just now: whoever had acknowledged it has to do so again.
    pub is_rearmed: bool,
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
            is_rearmed: later.is_rearmed || self.is_rearmed,
            ..later
        };
    }

    /// Whether it is the same alarm, at whatever time.
    pub fn is_of(&self, other: &Self) -> bool {
        self.alarm.onset == other.alarm.onset && self.rule == other.rule && self.patient == other.patient
    }

    /// Whether it was raised just now: what ended one of the same onset before does not count for it.
    pub fn is_raised(&self) -> bool {
        self.rules.is_some()
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

/// All patients that are watched by one set of rules.
#[derive(Debug)]
pub struct Watch {
    set: Arc<RuleSet>,
    patients: HashMap<PatientId, Watched>,
    partitions: BTreeMap<i32, Partition>,
    /// Whether a patient was seen in two partitions.
    has_strays: bool,
    /// Up to when readings may be by the clock, where that was told.
    known_to: Micros,
}

#[derive(Debug)]
struct Watched {
    patient: Patient,
    partition: i32,
    /// The offset at which something began to be pending that still is.
    pending_since: Option<i64>,
    /// When the next alarm is due, as its partition knows it.
    due: Option<Micros>,
}

/// What a partition's readings have left behind.
#[derive(Debug, Default)]
struct Partition {
    /// Where reading goes on.
    next_offset: i64,
    /// When alarms are due that nothing has to come for.
    due: BinaryHeap<Reverse<(Micros, PatientId)>>,
    /// Offsets at which something began to be pending that still is, with the patient.
    open: BTreeSet<(i64, PatientId)>,
    /// Where something was decided, and where that had begun, oldest first: what is committed below has to hear it again.
    decided: VecDeque<(i64, i64)>,
    /// Alarms that were raised without a reading and are not stored yet, and where they had begun.
    unstored: HashMap<AlarmKey, i64>,
    /// Offsets and when their records were sent, in ms, a second apart.
    sent: VecDeque<(i64, i64)>,
}

impl Watch {
    /// Nobody yet.
    pub fn new(set: RuleSet) -> Self {
        Self {
            set: Arc::new(set),
            patients: HashMap::new(),
            partitions: BTreeMap::new(),
            has_strays: false,
            known_to: Micros::MAX,
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
        let awaits = |(_, watched): &(&PatientId, &Watched)| watched.patient.awaits_acknowledgement(&self.set);
        self.patients.iter().filter(awaits).map(|(id, _)| id.clone()).collect()
    }

    /// Takes up what somebody has acknowledged, and tells what became of alarms.
    pub fn acknowledge(&mut self, known: &[KnownAlarm]) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        let set = &self.set;
        for KnownAlarm { patient: id, rule, alarm } in known {
            if let Some(at) = alarm.acknowledged
                && let Some(watched) = self.patients.get_mut(id)
            {
                let tell = &mut |change: Change<'_>| changes.push(record(set, id, change));
                watched.patient.acknowledge(set, rule, (alarm.onset, at), tell);
            }
        }
        changes
    }

    /// Puts another set in force, and tells what became of alarms with it. Alarms go on under a rule of the same name; those
    /// whose rule is gone end.
    pub fn change_set(&mut self, set: RuleSet) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        let old = std::mem::replace(&mut self.set, Arc::new(set));
        let set = &self.set;
        for (id, watched) in &mut self.patients {
            watched.patient.change_set(&old, set, &mut |change| changes.push(record(set, id, change)));
            if let Some(place) = self.partitions.get_mut(&watched.partition) {
                let offset = place.next_offset;
                place.follow(set, id, watched, offset);
            }
        }
        changes
    }

    /// Whether the alarms of this patient are known; else they have to be [restored](Self::restore) before a reading is
    /// judged.
    pub fn knows(&self, patient: &PatientId) -> bool {
        self.patients.contains_key(patient)
    }

    /// Takes up what is known of a patient's alarms, the newest first, before its reading of the time `at` is judged. Tells
    /// which of them end now, since the rules that raised them are gone or they have raised another one since.
    pub fn restore(
        &mut self,
        partition: i32,
        patient: &PatientId,
        at: Micros,
        known: &[&KnownAlarm],
    ) -> Vec<AlarmChange> {
        let mut watched = Watched { patient: Patient::default(), partition, pending_since: None, due: None };
        let mut changes = Vec::new();
        // As in [`Self::take`]: what was raised by a clock that was wrong is over, and explains nothing.
        let (known, ahead): (Vec<&KnownAlarm>, Vec<&KnownAlarm>) =
            known.iter().copied().partition(|known| at > self.known_to || known.alarm.onset <= self.known_to);
        let mut end = |KnownAlarm { rule, alarm, .. }: &KnownAlarm, end: Micros| {
            let ended = Alarm { ended: Some(end), ..*alarm };
            let record = record_of(&self.set, patient, rule, ended);
            changes.push(AlarmChange { step: Step::Ended, record, is_covered: false });
        };
        ahead.iter().filter(|known| known.alarm.ended.is_none()).for_each(|known| end(known, known.alarm.onset));
        // Where one ended as it began, it was none.
        let counts = |known: &KnownAlarm| known.alarm.ended != Some(known.alarm.onset);
        for (index, one) in known.iter().enumerate().rev() {
            let KnownAlarm { rule, alarm, .. } = one;
            if !counts(one) && watched.patient.is_on(&self.set, rule) {
                continue;
            }
            let has_rule = watched.patient.restore(&self.set, rule, *alarm);
            // That it ended may be lost, where a later one was stored before.
            let later = known.iter().take(index).rev().find(|later| later.rule == *rule && counts(later));
            let over = later.map(|later| later.alarm.onset).or_else(|| (!has_rule).then_some(at.max(alarm.onset)));
            if let Some(over) = over.filter(|_| alarm.ended.is_none()) {
                end(one, over);
            }
        }
        self.patients.insert(patient.clone(), watched);
        changes
    }

    /// Takes a reading of a patient that is known, and tells what became of alarms, its own and those of others that
    /// were due before it.
    pub fn take(&mut self, partition: i32, offset: i64, sent_ms: i64, reading: &Reading) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        let set = Arc::clone(&self.set);
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
            // A clock was wrong: what has come of times to come would keep the rules from all that comes now.
            if now <= known_to && watched.patient.is_past(known_to) {
                let tell = &mut |change: Change<'_>| changes.push(record(&set, id, change));
                watched.patient.forget_past(&set, known_to, tell);
            }
            watched.patient.take(&set, now, reading.signs(), &mut |change| changes.push(record(&set, id, change)));
            place.follow(&set, id, watched, offset);
        }
        self.raise_due(partition, now.saturating_sub(LATENESS), Some(now), &mut changes);
        changes
    }

    /// The partition is read to its end, and the clock says `now`: tells what became of alarms.
    pub fn advance(&mut self, partition: i32, now: Micros) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        self.raise_due(partition, now.saturating_sub(LATENESS), None, &mut changes);
        changes
    }

    fn raise_due(&mut self, partition: i32, now: Micros, read: Option<Micros>, changes: &mut Vec<AlarmChange>) {
        let Some(place) = self.partitions.get_mut(&partition) else { return };
        let set = &self.set;
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
            let began = watched.pending_since;
            watched.patient.advance(set, now, &mut |change| {
                let change = record(set, &id, change);
                // No record of the partition stands for it.
                if let Some(began) = began {
                    place.unstored.insert(change.record.key(), began);
                }
                changes.push(change);
            });
            let offset = place.next_offset;
            place.follow(set, &id, watched, offset);
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
}

impl Partition {
    fn note(&mut self, offset: i64, sent_ms: i64) {
        self.next_offset = self.next_offset.max(offset.saturating_add(1));
        if self.sent.back().is_none_or(|(_, last)| sent_ms.saturating_sub(*last) >= 1000) {
            self.sent.push_back((offset, sent_ms));
        }
    }

    /// Keeps up with what is pending for a patient, after the record at `offset`.
    fn follow(&mut self, set: &RuleSet, id: &PatientId, watched: &mut Watched, offset: i64) {
        let due = watched.patient.due(set);
        match (watched.pending_since, due) {
            (None, Some(_)) => {
                watched.pending_since = Some(offset);
                self.open.insert((offset, id.clone()));
            }
            (Some(since), None) => {
                watched.pending_since = None;
                self.open.remove(&(since, id.clone()));
                self.decided.push_back((offset, since));
            }
            _ => {}
        }
        if let Some(due) = due.filter(|_| due != watched.due) {
            self.due.push(Reverse((due, id.clone())));
        }
        watched.due = due;
    }

    fn history(&self, committed: i64, remembers: Micros) -> i64 {
        // A partition point: what was decided later is behind.
        let decided = self.decided.iter().filter(|(at, _)| *at >= committed).map(|(_, began)| *began);
        let open = self.open.iter().next().map(|(offset, _)| *offset);
        let pending = decided.chain(open).chain(self.unstored.values().copied()).min().unwrap_or(committed);
        // What is pending has looked back from where it began.
        let last = pending.min(committed.saturating_sub(1));
        let here = self.sent.partition_point(|(offset, _)| *offset <= last);
        let now = here.checked_sub(1).and_then(|at| self.sent.get(at)).map_or(0, |(_, sent)| *sent);
        let since = now.saturating_sub(remembers / 1000);
        let remembered = self.sent.iter().find(|(_, sent)| *sent >= since).map_or(committed, |(offset, _)| *offset);
        let remembered = remembered.max(committed.saturating_sub(MAX_HEARD_AGAIN));
        pending.min(remembered).min(committed)
    }

    /// What is committed needs no more of what was decided before.
    fn committed(&mut self, committed: i64, remembers: Micros) {
        while self.decided.front().is_some_and(|(at, _)| *at < committed) {
            self.decided.pop_front();
        }
        let oldest = self.history(committed, remembers);
        while self.sent.get(1).is_some_and(|(offset, _)| *offset <= oldest) {
            self.sent.pop_front();
        }
    }
}

fn record(set: &RuleSet, patient: &PatientId, change: Change<'_>) -> AlarmChange {
    let Change { rule, step, alarm, is_covered } = change;
    let is_new = step == Step::Raised;
    let record = AlarmRecord {
        patient: patient.clone(),
        rule: Arc::clone(&rule.name),
        text: text(rule, alarm),
        limit: rule.limit().filter(|_| is_new),
        rules: is_new.then(|| Arc::clone(&set.label)),
        is_rearmed: step == Step::Rose,
        alarm: *alarm,
    };
    AlarmChange { step, record, is_covered }
}

/// An alarm that is known from elsewhere. Where its rule is gone, its text is made of its name.
fn record_of(set: &RuleSet, patient: &PatientId, name: &str, alarm: Alarm) -> AlarmRecord {
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
        is_rearmed: false,
        alarm,
    }
}

fn text(rule: &Rule, alarm: &Alarm) -> String {
    rule.text(alarm.peak, alarm.is_partial)
}

#[cfg(test)]
mod tests;
