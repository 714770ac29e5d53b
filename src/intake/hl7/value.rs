//! The value of one observation: the number in its field, in the unit of its sign.

use std::borrow::Cow;

use super::message::Fields;
use super::refusal::Problem;
use super::sender::{Coding, Sender};
use super::unit::{Conversion, Unit};
use crate::reading::number::NumberFlaw;
use crate::reading::{Sign, Signs};

/// The fields of an OBX that a value is made of.
const TYPE: usize = 2;
const VALUE: usize = 5;
const UNITS: usize = 6;

/// What a temperature that was converted is rounded to, in decimals: as many as there are in what devices show.
const CONVERTED_DECIMALS: usize = 2;

/// Reads the value of an observation into `signs`; `false` where it was not measured.
///
/// # Errors
/// What is wrong, and in which field.
pub(super) fn read(
    observation: &Fields<'_>,
    coding: Coding,
    sender: &Sender,
    signs: &mut Signs,
) -> Result<bool, (usize, Problem)> {
    let Some(text) = number_text(observation)? else { return Ok(false) };
    if sender.means_none(&text) {
        return Ok(false);
    }
    let unit = unit_of(observation, coding, sender)?;
    let conversion = match unit {
        Some(unit) => unit.conversion(coding.sign).ok_or((UNITS, Problem::Unit))?,
        None => Conversion::NONE,
    };
    let text = converted(&text, coding, conversion).ok_or((VALUE, Problem::NotANumber))?;
    signs.parse(coding.sign, &text).map(|()| true).map_err(|flaw| match flaw {
        NumberFlaw::NotANumber | NumberFlaw::NotWhole => (VALUE, Problem::NotANumber),
        NumberFlaw::DoesNotFit => (VALUE, Problem::Range),
    })
}

/// What the value field says, where it says something.
fn number_text<'t>(observation: &Fields<'t>) -> Result<Option<Cow<'t, str>>, (usize, Problem)> {
    let field = observation.field(VALUE);
    if field.is_empty() {
        return Ok(None);
    }
    if field.repetitions().filter(|value| !value.is_empty()).count() > 1 {
        return Err((VALUE, Problem::Repeated));
    }
    let text = match observation.field(TYPE).text().as_ref() {
        "" | "NM" | "ST" | "TX" | "FT" => field.text(),
        "SN" => {
            let parts = [1, 2, 3, 4].map(|part| field.component(part).text());
            match parts.each_ref().map(AsRef::as_ref) {
                ["" | "=", _, "", ""] => {}
                // A limit, a ratio or a range is no value.
                _ => return Err((VALUE, Problem::NotANumber)),
            }
            let [_, number, ..] = parts;
            number
        }
        _ => return Err((TYPE, Problem::ValueType)),
    };
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// The unit that is written, else that of the sender for this code. `None` is the sign's own.
fn unit_of(observation: &Fields<'_>, coding: Coding, sender: &Sender) -> Result<Option<Unit>, (usize, Problem)> {
    let field = observation.field(UNITS);
    if field.is_empty() {
        return Ok(coding.unit);
    }
    // Its code, its text, and the code of another system.
    let named = [1, 2, 4].iter().find_map(|part| sender.unit(&field.component(*part).text()));
    named.map(Some).ok_or((UNITS, Problem::Unit))
}

/// The number as its column takes it. What needs no conversion stays as it was sent; a rate with a fraction is rounded,
/// since its column holds whole numbers.
fn converted(text: &str, coding: Coding, conversion: Conversion) -> Option<String> {
    let text = text.trim();
    let is_of_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    if text.is_empty() || !text.bytes().all(is_of_number) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    let is_as_sent = coding.scale.is_none() && conversion == Conversion::NONE;
    let number = (number * coding.scale.unwrap_or(1.0) + conversion.add) * conversion.factor;
    Some(match coding.sign {
        Sign::Temperature if is_as_sent => text.to_owned(),
        Sign::Temperature => format!("{number:.CONVERTED_DECIMALS$}"),
        // Half a beat is away from zero: 94.5 is 95.
        _ => format!("{:.0}", number.round()),
    })
}
