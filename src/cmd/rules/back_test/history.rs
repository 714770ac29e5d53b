//! What was recorded, patient by patient, in memory.

use std::collections::HashMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread::{available_parallelism, scope};

use crate::alarm::rules::Micros;
use crate::cmd::common::patient_days::Spans;
use crate::reading::Signs;

/// All that was recorded.
#[derive(Debug, Default)]
pub(super) struct History {
    places: HashMap<String, usize>,
    courses: Vec<Course>,
    /// Whose reading came last: the next one is mostly of the same patient.
    last: usize,
}

/// What was recorded of one patient.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) patient: String,
    moments: Vec<Moment>,
}

/// What was recorded of a patient at one time. Without any sign it still says that somebody watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    pub(super) time: Micros,
    pub(super) signs: Signs,
}

impl History {
    /// Takes what was recorded, in any order; of one time what comes later wins, sign by sign.
    pub(super) fn note(&mut self, patient: &str, time: Micros, signs: Signs) {
        let is_last = self.courses.get(self.last).is_some_and(|course| course.patient == patient);
        if !is_last {
            self.last = self.place_of(patient);
        }
        if let Some(course) = self.courses.get_mut(self.last) {
            course.moments.push(Moment { time, signs });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.courses.is_empty()
    }

    /// What `work` makes of each patient's course, in the order of the ids. All processors take part.
    pub(super) fn of_each<T: Send>(self, work: impl Fn(&Course) -> T + Sync) -> Vec<T> {
        let mut courses = self.courses;
        courses.sort_unstable_by(|one, other| one.patient.cmp(&other.patient));
        let waiting = Mutex::new(courses.into_iter().enumerate());
        let take = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work_off = || {
            let done = std::iter::from_fn(take).map(|(place, mut course)| {
                course.put_in_order();
                (place, work(&course))
            });
            done.collect::<Vec<_>>()
        };
        let mut done: Vec<_> = scope(|threads| {
            let processors = available_parallelism().map_or(1, NonZero::get);
            let workers: Vec<_> = (0..processors).map(|_| threads.spawn(work_off)).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        done.sort_unstable_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, made)| made).collect()
    }

    fn place_of(&mut self, patient: &str) -> usize {
        if let Some(place) = self.places.get(patient) {
            return *place;
        }
        let place = self.courses.len();
        self.places.insert(patient.to_owned(), place);
        self.courses.push(Course { patient: patient.to_owned(), moments: Vec::new() });
        place
    }
}

impl Course {
    /// What was recorded, in the order of the times, each once.
    pub(super) fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// For how long somebody watched.
    pub(super) fn watched(&self) -> Micros {
        let mut spans = Spans::default();
        self.moments.iter().for_each(|moment| spans.take(moment.time));
        spans.watched()
    }

    fn put_in_order(&mut self) {
        // Stable, so that of one time what came later stays later.
        self.moments.sort_by_key(|moment| moment.time);
        self.moments.dedup_by(|later, earlier| {
            let is_same = later.time == earlier.time;
            if is_same {
                earlier.signs.overlay(&later.signs);
            }
            is_same
        });
    }
}

/// Courses for tests.
#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::alarm::rules::SECOND;

    /// A course of heart rates, each at its second.
    pub(in super::super) fn course(heart_rates: &[(i64, Option<i32>)]) -> Course {
        let moment = |(second, heart_rate): &(i64, Option<i32>)| Moment {
            time: second * SECOND,
            signs: Signs { heart_rate: *heart_rate, ..Signs::default() },
        };
        let mut course = Course { patient: "P1".to_owned(), moments: heart_rates.iter().map(moment).collect() };
        course.put_in_order();
        course
    }

    fn heart_rate(value: i32) -> Signs {
        Signs { heart_rate: Some(value), ..Signs::default() }
    }

    #[test]
    fn patients_come_by_their_ids_and_times_in_their_order_and_once() {
        let mut history = History::default();
        for (patient, time, signs) in [
            ("P2", 5, heart_rate(80)),
            ("P10", 9, heart_rate(1)),
            ("P10", 3, heart_rate(2)),
            ("P2", 5, Signs { spo2: Some(97), ..Signs::default() }),
            ("P10", 9, heart_rate(3)),
            ("P2", 5, Signs::default()),
        ] {
            history.note(patient, time, signs);
        }
        let both = Signs { spo2: Some(97), ..heart_rate(80) };
        let expected = vec![
            (
                "P10".to_owned(),
                vec![Moment { time: 3, signs: heart_rate(2) }, Moment { time: 9, signs: heart_rate(3) }],
            ),
            ("P2".to_owned(), vec![Moment { time: 5, signs: both }]),
        ];
        assert_eq!(history.of_each(|course| (course.patient.clone(), course.moments.clone())), expected);
    }

    #[test]
    fn every_patient_is_worked_on_once_however_many_there_are() {
        let mut history = History::default();
        assert!(history.is_empty());
        for patient in (0..500).rev() {
            history.note(&format!("{patient:03}"), 0, Signs::default());
        }
        let ids = history.of_each(|course| course.patient.parse::<usize>().unwrap());
        assert_eq!(ids, (0..500).collect::<Vec<_>>());
    }
}
