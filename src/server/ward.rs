//! What the ward screen shows, kept up to date: readings, alarms and admissions in, changed beds out. No clock, no
//! sockets.

mod bed;
mod told_alarm;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use self::bed::{Bed, SCORE, ShownAlarm, ShownBed};
pub(super) use self::told_alarm::parse as parse_alarm;
use crate::admission::Admission;
use crate::alarm::rules::{Micros, RuleSet, SECOND};
use crate::reading::{PatientId, Reading};
use crate::store::StoredAlarm;

/// So many patients are remembered, as in `vitals top`.
const MAX_BEDS: usize = 10_000;

/// Who was never admitted and sends nothing is no longer shown after this.
const FORGOTTEN_AFTER: Micros = 60 * 60 * SECOND;

/// A reading that is further ahead of the clock tells nothing: its time is wrong, and what comes at the right time would
/// be older for ever.
const LARGEST_CLOCK_ERROR: Micros = 5 * 60 * SECOND;

/// Everybody who is watched, and what has changed since that was last asked.
#[derive(Debug)]
pub(super) struct Ward {
    set: Arc<RuleSet>,
    /// By the patient's id.
    beds: BTreeMap<String, Bed>,
    changed: BTreeSet<String>,
    gone: BTreeSet<String>,
    /// Readings that were too far ahead of the clock.
    ahead: u64,
    /// Whether somebody is not shown because there are too many.
    is_full: bool,
}

/// What has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Patients whose bed shows something else.
    pub(super) beds: BTreeSet<String>,
    /// Patients who are shown no more.
    pub(super) gone: BTreeSet<String>,
}

impl Ward {
    /// Nobody is known; patients are watched by these rules.
    pub(super) fn new(set: RuleSet) -> Self {
        Self {
            set: Arc::new(set),
            beds: BTreeMap::new(),
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
            ahead: 0,
            is_full: false,
        }
    }

    /// A reading, which came at `now`.
    pub(super) fn hear(&mut self, reading: &Reading, now: Micros) {
        if reading.time().as_micros() > now.saturating_add(LARGEST_CLOCK_ERROR) {
            self.ahead += 1;
            return;
        }
        let Some(bed) = self.take_in(reading.patient().as_str(), now) else { return };
        if bed.hear(reading, now) {
            self.changed.insert(reading.patient().to_string());
        }
    }

    /// What the topic of alarms told at `now`.
    pub(super) fn hear_alarm(&mut self, alarm: StoredAlarm, now: Micros) {
        let patient = alarm.patient_id.clone();
        // Whose alarm is over need not be shown for that.
        let is_known = self.beds.contains_key(&patient);
        if PatientId::parse(&patient).is_err() || (!is_known && !alarm.state().is_on()) {
            return;
        }
        let Some(bed) = self.take_in(&patient, now) else { return };
        if bed.hear_alarm(alarm, now) {
            self.changed.insert(patient);
        }
    }

    /// All alarms of this patient that the store had open at `now`.
    pub(super) fn compare_alarms(&mut self, patient: &str, open: Vec<StoredAlarm>, now: Micros) {
        if let Some(bed) = self.beds.get_mut(patient)
            && bed.compare_alarms(open, now)
        {
            self.changed.insert(patient.to_owned());
        }
    }

    /// What has become of a patient who was admitted. Who is discharged and sends nothing any more is shown no more.
    /// Whether it is taken up: where there is no room, it is told again.
    pub(super) fn admit(&mut self, patient: &str, admission: &Admission, now: Micros) -> bool {
        // What another program wrote into the journal may be nobody's id.
        if PatientId::parse(patient).is_err() {
            return true;
        }
        if admission.is_in() {
            self.make_room(patient);
            let Some(bed) = self.take_in(patient, now) else { return false };
            if bed.admission.as_ref() != Some(admission) {
                bed.admission = Some(admission.clone());
                self.changed.insert(patient.to_owned());
            }
        } else if self.beds.remove(patient).is_some() {
            self.changed.remove(patient);
            self.gone.insert(patient.to_owned());
        }
        true
    }

    /// Who was admitted has a bed before those who were not: of these the one goes who has been silent for longest.
    fn make_room(&mut self, patient: &str) {
        if self.beds.len() < MAX_BEDS || self.beds.contains_key(patient) {
            return;
        }
        let strangers = self.beds.iter().filter(|(_, bed)| bed.admission.is_none());
        let silent = strangers.min_by_key(|(_, bed)| bed.heard).map(|(id, _)| id.clone());
        if let Some(id) = silent {
            self.beds.remove(&id);
            self.changed.remove(&id);
            self.gone.insert(id);
        }
    }

    /// Other rules are in force.
    pub(super) fn change_set(&mut self, set: RuleSet) {
        self.set = Arc::new(set);
        self.changed.extend(self.beds.keys().cloned());
    }

    /// Forgets those who were never admitted and have sent nothing for long, and looks whose pause has ended.
    pub(super) fn tidy(&mut self, now: Micros) {
        let then = now.saturating_sub(FORGOTTEN_AFTER);
        let old: Vec<_> =
            self.beds.iter().filter(|(_, bed)| bed.is_forgotten(then)).map(|(id, _)| id.clone()).collect();
        self.is_full &= self.beds.len() >= MAX_BEDS && old.is_empty();
        for id in old {
            self.beds.remove(&id);
            self.changed.remove(&id);
            self.gone.insert(id);
        }
        for (id, bed) in &mut self.beds {
            if bed.has_pause_ended(now) {
                self.changed.insert(id.clone());
            }
        }
    }

    /// What has changed since this was asked last, so many beds at most: the others come next.
    pub(super) fn take_changes(&mut self, most: usize) -> Changes {
        let rest = match self.changed.iter().nth(most).cloned() {
            Some(first_left) => self.changed.split_off(&first_left),
            None => BTreeSet::new(),
        };
        Changes { beds: std::mem::replace(&mut self.changed, rest), gone: std::mem::take(&mut self.gone) }
    }

    /// Readings that were too far ahead of the clock to be shown.
    pub(super) fn ahead(&self) -> u64 {
        self.ahead
    }

    /// Why somebody is not shown, where that is so.
    pub(super) fn overflow(&self) -> Option<String> {
        self.is_full.then(|| format!("more than {MAX_BEDS} patients: not everybody is shown"))
    }

    pub(super) fn bed(&self, patient: &str) -> Option<&Bed> {
        self.beds.get(patient)
    }

    /// Everybody's bed, by the patient's id.
    pub(super) fn beds(&self) -> impl Iterator<Item = (&str, &Bed)> {
        self.beds.iter().map(|(id, bed)| (id.as_str(), bed))
    }

    pub(super) fn count(&self) -> usize {
        self.beds.len()
    }

    /// The rules in force.
    pub(super) fn set(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// The bed of this patient, from now on remembered; `None` where there are too many.
    fn take_in(&mut self, patient: &str, now: Micros) -> Option<&mut Bed> {
        if !self.beds.contains_key(patient) {
            if self.beds.len() >= MAX_BEDS {
                self.is_full = true;
                return None;
            }
            self.gone.remove(patient);
            self.changed.insert(patient.to_owned());
            self.beds.insert(patient.to_owned(), Bed::of(None, now));
        }
        self.beds.get_mut(patient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Limits;
    use crate::reading::{Signs, Timestamp};

    fn ward() -> Ward {
        Ward::new(RuleSet::classic(Limits::default()))
    }

    /// A time of today's readings, in microseconds since 1970.
    const NOW: Micros = 1_761_474_700 * SECOND;

    fn reading(patient: &str, second: u32, heart_rate: i32) -> Reading {
        let time = Timestamp::parse(&format!("2025-10-26T10:30:{second:02}Z")).expect("a time");
        let signs = Signs { heart_rate: Some(heart_rate), ..Signs::default() };
        Reading::new(PatientId::parse(patient).expect("an id"), time, signs).expect("a reading")
    }

    fn admission() -> Admission {
        let admitted_at = "2025-10-26T10:00:00+00:00".to_owned();
        Admission { name: Some("Ada Bell".to_owned()), admitted_at, ..Admission::default() }
    }

    fn changed(ward: &mut Ward) -> (Vec<String>, Vec<String>) {
        let Changes { beds, gone } = ward.take_changes(usize::MAX);
        (beds.into_iter().collect(), gone.into_iter().collect())
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn what_changes_is_told_once_and_what_was_known_is_not() {
        let mut ward = ward();
        ward.hear(&reading("P1", 1, 80), NOW);
        ward.admit("P2", &admission(), NOW);
        assert_eq!(changed(&mut ward), (ids(&["P1", "P2"]), ids(&[])));
        ward.hear(&reading("P1", 1, 80), NOW);
        ward.admit("P2", &admission(), NOW);
        assert_eq!(changed(&mut ward), (ids(&[]), ids(&[])));
        ward.hear(&reading("P1", 0, 99), NOW);
        assert_eq!(changed(&mut ward), (ids(&[]), ids(&[])), "an older one is not what is shown");
        ward.hear(&reading("P1", 2, 81), NOW);
        assert_eq!(changed(&mut ward), (ids(&["P1"]), ids(&[])));
    }

    #[test]
    fn who_is_discharged_is_gone_and_whoever_goes_on_sending_is_back() {
        let mut ward = ward();
        ward.admit("P1", &admission(), NOW);
        changed(&mut ward);
        let discharged_at = Some("2025-10-26T11:00:00+00:00".to_owned());
        ward.admit("P1", &Admission { discharged_at, ..admission() }, NOW);
        assert_eq!(changed(&mut ward), (ids(&[]), ids(&["P1"])));
        ward.hear(&reading("P1", 1, 80), NOW);
        assert_eq!(changed(&mut ward), (ids(&["P1"]), ids(&[])));
    }

    #[test]
    fn who_was_never_admitted_and_is_silent_is_forgotten_and_who_was_admitted_never() {
        let mut ward = ward();
        ward.hear(&reading("P1", 1, 80), NOW);
        ward.admit("P2", &admission(), NOW);
        changed(&mut ward);
        ward.tidy(NOW + FORGOTTEN_AFTER);
        assert_eq!(changed(&mut ward), (ids(&[]), ids(&[])));
        ward.tidy(NOW + FORGOTTEN_AFTER + 1);
        assert_eq!(changed(&mut ward), (ids(&[]), ids(&["P1"])));
        assert_eq!(ward.count(), 1);
    }

    #[test]
    fn nobody_is_taken_in_beyond_the_limit() {
        let mut ward = ward();
        for number in 0..=MAX_BEDS {
            assert_eq!(ward.overflow(), None);
            ward.hear(&reading(&format!("P{number}"), 1, 80), NOW);
        }
        assert_eq!(ward.count(), MAX_BEDS);
        assert!(ward.overflow().is_some());
        assert!(ward.admit("new", &admission(), NOW), "who is admitted has a bed before others");
        assert!(ward.bed("new").is_some() && ward.count() == MAX_BEDS);
    }

    #[test]
    fn a_clock_that_is_far_ahead_changes_nothing_that_is_shown() {
        let mut ward = ward();
        ward.hear(&reading("P1", 30, 80), NOW - 10 * 60 * SECOND);
        assert_eq!((ward.count(), ward.ahead()), (0, 1));
    }

    #[test]
    fn many_changes_come_one_part_after_the_other() {
        let mut ward = ward();
        for patient in ["P1", "P2", "P3"] {
            ward.hear(&reading(patient, 1, 80), NOW);
        }
        assert_eq!(ward.take_changes(2).beds.len(), 2);
        assert_eq!(ward.take_changes(2).beds.len(), 1);
        assert!(ward.take_changes(2).beds.is_empty());
    }
}
