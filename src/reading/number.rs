//! Numbers in text. Whether one is whole, and fits its column, is decided on its digits and not on a double that stands
//! for it: `2.0e-400` is not 0, and `94.99999999999999999` is not 95.
//!
//! A number has an optional sign, digits with at most one point among or beside them, and an optional exponent. JSON,
//! which allows fewer forms, is held to them by its own parser.

/// What is wrong with a number in text.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberFlaw {
    #[error("not a number")]
    NotANumber,
    /// Something other than zeros stands behind its point.
    #[error("not a whole number")]
    NotWhole,
    /// The table's column cannot hold it.
    #[error("a number that does not fit")]
    DoesNotFit,
}

/// Takes a whole number for an INT column; `95.0` and `950e-1` are whole.
///
/// # Errors
/// The [`NumberFlaw`]; a number that is neither whole nor fits is not whole.
pub fn whole(text: &str) -> Result<i32, NumberFlaw> {
    // Nearly every number of a reading is written so, and this is the quick way.
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    Decimal::parse(text).ok_or(NumberFlaw::NotANumber)?.to_whole()
}

/// Takes a number for a FLOAT column: the nearest that the column has. One so small that only 0 is left of it does not
/// fit, nor does one beyond the largest.
pub fn decimal(text: &str) -> Result<f32, NumberFlaw> {
    let number: f32 = text.parse().map_err(|_| NumberFlaw::NotANumber)?;
    if number.is_finite() && number != 0.0 {
        return Ok(number);
    }
    // Rust takes names too, such as `inf` and `nan`; these have no digits.
    let is_zero = Decimal::parse(text).ok_or(NumberFlaw::NotANumber)?.digits().all(|digit| digit == 0);
    if is_zero { Ok(number) } else { Err(NumberFlaw::DoesNotFit) }
}

/// A number as it is written: digits before and behind a point, times a power of ten.
struct Decimal<'a> {
    is_negative: bool,
    before: &'a str,
    behind: &'a str,
    /// What does not fit is the nearest that does: no text is so long that it makes a difference.
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (is_negative, unsigned) = sign(text);
        let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, power(exponent)?),
            None => (unsigned, 0),
        };
        let (before, behind) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = are_digits(before) && are_digits(behind) && !(before.is_empty() && behind.is_empty());
        is_number.then_some(Self { is_negative, before, behind, exponent })
    }

    fn digits(&self) -> impl Iterator<Item = i64> {
        self.before.bytes().chain(self.behind.bytes()).map(|digit| i64::from(digit - b'0'))
    }

    fn to_whole(&self) -> Result<i32, NumberFlaw> {
        let count = |digits: &str| i64::try_from(digits.len()).unwrap_or(i64::MAX);
        // So many digits stand before the point when the exponent has moved it.
        let whole = count(self.before).saturating_add(self.exponent);
        let mut number = 0_i64;
        for (place, digit) in (0..).zip(self.digits()) {
            if place < whole {
                number = number.saturating_mul(10).saturating_add(digit);
            } else if digit != 0 {
                return Err(NumberFlaw::NotWhole);
            }
        }
        let zeros = whole.saturating_sub(count(self.before)).saturating_sub(count(self.behind)).max(0);
        let number = number.saturating_mul(10_i64.saturating_pow(u32::try_from(zeros).unwrap_or(u32::MAX)));
        i32::try_from(if self.is_negative { -number } else { number }).map_err(|_| NumberFlaw::DoesNotFit)
    }
}

/// Whether `text` has a minus, and what stands behind its sign.
fn sign(text: &str) -> (bool, &str) {
    (text.starts_with('-'), text.strip_prefix(['+', '-']).unwrap_or(text))
}

fn power(text: &str) -> Option<i64> {
    let (is_negative, digits) = sign(text);
    if digits.is_empty() || !are_digits(digits) {
        return None;
    }
    let power = digits.parse().unwrap_or(i64::MAX);
    Some(if is_negative { -power } else { power })
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_may_be_written_with_a_point_or_an_exponent() {
        for (texts, number) in [
            ("95 +95 0095 95. 95.0 9.5e1 950e-1 .95E+2 0.00095e+05", 95),
            ("1e2", 100),
            ("-3 -3.00", -3),
            ("0 -0 -0.0e-400 0e999999999999999999999999", 0),
            ("2147483647.0", i32::MAX),
            ("-2147483648.0 -21474836480000000000000000000e-19", i32::MIN),
        ] {
            for text in texts.split(' ') {
                assert_eq!(whole(text), Ok(number), "{text}");
            }
        }
        let zeros = "0".repeat(5000);
        for text in [format!("{zeros}95.{zeros}"), format!("95{zeros}e-5000"), format!("0.{zeros}95e5002")] {
            assert_eq!(whole(&text), Ok(95));
        }
    }

    #[test]
    fn what_is_not_whole_or_does_not_fit_is_told_however_near_it_is() {
        for text in "95.5 2.0e-400 94.99999999999999999 1e-99999999999999999999 99999999999.5 -0.1 15e-1".split(' ') {
            assert_eq!(whole(text), Err(NumberFlaw::NotWhole), "{text}");
        }
        let long = "9".repeat(5000);
        let beyond = "2147483648 -2147483649 2147483648.0 1e10 1e999 1e99999999999999999999 -1e999";
        for text in beyond.split(' ').chain([long.as_str()]) {
            assert_eq!(whole(text), Err(NumberFlaw::DoesNotFit), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_told() {
        let none = "-|+|.|e|e5|.e5|5e|5e+|5e1.0|--5|+-5|5-|1.2.3|1,5| 5|5 |5_0|0x5F|nan|inf|-Infinity|٣|\
                    1e99999999999999999999x|";
        for text in none.split('|') {
            assert_eq!(whole(text), Err(NumberFlaw::NotANumber), "{text:?}");
            assert_eq!(decimal(text), Err(NumberFlaw::NotANumber), "{text:?}");
        }
    }

    #[test]
    fn a_decimal_is_the_nearest_that_the_column_has() {
        for (text, number) in [
            ("36.8", 36.8_f32),
            ("37", 37.0),
            ("368e-1", 36.8),
            ("-0.0", -0.0),
            ("0e-999", 0.0),
            ("1e-45", 1e-45),
            ("3.4028235e38", f32::MAX),
            ("36.80000000000000000000000000001", 36.8),
        ] {
            assert_eq!(decimal(text).map(f32::to_bits), Ok(number.to_bits()), "{text}");
        }
    }

    #[test]
    fn a_decimal_of_which_only_0_or_no_number_is_left_does_not_fit() {
        for text in ["1e39", "-1e39", "1e999", "2.0e-400", "1e-46", "-1e-99999999999999999999"] {
            assert_eq!(decimal(text), Err(NumberFlaw::DoesNotFit), "{text}");
        }
    }

    /// The same decision the long way: the number is written out, with every zero.
    fn written_out(text: &str) -> Result<i32, NumberFlaw> {
        let (digits, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let power: i32 = power.parse().unwrap();
        let (before, behind) = digits.trim_start_matches(['+', '-']).split_once('.').unwrap_or((digits, ""));
        let mut before = before.trim_start_matches(['+', '-']).to_owned();
        let mut behind = behind.to_owned();
        for _ in 0..power.unsigned_abs() {
            if power > 0 {
                behind.push('0');
                before.push(behind.remove(0));
            } else {
                before.insert(0, '0');
                behind.insert(0, before.pop().unwrap());
            }
        }
        if behind.contains(|digit| digit != '0') {
            return Err(NumberFlaw::NotWhole);
        }
        let minus = if text.starts_with('-') { "-" } else { "" };
        let digits = before.trim_start_matches('0');
        format!("{minus}0{digits}").parse().map_err(|_| NumberFlaw::DoesNotFit)
    }

    proptest! {
        #[test]
        fn a_number_is_decided_on_as_if_it_were_written_out(
            text in "[+-]?(0{0,12}[0-9]{1,12}0{0,12}|0{0,3}214748364[78])(\\.(0{0,20}|[0-9]{0,20}))?([eE][+-]?[0-9]{1,2})?"
        ) {
            prop_assert_eq!(whole(&text), written_out(&text));
        }

        #[test]
        fn a_decimal_is_0_only_where_all_its_digits_are(text in "-?[0-9]{1,4}(\\.[0-9]{1,60})?(e-?[0-9]{1,3})?") {
            let digits = text.split('e').next().unwrap();
            let zero = !digits.contains(|digit: char| digit.is_ascii_digit() && digit != '0');
            match decimal(&text) {
                Ok(number) => prop_assert_eq!(number == 0.0, zero),
                Err(flaw) => prop_assert!(!zero && flaw == NumberFlaw::DoesNotFit),
            }
        }

        #[test]
        fn no_text_panics(text in "[-+.eE0-9a-f]{0,40}") {
            let _ = (whole(&text), decimal(&text));
        }
    }
}
