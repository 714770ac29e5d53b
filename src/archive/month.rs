//! A month of UTC, by which archives are cut.

use std::fmt;

use chrono::{DateTime, Datelike as _};

use crate::reading::Timestamp;

/// A month within the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// Counted from the first one of the year 0.
    number: u32,
}

const FIRST: u32 = 12;
const LAST: u32 = 9999 * 12 + 11;

impl Month {
    /// The first one.
    pub const FIRST: Self = Self { number: FIRST };

    /// The month that this moment lies in.
    pub fn of(time: Timestamp) -> Self {
        // The range was checked when the timestamp was made, so the fallback is never taken.
        let utc = DateTime::from_timestamp_micros(time.as_micros()).unwrap_or_default();
        Self { number: u32::try_from(utc.year()).unwrap_or(1) * 12 + utc.month0() }
    }

    /// The month that a row of this time lies in, where times are compared as text: also of a text that is no time. None
    /// where it sorts before all months.
    pub fn of_text(time: &str) -> Option<Self> {
        let (mut first, mut end) = (FIRST, LAST + 1);
        // The first month that begins behind the text lies in `first..=end`.
        while first < end {
            let middle = first.midpoint(end);
            if (Self { number: middle }).first_text().as_str() <= time {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        (first > FIRST).then(|| Self { number: first - 1 })
    }

    /// The month that is written `2025-10`.
    pub fn parse(text: &str) -> Option<Self> {
        let month = Self::of(Timestamp::parse(&format!("{text}-01T00:00:00+00:00")).ok()?);
        (month.to_string() == text).then_some(month)
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        Timestamp::parse(&self.first_text()).unwrap_or(Timestamp::EPOCH)
    }

    /// The first moment behind it; none behind the last one.
    pub fn end(self) -> Option<Timestamp> {
        (self.number < LAST).then(|| Self { number: self.number + 1 }.start())
    }

    fn first_text(self) -> String {
        format!("{self}-01T00:00:00+00:00")
    }
}

/// `2025-10`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.number / 12, self.number % 12 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_goes_from_its_first_moment_to_that_of_the_next() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        for (time, month, end) in [
            ("2025-10-26T10:30:15Z", "2025-10", Some("2025-11-01T00:00:00Z")),
            ("2025-12-31T23:59:59.999999Z", "2025-12", Some("2026-01-01T00:00:00Z")),
            ("2026-01-01T00:30:00+01:00", "2025-12", Some("2026-01-01T00:00:00Z")),
            ("0001-01-01T00:00:00Z", "0001-01", Some("0001-02-01T00:00:00Z")),
            ("9999-12-31T00:00:00Z", "9999-12", None),
        ] {
            let found = Month::of(at(time));
            assert_eq!((found.to_string().as_str(), found.end()), (month, end.map(at)), "{time}");
            assert_eq!(Month::parse(month), Some(found));
            assert_eq!(Month::of(found.start()), found);
            assert_eq!(Month::of_text(&at(time).to_string()), Some(found));
        }
        for wrong in ["2025-13", "2025-1", "+2025-10", "", "2025-10-01"] {
            assert_eq!(Month::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_text_that_is_no_time_lies_where_it_sorts() {
        for (text, month) in [
            ("2025-10-26T10:30:15Z", Some("2025-10")),
            ("2025-13-01", Some("2025-12")),
            ("2025-1-5", Some("2025-09")),
            ("yesterday", Some("9999-12")),
            ("", None),
            ("0000-12-01T00:00:00+00:00", None),
        ] {
            assert_eq!(Month::of_text(text).map(|month| month.to_string()).as_deref(), month, "{text}");
        }
    }
}
