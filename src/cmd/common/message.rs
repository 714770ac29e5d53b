//! The parts of a message as they are shown.

use std::fmt::Write as _;

use chrono::DateTime;
use serde_json::json;

use crate::reading::Timestamp;
use crate::record::Header;

/// Bytes as text; those that are not UTF-8 as `\xHH`.
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

/// Headers for programs; a null value stays null.
pub(in crate::cmd) fn headers(headers: &[Header]) -> serde_json::Value {
    let header = |header: &Header| json!({"key": text(&header.key), "value": header.value.as_deref().map(text)});
    headers.iter().map(header).collect()
}

/// When a message was sent, or appended; -1 stands for a time that is not known.
pub(in crate::cmd) fn sent(timestamp_ms: i64) -> Option<Timestamp> {
    let known = Some(timestamp_ms).filter(|time| *time >= 0)?;
    Timestamp::from_utc(DateTime::from_timestamp_millis(known)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown_as_numbers() {
        assert_eq!(text(b"P\xc3\xa9\xff!"), "Pé\\xff!");
    }
}
