//! HAPI, which judges what `vitals` writes as FHIR R4 and sends it HL7 v2: its jars, and a small Java program of ours on
//! top of each, which is compiled once below `target/services`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::{make_folder, remove_folder, write_file};
use super::java::{Bundle, Javas, Release};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::worker::Job;
use crate::{repository, say};

/// One file is compiled; the rest is for a busy machine.
const COMPILE_LIMIT: Duration = Duration::from_secs(2 * 60);

/// A program of ours on some jars.
#[derive(Debug)]
pub(crate) struct Hapi {
    bundle: Bundle,
    /// The class that is run, by which its file is called too.
    class: &'static str,
    source: &'static str,
}

/// Judges resources of FHIR R4 by their definitions and profiles.
pub(crate) const FHIR: Hapi = Hapi {
    bundle: Bundle {
        name: "HAPI-FHIR",
        version: "7.6.1",
        artifacts: &[
            ("ca.uhn.hapi.fhir", "hapi-fhir-validation", "7.6.1"),
            ("ca.uhn.hapi.fhir", "hapi-fhir-structures-r4", "7.6.1"),
            ("ca.uhn.hapi.fhir", "hapi-fhir-validation-resources-r4", "7.6.1"),
            ("ca.uhn.hapi.fhir", "hapi-fhir-caching-caffeine", "7.6.1"),
        ],
    },
    class: "JudgeFhir",
    source: include_str!("../../java/JudgeFhir.java"),
};

/// Sends observations as HL7 v2.6.
pub(crate) const HL7: Hapi = Hapi {
    bundle: Bundle {
        name: "HAPI-HL7",
        version: "2.6.0",
        artifacts: &[("ca.uhn.hapi", "hapi-base", "2.6.0"), ("ca.uhn.hapi", "hapi-structures-v26", "2.6.0")],
    },
    class: "SendHl7",
    source: include_str!("../../java/SendHl7.java"),
};

/// It can be run: by this Java, with these classes.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) java: OsString,
    pub(crate) class_path: OsString,
    pub(crate) class: &'static str,
}

impl Program {
    /// With a small heap, and these arguments.
    pub(crate) fn command(self, arguments: &[&str]) -> Vec<OsString> {
        let options = ["-Xmx256m".into(), "-XX:+UseSerialGC".into(), "-XX:TieredStopAtLevel=1".into(), "-cp".into()];
        let mut command = vec![self.java];
        command.extend(options);
        command.extend([self.class_path, self.class.into()]);
        command.extend(arguments.iter().map(OsString::from));
        command
    }
}

impl Hapi {
    /// Fetches and compiles what is not there yet.
    pub(crate) fn ensure(&self) -> Result<Program> {
        let javas = Javas::find(&[])?;
        let java = javas.of(Release::Installed).clone();
        self.bundle.ensure()?;
        let services = repository::services_folder();
        let folder = services.join("java").join(self.class);
        let all_jars = self.bundle.jars().join("*");
        let _held = Lock::wait(&services.join("locks").join(self.class), self.class)?;
        let marker = folder.join("complete");
        let wanted = format!("{}\n{}", self.bundle, self.source);
        if !fs::read_to_string(&marker).is_ok_and(|compiled| compiled == wanted) {
            self.compile(&java, &all_jars, &folder)?;
            // Written last: what was cut short has none.
            write_file(&marker, &wanted)?;
        }
        let class_path = std::env::join_paths([folder, all_jars]).map_err(|error| Error::Unclear {
            what: "the path of this repository",
            missing: "a path without ':'",
            said: error.to_string(),
        })?;
        Ok(Program { java, class_path, class: self.class })
    }

    fn compile(&self, java: &OsStr, jars: &Path, folder: &Path) -> Result<()> {
        let class = self.class;
        say::talk(&format!("compiling {class} (once)"));
        remove_folder(folder)?;
        make_folder(folder)?;
        let source = PathBuf::from(format!("{class}.java"));
        write_file(&folder.join(&source), self.source)?;
        // The compiler of the Java that runs it lies beside it.
        let compiler = Path::new(java).with_file_name("javac").into_os_string();
        let words = ["-encoding".into(), "UTF-8".into(), "-cp".into(), jars.into(), source.into_os_string()];
        let (what, log) = (format!("compiling {class}"), folder.join("compile.log"));
        let hint =
            "; it wants a whole JDK, not only what runs programs (Debian: apt-get install openjdk-17-jdk-headless)";
        let limit = COMPILE_LIMIT;
        Job { what: &what, command: &[&[compiler], &words[..]].concat(), folder, log: &log, limit, hint }.run()
    }
}
