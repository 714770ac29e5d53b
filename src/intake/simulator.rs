//! A simulated ward: patients with a history, not noise.
//!
//! Each patient has a resting state of their own, about which the signs wander and to which they return; the signs move
//! together, since one state of arousal drives heart rate, breathing and pressure (`patient`); and now and then a patient
//! goes through an episode (`scenario`). The simulation advances by steps, one for each reading of a patient, and not by
//! the clock: the same seed gives the same signs at any rate.
//!
//! The values are made up to look plausible and to exercise the alerts. They are no model of any disease.

mod patient;
mod scenario;
#[cfg(test)]
mod tests;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

pub use scenario::Scenario;

use self::patient::Patient;
use super::patients::Patients;
use crate::reading::{PatientId, Reading, Timestamp};

/// A simulated ward that never ends.
#[derive(Debug)]
pub struct Ward {
    random: StdRng,
    waiting: Vec<Bed>,
    measured: Vec<Bed>,
}

#[derive(Debug)]
struct Bed {
    id: PatientId,
    patient: Patient,
}

impl Ward {
    /// A ward with these patients. The same patients, scenario and seed give the same signs in the same order, for the
    /// same version of this program.
    pub fn new(patients: &Patients, scenario: Scenario, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        // Which of the named patients falls ill is up to the seed.
        let mut ids = patients.as_slice().to_vec();
        ids.shuffle(&mut random);
        let courses = ids.into_iter().zip(scenario.courses());
        let waiting = courses.map(|(id, course)| Bed { id, patient: Patient::new(course, &mut random) }).collect();
        Self { random, waiting, measured: Vec::new() }
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
        let signs = bed.patient.step(&mut self.random);
        let reading = Reading::new(bed.id.clone(), now, signs).expect("a full reading");
        self.measured.push(bed);
        reading
    }
}
