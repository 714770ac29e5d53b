//! The reference programs, which are not part of this repository, and how each is started.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::kit::Kit;
use crate::environment;
use crate::error::Error;
use crate::job::Job;
use crate::say;
use crate::services::folder::make_folder;

/// The first build fetches some hundred modules.
const BUILD_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The script that measures a drain.
pub(super) const MEASURE: &str = "measure.py";

/// Where the reference programs are, and which of them could be built.
#[derive(Debug)]
pub(super) struct References {
    folder: PathBuf,
    /// franz-go and gocql, in batches of one patient.
    pub(super) go: Option<PathBuf>,
    /// benthos, tuned.
    pub(super) benthos: Option<PathBuf>,
}

impl References {
    /// Builds those that can be built here.
    pub(super) fn build(kit: &Kit, folder: &Path) -> Result<Self, Error> {
        let folder = folder.to_owned();
        let Some(compiler) = environment::find_on_path("go") else {
            say::talk("go is not installed: its reference programs are left out");
            return Ok(Self { folder, go: None, benthos: None });
        };
        let build = |name: &'static str| build(kit, &compiler, &folder.join(name), name);
        Ok(Self { go: Some(build("go")?), benthos: Some(build("benthos")?), folder })
    }

    /// A file of theirs.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Builds a copy, since the folder may be read-only.
fn build(kit: &Kit, compiler: &Path, source: &Path, name: &'static str) -> Result<PathBuf, Error> {
    say::talk(&format!("building the reference program {name}"));
    let copy = kit.place.path(&format!("reference-{name}"));
    make_folder(&copy)?;
    for file in ["go.mod", "go.sum", "main.go"] {
        let (from, to) = (source.join(file), copy.join(file));
        // Read and written, not copied: a copy would be read-only too.
        fs::read(&from).and_then(|bytes| fs::write(&to, bytes)).map_err(Error::file("copy", &from))?;
    }
    let program = copy.join("reference");
    let command =
        [compiler.as_os_str(), "build".as_ref(), "-o".as_ref(), program.as_os_str(), ".".as_ref()].map(OsStr::to_owned);
    let (what, log) = (format!("the build of the reference program {name}"), kit.place.path("reference.log"));
    let hint = "; its first build needs the network";
    Job { what: &what, command: &command, folder: &copy, log: &log, limit: BUILD_LIMIT, hint }.run(&kit.interrupt)?;
    Ok(program)
}
