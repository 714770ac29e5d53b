//! A document that several readings come in, cut into them. None is decoded here.

use serde_json::value::RawValue;

use super::decode::by_its_beginning;
use super::json;
use crate::reading::reject::Reject;

/// The readings of a JSON document as they stand in it: the items of a list, or the document itself.
///
/// # Errors
/// It is not UTF-8, or not JSON: nothing of it can be relied on.
pub fn items(document: &[u8]) -> Result<Vec<&[u8]>, Reject> {
    let cut = |text| {
        let whole = json::value(text)?;
        if whole.get().starts_with('[') { json::list(whole.get()) } else { Ok(vec![whole]) }
    };
    let text = std::str::from_utf8(document).map_err(|_| by_its_beginning(document, Reject::NotUtf8))?;
    let items: Vec<&RawValue> = cut(text).map_err(|reject| by_its_beginning(document, reject))?;
    Ok(items.into_iter().map(|item| item.get().as_bytes()).collect())
}

/// The lines of an NDJSON document (<https://github.com/ndjson/ndjson-spec>) that are not blank, each with its number from 1.
pub fn lines(document: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = document.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(document: &str) -> Result<Vec<String>, Reject> {
        let items = items(document.as_bytes())?;
        Ok(items.into_iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect())
    }

    #[test]
    fn a_document_is_a_list_or_stands_for_itself() {
        assert_eq!(cut(" {\"a\": [1]}\n"), Ok(vec!["{\"a\": [1]}".to_owned()]));
        assert_eq!(
            cut("[ {\"a\":1} ,\n2, [3], 1e999]"),
            Ok(["{\"a\":1}", "2", "[3]", "1e999"].map(str::to_owned).into())
        );
        assert_eq!(cut("[]"), Ok(Vec::new()));
        assert_eq!(cut("null"), Ok(vec!["null".to_owned()]));
    }

    #[test]
    fn of_a_broken_document_nothing_is_taken() {
        assert_eq!(cut("[{\"a\":1},\n{\"a\":2]"), Err(Reject::NotJson { line: 2, column: 7 }));
        for broken in ["", "[1,]", "[1", "{} {}", "[1] x"] {
            assert!(matches!(cut(broken), Err(Reject::NotJson { .. })), "{broken}");
        }
        assert_eq!(items(b"[\"\xff\"]"), Err(Reject::NotUtf8));
        assert_eq!(items(b"\xff\xfe[\0]\0"), Err(Reject::Utf16));
        assert_eq!(cut("\u{feff}[]"), Err(Reject::ByteOrderMark));
    }

    #[test]
    fn lines_are_numbered_as_an_editor_numbers_them_and_blank_ones_are_nothing() {
        let found: Vec<_> = lines(b"{\"a\":1}\r\n\n  \n{\"a\":\xff}").collect();
        assert_eq!(found, [(1, &b"{\"a\":1}"[..]), (4, b"{\"a\":\xff}")]);
        assert_eq!(lines(b"\r\n").count(), 0);
    }
}
