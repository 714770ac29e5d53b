//! Answers that are shorter on the way, for those who take them so.

use std::io::Write as _;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Whether who asks takes gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let takes = headers.get(ACCEPT_ENCODING).and_then(|takes| takes.to_str().ok()).unwrap_or_default();
    takes
        .split(',')
        .map(str::trim)
        .any(|coding| coding == "gzip" || (coding.starts_with("gzip;") && !is_refused(coding)))
}

/// `gzip;q=0` says that it is not wanted.
fn is_refused(coding: &str) -> bool {
    let quality = coding.split_once("q=").and_then(|(_, quality)| quality.trim().parse::<f32>().ok());
    quality.is_some_and(|quality| quality <= 0.0)
}

/// The same, compressed.
pub(super) fn gzip(content: &[u8], how: Compression) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), how);
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_compressed_is_what_is_asked_for() {
        let takes =
            |text: &'static str| takes_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(text))]));
        assert!(takes("gzip") && takes("gzip, deflate, br") && takes("br, gzip;q=0.5"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("") && !takes("x-gzip-not"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
