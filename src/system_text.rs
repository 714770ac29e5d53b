//! Text as the system gives it: arguments, variables and paths need not be UTF-8.

use std::ffi::{OsStr, OsString};

/// What stands behind `prefix`, where the text begins with it.
#[cfg(unix)]
pub(crate) fn behind(text: &OsStr, prefix: &str) -> Option<OsString> {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

    text.as_bytes().strip_prefix(prefix.as_bytes()).map(|rest| OsString::from_vec(rest.to_vec()))
}

/// What stands behind `prefix`, where the text begins with it.
#[cfg(not(unix))]
pub(crate) fn behind(text: &OsStr, prefix: &str) -> Option<OsString> {
    text.to_str()?.strip_prefix(prefix).map(OsString::from)
}

/// The text in quotes, for people: what is not UTF-8 is escaped.
#[must_use]
#[expect(clippy::unnecessary_debug_formatting, reason = "this is the form that hides nothing")]
pub(crate) fn quoted(text: &OsStr) -> String {
    format!("{text:?}")
}
