//! The files of the ward screen. They are in the program, so that nothing has to be installed beside it, and no other
//! machine is asked.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use sha2::{Digest as _, Sha256};

use super::encoding::{gzip, takes_gzip};
use super::problem::Problem;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The page itself.
const INDEX: &str = "index.html";

/// Each file: its path below `/assets/`, what it is, and its content.
macro_rules! files {
    ($($name:literal $kind:expr,)*) => {
        [$(($name, $kind, include_bytes!(concat!("page/", $name)).as_slice()),)*]
    };
}

const CONTENT: &[(&str, &str, &[u8])] = &files![
    "acts.js" SCRIPT,
    "alarmlist.js" SCRIPT,
    "alarms.js" SCRIPT,
    "api.js" SCRIPT,
    "app.js" SCRIPT,
    "beds.js" SCRIPT,
    "dom.js" SCRIPT,
    "icon-192.png" "image/png",
    "icon-512.png" "image/png",
    "icon.svg" "image/svg+xml",
    "index.html" HTML,
    "lang/de.json" JSON,
    "lang/en.json" JSON,
    "login.css" CSS,
    "login.html" HTML,
    "login.js" SCRIPT,
    "manifest.webmanifest" "application/manifest+json",
    "patient.css" CSS,
    "patient.js" SCRIPT,
    "sector.js" SCRIPT,
    "session.js" SCRIPT,
    "settings.js" SCRIPT,
    "signs.js" SCRIPT,
    "sound.js" SCRIPT,
    "stream.js" SCRIPT,
    "tables.js" SCRIPT,
    "trend.js" SCRIPT,
    "vendor/LICENSE" TEXT,
    "vendor/uPlot.iife.min.js" SCRIPT,
    "vendor/uPlot.min.css" CSS,
    "ward.css" CSS,
    "ward.js" SCRIPT,
    "words.js" SCRIPT,
];

struct File {
    name: &'static str,
    kind: &'static str,
    plain: Bytes,
    /// Compressed, where that is shorter.
    gzip: Option<Bytes>,
    mark: String,
}

/// Compressed once, when the first browser comes.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| CONTENT.iter().map(File::of).collect());

impl File {
    fn of((name, kind, content): &(&'static str, &'static str, &'static [u8])) -> Self {
        let mark = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        Self {
            name,
            kind,
            plain: Bytes::from_static(content),
            gzip: gzip(content, Compression::best()).filter(|short| short.len() < content.len()).map(Bytes::from),
            mark: format!("\"{mark}\""),
        }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        // A browser asks each time whether it is still so: a page of an earlier `vitals` does not fit this one.
        let mut response = Response::new(Body::empty());
        let of = response.headers_mut();
        of.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        of.insert(VARY, HeaderValue::from_static("accept-encoding"));
        of.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if let Ok(mark) = HeaderValue::from_str(&self.mark) {
            of.insert(ETAG, mark);
        }
        if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == self.mark.as_bytes()) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        let content = match &self.gzip {
            Some(short) if takes_gzip(headers) => {
                of.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                short
            }
            _ => &self.plain,
        };
        *response.body_mut() = Body::from(content.clone());
        response
    }
}

/// The page at `/`, and its files.
pub(super) fn paths() -> Router {
    Router::new()
        .route("/", get(async |headers: HeaderMap| answer(INDEX, &headers)))
        .route("/assets/{*name}", get(async |Path(name): Path<String>, headers: HeaderMap| answer(&name, &headers)))
}

/// A file of it.
pub(super) fn answer(name: &str, headers: &HeaderMap) -> Response {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => file.answer(headers),
        None => Problem::not_found("the page has no such file").into_response(),
    }
}
