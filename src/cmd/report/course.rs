//! What a patient's readings come to, taken one by one.

use super::period::Period;
use super::trend::{Line, Trend};
use crate::admission::Admission;
use crate::alarm::RunningScore;
use crate::alarm::rules::Micros;
use crate::cmd::common::patient_days::Spans;
use crate::minute::Summary;
use crate::reading::Signs;
use crate::score::{BuiltIn, Scale, Score};

/// The highest NEWS2, and when it was first that high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Peak {
    pub(super) score: Score,
    pub(super) time: Micros,
}

/// A patient's readings so far. It does not grow with them.
#[derive(Debug)]
pub(super) struct Course {
    period: Period,
    /// None of a child: the score is one of adults.
    score: Option<RunningScore>,
    spans: Spans,
    peak: Option<Peak>,
    trend: Option<Trend>,
    readings: u64,
}

impl Course {
    pub(super) fn new(period: Period, with_trend: bool, admission: Option<&Admission>) -> Self {
        let scale = admission.map_or(Scale::One, |admission| admission.spo2_scale);
        let is_child = admission.is_some_and(Admission::is_child);
        Self {
            period,
            score: (!is_child).then(|| RunningScore::of(BuiltIn::News2, scale)),
            spans: Spans::default(),
            peak: None,
            trend: with_trend.then(|| Trend::new(period)),
            readings: 0,
        }
    }

    /// Takes the next reading, by its time. Those before the time of the report only tell of signs that count in a score
    /// later.
    pub(super) fn take(&mut self, time: Micros, signs: &Signs) {
        if self.count(time, signs, 1)
            && let Some(trend) = &mut self.trend
        {
            trend.take(time, signs);
        }
    }

    /// Takes what the readings of the minute that begins then come to. The score is that of the last value of each sign.
    pub(super) fn take_minute(&mut self, start: Micros, summary: &Summary) {
        if self.count(start, &summary.last(), summary.n.into())
            && let Some(trend) = &mut self.trend
        {
            trend.take_minute(start, summary);
        }
    }

    /// Tells whether they are of the time of the report.
    fn count(&mut self, time: Micros, signs: &Signs, readings: u64) -> bool {
        let score = self.score.as_mut().and_then(|score| score.take(time, signs));
        if !self.period.holds(time) {
            return false;
        }
        self.readings += readings;
        self.spans.take(time);
        if let Some((score, _)) = score
            && self.peak.is_none_or(|peak| score.total > peak.score.total)
        {
            self.peak = Some(Peak { score, time });
        }
        true
    }

    /// How many were in the time of the report.
    pub(super) fn readings(&self) -> u64 {
        self.readings
    }

    /// For how long there were readings.
    pub(super) fn watched(&self) -> Micros {
        self.spans.watched()
    }

    pub(super) fn peak(&self) -> Option<Peak> {
        self.peak
    }

    /// The lines of the trend, where one was wanted.
    pub(super) fn lines(self) -> Option<Vec<Line>> {
        self.trend.map(Trend::lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::SECOND;

    const MINUTE: Micros = 60 * SECOND;

    fn course(readings: &[(Micros, Signs)]) -> Course {
        let period = Period { since: 100 * MINUTE, until: 200 * MINUTE, now: 200 * MINUTE };
        let mut course = Course::new(period, false, None);
        for (minute, signs) in readings {
            course.take(minute * MINUTE, signs);
        }
        course
    }

    fn rates(heart_rate: i32, respiratory_rate: i32) -> Signs {
        Signs { heart_rate: Some(heart_rate), respiratory_rate: Some(respiratory_rate), ..Signs::default() }
    }

    #[test]
    fn the_peak_is_the_highest_score_in_time_and_when_it_was_reached_first() {
        let seen = course(&[
            (99, rates(140, 30)),
            (120, rates(95, 16)),
            (130, rates(115, 22)),
            (140, rates(115, 22)),
            (150, rates(75, 16)),
            (200, rates(140, 30)),
        ]);
        let peak = seen.peak().unwrap();
        assert_eq!((peak.score.total, peak.score.is_partial, peak.time / MINUTE), (4, true, 130));
        assert_eq!((seen.readings(), seen.watched() / MINUTE), (4, 30));
    }

    #[test]
    fn a_sign_of_up_to_an_hour_before_counts_in_the_score_and_an_older_one_does_not() {
        let only = |heart_rate| Signs { heart_rate: Some(heart_rate), ..Signs::default() };
        let with_temperature = Signs { temperature: Some(39.5), ..Signs::default() };
        let total = |minute| course(&[(minute, with_temperature), (110, only(95))]).peak().unwrap().score.total;
        assert_eq!((total(50), total(49)), (3, 1));
    }

    #[test]
    fn minutes_of_readings_come_to_what_the_readings_do() {
        let period = Period { since: 100 * MINUTE, until: 200 * MINUTE, now: 200 * MINUTE };
        let (mut by_readings, mut by_minutes) = (Course::new(period, true, None), Course::new(period, true, None));
        for minute in 60..220 {
            let mut summary = Summary::default();
            // No minute has the highest and the lowest in its middle.
            for (second, rate) in
                [(0, 60 + i32::try_from(minute % 50).unwrap()), (30, 130 - i32::try_from(minute % 70).unwrap())]
            {
                let signs = Signs { temperature: Some(36.6), ..rates(rate, 16) };
                by_readings.take(minute * MINUTE + second * SECOND, &signs);
                summary.add(&signs);
            }
            by_minutes.take_minute(minute * MINUTE, &summary);
        }
        assert_eq!(by_minutes.readings(), by_readings.readings());
        assert_eq!(by_minutes.watched() / MINUTE, by_readings.watched() / MINUTE);
        let peak = |course: &Course| course.peak().map(|peak| (peak.score.total, peak.score.is_partial));
        assert_eq!(peak(&by_minutes), peak(&by_readings));
        let lines = |course: Course| {
            course.lines().unwrap().iter().map(|line| (line.range(), line.runs.len())).collect::<Vec<_>>()
        };
        assert_eq!(lines(by_minutes), lines(by_readings));
    }

    #[test]
    fn who_has_no_reading_in_that_time_has_no_peak() {
        let seen = course(&[(99, rates(140, 30)), (201, rates(140, 30))]);
        assert_eq!((seen.peak(), seen.readings(), seen.watched()), (None, 0, 0));
        let unbelieved = course(&[(150, Signs { heart_rate: Some(0), ..Signs::default() })]);
        assert_eq!((unbelieved.peak(), unbelieved.readings()), (None, 1));
    }
}
