//! What stands in a row and above it.

/// A column: its name for programs, which never changes, and its heading for people.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub(super) name: &'static str,
    pub(super) heading: &'static str,
    pub(super) numbers: bool,
    pub(super) in_table: bool,
    pub(super) longest: Option<usize>,
}

impl Column {
    /// A column of text.
    pub const fn text(name: &'static str, heading: &'static str) -> Self {
        Self { name, heading, numbers: false, in_table: true, longest: None }
    }

    /// A column of numbers: they stand on the right.
    pub const fn number(name: &'static str, heading: &'static str) -> Self {
        Self { name, heading, numbers: true, in_table: true, longest: None }
    }

    /// A column that only programs get; a table says the same in another way, such as marks.
    pub const fn for_programs(name: &'static str) -> Self {
        Self { name, heading: name, numbers: false, in_table: false, longest: None }
    }

    /// Cuts longer texts to so many characters in a table; programs get them whole.
    #[must_use]
    pub const fn shortened(mut self, characters: usize) -> Self {
        self.longest = Some(characters);
        self
    }
}

/// A value with its type, which JSON keeps.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing was measured, or nothing is known.
    Missing,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Decimal(f64),
    /// True or false; `yes` or `no` to people.
    Flag(bool),
    /// Several texts; there may be none.
    List(Vec<String>),
    /// A list or an object of JSON; elsewhere it is shown as JSON too.
    Nested(serde_json::Value),
}

/// One cell of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub(super) value: Value,
    pub(super) marked: bool,
}

impl Cell {
    /// Marks the cell with [`MARK`](super::MARK) in a table, if `marked`. The other formats leave the mark out.
    #[must_use]
    pub fn marked(mut self, marked: bool) -> Self {
        self.marked = marked;
        self
    }
}

impl<T: Into<Value>> From<T> for Cell {
    fn from(value: T) -> Self {
        Self { value: value.into(), marked: false }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u64> for Value {
    /// A count; beyond what fits it stays at the largest.
    fn from(count: u64) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Decimal(number)
    }
}

impl From<f32> for Value {
    /// Goes through the shortest text, so that 36.8 stays 36.8 and does not become 36.79999923706055.
    fn from(number: f32) -> Self {
        Self::Decimal(number.to_string().parse().unwrap_or_else(|_| number.into()))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::List(texts)
    }
}

impl From<serde_json::Value> for Value {
    fn from(nested: serde_json::Value) -> Self {
        Self::Nested(nested)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}
