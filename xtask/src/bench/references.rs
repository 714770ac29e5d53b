//! The reference programs, which are not part of this repository, and how each is started.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::hospital::{Hospital, Ward};
use super::kit::Kit;
use crate::error::{Error, Result};
use crate::services::folder::make_folder;
use crate::worker::Job;
use crate::{environment, say};

/// The first build fetches some hundred modules.
const BUILD_LIMIT: Duration = Duration::from_secs(10 * 60);

const MEASURE: &str = "measure.py";

/// Where the reference programs are, and which of them could be built.
#[derive(Debug)]
pub(super) struct References {
    folder: PathBuf,
    /// franz-go and gocql, in batches of one patient.
    go: Option<PathBuf>,
    /// benthos, tuned.
    pub(super) benthos: Option<PathBuf>,
}

/// The folder that they are in, as it was given.
#[derive(Debug)]
pub(super) struct ReferenceFolder(PathBuf);

impl ReferenceFolder {
    /// Looks for them before anything is built.
    pub(super) fn find(folder: &Path) -> Result<Self> {
        match folder.join(MEASURE).canonicalize() {
            Ok(script) => Ok(Self(script.parent().unwrap_or(&script).to_owned())),
            Err(source) => Err(Error::NoReferences { folder: folder.to_owned(), source }),
        }
    }
}

impl References {
    pub(super) fn build(kit: &Kit, ReferenceFolder(folder): &ReferenceFolder) -> Result<Self> {
        let folder = folder.clone();
        let Some(compiler) = environment::find_on_path("go") else {
            say::talk("go is not installed: its reference programs are left out");
            return Ok(Self { folder, go: None, benthos: None });
        };
        let build = |name: &'static str| build_reference(kit, &compiler, &folder.join(name), name);
        Ok(Self { go: Some(build("go")?), benthos: Some(build("benthos")?), folder })
    }

    pub(super) fn go_drainer(&self) -> Option<Drainer> {
        let path = self.go.as_ref()?;
        Some(Drainer { name: "go", command: vec!["env".into(), "MODE=batch".into(), OsString::from(path)] })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Builds a copy, since the folder may be read-only.
fn build_reference(kit: &Kit, compiler: &Path, source: &Path, name: &'static str) -> Result<PathBuf> {
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
    Job { what: &what, command: &command, folder: &copy, log: &log, limit: BUILD_LIMIT, hint }.run()?;
    Ok(program)
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) topic: &'static str,
    pub(super) readings: u32,
    pub(super) patients: u32,
    pub(super) partitions: u32,
    pub(super) signs: Signs,
}

/// What the patients of a topic are like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signs {
    /// Every sign anew from a range, over its limit all the time.
    Noise,
    /// Signs that drift, with episodes of minutes.
    Walk,
}

/// What a program took; as the measuring script prints it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Drained {
    /// Readings a second, from the start of the process until all of them are committed.
    #[serde(rename = "rate_wall")]
    pub(super) rate: f64,
    /// Its processor time, in seconds.
    #[serde(rename = "cpu")]
    pub(super) cpu_seconds: f64,
    /// The most memory it had, in MiB.
    #[serde(rename = "rss_mb")]
    pub(super) memory_mib: f64,
    rows: u32,
    committed: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Drainer {
    pub(super) name: &'static str,
    /// Program and arguments; what stands in braces is replaced.
    pub(super) command: Vec<OsString>,
}

impl Drainer {
    /// Ours, with all that it promises but for the durability delay.
    pub(super) fn vitals(kit: &Kit) -> Self {
        let words =
            "consume --brokers {BROKER} --topic {TOPIC} --group {GROUP} --durability-delay 0 --exit-at-end --quiet";
        // In the braces stands the host alone; the environment has the port too.
        let store = r#"exec "$@" --store "cassandra://$CASS/$KS""#;
        let mut command: Vec<OsString> = ["sh", "-c", store, "sh"].map(OsString::from).to_vec();
        command.push(OsString::from(&kit.binary));
        command.extend(words.split(' ').map(OsString::from));
        Self { name: "vitals", command }
    }
}

impl Work {
    /// Fills the topic, the same every time.
    pub(super) fn fill(&self, hospital: &Hospital, references: &References) -> Result<()> {
        let Self { topic, readings, patients, partitions, signs } = self;
        let signs = match signs {
            Signs::Noise => "noise",
            Signs::Walk => "walk",
        };
        let numbers = [readings, patients, partitions].map(ToString::to_string);
        let [readings, patients, partitions] = &numbers;
        let arguments = [&hospital.brokers()?, *topic, readings, patients, partitions, signs];
        hospital
            .kit
            .python_file("fill.py", &references.file("fill.py"), &arguments.map(OsString::from))?
            .having("that it filled the topic", " partitions")
            .map(drop)
    }

    /// Has it drained by a program, into a new table of the keyspace and by a new group.
    pub(super) fn drain(&self, ward: &Ward, references: &References, drainer: &Drainer) -> Result<Drained> {
        let hospital = ward.hospital();
        let (brokers, port) = (hospital.brokers()?, hospital.cassandra_port()?);
        let readings = self.readings.to_string();
        let own = ["--broker", &brokers, "--port", &port, "--keyspace", ward.name()];
        let own = [own.as_slice(), &[drainer.name, self.topic, &readings, "--"]].concat();
        let mut arguments: Vec<_> = own.into_iter().map(OsString::from).collect();
        // The references know of no other port than Cassandra's own.
        arguments.extend(["env".into(), format!("CASS=127.0.0.1:{port}").into()]);
        arguments.extend(drainer.command.iter().cloned());
        let output = hospital.kit.python_file(MEASURE, &references.file(MEASURE), &arguments)?;
        output.find("every reading as a row and committed", |text| self.read(text))
    }

    /// The last line of the script; `None` where a row is missing.
    fn read(&self, text: &str) -> Option<Drained> {
        let line = text.lines().rev().find(|line| line.starts_with('{'))?;
        let drained: Drained = serde_json::from_str(line).ok()?;
        (drained.rows == self.readings && drained.committed >= self.readings).then_some(drained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Work = Work { topic: "t", readings: 200, patients: 10, partitions: 1, signs: Signs::Noise };
    const LINE: &str = r#"{"peer": "go", "topic": "t", "n": 200, "wall": 2.5, "rate_wall": 80, "cpu": 1.25, "rss_mb": 41, "rows": 200, "committed": 200, "exit": 0, "log": "x.log"}"#;

    #[test]
    fn a_folder_without_the_reference_programs_is_refused_with_a_hint() {
        let told = ReferenceFolder::find(Path::new("nowhere")).unwrap_err().to_string();
        assert!(told.contains("nowhere") && told.contains("hint: --peers DIR"), "{told}");
    }

    #[test]
    fn the_figures_are_those_of_the_last_line() {
        let drained = WORK.read(&format!("a warning\n{LINE}\n")).expect("a result");
        assert_eq!((drained.rate, drained.cpu_seconds, drained.memory_mib), (80.0, 1.25, 41.0));
    }

    #[test]
    fn a_program_that_lost_a_row_or_a_commit_has_no_figures() {
        assert!(WORK.read(&LINE.replace("\"rows\": 200", "\"rows\": 199")).is_none());
        assert!(WORK.read(&LINE.replace("\"committed\": 200", "\"committed\": 199")).is_none());
        assert!(WORK.read("nothing").is_none());
    }
}
