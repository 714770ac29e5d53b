//! The patients, each with the newest value of every sign and the alarms that are on.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::board::Stored;
use crate::admission::Admission;
use crate::alarm::rules::{Micros, RuleSet};
use crate::alarm::{self, Alarm, Implausible, KnownAlarm, LATENESS, Priority, Silence, implausible};
use crate::reading::{PatientId, Reading, Sign, Signs, Timestamp};

/// So many patients are remembered. With the readings and the alarms that it may have, and the twenty readings that rules
/// of plain limits remember, one takes less than 4 KiB, so all of them together take less than 40 MiB. Rules that look
/// back over a span take what they do in `vitals consume`.
pub(super) const MAX_PATIENTS: usize = 10_000;

/// When there is one more than so many beyond [`MAX_PATIENTS`], all that are beyond go at once: to look for the longest
/// silent ones for every new patient would be slow.
const SLACK: usize = 500;

/// A sign that the last reading did not carry is shown from an earlier one, if that is not older than this.
const CARRIED_MICROS: i64 = 15 * 60 * 1_000_000;

/// What is known of one patient.
#[derive(Debug, Clone)]
pub(super) struct Patient {
    id: PatientId,
    /// Newest first; each has a sign that no newer one has, so there are never more than six.
    readings: Vec<Reading>,
    /// The newest value of every sign.
    pub(super) signs: Signs,
    /// What of them is not believed.
    doubts: Vec<Implausible>,
    watched: alarm::Patient,
    /// What is known of who it is, and the rules for this patient where they are not those for all.
    pub(super) admission: Option<Admission>,
    own: Option<Arc<RuleSet>>,
    /// The alarms that are on, the most pressing first, and of those the oldest.
    pub(super) alarms: Vec<ActiveAlarm>,
    /// When the next one is due that no reading has to come for.
    due: Option<Micros>,
    /// Whether the store was asked, and the newest reading that it had.
    is_asked_for: bool,
    stored: Option<Micros>,
    /// When something came last, by our clock.
    heard: Micros,
    /// The number of the last message, to find who has been silent for longest.
    turn: u64,
}

/// An alarm that is on.
#[derive(Debug, Clone)]
pub(super) struct ActiveAlarm {
    /// The stable name of its rule.
    pub(super) rule: Arc<str>,
    /// What is shown: `High heart rate: 115`, with the value that was worst.
    pub(super) text: String,
    pub(super) alarm: Alarm,
    /// What its rule looks at.
    signs: Vec<Sign>,
}

impl ActiveAlarm {
    /// What is more pressing is greater.
    fn pressure(&self) -> (Priority, Reverse<Micros>) {
        (self.alarm.priority, Reverse(self.alarm.onset))
    }
}

impl Patient {
    /// A patient who was not seen before, with what the store knows of the alarms: the newest first.
    fn known(id: PatientId, set: &Arc<RuleSet>, admission: Option<&Admission>, known: &[KnownAlarm]) -> Self {
        let mut patient = Self {
            id,
            readings: Vec::new(),
            signs: Signs::default(),
            doubts: Vec::new(),
            watched: alarm::Patient::default(),
            admission: admission.cloned(),
            own: own(set, admission),
            alarms: Vec::new(),
            due: None,
            is_asked_for: false,
            stored: None,
            heard: Micros::MIN,
            turn: 0,
        };
        let set = patient.set(set);
        for KnownAlarm { rule, alarm, .. } in known.iter().rev() {
            patient.watched.restore(&set, rule, *alarm);
        }
        patient
    }

    /// The rules for this patient.
    fn set(&self, of_all: &Arc<RuleSet>) -> Arc<RuleSet> {
        Arc::clone(self.own.as_ref().unwrap_or(of_all))
    }

    /// Takes a reading, whether it is newer or older than those that are known. The same time again changes its signs.
    fn take(&mut self, of_all: &Arc<RuleSet>, reading: Reading) {
        let set = &*self.set(of_all);
        self.watched.take(set, reading.time().as_micros(), reading.signs(), &mut |_| ());
        match self.readings.binary_search_by(|held| reading.time().cmp(&held.time())) {
            Ok(place) => {
                if let Some(same) = self.readings.get_mut(place) {
                    same.overlay(&reading);
                }
            }
            Err(place) => self.readings.insert(place, reading),
        }
        let newest = self.readings.first().map(Reading::time);
        let mut signs = Signs::default();
        self.readings.retain(|held| {
            let mut more = *held.signs();
            more.overlay(&signs);
            let young = newest.is_none_or(|newest| newest.as_micros() - held.time().as_micros() <= CARRIED_MICROS);
            let adds = young && more != signs;
            if adds {
                signs = more;
            }
            adds
        });
        self.signs = signs;
        self.doubts = implausible(&signs);
        self.look(set);
    }

    /// The rules for all were `old` and are `new`, or what is known of the patient has changed.
    fn change_rules(&mut self, old: &Arc<RuleSet>, new: &Arc<RuleSet>) {
        let before = self.set(old);
        self.own = own(new, self.admission.as_ref());
        let now = self.set(new);
        self.watched.change_set(&before, &now, &mut |_| ());
        self.look(&now);
    }

    /// It is `now`, and all readings before that are known.
    fn advance(&mut self, of_all: &Arc<RuleSet>, now: Micros) {
        let set = &*self.set(of_all);
        if self.due.is_some_and(|due| due < now) {
            self.watched.advance(set, now, &mut |_| ());
            self.look(set);
        }
    }

    /// A message of a reading of this `time` came at `heard` by our clock. A silence that was raised before is over,
    /// whatever time the message tells.
    fn end_silence_by_message(&mut self, of_all: &Arc<RuleSet>, time: Micros, heard: Micros) {
        self.heard = self.heard.max(heard);
        let set = self.set(of_all);
        let is_over = |alarm: &Alarm| self.heard > alarm.start && time <= alarm.onset;
        if self.watched.silence(&set).is_some_and(is_over) {
            self.watched.end_silence(&set, self.heard, &mut |_| ());
        }
    }

    /// It is `now`, and nothing that was sent is unread: raises that nothing comes.
    fn look_for_silence(&mut self, of_all: &Arc<RuleSet>, now: Micros) {
        // Of whom nothing was heard here the store may know more.
        if self.readings.is_empty() && !self.is_asked_for {
            return;
        }
        let admitted = self.admission.as_ref().and_then(Admission::watched_since).map(Timestamp::as_micros);
        let set = self.set(of_all);
        let (Some(admitted), Some((_, rule))) = (admitted, set.silence()) else { return };
        let silence = Silence { admitted, newest: self.newest(), heard: self.heard };
        if let Some(since) = silence.since(rule.delay, now)
            && self.watched.silence(&set).is_none()
        {
            self.watched.fall_silent(&set, since, &mut |_| ());
            self.look(&set);
        }
    }

    /// Ends the alarm that nothing comes where it is of a stay that is over.
    fn end_silence_of_before(&mut self, of_all: &Arc<RuleSet>) {
        let set = self.set(of_all);
        let Some(admission) = &self.admission else { return };
        let admitted = admission.watched_since().map(Timestamp::as_micros);
        let is_of_before = |alarm: &&Alarm| admitted.is_none_or(|admitted| alarm.onset < admitted);
        if let Some(onset) = self.watched.silence(&set).filter(is_of_before).map(|alarm| alarm.onset) {
            self.watched.end_silence(&set, admitted.unwrap_or(onset), &mut |_| ());
            self.look(&set);
        }
    }

    /// The time of the newest reading that is known, here or in the store.
    fn newest(&self) -> Option<Micros> {
        self.last().map(Timestamp::as_micros).max(self.stored)
    }

    /// Looks which alarms are on.
    fn look(&mut self, set: &RuleSet) {
        self.due = self.watched.due(set);
        let active = self.watched.active().filter_map(|(index, alarm)| {
            let rule = set.rules.get(usize::from(index))?;
            let signs = Sign::ALL.into_iter().filter(|sign| rule.concerns(*sign)).collect();
            Some(ActiveAlarm {
                rule: Arc::clone(&rule.name),
                text: rule.text(alarm.peak, alarm.is_partial),
                alarm: *alarm,
                signs,
            })
        });
        self.alarms = active.collect();
        self.alarms.sort_by_key(|alarm| Reverse(alarm.pressure()));
    }

    pub(super) fn id(&self) -> &str {
        self.id.as_str()
    }

    /// Name, ward and bed, as far as they are known.
    pub(super) fn who(&self) -> String {
        self.admission.as_ref().map(Admission::in_words).unwrap_or_default()
    }

    /// When the last reading was taken.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.readings.first().map(Reading::time)
    }

    /// The same in microseconds since 1970, or what the store knows of it; 0 where there is none.
    pub(super) fn last_micros(&self) -> i64 {
        self.newest().unwrap_or(0)
    }

    /// Whether the value of `sign` is from an earlier reading than the last one.
    pub(super) fn is_carried(&self, sign: Sign) -> bool {
        self.signs.get(sign).is_some() && self.readings.first().is_some_and(|newest| newest.signs().get(sign).is_none())
    }

    /// Whether the value of `sign` is not believed.
    pub(super) fn is_doubted(&self, sign: Sign) -> bool {
        self.doubts.iter().any(|doubt| doubt.concerns(sign))
    }

    /// The priority of the most pressing alarm.
    pub(super) fn priority(&self) -> Option<Priority> {
        self.alarms.first().map(|alarm| alarm.alarm.priority)
    }

    /// How much the alarms press: more is greater, and none is least.
    pub(super) fn pressure(&self) -> impl Ord + use<> {
        self.alarms.first().map(ActiveAlarm::pressure)
    }

    /// The priority of the most pressing alarm about `sign`.
    pub(super) fn priority_of(&self, sign: Sign) -> Option<Priority> {
        let about = self.alarms.iter().find(|alarm| alarm.signs.contains(&sign));
        about.map(|alarm| alarm.alarm.priority)
    }
}

fn own(of_all: &RuleSet, admission: Option<&Admission>) -> Option<Arc<RuleSet>> {
    admission.filter(|admission| admission.has_own_rules()).map(|admission| Arc::new(of_all.for_patient(admission)))
}

/// All patients that are remembered.
#[derive(Debug, Clone)]
pub(super) struct Patients {
    set: Arc<RuleSet>,
    admissions: HashMap<String, Admission>,
    by_id: HashMap<PatientId, Patient>,
    turn: u64,
    /// How often a patient was forgotten because there were too many; one that comes back is counted again when it is
    /// forgotten again.
    pub(super) forgotten: u64,
}

impl Patients {
    /// Nobody yet; they will be watched by these rules.
    pub(super) fn new(set: RuleSet) -> Self {
        Self { set: Arc::new(set), admissions: HashMap::new(), by_id: HashMap::new(), turn: 0, forgotten: 0 }
    }

    /// Takes a reading of one of them that came at `heard` by our clock. What the store knows of the alarms counts for
    /// who is not remembered.
    pub(super) fn hear(&mut self, reading: Reading, known: &[KnownAlarm], heard: Micros) {
        let set = Arc::clone(&self.set);
        let patient = self.take_in(reading.patient(), known);
        patient.end_silence_by_message(&set, reading.time().as_micros(), heard);
        patient.take(&set, reading);
    }

    /// Takes up what the store has of a patient who is in, of whom nothing need have come.
    pub(super) fn remember(&mut self, Stored { patient: id, newest, known }: Stored) {
        let is_in = self.admissions.get(id.as_str()).is_some_and(Admission::is_in);
        let has_room = self.by_id.len() < MAX_PATIENTS || self.by_id.contains_key(&id);
        if is_in && has_room {
            let set = Arc::clone(&self.set);
            let patient = self.take_in(&id, &known);
            (patient.is_asked_for, patient.stored) = (true, newest);
            patient.end_silence_of_before(&set);
            let set = patient.set(&set);
            patient.look(&set);
        }
    }

    /// The patient of this id, from now on remembered; as the last of whom something was heard.
    fn take_in(&mut self, id: &PatientId, known: &[KnownAlarm]) -> &mut Patient {
        self.turn += 1;
        if self.by_id.len() > MAX_PATIENTS + SLACK {
            self.forget_the_silent();
        }
        let (set, admission) = (&self.set, self.admissions.get(id.as_str()));
        let new = || Patient::known(id.clone(), set, admission, known);
        let patient = self.by_id.entry(id.clone()).or_insert_with(new);
        patient.turn = self.turn;
        patient
    }

    /// Other rules are in force.
    pub(super) fn change_set(&mut self, set: RuleSet) {
        let old = std::mem::replace(&mut self.set, Arc::new(set));
        for patient in self.by_id.values_mut() {
            patient.change_rules(&old, &self.set);
        }
    }

    /// What is known of a patient has changed.
    pub(super) fn admit(&mut self, id: String, admission: Admission) {
        if let Ok(patient_id) = PatientId::parse(&id)
            && let Some(patient) = self.by_id.get_mut(&patient_id)
        {
            patient.admission = Some(admission.clone());
            patient.change_rules(&self.set, &self.set);
            patient.end_silence_of_before(&self.set);
            // Who was here only to be missed is missed no more.
            if patient.readings.is_empty() && !admission.is_in() {
                self.by_id.remove(&patient_id);
            }
        }
        self.admissions.insert(id, admission);
    }

    /// The topic is read to its end, and the clock says `now`.
    pub(super) fn advance(&mut self, now: Micros) {
        for patient in self.by_id.values_mut() {
            patient.advance(&self.set, now.saturating_sub(LATENESS));
        }
    }

    /// The topic is read to its end, and the clock says `now`: of whom does nothing come?
    pub(super) fn look_for_silence(&mut self, now: Micros) {
        for patient in self.by_id.values_mut() {
            patient.look_for_silence(&self.set, now.saturating_sub(LATENESS));
        }
    }

    fn forget_the_silent(&mut self) {
        let mut turns: Vec<u64> = self.by_id.values().map(|patient| patient.turn).collect();
        let excess = turns.len().saturating_sub(MAX_PATIENTS);
        // No two patients have the same turn.
        let (_, first_kept, _) = turns.select_nth_unstable(excess);
        let first_kept = *first_kept;
        self.by_id.retain(|_, patient| patient.turn >= first_kept);
        self.forgotten += u64::try_from(excess).unwrap_or(u64::MAX);
    }

    /// All of them, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Patient> {
        self.by_id.values()
    }

    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// How many have an alarm.
    pub(super) fn alarming(&self) -> usize {
        self.all().filter(|patient| !patient.alarms.is_empty()).count()
    }
}

#[cfg(test)]
mod tests;
