//! The headers of dead letters: each a length and so many bytes for its key, and the same for its value. A length beyond
//! 250 is null.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vitals::kafka::dead_letter::Piece;
use vitals::record::{Header, Record};

fn take(content: &mut &[u8]) -> Option<Bytes> {
    let (length, rest) = content.split_first()?;
    *content = rest;
    if *length > 250 {
        return None;
    }
    let (taken, rest) = rest.split_at(rest.len().min(usize::from(*length)));
    *content = rest;
    Some(Bytes::copy_from_slice(taken))
}

fuzz_target!(|content: &[u8]| {
    let mut content = content;
    let mut headers = Vec::new();
    while !content.is_empty() {
        let key = take(&mut content).unwrap_or_default();
        headers.push(Header { key, value: take(&mut content) });
    }
    let count = headers.len();
    let record = Record { offset: 1, timestamp_ms: 2, key: None, value: None, headers, fault: None };
    if let Some(piece) = Piece::read(&record) {
        assert_eq!(piece.letter().original.headers.len() + 4, count);
    }
});
