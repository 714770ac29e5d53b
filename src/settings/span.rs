//! How long something may take.

use std::fmt;
use std::time::Duration;

use super::fault::Fault;

/// A time span as it is typed and shown: `10s`, `500ms`, `2m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

/// Takes a time span: a number with `ms`, `s`, `m` or `h`; a number alone means seconds. Made to be a clap
/// `value_parser`.
///
/// # Errors
/// A [`Fault`] where it is anything else, negative, or longer than the clock can count.
pub fn parse_duration(text: &str) -> Result<Duration, Fault> {
    Span::parse(text).map(|span| span.0)
}

impl Span {
    /// Takes a time span, as [`parse_duration`] does.
    ///
    /// # Errors
    /// As there.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = || {
            Fault::new(
                format!("'{text}' is no time span"),
                "write a number with a unit: 500ms, 10s, 2m, 1h; a number alone means seconds",
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
