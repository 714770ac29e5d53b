//! Python packages in a virtual environment of their own below `target/services`, installed once.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::environment;
use crate::job::{Job, JobError};
use crate::lock::{Lock, LockError};
use crate::repository;
use crate::say;
use crate::services::error::ServiceError;
use crate::services::folder::{make_folder, remove_folder, write_file};
use crate::services::log_tail::{LogTail, SHOWN_WITH_ERRORS};
use crate::signals::{Interrupt, Interrupted};

/// Up to 36 MB come in.
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Why there is no Python to check with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    #[error(
        "python3 is missing; it installs {what}\nhint: install Python 3.9 or newer with its venv module (Debian: apt-get install python3-venv)"
    )]
    Missing { what: &'static str },
    #[error(
        "could not {what} ({how})\n{log}\nhint: the lines above say why; check the network, and that python3 has its venv module, then start again"
    )]
    Install { what: &'static str, how: JobError, log: LogTail },
    #[error(transparent)]
    File(#[from] ServiceError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Some packages.
#[derive(Debug)]
pub(crate) struct Venv {
    /// The name of its folder.
    pub(crate) name: &'static str,
    /// What the packages are, to be told.
    pub(crate) what: &'static str,
    /// One a line, as pip reads them; each is served as a wheel, so nothing is compiled.
    pub(crate) requirements: &'static str,
}

impl Venv {
    /// Its folder. It is made once, and again when the requirements change.
    pub(crate) fn ensure(&self, interrupt: &Interrupt) -> Result<PathBuf, PythonError> {
        let services = repository::services_folder();
        let folder = services.join(self.name);
        let _held = Lock::wait(&services.join("locks").join(self.name), self.what, interrupt)?;
        let marker = folder.join("complete");
        let complete = fs::read_to_string(&marker).is_ok_and(|installed| installed == self.requirements);
        if !complete || !python(&folder).exists() {
            self.make(&folder, interrupt)?;
            // Written last: an installation that was cut short has none.
            write_file(&marker, self.requirements)?;
        }
        Ok(folder)
    }

    fn make(&self, folder: &Path, interrupt: &Interrupt) -> Result<(), PythonError> {
        let system_python = environment::find_on_path("python3").ok_or(PythonError::Missing { what: self.what })?;
        say::talk(&format!("installing {} (once)", self.what));
        remove_folder(folder)?;
        make_folder(folder)?;
        let requirements = folder.join("requirements.txt");
        let arguments = ["-m".into(), "venv".into(), folder.into()];
        step("make a virtual environment", &system_python, &arguments, folder, interrupt)?;
        write_file(&requirements, self.requirements)?;
        let install = ["-m", "pip", "install", "--disable-pip-version-check", "--only-binary", ":all:", "-r"];
        let mut arguments: Vec<OsString> = install.map(OsString::from).into();
        arguments.push(requirements.into());
        step("install Python packages", &python(folder), &arguments, folder, interrupt)
    }
}

/// The Python of a virtual environment.
pub(crate) fn python(folder: &Path) -> PathBuf {
    folder.join("bin").join("python")
}

fn step(
    what: &'static str,
    program: &Path,
    arguments: &[OsString],
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<(), PythonError> {
    let log = folder.join("install.log");
    let job = Job { program: program.as_os_str(), arguments, folder, log: &log, limit: INSTALL_LIMIT };
    job.run(interrupt).map_err(|error| match error {
        JobError::Interrupted(interrupted) => interrupted.into(),
        how => PythonError::Install { what, how, log: LogTail::read(&log, SHOWN_WITH_ERRORS) },
    })
}
