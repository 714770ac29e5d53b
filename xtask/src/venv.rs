//! Python packages in a virtual environment of their own below `target/services`, installed once.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::services::folder::{make_folder, remove_folder, write_file};
use crate::worker::Job;
use crate::{environment, repository, say};

/// Up to 50 MB come in.
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);

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
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        let services = repository::services_folder();
        let folder = services.join(self.name);
        let _held = Lock::wait(&services.join("locks").join(self.name), self.what)?;
        let marker = folder.join("complete");
        let complete = fs::read_to_string(&marker).is_ok_and(|installed| installed == self.requirements);
        if !complete || !python(&folder).exists() {
            self.make(&folder)?;
            // Written last: an installation that was cut short has none.
            write_file(&marker, self.requirements)?;
        }
        Ok(folder)
    }

    fn make(&self, folder: &Path) -> Result<()> {
        let system_python = environment::find_on_path("python3").ok_or_else(|| Error::NoProgram {
            what: "python3",
            why: format!("it installs {}", self.what),
            cure: "Python 3.9 or newer with its venv module (Debian: apt-get install python3-venv)",
        })?;
        say::talk(&format!("installing {} (once)", self.what));
        remove_folder(folder)?;
        make_folder(folder)?;
        let make = [system_python.into(), "-m".into(), "venv".into(), folder.into()];
        step("making a virtual environment", &make, folder)?;
        let requirements = folder.join("requirements.txt");
        write_file(&requirements, self.requirements)?;
        let mut install = vec![python(folder).into_os_string()];
        let words = ["-m", "pip", "install", "--disable-pip-version-check", "--only-binary", ":all:", "-r"];
        install.extend(words.map(OsString::from));
        install.push(requirements.into());
        step("installing Python packages", &install, folder)
    }
}

/// The Python of a virtual environment.
pub(crate) fn python(folder: &Path) -> PathBuf {
    folder.join("bin").join("python")
}

fn step(what: &str, command: &[OsString], folder: &Path) -> Result<()> {
    let log = folder.join("install.log");
    let hint = "; check the network, and that python3 has its venv module, then start again";
    Job { what, command, folder, log: &log, limit: INSTALL_LIMIT, hint }.run()
}

const CLIENTS: Venv = Venv {
    name: "venv",
    what: "the Python clients that the tests check with",
    requirements: "\
cassandra-driver==3.30.1
confluent-kafka==2.16.1
cqlsh==6.2.2
kafka-python==3.0.12
",
};

/// Both are pinned with what makes their cases and their client: another version would try something else.
const API_TOOLS: Venv = Venv {
    name: "api-tools",
    what: "what tries the interface for programs",
    requirements: "\
hypothesis==6.170.17
jsonschema-rs==0.60.3
openapi-python-client==0.29.1
schemathesis==4.32.5
",
};

const ARCHIVE_READERS: Venv = Venv {
    name: "archive-readers",
    what: "what reads archives",
    requirements: "\
duckdb==2.0.1
pandas==3.1.1
pyarrow==26.0.1
",
};

/// Their Python.
pub(crate) fn ensure_archive_readers() -> Result<PathBuf> {
    ARCHIVE_READERS.ensure().map(|folder| python(&folder))
}

/// The folder with their programs.
pub(crate) fn ensure_api_tools() -> Result<PathBuf> {
    API_TOOLS.ensure().map(|folder| folder.join("bin"))
}

pub(crate) fn ensure_python() -> Result<PathBuf> {
    CLIENTS.ensure().map(|folder| python(&folder))
}
