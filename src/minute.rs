//! What is kept of a minute of a patient: how many readings there were, and of each sign how many values, the least, the
//! most, their sum and the last. Only of values that are believed, as everywhere where values are summed up: a heart rate
//! of 0 while a lead is off is not the least of a minute.
//!
//! A minute is computed from its readings, each moment of which counts once; it is never added to. Hours and days are made
//! of minutes, and come out as if they had been computed from the readings: whole numbers add up exactly, and temperatures
//! do because each counts to a hundred-thousandth of a degree, which is finer than a 32-bit number of that size is.

use std::fmt;

use crate::alarm::believed;
use crate::reading::{Observed, PatientId, Sign, Signs, Timestamp};

/// How many parts of a degree a temperature is told to.
const PARTS_OF_A_DEGREE: f64 = 100_000.0;

/// The minute, hour or day of UTC that a span of a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Every {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Every {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// As it is typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|every| every.name() == name)
    }

    /// How long it is, in microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        const MINUTE: i64 = 60_000_000;
        match self {
            Self::Minute => MINUTE,
            Self::Hour => 60 * MINUTE,
            Self::Day => 24 * 60 * MINUTE,
        }
    }

    /// The beginning of the one that this moment is in.
    #[must_use]
    pub fn start_of(self, time: Timestamp) -> Timestamp {
        let micros = time.as_micros();
        // The first year begins with a day.
        Timestamp::from_micros(micros - micros.rem_euclid(self.micros())).unwrap_or(time)
    }

    /// The end of the one that begins at this moment: that of the next; `None` behind the last that can be told.
    #[must_use]
    pub fn end_of(self, start: Timestamp) -> Option<Timestamp> {
        Timestamp::from_micros(start.as_micros().saturating_add(self.micros()))
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A minute of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(Timestamp);

impl Minute {
    /// The one that this moment is in.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self(Every::Minute.start_of(time))
    }

    /// When it begins.
    #[must_use]
    pub fn start(self) -> Timestamp {
        self.0
    }

    /// When it is over; the last moment of all where there is none behind it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        Every::Minute.end_of(self.0).unwrap_or(self.0)
    }

    /// Its month, as the table has it: `2026-01`.
    #[must_use]
    pub fn month(self) -> String {
        let mut text = self.0.to_string();
        text.truncate("2026-01".len());
        text
    }
}

/// What the values of one sign come to, in the sign's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// How many there were, at least one.
    pub n: u32,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// Their sum: with `n` it tells the mean.
    pub sum: f64,
    /// The one that was measured last.
    pub last: f64,
}

impl Figures {
    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / f64::from(self.n.max(1))
    }
}

/// What readings come to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// How many there were.
    pub n: u32,
    /// In the order of [`Sign::ALL`]; none where it was not measured.
    pub signs: [Option<Figures>; Sign::ALL.len()],
}

impl Summary {
    /// Takes in a reading that was taken behind all others.
    pub fn add(&mut self, signs: &Signs) {
        self.join(&Self::of(signs));
    }

    /// Takes in a reading that was taken before all others.
    pub fn add_before(&mut self, signs: &Signs) {
        self.join_before(&Self::of(signs));
    }

    /// Takes in what was measured behind all this.
    pub fn join(&mut self, later: &Self) {
        self.n = self.n.saturating_add(later.n);
        for (sign, (own, later)) in Sign::ALL.into_iter().zip(self.signs.iter_mut().zip(&later.signs)) {
            *own = match (*own, *later) {
                (Some(own), Some(later)) => Some(joined(sign, own, later)),
                (own, later) => own.or(later),
            };
        }
    }

    /// Takes in what was measured before all this.
    pub fn join_before(&mut self, earlier: &Self) {
        let later = std::mem::replace(self, *earlier);
        self.join(&later);
    }

    /// The figures of a sign, where it was measured.
    #[must_use]
    pub fn get(&self, sign: Sign) -> Option<Figures> {
        self.signs.get(sign.place()).copied().flatten()
    }

    /// The last value of each sign.
    #[must_use]
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "each was a value of a sign")]
    pub fn last(&self) -> Signs {
        let last = |sign| self.get(sign).map(|figures| figures.last);
        let whole = |sign| last(sign).map(|value| value as i32);
        Signs {
            heart_rate: whole(Sign::HeartRate),
            spo2: whole(Sign::Spo2),
            systolic: whole(Sign::Systolic),
            diastolic: whole(Sign::Diastolic),
            respiratory_rate: whole(Sign::RespiratoryRate),
            temperature: last(Sign::Temperature).map(|value| value as f32),
            observed: Observed::NOTHING,
        }
    }

    fn of(signs: &Signs) -> Self {
        let mut values = believed(signs);
        if let Some(value) = values.get_mut(Sign::Temperature.place()) {
            *value = value.map(|value| told(Sign::Temperature, value));
        }
        let one = |value| Figures { n: 1, min: value, max: value, sum: value, last: value };
        Self { n: 1, signs: values.map(|value| value.map(one)) }
    }
}

fn joined(sign: Sign, own: Figures, later: Figures) -> Figures {
    Figures {
        n: own.n.saturating_add(later.n),
        min: own.min.min(later.min),
        max: own.max.max(later.max),
        sum: told(sign, own.sum + later.sum),
        last: later.last,
    }
}

/// A temperature, or a sum of such, as the decimal that it stands for: 36.6, where the same as a 32-bit number is
/// 36.599998474.
fn told(sign: Sign, value: f64) -> f64 {
    match sign {
        Sign::Temperature => (value * PARTS_OF_A_DEGREE).round() / PARTS_OF_A_DEGREE,
        _ => value,
    }
}

/// What is kept of a minute of one patient.
#[derive(Debug, Clone, PartialEq)]
pub struct PatientMinute {
    /// The patient.
    pub patient: PatientId,
    /// The minute.
    pub minute: Minute,
    /// What its readings come to.
    pub summary: Summary,
}

/// What the readings of a minute come to as they come, as long as each is behind the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    minute: Minute,
    summary: Summary,
    last: (Timestamp, Signs),
    is_whole: bool,
}

impl Running {
    /// Begins with a reading. `is_whole` says that no reading of this minute was there before.
    #[must_use]
    pub fn begin(time: Timestamp, signs: &Signs, is_whole: bool) -> Self {
        let mut summary = Summary::default();
        summary.add(signs);
        Self { minute: Minute::of(time), summary, last: (time, *signs), is_whole }
    }

    /// The minute.
    #[must_use]
    pub fn minute(&self) -> Minute {
        self.minute
    }

    /// Takes in a reading of this minute. One that is not behind the last, and no repeat of it, may have been counted
    /// before: then only the rows tell what the minute comes to.
    pub fn add(&mut self, time: Timestamp, signs: &Signs) {
        if time > self.last.0 {
            self.summary.add(signs);
            self.last = (time, *signs);
        } else if (time, *signs) != self.last {
            self.is_whole = false;
        }
    }

    /// What the minute comes to; `None` where only its rows can tell.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        self.is_whole.then_some(self.summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn signs(heart_rate: Option<i32>, temperature: Option<f32>) -> Signs {
        Signs { heart_rate, temperature, ..Signs::default() }
    }

    fn summary(all: &[Signs]) -> Summary {
        let mut summary = Summary::default();
        for signs in all {
            summary.add(signs);
        }
        summary
    }

    #[test]
    fn a_moment_is_in_its_minute_hour_and_day_of_utc_also_before_1970() {
        for (moment, minute, hour, day) in [
            ("2026-01-02T10:30:59.999999Z", "2026-01-02T10:30:00Z", "2026-01-02T10:00:00Z", "2026-01-02T00:00:00Z"),
            ("2026-01-02T10:30:00Z", "2026-01-02T10:30:00Z", "2026-01-02T10:00:00Z", "2026-01-02T00:00:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:00Z", "1969-12-31T23:00:00Z", "1969-12-31T00:00:00Z"),
            ("0001-01-01T00:00:01Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            let starts = Every::ALL.map(|every| every.start_of(time(moment)));
            assert_eq!(starts, [minute, hour, day].map(time), "{moment}");
            assert_eq!(Minute::of(time(moment)).start(), time(minute));
        }
        assert_eq!(Minute::of(time("2026-01-31T23:59:59Z")).month(), "2026-01");
        assert_eq!(Minute::of(time("2026-01-31T23:59:59Z")).end(), time("2026-02-01T00:00:00Z"));
        assert_eq!(Every::Day.end_of(time("9999-12-31T00:00:00Z")), None);
        assert_eq!(Every::ALL.map(|every| Every::named(every.name())), Every::ALL.map(Some));
    }

    #[test]
    fn a_sign_that_is_missing_counts_in_none_of_its_figures() {
        let found = summary(&[signs(Some(80), None), signs(None, Some(36.6)), signs(Some(70), None)]);
        assert_eq!(found.n, 3);
        let heart_rate = Figures { n: 2, min: 70.0, max: 80.0, sum: 150.0, last: 70.0 };
        assert_eq!(found.get(Sign::HeartRate), Some(heart_rate));
        assert!((heart_rate.mean() - 75.0).abs() < 1e-12);
        assert_eq!(found.get(Sign::Temperature).unwrap().n, 1);
        assert_eq!(found.get(Sign::Spo2), None);
        let found = summary(&[signs(Some(0), Some(f32::NAN)), signs(Some(80), Some(97.5))]);
        assert_eq!((found.n, found.get(Sign::HeartRate).unwrap().min), (2, 80.0), "a lead that is off");
        assert_eq!(found.get(Sign::Temperature), None, "no number, and Fahrenheit");
    }

    #[test]
    fn temperatures_add_up_as_the_decimals_that_were_sent_whatever_they_are_grouped_by() {
        let all: Vec<_> = (0..1440_i16).map(|at| signs(None, Some(36.0 + f32::from(at % 37) / 10.0))).collect();
        let whole = summary(&all).get(Sign::Temperature).unwrap();
        let tenths: i64 = (0..1440).map(|at| 360 + at % 37).sum();
        assert_eq!(whole.sum.to_string(), (f64::from(i32::try_from(tenths).unwrap()) / 10.0).to_string());
        assert_eq!((whole.min.to_string(), whole.last.to_string()), ("36".to_owned(), "39.3".to_owned()));
        for size in [1, 7, 60] {
            let mut joined = Summary::default();
            all.chunks(size).for_each(|chunk| joined.join(&summary(chunk)));
            assert_eq!(joined.get(Sign::Temperature), Some(whole), "{size}");
            let mut from_behind = Summary::default();
            all.chunks(size).rev().for_each(|chunk| from_behind.join_before(&summary(chunk)));
            assert_eq!(from_behind, joined, "{size}");
        }
        let mut from_behind = Summary::default();
        all.iter().rev().for_each(|signs| from_behind.add_before(signs));
        assert_eq!(from_behind, summary(&all));
    }

    #[test]
    fn readings_in_their_order_need_no_look_at_the_rows_and_others_do() {
        let at = |second: &str| time(&format!("2026-01-02T10:30:{second}Z"));
        let mut running = Running::begin(at("00"), &signs(Some(80), None), true);
        running.add(at("01"), &signs(Some(81), None));
        running.add(at("01"), &signs(Some(81), None));
        assert_eq!(running.summary().unwrap(), summary(&[signs(Some(80), None), signs(Some(81), None)]));
        let mut late = running.clone();
        late.add(at("00.5"), &signs(Some(82), None));
        assert_eq!(late.summary(), None);
        let mut changed = running.clone();
        changed.add(at("01"), &signs(None, Some(36.6)));
        assert_eq!(changed.summary(), None, "joined into the row of that moment");
        assert_eq!(Running::begin(at("00"), &signs(Some(80), None), false).summary(), None);
    }
}
