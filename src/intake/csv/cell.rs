//! One cell into a value, or the flaw in it. The same numbers are accepted as in a message.

use super::error::Flaw;
use crate::reading::Timestamp;

/// A whole number; `95.0` is one. Blank is a sign that was not measured.
pub(crate) fn whole(text: &str) -> Result<Option<i32>, Flaw> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = text.parse::<i32>() {
        return Ok(Some(number));
    }
    let number = number(text)?;
    if number.fract() != 0.0 {
        return Err(Flaw::NotWhole);
    }
    if number < f64::from(i32::MIN) || number > f64::from(i32::MAX) {
        return Err(Flaw::OutOfRange);
    }
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole and in range: checked above")]
    Ok(Some(number as i32))
}

/// A number in the width of the FLOAT column. Blank is a sign that was not measured.
pub(super) fn decimal(text: &str) -> Result<Option<f32>, Flaw> {
    if text.is_empty() {
        return Ok(None);
    }
    let wide = number(text)?;
    // By way of f64, as a message's number goes.
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the column's width; checked below")]
    let narrow = wide as f32;
    if narrow.is_finite() { Ok(Some(narrow)) } else { Err(Flaw::OutOfRange) }
}

/// A time with an offset. Blank is a row without a time.
pub(super) fn time(text: &str) -> Result<Option<Timestamp>, Flaw> {
    if text.is_empty() {
        return Ok(None);
    }
    Timestamp::parse(text).map(Some).map_err(|_| Flaw::Timestamp)
}

fn number(text: &str) -> Result<f64, Flaw> {
    // What Rust would take beside numbers: `inf`, `nan`.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return Err(Flaw::NotANumber);
    }
    let number = text.parse::<f64>().map_err(|_| Flaw::NotANumber)?;
    if number.is_finite() { Ok(number) } else { Err(Flaw::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_those_of_the_message() {
        for (text, number) in
            [("95", 95), ("95.0", 95), ("9.5e1", 95), ("-3", -3), ("0", 0), ("2147483647.0", i32::MAX)]
        {
            assert_eq!(whole(text), Ok(Some(number)), "{text}");
        }
        assert_eq!(whole(""), Ok(None));
    }

    #[test]
    fn other_cells_are_flawed_in_a_named_way() {
        for (text, flaw) in [
            ("95.5", Flaw::NotWhole),
            ("ninety", Flaw::NotANumber),
            ("nan", Flaw::NotANumber),
            ("inf", Flaw::NotANumber),
            ("-", Flaw::NotANumber),
            ("9 5", Flaw::NotANumber),
            ("0x5F", Flaw::NotANumber),
            ("2147483648", Flaw::OutOfRange),
            ("1e999", Flaw::OutOfRange),
        ] {
            assert_eq!(whole(text), Err(flaw), "{text}");
        }
    }

    #[test]
    fn a_decimal_is_finite_in_the_width_of_the_column() {
        assert_eq!(decimal("36.8"), Ok(Some(36.8)));
        assert_eq!(decimal("37"), Ok(Some(37.0)));
        assert_eq!(decimal("1e39"), Err(Flaw::OutOfRange));
        assert_eq!(decimal("36,8"), Err(Flaw::NotANumber));
        assert_eq!(decimal(""), Ok(None));
    }

    #[test]
    fn a_time_needs_an_offset() {
        assert_eq!(time("2025-10-26T10:30:15"), Err(Flaw::Timestamp));
        assert_eq!(time("2025-10-26T12:30:15+02:00"), time("2025-10-26T10:30:15Z"));
        assert_eq!(time(""), Ok(None));
    }
}
