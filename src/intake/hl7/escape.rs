//! Escapes: delimiters and other characters that stand in a text.

use std::borrow::Cow;

use super::message::Marks;

/// The text that `raw` stands for. What is no escape, such as a lone backslash, is what it is.
pub(super) fn unescape(raw: &str, marks: Marks) -> Cow<'_, str> {
    let Some(escape) = marks.escape.filter(|escape| raw.contains(*escape)) else { return Cow::Borrowed(raw) };
    let (mut text, mut rest) = (String::with_capacity(raw.len()), raw);
    while let Some((before, behind)) = rest.split_once(escape) {
        text.push_str(before);
        let meant = behind.split_once(escape).and_then(|(code, behind)| Some((meaning(code, marks)?, behind)));
        if let Some((meaning, behind)) = meant {
            text.push_str(&meaning);
            rest = behind;
        } else {
            text.push(escape);
            rest = behind;
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// What stands between two escape characters, where it is known. How a text is to look means nothing here.
fn meaning(code: &str, marks: Marks) -> Option<String> {
    Some(match code {
        "F" => marks.field.to_string(),
        "S" => marks.component.to_string(),
        "T" => marks.subcomponent.to_string(),
        "R" => marks.repetition.to_string(),
        "E" => marks.escape?.to_string(),
        "H" | "N" => String::new(),
        ".br" | ".sp" => "\n".to_owned(),
        code => hexadecimal(code.strip_prefix('X')?)?,
    })
}

/// Bytes of UTF-8; where they are none, of Latin 1.
fn hexadecimal(digits: &str) -> Option<String> {
    let is_hexadecimal = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_hexadecimal || !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    Some(String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_delimiters_and_bytes() {
        for (raw, text) in [
            (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
            (r"two\X0D\lines\.br\three", "two\rlines\nthree"),
            (r"\H\bold\N\ \XC3BC\ \XFC\", "bold ü ü"),
            (r"a lone \ and \Zx\ and \X0\ and \E", r"a lone \ and \Zx\ and \X0\ and \E"),
            (r"\E\F\E\", r"\F\"),
            ("none", "none"),
        ] {
            assert_eq!(unescape(raw, Marks::default()), text, "{raw}");
        }
        let without = Marks { escape: None, ..Marks::default() };
        assert_eq!(unescape(r"a\F\b", without), r"a\F\b");
    }
}
