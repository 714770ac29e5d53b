//! The only reader of the environment in `xtask`.
#![expect(clippy::disallowed_methods, reason = "this is the one place that may read it")]

use std::ffi::OsString;
use std::path::PathBuf;

/// Where the user wants Java from, if anywhere.
pub(crate) fn java_home() -> Option<PathBuf> {
    folder("JAVA_HOME")
}

/// Where the user wants the Java of older servers from, if anywhere.
pub(crate) fn java_11_home() -> Option<PathBuf> {
    folder("JAVA_HOME_11")
}

fn folder(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The cargo that runs this task, so that what it starts uses the same toolchain.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The first folder of `PATH` that has a file of this name, with that name.
pub(crate) fn find_on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// The time that what is built is said to be of, in seconds since 1970: see <https://reproducible-builds.org>.
pub(crate) fn source_date_epoch() -> Option<OsString> {
    std::env::var_os("SOURCE_DATE_EPOCH").filter(|time| !time.is_empty())
}
