//! Text that cannot command the terminal, nor deceive who reads there.
//!
//! What comes from outside may hold control characters, and characters that turn the text beside them or cannot be seen.
//! [`for_terminal`] is what every text passes on its way to a terminal; files and pipes get those characters as they are.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// Characters that change how the text around them is shown, or show nothing: those with the property
/// `Default_Ignorable_Code_Point` of Unicode 17 (its file `DerivedCoreProperties.txt`), among which are all that turn text
/// (`Bidi_Control`), and the separators of lines and paragraphs, the marks of interlinear annotations and the Braille
/// blank. Letters of every script and combining marks are not among them.
const DECEPTIVE: [RangeInclusive<char>; 19] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{2029}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// `\u{202e}`
    Text,
    /// `\u202e`, so that JSON stays JSON.
    Json,
}

/// The text with its control characters escaped: data of others must not move the cursor or change colours.
pub fn visible(text: &str) -> String {
    escaped(text, Escape::Text, char::is_control).into_owned()
}

/// The text as it may go to a terminal: what commands it or deceives is escaped, but for line breaks and tabs.
pub(super) fn for_terminal(text: &str, escape: Escape) -> Cow<'_, str> {
    escaped(text, escape, |c| is_hidden(c) && !matches!(c, '\n' | '\t'))
}

/// The text as it may stand in a cell on a terminal: line breaks and tabs are escaped too.
pub fn for_cell(text: &str) -> Cow<'_, str> {
    escaped(text, Escape::Text, is_hidden)
}

fn is_hidden(c: char) -> bool {
    c.is_control() || !c.is_ascii() && DECEPTIVE.iter().any(|range| range.contains(&c))
}

fn escaped(text: &str, escape: Escape, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        // Writing into a text cannot fail.
        match escape {
            _ if !is_escaped(c) => safe.push(c),
            Escape::Text => safe.extend(c.escape_default()),
            Escape::Json => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(safe, "\\u{unit:04x}");
            }),
        }
    }
    Cow::Owned(safe)
}

/// The text on one line: line breaks and other control characters become spaces.
pub(super) fn one_line(text: &str) -> String {
    let spaced = text.replace(char::is_control, " ");
    spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_hides_text_or_commands_the_terminal_is_escaped() {
        for (hostile, shown) in [
            ("P\u{202e}001", "P\\u{202e}001"),
            ("\u{feff}P\u{200b}1", "\\u{feff}P\\u{200b}1"),
            ("a\u{2066}b\u{2069}\u{61c}", "a\\u{2066}b\\u{2069}\\u{61c}"),
            ("a\u{e0041}\u{fe0f}\u{ad}", "a\\u{e0041}\\u{fe0f}\\u{ad}"),
            ("\u{fff9}a\u{2028}\u{2029}", "\\u{fff9}a\\u{2028}\\u{2029}"),
            ("\u{1b}[31m\u{9b}2J\u{7f}\r", "\\u{1b}[31m\\u{9b}2J\\u{7f}\\r"),
        ] {
            assert_eq!(for_terminal(hostile, Escape::Text), shown);
            assert_eq!(for_cell(hostile), shown);
        }
        assert_eq!(for_terminal("a\n\tb", Escape::Text), "a\n\tb");
        assert_eq!(for_cell("a\n\tb"), "a\\n\\tb");
    }

    #[test]
    fn text_of_every_script_stays_as_it_is() {
        for text in ["مريض ١", "חולה א", "患者一号", "환자", "रोगी", "bệnh nhân", "e\u{301}", "Пациент", "🏥"]
        {
            assert!(matches!(for_terminal(text, Escape::Text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn json_stays_json() {
        let shown = for_terminal("\"a\u{202e}\u{e0041}\"", Escape::Json).into_owned();
        assert_eq!(shown, r#""a\u202e\udb40\udc41""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), "a\u{202e}\u{e0041}");
    }
}
