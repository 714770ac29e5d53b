//! A sign's number as text, and back.
//!
//! A decimal is the shortest text that means the same number in the width of the FLOAT column, and is read back in that
//! width: so it comes back to the bit. What JSON has no number for has a name, as cqlsh writes it.

use super::fault::Flaw;
use crate::intake::csv::{self, cell};

/// The decimal as text: 36.8, 37.0, 1e-45, NaN, Infinity, -Infinity.
pub(super) fn decimal_text(number: f32) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        // Debug keeps the point of a whole number.
        format!("{number:?}")
    }
}

/// A whole number; `95.0` is one. Blank is a sign that was not measured.
pub(super) fn whole(text: &str) -> Result<Option<i32>, Flaw> {
    Ok(cell::whole(text)?)
}

/// A decimal. Blank is a sign that was not measured.
pub(super) fn decimal(text: &str) -> Result<Option<f32>, Flaw> {
    match text {
        "" => return Ok(None),
        "NaN" => return Ok(Some(f32::NAN)),
        "Infinity" => return Ok(Some(f32::INFINITY)),
        "-Infinity" => return Ok(Some(f32::NEG_INFINITY)),
        _ => {}
    }
    // What Rust would take beside numbers.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return Err(csv::Flaw::NotANumber.into());
    }
    let number = text.parse::<f32>().map_err(|_| csv::Flaw::NotANumber)?;
    if number.is_finite() { Ok(Some(number)) } else { Err(csv::Flaw::OutOfRange.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_comes_back_to_the_bit() {
        let bits = (0..2000_u32).map(|step| step.wrapping_mul(2_147_483));
        let odd = [0.0, -0.0, 36.8, 37.0, 1e-45, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY];
        for number in bits.map(f32::from_bits).filter(|number| !number.is_nan()).chain(odd) {
            let back = decimal(&decimal_text(number)).unwrap().unwrap();
            assert_eq!(back.to_bits(), number.to_bits(), "{number:?}");
        }
        assert!(decimal(&decimal_text(f32::NAN)).unwrap().unwrap().is_nan());
    }

    #[test]
    fn a_decimal_is_as_short_as_it_was_sent() {
        assert_eq!([36.8, 37.0, -0.5].map(decimal_text), ["36.8", "37.0", "-0.5"]);
    }

    #[test]
    fn what_is_no_number_is_told() {
        for (text, flaw) in [
            ("nan", csv::Flaw::NotANumber),
            ("inf", csv::Flaw::NotANumber),
            ("36,8", csv::Flaw::NotANumber),
            (" 36.8", csv::Flaw::NotANumber),
            ("1e39", csv::Flaw::OutOfRange),
        ] {
            assert_eq!(decimal(text), Err(flaw.into()), "{text}");
        }
        assert_eq!(whole("95.5"), Err(csv::Flaw::NotWhole.into()));
        assert_eq!(whole("95.0"), Ok(Some(95)));
    }
}
