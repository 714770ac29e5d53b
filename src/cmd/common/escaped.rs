//! Bytes that somebody sent, as text that can be shown.

use std::fmt::Write as _;

use serde_json::json;

use crate::record::Header;

/// The bytes as text; those that are not UTF-8 as `\xHH`.
pub(in crate::cmd) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing into a text cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A header for programs; a null value stays null.
pub(in crate::cmd) fn header(header: &Header) -> serde_json::Value {
    json!({"key": text(&header.key), "value": header.value.as_deref().map(text)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown_as_numbers() {
        assert_eq!(text(b"P\xc3\xa9\xff!"), "Pé\\xff!");
    }
}
