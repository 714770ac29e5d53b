//! A text whose pieces have a meaning.

use std::fmt::{Arguments, Display};

use super::Tone;

/// A text in pieces, each of which may have a meaning that a colour repeats.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    pub(super) pieces: Vec<(Option<Tone>, String)>,
}

impl Text {
    /// Adds a piece without a colour.
    #[must_use]
    pub fn plain(mut self, text: impl Display) -> Self {
        self.pieces.push((None, text.to_string()));
        self
    }

    /// Adds a piece in the colour of its meaning.
    #[must_use]
    pub fn toned(mut self, tone: Tone, text: impl Display) -> Self {
        self.pieces.push((Some(tone), text.to_string()));
        self
    }

    /// Adds the pieces of another text.
    pub fn append(&mut self, mut other: Self) {
        self.pieces.append(&mut other.pieces);
    }

    /// How many bytes it has, without colours.
    pub fn size_bytes(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.len()).sum()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { pieces: vec![(None, text)] }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Arguments<'_>> for Text {
    fn from(text: Arguments<'_>) -> Self {
        text.to_string().into()
    }
}
