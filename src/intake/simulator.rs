//! A simulated ward: patients with a history, not noise.
//!
//! Each patient is mostly well: the signs drift about a resting state of the patient's own and come back to it (`drift`),
//! together, since one state of arousal drives heart rate, breathing and pressure (`patient`). Now and then a patient goes
//! through an episode that develops over minutes, stays and resolves (`scenario`).
//!
//! Those are minutes of the patient's own time. From one reading of a patient to the next it goes on by the ward's
//! step, whatever the clock says: the same seed gives the same signs at any rate, and a demonstration need not take
//! hours. The times of the readings are those of the clock all the same.
//!
//! Nobody looks at them but where [`Ward::observed`] says so: then who is short of oxygen is given some, and at the
//! height of a grave illness a patient is not alert. So their NEWS2 is whole.
//!
//! The values are made up to look plausible and to exercise the alarms. They are no model of any disease.

mod drift;
mod patient;
mod scenario;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

pub use scenario::Scenario;

use self::drift::Pace;
use self::patient::Patient;
use super::patients::Patients;
use crate::reading::{PatientId, Reading, Timestamp};

/// How much of a patient's own time lies between two of its readings, where nothing else is said. With the defaults of
/// `vitals produce` (four patients, a message a second) that is five times as much as by the clock.
pub const STEP: Duration = Duration::from_secs(20);

/// The longest step: an episode is to be seen in several readings.
pub const LONGEST_STEP: Duration = Duration::from_secs(30);

/// A simulated ward that never ends.
#[derive(Debug)]
pub struct Ward {
    pace: Pace,
    /// Whether somebody looks at the patients too, and not only their monitors.
    is_observed: bool,
    random: Xoshiro256PlusPlus,
    waiting: Vec<Bed>,
    measured: Vec<Bed>,
}

#[derive(Debug)]
struct Bed {
    id: PatientId,
    patient: Patient,
}

impl Ward {
    /// A ward with these patients, who are older by this `step` at each of their readings. The same patients, scenario,
    /// seed and step give the same signs in the same order, for the same version of this program.
    pub fn new(patients: &Patients, scenario: Scenario, seed: u64, step: Duration) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        // Which of the named patients falls ill is up to the seed.
        let mut ids = patients.as_slice().to_vec();
        ids.shuffle(&mut random);
        let beds = ids.into_iter().zip(scenario.plans());
        let waiting = beds.map(|(id, plan)| Bed { id, patient: Patient::new(plan, &mut random) }).collect();
        let pace = Pace::new(step.min(LONGEST_STEP));
        Self { pace, is_observed: false, random, waiting, measured: Vec::new() }
    }

    /// The same ward, where each reading also says whether the patient is given oxygen, and how awake the patient is.
    /// The signs are the same.
    #[must_use]
    pub fn observed(self) -> Self {
        Self { is_observed: true, ..self }
    }

    /// Shares the patients out. Each goes on as they would have gone on together.
    pub fn shared_out<K: Ord>(mut self, whose: impl Fn(&PatientId) -> K) -> BTreeMap<K, Self> {
        let mut shares = BTreeMap::new();
        let (pace, is_observed, random) = (self.pace, self.is_observed, &mut self.random);
        let empty = |random: &mut _| Self {
            pace,
            is_observed,
            random: Xoshiro256PlusPlus::from_rng(random),
            waiting: Vec::new(),
            measured: Vec::new(),
        };
        for bed in self.waiting {
            shares.entry(whose(&bed.id)).or_insert_with(|| empty(random)).waiting.push(bed);
        }
        for bed in self.measured {
            shares.entry(whose(&bed.id)).or_insert_with(|| empty(random)).measured.push(bed);
        }
        shares
    }

    /// One reading of one patient at the moment `now`. Within a round every patient is measured once, in an order that
    /// differs from round to round.
    ///
    /// # Panics
    /// Never: a simulated patient has all signs, and `Patients` is never empty.
    #[expect(
        clippy::expect_used,
        reason = "`Patients` is never empty, a patient has all signs and a finite temperature"
    )]
    pub fn next(&mut self, now: Timestamp) -> Reading {
        if self.waiting.is_empty() {
            std::mem::swap(&mut self.waiting, &mut self.measured);
            self.waiting.shuffle(&mut self.random);
        }
        let mut bed = self.waiting.pop().expect("all are waiting after a round");
        let mut signs = bed.patient.step(&self.pace);
        if self.is_observed {
            signs.observed = bed.patient.observed();
        }
        let reading = Reading::new(bed.id.clone(), now, signs).expect("a full reading");
        self.measured.push(bed);
        reading
    }
}
