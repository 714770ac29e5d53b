//! The zone of a sender's clock: an offset, and where its summer time is that of Europe or of the United States.

use chrono::{DateTime, Datelike as _, Days, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, Utc, Weekday};

/// Where clocks are put forward by an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SummerTime {
    /// From the last Sunday of March, 01:00 UTC, to that of October.
    Europe,
    /// From the second Sunday of March, 02:00, to the first of November, 02:00, as the clocks show then.
    UnitedStates,
}

/// A zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) offset: FixedOffset,
    pub(super) summer: Option<SummerTime>,
}

const HOUR: TimeDelta = TimeDelta::hours(1);

impl Zone {
    /// When clocks there show `local`. Of the hour that comes twice in autumn the time that is nearer to `near` is meant;
    /// in the hour that is left out in spring a clock has not been put forward yet.
    pub(super) fn moment(self, local: NaiveDateTime, near: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let winter = local.checked_sub_offset(self.offset)?;
        let summer = winter.checked_sub_signed(HOUR)?;
        let moment = match (self.is_summer(winter)?, self.is_summer(summer)?) {
            (true, true) => summer,
            // It is both: the hour that comes twice.
            (false, true) => {
                let distance = |time: NaiveDateTime| (time - near.naive_utc()).abs();
                if distance(summer) < distance(winter) { summer } else { winter }
            }
            (_, false) => winter,
        };
        Some(moment.and_utc())
    }

    fn is_summer(self, utc: NaiveDateTime) -> Option<bool> {
        let Some(summer) = self.summer else { return Some(false) };
        let (begin, end) = match summer {
            SummerTime::Europe => {
                (last_sunday(utc.year(), 3)?.and_hms_opt(1, 0, 0)?, last_sunday(utc.year(), 10)?.and_hms_opt(1, 0, 0)?)
            }
            SummerTime::UnitedStates => {
                let sunday =
                    |month, number| NaiveDate::from_weekday_of_month_opt(utc.year(), month, Weekday::Sun, number);
                let begin = sunday(3, 2)?.and_hms_opt(2, 0, 0)?.checked_sub_offset(self.offset)?;
                (begin, sunday(11, 1)?.and_hms_opt(1, 0, 0)?.checked_sub_offset(self.offset)?)
            }
        };
        Some(begin <= utc && utc < end)
    }
}

/// Of a month with 31 days.
fn last_sunday(year: i32, month: u32) -> Option<NaiveDate> {
    let last = NaiveDate::from_ymd_opt(year, month, 31)?;
    last.checked_sub_days(Days::new(last.weekday().num_days_from_sunday().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn moment(hours: i32, summer: Option<SummerTime>, local: &str, near: &str) -> String {
        let zone = Zone { offset: FixedOffset::east_opt(hours * 3600).unwrap(), summer };
        zone.moment(local.parse().unwrap(), utc(near)).unwrap().format("%FT%R").to_string()
    }

    #[test]
    fn an_offset_alone_holds_all_year() {
        for day in ["2025-01-10", "2025-07-10"] {
            assert_eq!(moment(1, None, &format!("{day}T10:30:00"), "2025-07-10T00:00:00Z"), format!("{day}T09:30"));
        }
    }

    #[test]
    fn summer_time_begins_and_ends_as_it_does_there() {
        use SummerTime::{Europe, UnitedStates};
        for (hours, summer, local, expected) in [
            (1, Europe, "2025-01-10T10:30:00", "2025-01-10T09:30"),
            (1, Europe, "2025-07-10T10:30:00", "2025-07-10T08:30"),
            (1, Europe, "2025-03-30T01:59:00", "2025-03-30T00:59"),
            (1, Europe, "2025-03-30T03:00:00", "2025-03-30T01:00"),
            (1, Europe, "2025-03-30T02:30:00", "2025-03-30T01:30"),
            (1, Europe, "2025-10-26T03:00:00", "2025-10-26T02:00"),
            (-5, UnitedStates, "2025-03-09T01:59:00", "2025-03-09T06:59"),
            (-5, UnitedStates, "2025-03-09T03:00:00", "2025-03-09T07:00"),
            (-5, UnitedStates, "2025-11-02T00:59:00", "2025-11-02T04:59"),
            (-5, UnitedStates, "2025-11-02T02:00:00", "2025-11-02T07:00"),
        ] {
            assert_eq!(moment(hours, Some(summer), local, "2025-07-01T00:00:00Z"), expected, "{local}");
        }
    }

    #[test]
    fn the_hour_that_comes_twice_is_the_one_in_which_the_message_came() {
        let moment = |near| moment(1, Some(SummerTime::Europe), "2025-10-26T02:30:00", near);
        assert_eq!(moment("2025-10-26T00:30:02Z"), "2025-10-26T00:30");
        assert_eq!(moment("2025-10-26T01:30:02Z"), "2025-10-26T01:30");
    }
}
