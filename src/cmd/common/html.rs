//! Pages for a browser: a template, and what is put into it.

use crate::output::for_cell;

/// A text that is shown as it is, also within quotes.
pub(in crate::cmd) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A text of others, in which what would turn or hide what is beside it is escaped too.
pub(in crate::cmd) fn shown(text: &str) -> String {
    escaped(&for_cell(text))
}

/// Puts each part in its place, in one pass: what a part holds is not looked at again.
pub(in crate::cmd) fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = template.split("{{");
    let mut page = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or(("", piece));
        let part = parts.iter().find(|(known, _)| *known == name).map(|(_, part)| part.as_str());
        page.push_str(part.unwrap_or_default());
        page.push_str(rest);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_markup_is_text() {
        assert_eq!(escaped("<script a='\"'>&amp;"), "&lt;script a=&#39;&quot;&#39;&gt;&amp;amp;");
    }

    #[test]
    fn what_turns_or_hides_text_is_seen() {
        assert_eq!(shown("<P\u{202e}1\n>"), "&lt;P\\u{202e}1\\n&gt;");
    }

    #[test]
    fn a_part_goes_into_its_place_and_is_not_looked_at_again() {
        let parts = [("a", "{{b}}".to_owned()), ("b", "2".to_owned())];
        assert_eq!(filled("<{{a}}|{{b}}|{{unknown}}>", &parts), "<{{b}}|2|>");
    }
}
