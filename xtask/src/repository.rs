//! Where things are in this repository.

use std::path::{Path, PathBuf};

pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Jars, stacks and the tests' Python: all of it may be deleted while nothing runs.
pub(crate) fn services_folder() -> PathBuf {
    root().join("target").join("services")
}
