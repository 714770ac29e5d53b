//! The course of some signs in few points, however many readings there were.
//!
//! The time is cut into buckets of the same length. Of each is kept the lowest and the highest believed value, so that
//! no peak is lost. A line goes from one bucket to the next only where the sign was measured as usual between them, and
//! nothing that is not believed: what is missing stays a gap.

use super::clock::HOUR;
use super::period::Period;
use crate::alarm::believed;
use crate::alarm::rules::Micros;
use crate::cmd::common::patient_days::Spans;
use crate::minute::{Figures, Summary};
use crate::reading::{Sign, Signs};

/// Each is four units of a drawing of 720, or 4 minutes of 12 hours.
const BUCKETS: usize = 180;

/// Whatever is usual, what was measured so far apart is no line: signs of a ward's patients are taken more often.
const LONGEST_JOINED: Micros = 6 * HOUR;

/// The signs that are drawn.
pub(super) const DRAWN: [Sign; 5] =
    [Sign::HeartRate, Sign::Spo2, Sign::Systolic, Sign::RespiratoryRate, Sign::Temperature];

/// The course of the signs so far.
#[derive(Debug)]
pub(super) struct Trend {
    since: Micros,
    bucket_length: Micros,
    signs: [Track; DRAWN.len()],
}

/// The course of one sign.
#[derive(Debug, Default)]
struct Track {
    spans: Spans,
    /// Those that have something, by their place.
    buckets: Vec<(usize, Bucket)>,
}

#[derive(Debug, Default)]
struct Bucket {
    believed: Option<Believed>,
    /// When a value was first not believed.
    doubted: Option<Micros>,
    /// Whether the last one was not.
    ends_in_doubt: bool,
}

#[derive(Debug, Clone, Copy)]
struct Believed {
    first: Point,
    last: Point,
    lowest: Point,
    highest: Point,
    /// Whether the first one followed one that was not believed.
    follows_doubt: bool,
}

/// A value and its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) time: Micros,
    pub(super) value: f64,
}

/// What is drawn of one sign.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) sign: Sign,
    /// The points that are joined with each other, run by run.
    pub(super) runs: Vec<Vec<Point>>,
    /// When there were values that are not believed.
    pub(super) doubted: Vec<Micros>,
}

impl Trend {
    pub(super) fn new(period: Period) -> Self {
        let buckets = Micros::try_from(BUCKETS).unwrap_or(Micros::MAX);
        // Rounded up: the last moment is in the last bucket.
        let bucket_length = (period.length() - 1) / buckets + 1;
        Self { since: period.since, bucket_length, signs: Default::default() }
    }

    /// Takes the next reading, by its time, which is not before the beginning.
    pub(super) fn take(&mut self, time: Micros, signs: &Signs) {
        let (place, values) = (self.place(time), believed(signs));
        for (track, sign) in self.signs.iter_mut().zip(DRAWN) {
            let value = values.get(sign.place()).copied().flatten();
            match value {
                Some(value) => track.believe(place, Point { time, value }),
                None if signs.number(sign).is_some() => track.doubt(place, time),
                None => {}
            }
        }
    }

    /// Takes what the readings of the minute that begins then come to.
    pub(super) fn take_minute(&mut self, start: Micros, summary: &Summary) {
        let place = self.place(start);
        for (track, sign) in self.signs.iter_mut().zip(DRAWN) {
            let Some(Figures { min, max, last, .. }) = summary.get(sign) else { continue };
            // Which of them came first nobody knows any more; behind one another they are drawn all the same.
            for (time, value) in (start..).zip([min, max, last]) {
                track.note(place, Point { time, value });
            }
            track.spans.take(start);
        }
    }

    fn place(&self, time: Micros) -> usize {
        usize::try_from(time.saturating_sub(self.since) / self.bucket_length).unwrap_or_default()
    }

    pub(super) fn lines(self) -> Vec<Line> {
        self.signs.into_iter().zip(DRAWN).map(|(track, sign)| track.line(sign)).collect()
    }
}

impl Track {
    fn believe(&mut self, place: usize, point: Point) {
        self.spans.take(point.time);
        self.note(place, point);
    }

    fn note(&mut self, place: usize, point: Point) {
        let Some(bucket) = self.bucket(place) else { return };
        let follows_doubt = std::mem::take(&mut bucket.ends_in_doubt);
        let only = Believed { first: point, last: point, lowest: point, highest: point, follows_doubt };
        let found = bucket.believed.get_or_insert(only);
        found.last = point;
        if point.value < found.lowest.value {
            found.lowest = point;
        }
        if point.value > found.highest.value {
            found.highest = point;
        }
    }

    fn doubt(&mut self, place: usize, time: Micros) {
        if let Some(bucket) = self.bucket(place) {
            bucket.doubted.get_or_insert(time);
            bucket.ends_in_doubt = true;
        }
    }

    /// The bucket of this place. Rows that another program wrote may be out of order, and come to the last one then.
    fn bucket(&mut self, place: usize) -> Option<&mut Bucket> {
        if self.buckets.last().is_none_or(|(last, _)| *last < place) {
            self.buckets.push((place, Bucket::default()));
        }
        self.buckets.last_mut().map(|(_, bucket)| bucket)
    }

    fn line(self, sign: Sign) -> Line {
        let longest = self.spans.longest_usual().unwrap_or_default().min(LONGEST_JOINED);
        let mut line = Line { sign, runs: Vec::new(), doubted: Vec::new() };
        let mut last: Option<Point> = None;
        let mut is_broken = true;
        for (_, Bucket { believed, doubted, ends_in_doubt }) in self.buckets {
            line.doubted.extend(doubted);
            let Some(found) = believed else {
                is_broken |= ends_in_doubt;
                continue;
            };
            let is_far = last.is_some_and(|last| found.first.time.saturating_sub(last.time) > longest);
            if std::mem::replace(&mut is_broken, ends_in_doubt) || is_far || found.follows_doubt {
                line.end_run(last);
                line.runs.push(vec![found.first]);
            }
            found.points().for_each(|point| line.join(point));
            last = Some(found.last);
        }
        line.end_run(last);
        line
    }
}

impl Believed {
    /// The lowest and the highest, in the order of their times.
    fn points(self) -> impl Iterator<Item = Point> {
        let (lowest, highest) = (self.lowest, self.highest);
        if lowest.time <= highest.time { [lowest, highest] } else { [highest, lowest] }.into_iter()
    }
}

impl Line {
    /// Adds a point to the last run, where it is not there already.
    fn join(&mut self, point: Point) {
        if let Some(run) = self.runs.last_mut().filter(|run| run.last().is_none_or(|last| last.time < point.time)) {
            run.push(point);
        }
    }

    /// Leads the last run to its last value.
    fn end_run(&mut self, last: Option<Point>) {
        if let Some(last) = last {
            self.join(last);
        }
    }

    /// The lowest and the highest value.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let mut values = self.runs.iter().flatten().map(|point| point.value);
        let first = values.next()?;
        Some(values.fold((first, first), |(low, high), value| (low.min(value), high.max(value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::SECOND;

    const MINUTE: Micros = 60 * SECOND;

    /// Twelve hours of heart rates, each at its second. A bucket has 4 minutes.
    fn line(readings: impl IntoIterator<Item = (i64, i32)>) -> Line {
        let mut trend = Trend::new(Period { since: 0, until: 12 * HOUR, now: 12 * HOUR });
        for (second, heart_rate) in readings {
            trend.take(second * SECOND, &Signs { heart_rate: Some(heart_rate), ..Signs::default() });
        }
        trend.lines().remove(0)
    }

    fn runs(line: &Line) -> Vec<Vec<(i64, f64)>> {
        let point = |point: &Point| (point.time / SECOND, point.value);
        line.runs.iter().map(|run| run.iter().map(point).collect()).collect()
    }

    #[test]
    fn the_lowest_and_the_highest_of_a_bucket_are_kept_in_their_order() {
        let found = line([(0, 80), (60, 130), (120, 40), (180, 81), (240, 82), (300, 82)]);
        assert_eq!(runs(&found), [[(0, 80.0), (60, 130.0), (120, 40.0), (240, 82.0), (300, 82.0)]]);
        assert_eq!((found.range(), found.sign), (Some((40.0, 130.0)), Sign::HeartRate));
    }

    #[test]
    fn what_is_missing_stays_a_gap() {
        let minutes = |from: i64, to: i64| (from..to).map(|minute| (minute * 60, 80));
        let found = line(minutes(0, 20).chain(minutes(22, 40)).chain(minutes(60, 70)));
        let ends: Vec<_> = runs(&found).iter().map(|run| (run[0].0 / 60, run[run.len() - 1].0 / 60)).collect();
        // Three minutes are no more than three times the usual one; twenty are.
        assert_eq!(ends, [(0, 39), (60, 69)]);
    }

    #[test]
    fn what_is_usually_measured_every_hour_is_joined_and_what_is_a_night_apart_is_not() {
        assert_eq!(runs(&line([(0, 80), (3600, 90), (7200, 85)])).len(), 1);
        assert_eq!(runs(&line([(0, 80), (11 * 3600, 90)])).len(), 2);
        assert_eq!(runs(&line([(0, 80)])), [[(0, 80.0)]]);
        assert_eq!((runs(&line([])).len(), line([]).range()), (0, None));
    }

    #[test]
    fn a_value_that_is_not_believed_is_no_point_and_told_once_a_bucket() {
        let found = line([(0, 80), (60, 0), (120, 900), (180, 82), (600, 0)]);
        assert_eq!(runs(&found), [[(0, 80.0), (180, 82.0)]]);
        assert_eq!(found.doubted, [60 * SECOND, 600 * SECOND]);
        assert_eq!((runs(&line([(0, 0)])).len(), line([(0, 0)]).doubted), (0, vec![0]));
    }

    #[test]
    fn no_line_goes_over_values_that_are_not_believed_from_one_bucket_to_the_next() {
        let with = |doubted: i64| {
            let minutes = (0..20).map(move |minute| (minute * 60, if minute == doubted { 0 } else { 80 }));
            runs(&line(minutes)).iter().map(|run| run[run.len() - 1].0 / 60).collect::<Vec<_>>()
        };
        assert_eq!((with(3), with(4)), (vec![2, 19], vec![3, 19]), "at the end and at the beginning of a bucket");
        let long = line((0..20).map(|minute| (minute * 60, if (3..9).contains(&minute) { 0 } else { 80 })));
        assert_eq!((runs(&long).len(), long.doubted.len()), (2, 3));
        let sparse = line([(0, 80), (300, 80), (600, 0), (900, 80), (1200, 80)]);
        assert_eq!(runs(&sparse), [[(0, 80.0), (300, 80.0)], [(900, 80.0), (1200, 80.0)]]);
    }

    #[test]
    fn there_are_no_more_points_than_two_a_bucket_however_many_readings_there_are() {
        let found = line((0..12 * 3600).map(|second| (second, 60 + i32::try_from(second % 50).unwrap())));
        assert_eq!(found.runs.len(), 1);
        let points = &found.runs[0];
        assert!((2 * BUCKETS..=2 * BUCKETS + 2).contains(&points.len()), "{}", points.len());
        assert_eq!(points[points.len() - 1].time / SECOND, 12 * 3600 - 1);
    }

    #[test]
    fn the_last_moment_of_any_time_is_in_the_last_bucket() {
        for length in [1, 179, 180, 181, 12 * HOUR, 9998 * 366 * 24 * HOUR] {
            let trend = Trend::new(Period { since: 0, until: length, now: length });
            assert!((length - 1) / trend.bucket_length < 180, "{length}");
        }
    }

    #[test]
    fn a_sign_has_its_own_usual_span() {
        let mut trend = Trend::new(Period { since: 0, until: 12 * HOUR, now: 12 * HOUR });
        for minute in 0..180 {
            let temperature = (minute % 60 == 0).then_some(37.0);
            trend.take(minute * MINUTE, &Signs { heart_rate: Some(80), temperature, ..Signs::default() });
        }
        let lines = trend.lines();
        assert_eq!((lines[0].runs.len(), lines[4].runs.len(), lines[4].runs[0].len()), (1, 1, 3));
    }
}
