//! A text whose pieces have a meaning, in lines that fit into a width, and its colours. These only repeat what the text
//! says: without them nothing is lost.

use std::fmt::{self, Display};

use anstyle::{AnsiColor, Style};

use super::visible::visible;

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

impl<T: Display> From<T> for Text {
    fn from(text: T) -> Self {
        Self::default().plain(text)
    }
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Into files and pipes as well.
    Always,
    /// Nowhere.
    Never,
}

impl Color {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The choice as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    pub(super) fn is_on(self, terminal: bool) -> bool {
        match self {
            Self::Auto => terminal,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something needs a look at once: an alert, a failure.
    Alert,
    /// Something is doubtful: a refused message, a warning.
    Doubt,
    /// Something to know of: an alarm of low priority.
    Notice,
    /// All is well.
    Good,
    /// What stands above, or guides.
    Heading,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Alert => AnsiColor::Red.on_default().bold(),
            Self::Doubt => AnsiColor::Yellow.on_default(),
            Self::Notice => AnsiColor::Cyan.on_default(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Heading => Style::new().bold(),
        }
    }

    pub(super) fn paint(self, text: &str, on: bool) -> String {
        let style = self.style();
        if on { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// The words of `text` in lines of at most `width` characters, the first behind `first`, the others behind `rest`. A
/// word that is longer than a line has one of its own. What would command the terminal is escaped.
pub fn wrapped(first: &str, rest: &str, text: &str, width: usize) -> Vec<String> {
    let text = visible(text);
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut has_words = false;
    for word in text.split(' ') {
        let length = line.chars().count() + word.chars().count() + usize::from(has_words);
        if has_words && length > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            has_words = false;
        }
        if has_words {
            line.push(' ');
        }
        line.push_str(word);
        has_words = true;
    }
    lines.push(line);
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// A count with its noun: `1 copy`, `2 copies`, `0 rows`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) { format!("{count} {noun}") } else { format!("{count} {}", plural(noun)) }
}

/// A number of bytes, in the unit that suits people.
pub fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    if bytes < 10 * MIB { format!("{} KiB", bytes.div_ceil(KIB)) } else { format!("{} MiB", bytes / MIB) }
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_colours_unless_they_are_refused() {
        assert!(Color::Auto.is_on(true) && !Color::Auto.is_on(false));
        assert!(Color::Always.is_on(false) && !Color::Never.is_on(true));
    }

    #[test]
    fn without_colours_the_text_is_as_it_is() {
        assert_eq!(Tone::Alert.paint("high", false), "high");
        assert_eq!(Tone::Alert.paint("high", true), "\u{1b}[1m\u{1b}[31mhigh\u{1b}[0m");
    }

    #[test]
    fn one_is_no_plural_and_everything_else_is() {
        assert_eq!([0_u64, 1, 2].map(|count| counted(count, "row")), ["0 rows", "1 row", "2 rows"]);
        assert_eq!([1_i64, 3].map(|count| counted(count, "copy")), ["1 copy", "3 copies"]);
        assert_eq!(counted(2_usize, "key"), "2 keys");
    }

    #[test]
    fn words_go_to_the_next_line_where_they_do_not_fit_and_stay_whole_and_safe() {
        assert_eq!(wrapped("- ", "  ", "one two three four", 11), ["- one two", "  three", "  four"]);
        assert_eq!(wrapped("- ", "  ", "one two", 9), ["- one two"]);
        assert_eq!(wrapped("", "  ", "a http://example.org/long b", 10), ["a", "  http://example.org/long", "  b"]);
        assert_eq!(wrapped("", "", "a\u{1b}[2Jb", 80), ["a\\u{1b}[2Jb"], "what would command the terminal is escaped");
        assert_eq!(wrapped("x ", "  ", "1  up  here", 80), ["x 1  up  here"], "columns made of spaces stay");
    }
}
