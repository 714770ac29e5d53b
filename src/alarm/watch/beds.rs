//! The patients who were admitted: the rules for each, and that something comes of them.

use std::sync::Arc;

use super::{AlarmChange, KnownAlarm, Watch, Watched, record};
use crate::admission::Admission;
use crate::alarm::patient::Change;
use crate::alarm::rules::{Micros, RuleSet, SECOND};
use crate::reading::{PatientId, Timestamp};

/// How often it is looked for patients of whom nothing comes.
const SILENCE_INTERVAL: Micros = SECOND;

/// What is known of a patient who was admitted.
#[derive(Debug)]
pub(super) struct Bed {
    admission: Admission,
    /// Since when something should come; `None` since the discharge.
    admitted: Option<Micros>,
    paused_until: Micros,
}

impl Bed {
    fn of(admission: Admission) -> Self {
        let micros = |text: &str| Timestamp::parse(text).ok().map(Timestamp::as_micros);
        Self {
            admitted: micros(&admission.admitted_at).filter(|_| admission.is_in()),
            paused_until: admission.pause.as_ref().and_then(|pause| micros(&pause.until)).unwrap_or(Micros::MIN),
            admission,
        }
    }

    /// The rules for this patient, where they are not those for all.
    pub(super) fn rules(&self, of_all: &RuleSet) -> Option<Arc<RuleSet>> {
        self.admission.has_own_rules().then(|| Arc::new(of_all.for_patient(&self.admission)))
    }

    /// Raises that nothing has come, where by `now` that is so for as long as the rule says.
    pub(super) fn look_for_silence(
        &self,
        watched: &mut Watched,
        set: &RuleSet,
        now: Micros,
        tell: &mut impl FnMut(Change<'_>),
    ) {
        let (Some(admitted), Some((_, rule))) = (self.admitted, set.silence()) else { return };
        let since = watched.patient.newest().max(watched.newest_stored).map_or(admitted, |newest| newest.max(admitted));
        if now.saturating_sub(since) > rule.delay {
            watched.patient.fall_silent(set, since, tell);
        }
    }
}

impl Watch {
    /// Takes up what is known of a patient since this change, and tells what becomes of alarms by that.
    pub fn admit(&mut self, id: &PatientId, admission: Admission) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        let discharged = admission.discharged_at.as_deref().and_then(|at| Timestamp::parse(at).ok());
        self.beds.insert(id.clone(), Bed::of(admission));
        let set = Arc::clone(&self.set);
        self.change_rules_of(id, &set, &mut changes);
        if let (Some(at), Some(watched)) = (discharged, self.patients.get_mut(id)) {
            let set = Arc::clone(watched.set(&set));
            watched.patient.end_silence(&set, at.as_micros(), &mut |change| changes.push(record(&set, id, change)));
        }
        changes
    }

    /// The patients who are in, and of whom nothing is known yet: whoever has their partition has to take them up by
    /// [`Self::restore_silent`], or nobody hears that nothing comes.
    pub fn unheard(&self) -> impl Iterator<Item = &PatientId> {
        let is_in = self.beds.iter().filter(|(_, bed)| bed.admitted.is_some());
        is_in.map(|(id, _)| id).filter(|id| !self.knows(id))
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
        let changes = self.restore(partition, patient, newest.or(admitted).unwrap_or_default(), known);
        if let Some(watched) = self.patients.get_mut(patient) {
            watched.newest_stored = newest;
        }
        self.partitions.entry(partition).or_default();
        changes
    }

    /// Whether somebody has paused the alarms of this patient, and that has not ended by `now`.
    pub fn is_paused(&self, patient: &PatientId, now: Micros) -> bool {
        self.beds.get(patient).is_some_and(|bed| bed.paused_until > now)
    }

    /// Raises what nothing has to come for: that nothing comes.
    pub(super) fn raise_silent(&mut self, partition: i32, now: Micros, changes: &mut Vec<AlarmChange>) {
        let Some(place) = self.partitions.get_mut(&partition).filter(|_| !self.beds.is_empty()) else { return };
        if now.saturating_sub(place.looked_for_silence) < SILENCE_INTERVAL {
            return;
        }
        place.looked_for_silence = now;
        for (id, bed) in &self.beds {
            let Some(watched) = self.patients.get_mut(id).filter(|watched| watched.partition == partition) else {
                continue;
            };
            let set = Arc::clone(watched.set(&self.set));
            bed.look_for_silence(watched, &set, now, &mut |change| changes.push(record(&set, id, change)));
        }
    }
}
