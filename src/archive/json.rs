//! A row as one JSON object.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::COLUMNS;
use crate::faults::Flaw;
use crate::reading::json;
use crate::reading::reject::Reject;

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
        let members = json::object(line).map_err(|reject| match reject {
            Reject::DuplicateKey => (None, Flaw::Twice),
            Reject::NotJson { column, .. } => (None, Flaw::NotAnObject { character: column }),
            _ => (None, Flaw::NotAnObject { character: 1 }),
        })?;
        let mut object = Self::default();
        for (name, value) in members {
            let columns = COLUMNS.into_iter().zip(&mut object.values);
            match columns.into_iter().find(|(column, _)| *column == name) {
                Some((_, place)) => *place = Some(value),
                None => unknown(&name),
            }
        }
        Ok(object)
    }

    /// A text, which has to be there.
    pub(super) fn text(&self, column: usize) -> Result<Cow<'a, str>, Flaw> {
        json::text(self.raw(column).ok_or(Flaw::Missing)?).ok_or(Flaw::NotAText)
    }

    /// A number as it stands there, if it is one; what is null was not measured.
    pub(super) fn number(&self, column: usize) -> Option<&'a str> {
        self.raw(column).map(RawValue::get)
    }

    fn raw(&self, column: usize) -> Option<&'a RawValue> {
        self.values.get(column).copied().flatten().filter(|value| !json::is_null(value))
    }
}
