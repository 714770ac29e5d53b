//! The patients, each with the newest value of every sign.

use std::collections::HashMap;

use crate::alarm::{Alert, Limits, Priority, Rule, judge};
use crate::reading::{PatientId, Reading, Sign, Signs, Timestamp};

/// So many patients are remembered. One takes less than 2 KiB, with the six readings and the alerts that it may have, so
/// all of them together take less than 20 MiB.
pub(super) const MAX_PATIENTS: usize = 10_000;

/// When there is one more than so many beyond [`MAX_PATIENTS`], all that are beyond go at once: to look for the longest
/// silent ones for every new patient would be slow.
const SLACK: usize = 500;

/// A sign that the last reading did not carry is shown from an earlier one, if that is not older than this.
const CARRIED_MICROS: i64 = 15 * 60 * 1_000_000;

/// What is known of one patient.
#[derive(Debug, Clone, Default)]
pub(super) struct Patient {
    /// Newest first; each has a sign that no newer one has, so there are never more than six.
    readings: Vec<Reading>,
    /// The newest value of every sign.
    pub(super) signs: Signs,
    /// The alerts that the values raise, the most pressing first.
    pub(super) alerts: Vec<Alert>,
    /// The number of the last message, to find who has been silent for longest.
    turn: u64,
}

impl Patient {
    /// Takes a reading, whether it is newer or older than those that are known. The same time again changes its signs.
    fn take(&mut self, reading: Reading) {
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
    }

    fn judge(&mut self, limits: Limits) {
        let Some(newest) = self.readings.first() else { return };
        let whole = Reading::new(newest.patient().clone(), newest.time(), self.signs);
        self.alerts = whole.map(|reading| judge(&reading, limits)).unwrap_or_default();
        self.alerts.sort_by_key(|alert| std::cmp::Reverse(alert.priority));
    }

    pub(super) fn id(&self) -> &str {
        self.readings.first().map_or("", |newest| newest.patient().as_str())
    }

    /// When the last reading was taken.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.readings.first().map(Reading::time)
    }

    /// The same in microseconds since 1970.
    pub(super) fn last_micros(&self) -> i64 {
        self.last().map_or(0, Timestamp::as_micros)
    }

    /// Whether the value of `sign` is from an earlier reading than the last one.
    pub(super) fn is_carried(&self, sign: Sign) -> bool {
        self.signs.get(sign).is_some() && self.readings.first().is_some_and(|newest| newest.signs().get(sign).is_none())
    }

    /// The priority of the most pressing alert.
    pub(super) fn priority(&self) -> Option<Priority> {
        self.alerts.first().map(|alert| alert.priority)
    }

    /// The most pressing alert about `sign`.
    pub(super) fn alert_about(&self, sign: Sign) -> Option<&Alert> {
        self.alerts.iter().find(|alert| match alert.rule {
            Rule::HighHeartRate => sign == Sign::HeartRate,
            Rule::LowSpo2 => sign == Sign::Spo2,
            Rule::Implausible(doubt) => doubt.concerns(sign),
        })
    }
}

/// All patients that are remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Patients {
    by_id: HashMap<PatientId, Patient>,
    turn: u64,
    /// How often a patient was forgotten because there were too many; one that comes back is counted again when it is
    /// forgotten again.
    pub(super) forgotten: u64,
}

impl Patients {
    /// Takes a reading of one of them.
    pub(super) fn take(&mut self, reading: Reading, limits: Limits) {
        self.turn += 1;
        if self.by_id.len() > MAX_PATIENTS + SLACK {
            self.forget_the_silent();
        }
        let patient = self.by_id.entry(reading.patient().clone()).or_default();
        patient.take(reading);
        patient.turn = self.turn;
        patient.judge(limits);
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

    /// How many have an alert.
    pub(super) fn alerting(&self) -> usize {
        self.all().filter(|patient| !patient.alerts.is_empty()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(id: &str, second: u32, signs: Signs) -> Reading {
        let time = format!("2025-10-26T10:{:02}:{:02}Z", second / 60, second % 60);
        let time = Timestamp::parse(&time).expect("a time");
        Reading::new(PatientId::parse(id).expect("an id"), time, signs).expect("a reading")
    }

    fn heart_rate(rate: i32) -> Signs {
        Signs { heart_rate: Some(rate), ..Signs::default() }
    }

    fn temperature(degrees: f32) -> Signs {
        Signs { temperature: Some(degrees), ..Signs::default() }
    }

    fn taken(readings: impl IntoIterator<Item = Reading>) -> Patient {
        let mut patients = Patients::default();
        readings.into_iter().for_each(|reading| patients.take(reading, Limits::default()));
        patients.by_id.into_values().next().expect("a patient")
    }

    #[test]
    fn a_sign_that_the_last_reading_lacks_is_carried_from_an_earlier_one() {
        let patient = taken([reading("P1", 0, temperature(36.8)), reading("P1", 10, heart_rate(80))]);
        assert_eq!(patient.signs.temperature, Some(36.8));
        assert!(patient.is_carried(Sign::Temperature) && !patient.is_carried(Sign::HeartRate));
        assert_eq!(patient.last().map(|time| time.to_string()), Some("2025-10-26T10:00:10+00:00".to_owned()));
    }

    #[test]
    fn a_sign_older_than_fifteen_minutes_is_carried_no_more() {
        let at = |second| taken([reading("P1", 0, temperature(36.8)), reading("P1", second, heart_rate(80))]);
        assert_eq!(at(900).signs.temperature, Some(36.8));
        assert_eq!(at(901).signs.temperature, None);
    }

    #[test]
    fn an_older_reading_that_comes_late_changes_nothing_that_is_newer() {
        let patient = taken([reading("P1", 10, heart_rate(80)), reading("P1", 0, heart_rate(200))]);
        assert_eq!(patient.signs.heart_rate, Some(80));
        assert!(patient.alerts.is_empty());
    }

    #[test]
    fn the_same_time_again_joins_the_signs() {
        let patient = taken([reading("P1", 0, heart_rate(80)), reading("P1", 0, temperature(37.0))]);
        assert!(!patient.is_carried(Sign::HeartRate) && !patient.is_carried(Sign::Temperature));
        assert_eq!(patient.readings.len(), 1);
    }

    #[test]
    fn a_patient_never_holds_more_readings_than_there_are_signs() {
        let signs = |second: u32| if second.is_multiple_of(2) { heart_rate(80) } else { temperature(36.8) };
        assert_eq!(taken((0..100).map(|second| reading("P1", second, signs(second)))).readings.len(), 2);
    }

    #[test]
    fn alerts_come_with_a_value_and_go_with_the_next() {
        let high = reading("P1", 0, heart_rate(115));
        let patient = taken([high.clone()]);
        assert_eq!(patient.alerts[0].to_string(), "High heart rate: 115");
        assert!(patient.alert_about(Sign::HeartRate).is_some() && patient.alert_about(Sign::Spo2).is_none());
        assert_eq!(patient.priority(), Some(Priority::Medium));
        assert!(taken([high, reading("P1", 1, heart_rate(80))]).alerts.is_empty());
    }

    #[test]
    fn beyond_the_limit_the_longest_silent_are_forgotten() {
        let mut patients = Patients::default();
        let mut take = |number: usize| {
            patients.take(reading(&format!("P{number}"), 0, heart_rate(80)), Limits::default());
        };
        take(0);
        (1..=MAX_PATIENTS).for_each(&mut take);
        take(0);
        (MAX_PATIENTS + 1..=MAX_PATIENTS + 2 * SLACK).for_each(&mut take);
        assert!(patients.count() <= MAX_PATIENTS + SLACK + 1, "{}", patients.count());
        let known = |id: &str| patients.all().any(|patient| patient.id() == id);
        assert!(known("P0") && !known("P1") && known(&format!("P{}", MAX_PATIENTS + 2 * SLACK)));
        assert!(patients.forgotten > 0);
    }
}
