//! The patients who were admitted: the rules for each, and that something comes of them.

use std::sync::Arc;

use super::{AHEAD, Watch, Watched};
use crate::admission::Admission;
use crate::alarm::change::{AlarmChange, KnownAlarm, record};
use crate::alarm::patient::Change;
use crate::alarm::rules::{Micros, RuleSet, SECOND};
use crate::reading::{PatientId, Timestamp};

/// How often it is looked for patients of whom nothing comes.
const SILENCE_INTERVAL: Micros = SECOND;

/// How often the store is asked again about a patient of whom nothing was heard here.
const ASKED_AGAIN_AFTER: Micros = 60 * SECOND;
/// Who was discharged longer ago has been looked after.
const SETTLED_AFTER: Micros = 24 * 60 * 60 * SECOND;

/// What is known of a patient who was admitted.
#[derive(Debug)]
pub(super) struct Bed {
    admission: Admission,
    /// Since when something should come; `None` since the discharge.
    admitted: Option<Micros>,
    discharged: Option<Micros>,
}

impl Bed {
    fn of(admission: Admission) -> Self {
        let micros = |text: &str| Timestamp::parse(text).ok().map(Timestamp::as_micros);
        Self {
            admitted: admission.watched_since().map(Timestamp::as_micros),
            discharged: admission.discharged_at.as_deref().and_then(micros),
            admission,
        }
    }

    /// Whether nothing depends on it any more at `now`: whoever was discharged so long ago goes by the rules for all, and
    /// is missed by nobody.
    fn is_settled(&self, now: Micros) -> bool {
        !self.admission.is_in() && self.discharged.is_none_or(|at| now.saturating_sub(at) >= SETTLED_AFTER)
    }

    /// The rules for this patient, where they are not those for all.
    pub(super) fn rules(&self, of_all: &RuleSet) -> Option<Arc<RuleSet>> {
        self.admission.has_own_rules().then(|| Arc::new(of_all.for_patient(&self.admission)))
    }

    /// Raises that nothing came between the newest reading and this one, where that was for as long as the rule says.
    pub(super) fn look_for_gap(
        &self,
        watched: &mut Watched,
        set: &RuleSet,
        now: Micros,
        tell: &mut impl FnMut(Change<'_>),
    ) {
        let (Some(admitted), Some((_, rule))) = (self.admitted, set.silence()) else { return };
        let since = watched.newest().map_or(admitted, |newest| newest.max(admitted));
        if now.saturating_sub(since) > rule.delay {
            watched.patient.fall_silent(set, since, tell);
        }
    }

    /// The onset of a silence that is long enough by the clock that says `now`.
    fn silent_since(&self, watched: &Watched, delay: Micros, now: Micros) -> Option<Micros> {
        Silence { admitted: self.admitted?, newest: watched.newest(), heard: watched.heard }.since(delay, now)
    }

    /// Up to when a silence that began before is none of this stay.
    pub(super) fn stay_began(&self) -> Option<Micros> {
        self.discharged.or(self.admitted)
    }
}

/// What tells whether nothing comes of a patient who is in.
#[derive(Debug, Clone, Copy)]
pub struct Silence {
    /// Since when something should come.
    pub admitted: Micros,
    /// The time of the newest reading that is known.
    pub newest: Option<Micros>,
    /// When something came last, by our clock.
    pub heard: Micros,
}

impl Silence {
    /// Its onset, where it is longer than `delay` by the clock that says `now`. A monitor's clock may be wrong: what
    /// counts is when something came.
    pub fn since(self, delay: Micros, now: Micros) -> Option<Micros> {
        let admitted = self.admitted.min(now);
        let newest = self.newest.filter(|newest| *newest <= now);
        let onset = newest.map_or(admitted, |newest| newest.max(admitted));
        (now.saturating_sub(onset.max(self.heard)) > delay).then_some(onset)
    }
}

impl Watch {
    /// Takes up what is known of a patient since this change, and tells what becomes of alarms by that.
    pub fn admit(&mut self, id: &PatientId, admission: Admission) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        let bed = Bed::of(admission);
        let (before, rules) = (self.patients.get(id).and_then(|watched| watched.own.clone()), bed.rules(&self.set));
        self.beds.insert(id.clone(), bed);
        // A pause, or another bed, is nothing to the alarms.
        if before != rules {
            let set = Arc::clone(&self.set);
            self.change_rules_of(id, &set, &mut changes);
        }
        self.end_silence_of_before(id, &mut changes);
        // The journal tells of everybody who ever was here.
        if self.now().zip(self.beds.get(id)).is_some_and(|(now, bed)| bed.is_settled(now)) {
            self.beds.remove(id);
        }
        changes
    }

    /// What the clock says, where it was told.
    fn now(&self) -> Option<Micros> {
        (self.known_to < Micros::MAX).then(|| self.known_to.saturating_sub(AHEAD))
    }

    /// Ends the alarm that nothing comes where it is of a stay that is over.
    pub(super) fn end_silence_of_before(&mut self, id: &PatientId, changes: &mut Vec<AlarmChange>) {
        let (Some(bed), Some(watched)) = (self.beds.get(id), self.patients.get_mut(id)) else { return };
        let set = Arc::clone(watched.set(&self.set));
        let Some(onset) = watched.patient.silence(&set).map(|alarm| alarm.onset) else { return };
        if let Some(over) = bed.stay_began().filter(|began| bed.admitted.is_none() || onset < *began) {
            watched.patient.end_silence(&set, over, &mut |change| changes.push(record(&set, id, change)));
        }
    }

    /// The patients who are in, and of whom nothing is known yet: whoever has their partition has to take them up by
    /// [`Self::restore_silent`], or nobody hears that nothing comes. Those who were just discharged too: they may have
    /// been missed before.
    pub fn unheard(&self) -> impl Iterator<Item = &PatientId> {
        let now = self.known_to.saturating_sub(AHEAD);
        let is_recent = move |at: Micros| now.saturating_sub(at) < SETTLED_AFTER;
        let counts =
            move |(_, bed): &(&PatientId, &Bed)| bed.admitted.is_some() || bed.discharged.is_some_and(is_recent);
        self.beds.iter().filter(counts).map(|(id, _)| id).filter(|id| !self.knows(id))
    }

    /// As [`Self::restore`], before any reading has come; the store's newest one was of `newest`.
    pub fn restore_silent(
        &mut self,
        partition: i32,
        patient: &PatientId,
        newest: Option<Micros>,
        known: &[&KnownAlarm],
    ) -> Vec<AlarmChange> {
        let admitted = self.beds.get(patient).and_then(|bed| bed.admitted);
        let mut changes = self.restore(partition, patient, newest.or(admitted).unwrap_or_default(), known);
        let now = self.known_to.saturating_sub(AHEAD);
        if let Some(watched) = self.patients.get_mut(patient) {
            (watched.newest_stored, watched.asked) = (newest.unwrap_or(Micros::MIN), now);
            // Its readings come to another consumer, where the producer places them in another way.
            let set = Arc::clone(watched.set(&self.set));
            let silence = watched.patient.silence(&set).map(|alarm| alarm.onset);
            if let Some(newest) = newest.filter(|newest| silence.is_some_and(|onset| *newest > onset)) {
                let tell = &mut |change: Change<'_>| changes.push(record(&set, patient, change));
                watched.patient.end_silence(&set, newest, tell);
            }
        }
        self.partitions.entry(partition).or_default();
        changes
    }

    /// Whether somebody has paused the alarms of this patient, and that has not ended by `now`.
    pub fn is_paused(&self, patient: &PatientId, now: Micros) -> bool {
        let bed = self.beds.get(patient).zip(Timestamp::from_micros(now));
        bed.is_some_and(|(bed, now)| bed.admission.paused_until(now).is_some())
    }

    /// Raises what nothing has to come for: that nothing comes.
    pub(super) fn raise_silent(&mut self, partition: i32, now: Micros, changes: &mut Vec<AlarmChange>) {
        let Some(place) = self.partitions.get_mut(&partition).filter(|_| !self.beds.is_empty()) else { return };
        if now.abs_diff(place.looked_for_silence) < SILENCE_INTERVAL.unsigned_abs() {
            return;
        }
        place.looked_for_silence = now;
        if let Some(now) = self.now() {
            // There are more of them from year to year.
            self.beds.retain(|_, bed| !bed.is_settled(now));
        }
        let mut to_ask_again = Vec::new();
        for (id, bed) in &self.beds {
            let Some(watched) = self.patients.get_mut(id).filter(|watched| watched.partition == partition) else {
                continue;
            };
            let set = Arc::clone(watched.set(&self.set));
            let Some((_, rule)) = set.silence() else { continue };
            let Some(since) = bed.silent_since(watched, rule.delay, now) else { continue };
            // Of whom nothing was heard here the store may know more by now.
            if watched.patient.newest().is_none() && now.saturating_sub(watched.asked) > ASKED_AGAIN_AFTER {
                to_ask_again.push(id.clone());
                continue;
            }
            watched.patient.fall_silent(&set, since, &mut |change| changes.push(record(&set, id, change)));
        }
        for id in to_ask_again {
            self.patients.remove(&id);
        }
    }
}
