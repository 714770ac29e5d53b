//! Times as people on the ward read them.

use chrono::{DateTime, FixedOffset, Local, NaiveDateTime, Offset as _, TimeZone as _};

use super::period::Period;
use crate::alarm::rules::{Micros, SECOND};
use crate::reading::Timestamp;

const MINUTE: Micros = 60 * SECOND;
pub(super) const HOUR: Micros = 60 * MINUTE;
pub(super) const DAY: Micros = 24 * HOUR;

/// Tells times by the clock on the wall.
pub(super) struct Clock {
    /// What it is ahead of UTC at a time of UTC.
    ahead: Box<dyn Fn(&NaiveDateTime) -> FixedOffset>,
}

impl Clock {
    /// In the time zone of this machine.
    pub(super) fn of_this_machine() -> Self {
        Self { ahead: Box::new(|utc| Local.offset_from_utc_datetime(utc).fix()) }
    }

    #[cfg(test)]
    pub(super) fn of_utc() -> Self {
        Self { ahead: Box::new(|_| chrono::Utc.fix()) }
    }

    /// One that is ahead of UTC by so many seconds before a time, and by others from then on.
    #[cfg(test)]
    pub(super) fn changed(at: Micros, before: i32, after: i32) -> Self {
        let ahead = move |utc: &NaiveDateTime| {
            let seconds = if utc.and_utc().timestamp_micros() < at { before } else { after };
            FixedOffset::east_opt(seconds).unwrap()
        };
        Self { ahead: Box::new(ahead) }
    }

    fn read(&self, time: Micros) -> DateTime<FixedOffset> {
        let utc = DateTime::from_timestamp_micros(time).unwrap_or_default();
        utc.with_timezone(&(self.ahead)(&utc.naive_utc()))
    }

    /// How far it is ahead of UTC then.
    pub(super) fn ahead(&self, time: Micros) -> Micros {
        Micros::from(self.read(time).offset().local_minus_utc()) * SECOND
    }

    /// The time of UTC at which it shows `wall`, as if that were one of UTC: the first one, where it is put back; none,
    /// where it is put forward over it.
    pub(super) fn when(&self, wall: Micros) -> Option<Micros> {
        // What it is ahead of UTC before and after a change that is near.
        let times = [-DAY, DAY].map(|near| wall.saturating_sub(self.ahead(wall.saturating_add(near))));
        times.into_iter().find(|time| time.saturating_add(self.ahead(*time)) == wall)
    }

    /// `14:05`
    pub(super) fn minute(&self, time: Micros) -> String {
        self.read(time).format("%H:%M").to_string()
    }

    /// `11-30`
    pub(super) fn day(&self, time: Micros) -> String {
        self.read(time).format("%m-%d").to_string()
    }

    /// `2026-11-30 14:05`
    pub(super) fn day_and_minute(&self, time: Micros) -> String {
        self.read(time).format("%Y-%m-%d %H:%M").to_string()
    }

    /// In five characters: the minute, or the day where the report is about more than one.
    pub(super) fn short(&self, time: Micros, period: &Period) -> String {
        if period.length() > DAY { self.day(time) } else { self.minute(time) }
    }

    /// `2026-11-30 07:00 +01:00 to 2026-11-30 19:00 +01:00`
    pub(super) fn range(&self, period: &Period) -> String {
        let [from, to] = [period.since, period.until].map(|time| self.read(time).format("%Y-%m-%d %H:%M %:z"));
        format!("{from} to {to}")
    }
}

/// The same in UTC, to the second.
pub(super) fn range_in_utc(period: &Period) -> String {
    let second = |time: Micros| in_utc(time - time.rem_euclid(SECOND));
    format!("{} to {}", second(period.since), second(period.until))
}

/// As it is stored; a time that is out of all bounds is not shown.
pub(super) fn in_utc(time: Micros) -> String {
    Timestamp::from_micros(time).map(|time| time.to_string()).unwrap_or_default()
}

/// How long something lasted, in its two largest units: `45s`, `3m10s`, `2h05m`, `3d04h`.
pub(super) fn lasted(span: Micros) -> String {
    let two = |of: Micros, unit: char, rest: Micros, smaller: char| {
        format!("{}{unit}{:02}{smaller}", span / of, span % of / rest)
    };
    match span {
        ..MINUTE => format!("{}s", (span / SECOND).max(0)),
        MINUTE..HOUR => two(MINUTE, 'm', SECOND, 's'),
        HOUR..DAY => two(HOUR, 'h', MINUTE, 'm'),
        DAY.. => two(DAY, 'd', HOUR, 'h'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m00s"),
            (190, "3m10s"),
            (3600, "1h00m"),
            (7_559, "2h05m"),
            (86_400, "1d00h"),
            (273_600, "3d04h"),
        ] {
            assert_eq!(lasted(seconds * SECOND), text);
        }
        assert_eq!((lasted(999_999), lasted(-5)), ("0s".to_owned(), "0s".to_owned()));
    }

    #[test]
    fn the_clock_on_the_wall_may_be_ahead_of_utc_and_a_long_time_is_told_in_days() {
        let clock = Clock::changed(0, 5400, 5400);
        let at = |text: &str| Timestamp::parse(text).unwrap().as_micros();
        let (since, until) = (at("2026-11-30T22:00:00Z"), at("2026-12-01T22:00:00Z"));
        let period = Period { since, until, now: until };
        assert_eq!(clock.range(&period), "2026-11-30 23:30 +01:30 to 2026-12-01 23:30 +01:30");
        let later = Period { since: since + 651_422, ..period };
        assert_eq!(range_in_utc(&later), "2026-11-30T22:00:00+00:00 to 2026-12-01T22:00:00+00:00");
        assert_eq!((clock.ahead(since), clock.short(since, &period)), (5400 * SECOND, "23:30".to_owned()));
        assert_eq!(clock.short(since + HOUR, &Period { until: until + 1, ..period }), "12-01");
        assert_eq!(clock.day_and_minute(since), "2026-11-30 23:30");
    }

    #[test]
    fn an_hour_may_be_on_the_wall_twice_or_not_at_all() {
        let put_back = Clock::changed(10 * HOUR, 3600, 0);
        assert_eq!([9, 10, 11].map(|hour| put_back.when(hour * HOUR)), [8, 9, 11].map(|hour| Some(hour * HOUR)));
        let put_forward = Clock::changed(10 * HOUR, 0, 3600);
        assert_eq!(put_forward.when(10 * HOUR + MINUTE), None);
        assert_eq!([9, 11].map(|hour| put_forward.when(hour * HOUR)), [9, 10].map(|hour| Some(hour * HOUR)));
    }
}
