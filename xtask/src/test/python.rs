//! The Python that checks ours from outside: with the clients that other programs use for Kafka and Cassandra.

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

/// Each is served as a wheel, so nothing is compiled.
const REQUIREMENTS: &str = "\
cassandra-driver==3.30.1
confluent-kafka==2.16.1
cqlsh==6.2.2
kafka-python==3.0.12
";

/// About 20 MB come in.
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Why there is no Python to check with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    #[error(
        "python3 is missing; the tests check from outside with it\nhint: install Python 3.9 or newer with its venv module (Debian: apt-get install python3-venv)"
    )]
    Missing,
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

/// The Python of `target/services/venv`; made once, and again when the requirements change.
pub(crate) fn ensure(interrupt: &Interrupt) -> Result<PathBuf, PythonError> {
    let services = repository::services_folder();
    let venv = services.join("venv");
    let _held = Lock::wait(&services.join("locks").join("venv"), "the tests' Python", interrupt)?;
    let marker = venv.join("complete");
    let python = venv.join("bin").join("python");
    let complete = fs::read_to_string(&marker).is_ok_and(|installed| installed == REQUIREMENTS);
    if !complete || !python.exists() {
        make(&venv, &python, interrupt)?;
        // Written last: an installation that was cut short has none.
        write_file(&marker, REQUIREMENTS)?;
    }
    Ok(python)
}

fn make(venv: &Path, python: &Path, interrupt: &Interrupt) -> Result<(), PythonError> {
    let system_python = environment::find_on_path("python3").ok_or(PythonError::Missing)?;
    say::talk("installing the Python clients that the tests check with (once)");
    remove_folder(venv)?;
    make_folder(venv)?;
    let requirements = venv.join("requirements.txt");
    let arguments = ["-m".into(), "venv".into(), venv.into()];
    step("make a virtual environment", &system_python, &arguments, venv, interrupt)?;
    write_file(&requirements, REQUIREMENTS)?;
    let install = ["-m", "pip", "install", "--disable-pip-version-check", "--only-binary", ":all:", "-r"];
    let mut arguments: Vec<OsString> = install.map(OsString::from).into();
    arguments.push(requirements.into());
    step("install the Python clients", python, &arguments, venv, interrupt)
}

fn step(
    what: &'static str,
    program: &Path,
    arguments: &[OsString],
    venv: &Path,
    interrupt: &Interrupt,
) -> Result<(), PythonError> {
    let log = venv.join("install.log");
    let job = Job { program: program.as_os_str(), arguments, folder: venv, log: &log, limit: INSTALL_LIMIT };
    job.run(interrupt).map_err(|error| match error {
        JobError::Interrupted(interrupted) => interrupted.into(),
        how => PythonError::Install { what, how, log: LogTail::read(&log, SHOWN_WITH_ERRORS) },
    })
}
