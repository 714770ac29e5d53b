//! Numbers as they are shown.

use std::time::Duration;

use crate::alarm::rules::Micros;
use crate::output::Value;

/// A count as a number to calculate with.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(in crate::cmd) fn decimal(count: usize) -> f64 {
    count as f64
}

/// Seconds of a span that is not negative.
pub(in crate::cmd) fn seconds(span: Micros) -> Value {
    number(Duration::from_micros(span.unsigned_abs()).as_secs_f64())
}

/// A number that is shown without a point where it needs none.
pub(in crate::cmd) fn number(value: f64) -> Value {
    let text = value.to_string();
    text.parse::<i64>().map_or(Value::Decimal(value), Value::Integer)
}

/// A rate for people: three digits, or two behind the point.
pub(in crate::cmd) fn short(rate: f64) -> String {
    match rate {
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate if rate >= 10.0 => format!("{rate:.1}"),
        _ => format!("{rate:.2}"),
    }
}

/// A part of one for people: `41 %`, `0.8 %`.
pub(in crate::cmd) fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// To six significant digits: more are noise.
pub(in crate::cmd) fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The text that Python's `{:g}` gives: six significant digits, without the zeros at its end.
pub(in crate::cmd) fn general(value: f64) -> String {
    let scientific = format!("{value:.5e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    match usize::try_from(5 - exponent) {
        Ok(decimals) if exponent >= -4 => trimmed(&format!("{value:.decimals$}")).to_owned(),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
        }
    }
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// The same as a value: a number where it is written as other numbers are.
pub(in crate::cmd) fn general_value(value: f64) -> Value {
    let text = general(value);
    let is_same = |number: &dyn std::fmt::Debug| format!("{number:?}") == text;
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) if is_same(&whole) => Value::Integer(whole),
        (_, Ok(decimal)) if is_same(&decimal) => Value::Decimal(decimal),
        _ => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts are those of Python 3.
    #[test]
    fn a_number_is_written_as_python_writes_it_with_g() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (110.0, "110"),
            (39.05, "39.05"),
            (113.482_193, "113.482"),
            (-7.123_456_78, "-7.12346"),
            (0.000_123_456_789, "0.000123457"),
            (0.000_012_345, "1.2345e-05"),
            (100_000.5, "100000"),
            (100_001.5, "100002"),
            (999_999.5, "1e+06"),
            (1_234_567.0, "1.23457e+06"),
            (1e22, "1e+22"),
            (1e-300, "1e-300"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(general(value), text);
        }
    }

    #[test]
    fn what_is_written_as_a_number_is_one() {
        assert_eq!(general_value(110.0), Value::Integer(110));
        assert_eq!(general_value(39.05), Value::Decimal(39.05));
        assert_eq!(general_value(113.482_193), Value::Decimal(113.482));
        assert_eq!(general_value(-0.0), Value::Text("-0".to_owned()));
        assert_eq!(general_value(1_234_567.0), Value::Text("1.23457e+06".to_owned()));
    }

    #[test]
    fn spans_are_seconds_and_whole_ones_need_no_point() {
        assert_eq!(seconds(60_000_000), Value::Integer(60));
        assert_eq!(seconds(1_500_000), Value::Decimal(1.5));
        assert_eq!((number(0.0), number(0.3)), (Value::Integer(0), Value::Decimal(0.3)));
    }

    #[test]
    fn rounding_keeps_six_digits() {
        let texts = [1.0 / 3.0, 123_456.789, 0.0].map(|number| rounded(number).to_string());
        assert_eq!(texts, ["0.333333", "123457", "0"]);
    }
}
