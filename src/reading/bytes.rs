//! What bytes are that are no UTF-8 text, or begin with what does not belong to it.

/// What some editors put before a text, in UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Whether a text that begins so is UTF-16: by its byte order mark, or by letters that all take a zero byte.
pub(crate) fn is_utf16(beginning: &[u8]) -> bool {
    match beginning {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [one, 0, other, 0, ..] | [0, one, 0, other, ..] => *one != 0 && *other != 0,
        _ => false,
    }
}
