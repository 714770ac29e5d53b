//! Colours. They only repeat what the text says: without them nothing is lost.

use std::fmt;

use anstyle::{AnsiColor, Style};

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

    /// Whether to colour what goes to a terminal, or elsewhere.
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
            Self::Good => AnsiColor::Green.on_default(),
            Self::Heading => Style::new().bold(),
        }
    }

    /// The text in the colour of the tone, or as it is.
    pub(super) fn paint(self, text: &str, on: bool) -> String {
        let style = self.style();
        if on { format!("{style}{text}{style:#}") } else { text.to_owned() }
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
}
