//! Files of TOML, read by hand so that every mistake has its line and column: tables that have no unknown keys, values
//! of one type, the nearest name for a slip of the hand.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::advice::{Advice, Code};
use crate::suggestion::nearest;

pub(crate) type Result<T> = std::result::Result<T, Mistake>;
pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct TomlError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    problem: String,
    fix: String,
}

impl Advice for TomlError {
    fn code(&self) -> Code {
        Code::BadData
    }

    fn hint(&self) -> Option<String> {
        Some(self.fix.clone())
    }
}

/// Reads a file, which is `what` and has none but these keys outside of its tables.
///
/// # Errors
/// The first mistake, with its place.
pub(crate) fn read<T>(
    text: &str,
    what: &'static str,
    keys: &[&str],
    content: impl FnOnce(&Table<'_, '_>) -> Result<T>,
) -> std::result::Result<T, TomlError> {
    let content = || {
        let root = DeTable::parse(text).map_err(|error| Mistake {
            at: error.span().unwrap_or_default().start,
            problem: error.message().to_owned(),
            fix: "the file is TOML: one `name = value` a line, text in quotes".to_owned(),
        })?;
        content(&Table { what, at: 0, entries: root.get_ref() }.only(keys)?)
    };
    content().map_err(|mistake| mistake.in_text(text))
}

/// What is wrong, before its place is counted out.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// In bytes, from 0.
    at: usize,
    problem: String,
    fix: String,
}

impl Mistake {
    pub(crate) fn new<T>(at: &Spanned<T>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { at: at.span().start, problem: problem.into(), fix: fix.into() }
    }

    /// A value of another type.
    pub(crate) fn wrong(key: &str, value: &Value<'_>, expected: &str) -> Self {
        Self::new(value, format!("{key} is {}", found(value.get_ref())), format!("it has to be {expected}"))
    }

    /// A name that is none of those `known`.
    pub(crate) fn unknown<T>(at: &Spanned<T>, problem: String, name: &str, known: &[&str]) -> Self {
        Self::new(at, problem, meant(name, known).unwrap_or_else(|| format!("there are {}", known.join(", "))))
    }

    /// The same with another cure.
    pub(crate) fn with_fix(self, fix: &str) -> Self {
        Self { fix: fix.to_owned(), ..self }
    }

    fn in_text(self, text: &str) -> TomlError {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
        TomlError { line, column, problem: self.problem, fix: self.fix }
    }
}

fn meant(name: &str, known: &[&str]) -> Option<String> {
    nearest(name, known.iter().copied()).map(|meant| format!("did you mean {meant}?"))
}

/// What a value is, in the words of an error.
pub(crate) fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A table that has no unknown keys.
pub(crate) struct Table<'a, 't> {
    what: &'static str,
    /// In bytes, from 0.
    at: usize,
    entries: &'a DeTable<'t>,
}

impl<'a, 't> Table<'a, 't> {
    /// The table that `value` is, which is `what`: `a rule`.
    pub(crate) fn of(what: &'static str, value: &'a Value<'t>, keys: &[&str]) -> Result<Self> {
        Self { what, at: value.span().start, entries: table(what, value)? }.only(keys)
    }

    fn only(self, keys: &[&str]) -> Result<Self> {
        match self.entries.keys().find(|key| !keys.contains(&key.get_ref().as_ref())) {
            Some(key) => {
                let name = key.get_ref();
                let fix = meant(name, keys).unwrap_or_else(|| format!("it may have {}", keys.join(", ")));
                Err(Mistake::new(key, format!("{} has no '{name}'", self.what), fix))
            }
            None => Ok(self),
        }
    }

    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    /// A mistake of the whole table: something is missing, or too much.
    pub(crate) fn mistake(&self, problem: impl Into<String>, fix: impl Into<String>) -> Mistake {
        Mistake { at: self.at, problem: problem.into(), fix: fix.into() }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Value<'t>> {
        self.entries.get(key)
    }

    pub(crate) fn need(&self, key: &str) -> Result<&'a Value<'t>> {
        self.get(key).ok_or_else(|| self.mistake(format!("{} has no {key}", self.what), format!("add {key}")))
    }

    pub(crate) fn text(&self, key: &str) -> Result<String> {
        text(key, self.need(key)?).map(str::to_owned)
    }

    pub(crate) fn text_if_there(&self, key: &str) -> Result<Option<&'a str>> {
        self.get(key).map(|value| text(key, value)).transpose()
    }

    pub(crate) fn byte(&self, key: &str) -> Result<u8> {
        byte(key, self.need(key)?)
    }

    /// True or false, which is what it is where it is missing.
    pub(crate) fn flag(&self, key: &str) -> Result<bool> {
        let flag =
            |value: &Value<'_>| value.get_ref().as_bool().ok_or_else(|| Mistake::wrong(key, value, "true or false"));
        self.get(key).map_or(Ok(false), flag)
    }
}

pub(crate) fn table<'a, 't>(key: &str, value: &'a Value<'t>) -> Result<&'a DeTable<'t>> {
    value.get_ref().as_table().ok_or_else(|| Mistake::wrong(key, value, "a table"))
}

pub(crate) fn list<'a, 't>(key: &str, value: &'a Value<'t>) -> Result<&'a [Value<'t>]> {
    value.get_ref().as_array().map(|list| &**list).ok_or_else(|| Mistake::wrong(key, value, "a list"))
}

pub(crate) fn text<'a>(key: &str, value: &'a Value<'_>) -> Result<&'a str> {
    value.get_ref().as_str().ok_or_else(|| Mistake::wrong(key, value, "text in quotes"))
}

/// A whole number of 0 to 255.
pub(crate) fn byte(key: &str, value: &Value<'_>) -> Result<u8> {
    let number = value.get_ref().as_integer().ok_or_else(|| Mistake::wrong(key, value, "a whole number"))?;
    u8::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| Mistake::new(value, format!("{key} is {number}"), "it has to be 0 to 255"))
}

/// A finite number, with or without a fraction.
pub(crate) fn number(key: &str, value: &Value<'_>) -> Result<f64> {
    let number: Option<f64> = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
        DeValue::Integer(number) => i32::from_str_radix(number.as_str(), number.radix()).ok().map(f64::from),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite()).ok_or_else(|| Mistake::wrong(key, value, "a number, without quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T>(text: &str, content: impl FnOnce(&Table<'_, '_>) -> Result<T>) -> String {
        let error = read(text, "a list", &["name", "bed", "more"], content).err().expect(text);
        assert_eq!(error.code(), Code::BadData);
        format!("{error}; hint: {}", error.hint().unwrap())
    }

    #[test]
    fn a_mistake_has_its_line_and_its_column_in_characters() {
        let of_bed = |root: &Table<'_, '_>| byte("bed", root.need("bed")?);
        assert_eq!(
            said("name = \"Müller\"\n  bed = \"7\"", of_bed),
            "line 2, column 9: bed is text; hint: it has to be a whole number"
        );
        let inline = "name = \"Müller\"\nmore = { a = \"ü\", bed = 256 }";
        let of_more = |root: &Table<'_, '_>| Table::of("more", root.need("more")?, &["a", "bed"])?.byte("bed");
        assert_eq!(said(inline, of_more), "line 2, column 25: bed is 256; hint: it has to be 0 to 255");
        let toml = "the file is TOML: one `name = value` a line, text in quotes";
        assert!(said("name = \"a\"\nbed = 7 }", of_bed).starts_with("line 2, column 9: "));
        assert!(said("name", of_bed).ends_with(toml));
    }

    #[test]
    fn an_unknown_key_has_the_nearest_one_or_all_of_them() {
        let nothing = |_: &Table<'_, '_>| Ok(());
        assert_eq!(said("naem = 1", nothing), "line 1, column 1: a list has no 'naem'; hint: did you mean name?");
        let all = "line 1, column 1: a list has no 'ward'; hint: it may have name, bed, more";
        assert_eq!(said("ward = 1", nothing), all);
    }

    #[test]
    fn what_is_missing_is_told_where_its_table_begins() {
        let need = |root: &Table<'_, '_>| Table::of("more", root.need("more")?, &["bed"])?.byte("bed");
        assert_eq!(said("name = 1\n", need), "line 1, column 1: a list has no more; hint: add more");
        assert_eq!(said("name = 1\nmore = {}", need), "line 2, column 8: more has no bed; hint: add bed");
        assert_eq!(said("more = 1", need), "line 1, column 8: more is a whole number; hint: it has to be a table");
    }

    #[test]
    fn numbers_may_be_of_any_kind_but_finite() {
        let bed = |text: &str| read(text, "a list", &["bed"], |root| number("bed", root.need("bed")?)).ok();
        assert_eq!(["bed = 0x10", "bed = 1.5", "bed = -7", "bed = 1e3"].map(bed), [16.0, 1.5, -7.0, 1000.0].map(Some));
        assert_eq!(["bed = inf", "bed = nan", "bed = \"1\"", "bed = 1e400"].map(bed), [None; 4]);
    }
}
