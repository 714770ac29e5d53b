//! How long something may take, and how long something is kept.

use std::fmt;
use std::time::Duration;

use crate::advice::BadValue;

/// A time span as it is typed and shown: `10s`, `500ms`, `2m`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

/// Takes a time span: a number with `ms`, `s`, `m`, `h` or `d`; a number alone means seconds. Made to be a clap
/// `value_parser`.
pub fn parse_duration(text: &str) -> Result<Duration, BadValue> {
    Span::parse(text).map(|span| span.0)
}

impl Span {
    /// Takes a time span, as [`parse_duration`] does.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        let fault = || {
            BadValue::new(
                format!("'{text}' is no time span"),
                "write a number with a unit: 500ms, 10s, 2m, 1h, 7d; a number alone means seconds",
            )
        };
        let text = text.trim();
        let digits_end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits_end).ok_or_else(fault)?;
        let seconds_per_unit = match unit {
            "ms" => 0.001,
            "s" | "" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return Err(fault()),
        };
        let number: f64 = number.trim_end().parse().map_err(|_| fault())?;
        Duration::try_from_secs_f64(number * seconds_per_unit).map(Self).map_err(|_| fault())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis.is_multiple_of(1000) { write!(f, "{}s", millis / 1000) } else { write!(f, "{millis}ms") }
    }
}

/// How long something is kept: `30d`, or `keep` for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// For ever.
    #[default]
    All,
    /// For so long after the moment that it is of: whole seconds.
    For(Duration),
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

impl Keep {
    /// What stands for ever.
    pub const WORD: &'static str = "keep";

    /// What is kept for less is hardly kept: `30` was to be `30d`.
    const SHORTEST: Duration = Duration::from_secs(HOUR);

    /// Twenty years: no store of ours can be told of an end that lies further away.
    pub const LONGEST: Duration = Duration::from_secs(20 * 365 * DAY);

    /// Takes `keep`, or a time span of an hour to twenty years.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        if text.trim() == Self::WORD {
            return Ok(Self::All);
        }
        let fix = "write how long rows are kept, as 30d or 36h, from 1h to 7300d; keep is for ever";
        let Span(span) = Span::parse(text).map_err(|fault| BadValue::new(fault.to_string(), fix))?;
        if !(Self::SHORTEST..=Self::LONGEST).contains(&span) || span.subsec_nanos() > 0 {
            return Err(BadValue::new(format!("'{text}' is not from 1h to 7300d, in whole seconds"), fix));
        }
        Ok(Self::For(span))
    }

    /// The moment before which things are not kept any more, in microseconds since 1970, where it is now so many; `None`
    /// where everything is.
    #[must_use]
    pub fn horizon(self, now_micros: i64) -> Option<i64> {
        match self {
            Self::All => None,
            Self::For(span) => Some(now_micros.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))),
        }
    }

    /// Whether less is kept than so.
    #[must_use]
    pub fn is_shorter_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::All, _) => false,
            (Self::For(_), Self::All) => true,
            (Self::For(span), Self::For(other)) => span < other,
        }
    }
}

/// As it can be typed.
impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str(Self::WORD),
            Self::For(span) => match span.as_secs() {
                seconds if seconds.is_multiple_of(DAY) => write!(f, "{}d", seconds / DAY),
                seconds if seconds.is_multiple_of(HOUR) => write!(f, "{}h", seconds / HOUR),
                seconds => write!(f, "{seconds}s"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_span_has_a_unit_or_means_seconds() {
        for (text, millis) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
            ("90", 90_000),
            ("1.5s", 1500),
            ("0", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_time_span() {
        for text in ["", "s", "-1s", "10 parsecs", "ten", "nan", "inf", "1e300h", "1s2", "10S"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_span_is_shown_in_seconds_or_else_in_milliseconds() {
        assert_eq!(Span(Duration::from_secs(120)).to_string(), "120s");
        assert_eq!(Span(Duration::from_millis(1500)).to_string(), "1500ms");
    }

    #[test]
    fn what_is_kept_is_kept_for_ever_or_from_an_hour_to_twenty_years() {
        for (text, shown) in
            [("keep", "keep"), ("30d", "30d"), ("720h", "30d"), ("36h", "36h"), ("90m", "5400s"), ("7300d", "7300d")]
        {
            assert_eq!(Keep::parse(text).map(|keep| keep.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for text in ["", "30", "59m", "7301d", "3600.5", "for ever", "-1d", "30 days"] {
            assert!(Keep::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_kept_for_ever_is_longer_than_anything_and_has_no_horizon() {
        let day = Keep::For(Duration::from_secs(DAY));
        assert!(day.is_shorter_than(Keep::All) && !Keep::All.is_shorter_than(day) && !day.is_shorter_than(day));
        assert_eq!(Keep::All.horizon(0), None);
        assert_eq!(day.horizon(0), Some(-86_400_000_000));
        assert_eq!(day.horizon(i64::MIN), Some(i64::MIN));
    }
}
