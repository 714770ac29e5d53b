//! The Java that runs the servers.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use super::error::ServiceError;
use crate::environment;
use crate::say;

/// Kafka 4 needs at least this; Cassandra 5.0 is made for exactly this (or 11).
const NEEDED: u32 = 17;

/// A Java that is new enough.
#[derive(Clone, Debug)]
pub(crate) struct Java {
    program: OsString,
}

impl Java {
    /// From `JAVA_HOME` if it is set, otherwise from the `PATH`.
    pub(crate) fn find() -> Result<Self, ServiceError> {
        let program = match environment::java_home() {
            Some(home) => home.join("bin").join("java").into_os_string(),
            None => OsString::from("java"),
        };
        let tried = program.display().to_string();
        let version = Command::new(&program)
            .arg("-version")
            .stdin(Stdio::null())
            .output()
            .map_err(|source| ServiceError::NoJava { tried: tried.clone(), needed: NEEDED, source })?;
        let said = String::from_utf8_lossy(&version.stderr).into_owned();
        match major_version(&said) {
            Some(NEEDED) => {}
            Some(newer) if newer > NEEDED => say::talk(&format!(
                "note: {tried} is Java {newer}; Cassandra 5.0 is made for {NEEDED} and may not start on a newer one"
            )),
            found => {
                let found = found.map_or_else(|| "of an unknown version".to_owned(), |major| major.to_string());
                return Err(ServiceError::OldJava { tried, found, needed: NEEDED });
            }
        }
        Ok(Self { program })
    }

    /// What to run.
    pub(crate) fn program(&self) -> &OsString {
        &self.program
    }
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
