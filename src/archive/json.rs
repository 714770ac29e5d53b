//! A row as one JSON object.

use serde_json::value::RawValue;

use super::value::{decimal, whole};
use super::{COLUMNS, Flaw};
use crate::intake::csv;
use crate::reading::json;
use crate::reject::Reject;

/// The values of a row, as JSON text; `None` for what is not there.
#[derive(Debug, Default)]
pub(super) struct Object<'a> {
    values: [Option<&'a RawValue>; COLUMNS.len()],
}

/// What is wrong, and with the value of which column.
pub(super) type At = (Option<&'static str>, Flaw);

impl<'a> Object<'a> {
    /// Takes a line apart. Names that are no column of ours go to `unknown`.
    pub(super) fn parse(line: &'a str, mut unknown: impl FnMut(&str)) -> Result<Self, At> {
        let members = json::object(line).map_err(|reject| {
            let character = if let Reject::NotJson { column, .. } = reject { column } else { 1 };
            (None, Flaw::NotAnObject { character })
        })?;
        let mut object = Self::default();
        for (name, value) in members {
            let columns = COLUMNS.into_iter().zip(&mut object.values);
            match columns.into_iter().find(|(column, _)| *column == name) {
                Some((column, Some(_))) => return Err((Some(column), Flaw::Twice)),
                Some((_, place)) => *place = Some(value),
                None => unknown(&name),
            }
        }
        Ok(object)
    }

    /// A text, which has to be there.
    pub(super) fn text(&self, column: usize) -> Result<String, Flaw> {
        let value = self.value(column).ok_or(Flaw::Missing)?;
        json::text(value).map(std::borrow::Cow::into_owned).ok_or(Flaw::NotAText)
    }

    pub(super) fn whole(&self, column: usize) -> Result<Option<i32>, Flaw> {
        self.value(column).map_or(Ok(None), |value| whole(number(value)?))
    }

    pub(super) fn decimal(&self, column: usize) -> Result<Option<f32>, Flaw> {
        let Some(value) = self.value(column) else { return Ok(None) };
        match json::text(value).as_deref() {
            Some(name @ ("NaN" | "Infinity" | "-Infinity")) => decimal(name),
            _ => decimal(number(value)?),
        }
    }

    fn value(&self, column: usize) -> Option<&'a RawValue> {
        self.values.get(column).copied().flatten().filter(|value| !json::is_null(value))
    }
}

fn number(value: &RawValue) -> Result<&str, Flaw> {
    let text = value.get();
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_number { Ok(text) } else { Err(csv::Flaw::NotANumber.into()) }
}
