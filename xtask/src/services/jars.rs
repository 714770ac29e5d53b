//! The jars that a server is made of, fetched once by Maven.

use std::ffi::OsString;
use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::{make_folder, remove_folder, write_file};
use crate::environment::find_on_path;
use crate::error::Error;
use crate::job::Job;
use crate::lock::Lock;
use crate::signals::Interrupt;
use crate::{repository, say};

/// About 65 MB come in; on a slow line of 1 Mbit/s that takes nine minutes.
const FETCH_LIMIT: Duration = Duration::from_secs(15 * 60);

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
    pub(crate) fn ensure(&self, interrupt: &Interrupt) -> Result<(), Error> {
        if self.is_complete() {
            return Ok(());
        }
        let lock = repository::services_folder().join("locks").join(format!("jars-{}-{}", self.name, self.version));
        let _held = Lock::wait(&lock, &format!("the jars of {self}"), interrupt)?;
        // Whoever held the lock before may have fetched them.
        if self.is_complete() { Ok(()) } else { self.fetch(interrupt) }
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

    fn fetch(&self, interrupt: &Interrupt) -> Result<(), Error> {
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
        self.run_maven(&maven, &folder, interrupt)?;
        write_file(&self.marker(), &self.pom())
    }

    fn run_maven(&self, maven: &Path, folder: &Path, interrupt: &Interrupt) -> Result<(), Error> {
        let arguments = ["-B", "-q", COPY_GOAL, "-DoutputDirectory=lib", "-DincludeScope=runtime"];
        let hint = format!(
            "; check the network and Maven's settings, then start again; by hand: cd '{}' && mvn {}",
            folder.display(),
            arguments.join(" ")
        );
        let mut command = vec![OsString::from(maven)];
        command.extend(arguments.map(OsString::from));
        let (what, log) = (format!("Maven, which fetches the jars of {self},"), folder.join("fetch.log"));
        Job { what: &what, command: &command, folder, log: &log, limit: FETCH_LIMIT, hint: &hint }.run(interrupt)
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

/// Fetches what is missing of all of them.
pub(crate) fn ensure_all<'a>(bundles: impl Iterator<Item = &'a Bundle>, interrupt: &Interrupt) -> Result<(), Error> {
    let mut bundles = bundles;
    bundles.try_for_each(|bundle| bundle.ensure(interrupt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_artifact_of_a_bundle_is_in_its_pom() {
        let bundle = Bundle { name: "X", version: "1", artifacts: &[("a.b", "c", "2"), ("d", "e", "3")] };
        let pom = bundle.pom();
        assert_eq!(pom.matches("<dependency>").count(), 2);
        assert!(pom.contains("<groupId>a.b</groupId><artifactId>c</artifactId><version>2</version>"));
        assert!(pom.ends_with("</project>\n"));
    }
}
