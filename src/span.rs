//! How long something may take.

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
}
