//! Character sets: what MSH-18 says, and where it says nothing the sender's.

use std::borrow::Cow;

use encoding_rs::{BIG5, EUC_KR, Encoding, GB18030, ISO_2022_JP, UTF_8};

use super::refusal::{Place, Problem, Refusal};
use crate::reading::bytes::{BYTE_ORDER_MARK, is_utf16};

/// Where a header names its character set.
const CHARSET_FIELD: usize = 18;

/// The text of a message, and the character set that it is in.
///
/// # Errors
/// The set is not known, or the bytes are none of it.
pub(super) fn decode<'b>(
    bytes: &'b [u8],
    fallback: &'static Encoding,
) -> Result<(Cow<'b, str>, &'static Encoding), Refusal> {
    let refused = |problem| Refusal::new(Place::header(CHARSET_FIELD), problem);
    if is_utf16(bytes) {
        return Err(refused(Problem::Utf16));
    }
    let fallback = if bytes.starts_with(BYTE_ORDER_MARK) { UTF_8 } else { fallback };
    let encoding = named_in(bytes, fallback).ok_or_else(|| refused(Problem::Charset))?;
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(|text| (text, encoding)).ok_or_else(|| refused(Problem::NotInCharset))
}

/// The set that a header names. In all of them it is written in ASCII itself.
fn named_in(bytes: &[u8], fallback: &'static Encoding) -> Option<&'static Encoding> {
    let at = bytes.windows(3).position(|name| name == b"MSH").unwrap_or_default();
    let header = bytes.get(at..).unwrap_or_default().split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let Some(mark) = header.get(3) else { return Some(fallback) };
    let field = header.split(|byte| byte == mark).nth(CHARSET_FIELD - 1).unwrap_or_default();
    let field = String::from_utf8_lossy(field);
    let mut names = field.split('~').map(|name| name.trim().trim_matches('"'));
    // Of several the first is meant, but for the Japanese ones, which say in the text where they begin.
    if names.clone().any(|name| ["ISO IR87", "ISO IR159", "ISO IR14"].contains(&name)) {
        return Some(ISO_2022_JP);
    }
    match names.next().unwrap_or_default() {
        "" | "ASCII" | "ISO IR6" => Some(fallback),
        name => named(name),
    }
}

/// The character set of a name: those of HL7's table 0211, and of the web.
pub(super) fn named(name: &str) -> Option<&'static Encoding> {
    match name.to_ascii_uppercase().as_str() {
        "UNICODE" | "UNICODE UTF-8" => Some(UTF_8),
        "GB 18030-2000" => Some(GB18030),
        "BIG-5" => Some(BIG5),
        "KS X 1001" => Some(EUC_KR),
        upper => {
            let label = upper.strip_prefix("8859/").map_or_else(|| upper.to_owned(), |part| format!("ISO-8859-{part}"));
            // What writes ASCII as something else is told by its bytes, and not read here.
            Encoding::for_label_no_replacement(label.as_bytes()).filter(|encoding| encoding.is_ascii_compatible())
        }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::WINDOWS_1252;

    use super::*;

    fn decoded(charset: &str, name: &[u8]) -> Result<String, Problem> {
        let header = format!("MSH|^~\\&|||||||ORU^R01|1|P|2.6||||||{charset}\rPID|||");
        let message = [header.as_bytes(), name].concat();
        let decoded = decode(&message, WINDOWS_1252).map_err(|refusal| refusal.problem)?;
        Ok(decoded.0.rsplit('|').next().unwrap_or_default().to_owned())
    }

    #[test]
    fn the_header_says_the_character_set_and_the_sender_where_it_does_not() {
        for (charset, name, text) in [
            ("UNICODE UTF-8", "Jürgen".as_bytes(), "Jürgen"),
            ("UTF-8", "Jürgen".as_bytes(), "Jürgen"),
            ("8859/1", b"J\xfcrgen", "Jürgen"),
            ("8859/5", b"\xb8", "И"),
            ("", b"J\xfcrgen", "Jürgen"),
            ("ASCII", b"J\xfcrgen", "Jürgen"),
            ("8859/1~UNICODE UTF-8", b"J\xfcrgen", "Jürgen"),
            ("~ISO IR87", b"\x1b$B;3ED\x1b(B", "山田"),
            ("GB 18030-2000", b"\xd6\xd0", "中"),
            ("BIG-5", b"\xa4\xa4", "中"),
            ("KS X 1001", b"\xb1\xe8", "김"),
            ("ISO-8859-15", b"\xa4", "€"),
        ] {
            assert_eq!(decoded(charset, name).as_deref(), Ok(text), "{charset}");
        }
    }

    #[test]
    fn a_set_that_is_not_known_and_bytes_that_are_none_of_it_are_refused() {
        assert_eq!(decoded("EBCDIC", b"a"), Err(Problem::Charset));
        assert_eq!(decoded("UNICODE UTF-16", b"a"), Err(Problem::Charset));
        assert_eq!(decoded("UNICODE UTF-8", b"J\xfcrgen"), Err(Problem::NotInCharset));
        let utf16: Vec<u8> = "MSH|^~\\&|".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&utf16, UTF_8).unwrap_err().problem, Problem::Utf16);
        let marked = [&[0xff, 0xfe], &utf16[..]].concat();
        assert_eq!(decode(&marked, UTF_8).unwrap_err().problem, Problem::Utf16);
    }
}
