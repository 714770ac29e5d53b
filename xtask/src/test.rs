//! `cargo xtask test`: all tests of the workspace, against servers that live for this run only.

use std::ffi::OsString;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use color_eyre::eyre;

use crate::error::{Error, Result};
use crate::foreground::Foreground;
use crate::services::cassandra::CassandraRelease;
use crate::services::folder::FreshStacks;
use crate::services::kafka::KafkaLayout;
use crate::services::options::StackOptions;
use crate::services::server::Role;
use crate::services::stack::Stack;
use crate::services::{browser, hapi, prometheus};
use crate::{environment, repository, say, signals};

/// Turns on the tests that need servers.
pub(crate) const FEATURES: &str = "vitals/real-services";

/// All tests, against a Kafka and a Cassandra of their own.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the tests over recorded readings, which are in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "arguments")]
    recorded: Option<PathBuf>,
    /// Only the tests of whole programs on the servers, to which `vitals` comes inside TLS and with a login; what is passed
    /// on are names of tests
    #[arg(long, conflicts_with = "recorded")]
    secure: bool,
    /// Passed on to `cargo test`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Builds first: a test that does not compile needs no servers.
pub(crate) fn run(args: &Args) -> eyre::Result<u8> {
    let recorded = args.recorded.as_deref().map(Recorded::find).transpose()?;
    let chosen = match (&recorded, args.secure) {
        (Some(_), _) => only_recorded(),
        (None, true) => without_recorded(&[secured(), args.arguments.clone()].concat()),
        (None, false) => without_recorded(&args.arguments),
    };
    let built = cargo_test(&["--no-run".into()], &chosen, &[])?;
    signals::check()?;
    if built != 0 {
        return Ok(built);
    }
    let python = crate::venv::ensure_python()?;
    let others = Others::find();
    signals::check()?;
    let chosen = others.missing.iter().fold(chosen, |chosen, missing| without(&chosen, missing.tests));
    let mut fresh = FreshStacks::new();
    let started = Instant::now();
    let servers = Servers::start(recorded.is_none(), &mut fresh)?;
    let mut environment = servers.environment(&python);
    environment.extend(others.environment);
    environment.extend(recorded.as_ref().map(Recorded::variable));
    environment.extend(args.secure.then(|| ("VITALS_TEST_SECURED".to_owned(), "yes".into())));
    // The servers need the processors too: more tests at once than there are take longer, not less.
    let at_once = thread::available_parallelism().map_or(1, NonZero::get);
    environment.push(("RUST_TEST_THREADS".to_owned(), at_once.to_string().into()));
    let code = cargo_test(&[], &chosen, &environment)?;
    drop(servers);
    say::talk(&format!("test: {:.0} s, with the start of the servers", started.elapsed().as_secs_f32()));
    fresh.end(code == 0)?;
    for Missing { what, error, .. } in others.missing {
        say::talk(&format!("test: not run: the tests {what}, which cannot be had: {error}"));
    }
    if recorded.is_none() && args.arguments.is_empty() {
        say::talk(NOT_RUN);
    }
    Ok(code)
}

/// What a whole run leaves out.
const NOT_RUN: &str = "\
test: not run: the tests over recorded readings, which are not in this repository
hint: cargo xtask test --recorded DIR; the attacks are cargo xtask chaos";

fn cargo_test(ours: &[OsString], chosen: &[OsString], environment: &[(String, OsString)]) -> Result<u8> {
    let mut command = vec![environment::cargo()];
    command.extend(["test", "--workspace", "--features", FEATURES].map(OsString::from));
    command.extend(ours.iter().chain(chosen).cloned());
    Foreground { command: &command, environment, folder: Some(repository::root()) }.run()
}

/// Without those that choose by themselves how they come to which listener.
fn secured() -> Vec<OsString> {
    let words = ["--test", "services", "--", "--skip", "secure", "--skip", "rights"];
    words.map(OsString::from).into()
}

fn only_recorded() -> Vec<OsString> {
    ["--test", "services", "--", RECORDED_TESTS].map(OsString::from).into()
}

/// What the caller chose; the count of what was left out is in the test runner's own closing lines.
fn without_recorded(arguments: &[OsString]) -> Vec<OsString> {
    without(arguments, RECORDED_TESTS)
}

fn without(arguments: &[OsString], tests: &str) -> Vec<OsString> {
    let mut all = arguments.to_vec();
    if !all.iter().any(|argument| argument == "--") {
        all.push("--".into());
    }
    all.extend(["--skip", tests].map(OsString::from));
    all
}

/// Programs of others that some tests need, and no server is: each is fetched once, and where it cannot be had the others
/// are tested with all the same.
#[derive(Debug, Default)]
struct Others {
    environment: Vec<(String, OsString)>,
    missing: Vec<Missing>,
}

#[derive(Debug)]
struct Missing {
    /// What the names of these tests have in them.
    tests: &'static str,
    what: &'static str,
    error: Error,
}

impl Others {
    fn find() -> Self {
        let mut others = Self::default();
        let of_folder = |folder: PathBuf| vec![("VITALS_TEST_PROMETHEUS", folder.into())];
        others.add(PROMETHEUS_TESTS, "with Prometheus", prometheus::ensure().map(of_folder));
        let of_browser = |browser: browser::Browser| {
            vec![("VITALS_TEST_BROWSER", browser.program.into()), ("VITALS_TEST_BROWSER_SCRIPT", browser.script.into())]
        };
        others.add(BROWSER_TESTS, "in a browser", browser::ensure().map(of_browser));
        let of_judge = |judge: hapi::Program| {
            vec![
                ("VITALS_TEST_JAVA", judge.java),
                ("VITALS_TEST_FHIR_CLASSES", judge.class_path),
                ("VITALS_TEST_FHIR_JUDGE", judge.class.into()),
            ]
        };
        others.add(JUDGED_TESTS, "with HAPI's validator of FHIR", hapi::FHIR.ensure().map(of_judge));
        let of_tools = |folder: PathBuf| vec![("VITALS_TEST_API_TOOLS", folder.into())];
        let tools = crate::venv::ensure_api_tools().map(of_tools);
        others.add(DESCRIBED_TESTS, "with schemathesis and a generated client", tools);
        let of_python = |python: PathBuf| vec![("VITALS_TEST_ARCHIVE_READERS", python.into())];
        let readers = crate::venv::ensure_archive_readers().map(of_python);
        others.add(READ_TESTS, "with DuckDB and pandas", readers);
        others
    }

    fn add(&mut self, tests: &'static str, what: &'static str, found: Result<Vec<(&str, OsString)>>) {
        match found {
            Ok(variables) => {
                self.environment.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
            }
            Err(error) => self.missing.push(Missing { tests, what, error }),
        }
    }
}

#[derive(Debug)]
struct Servers {
    current: Stack,
    /// Kafka and Cassandra as the old README has them.
    old: Option<Stack>,
}

impl Servers {
    /// One stack after the other: five servers that start at once on two cores can each take longer than is waited for.
    fn start(with_old: bool, fresh: &mut FreshStacks) -> Result<Self> {
        let current = fresh.start("test", &StackOptions { secure: true, ..StackOptions::small() })?;
        let (kafka, cassandra) = (KafkaLayout::Zookeeper, CassandraRelease::Older);
        let options = StackOptions { kafka, cassandra, ..StackOptions::small() };
        let old = with_old.then(|| fresh.start("test-old", &options)).transpose()?;
        Ok(Self { current, old })
    }

    fn environment(&self, python: &Path) -> Vec<(String, OsString)> {
        let mut environment = self.current.environment();
        environment.push(("VITALS_TEST_PYTHON".to_owned(), python.into()));
        let address = |role| self.old.as_ref()?.address(role).ok().map(OsString::from);
        let old = [("VITALS_TEST_OLD_BROKERS", Role::Kafka), ("VITALS_TEST_OLD_CASSANDRA", Role::Cassandra)];
        environment.extend(old.iter().filter_map(|(name, role)| Some(((*name).to_owned(), address(*role)?))));
        environment
    }
}

const RECORDING: &str = "mimic4demo_complete.csv";

/// What the tests over recorded readings begin with; without `--recorded` they are left out.
const RECORDED_TESTS: &str = "recorded::recorded_readings";

/// The tests in which a Prometheus reads what `vitals` tells of itself.
const PROMETHEUS_TESTS: &str = "scraped::";

/// The tests that look at the ward screen in a browser.
const BROWSER_TESTS: &str = "nurses_see";

/// The tests in which HAPI judges what is written as FHIR.
const JUDGED_TESTS: &str = "judged::";

/// The tests in which the interface for programs is tried by its description.
const DESCRIBED_TESTS: &str = "described::";

/// The tests in which programs of others read an archive.
const READ_TESTS: &str = "read_by_duckdb_and_by_pandas";

/// The folder has no recording.
#[derive(Debug, thiserror::Error)]
#[error(
    "the recorded readings are not in {}: no {RECORDING} there ({source})\nhint: --recorded DIR names the folder that holds it; without this option all other tests run",
    folder.display()
)]
pub(crate) struct NoRecording {
    folder: PathBuf,
    source: io::Error,
}

#[derive(Debug)]
pub(crate) struct Recorded {
    file: PathBuf,
}

impl Recorded {
    /// Looks into the folder; a relative one is one of the caller's.
    pub(crate) fn find(folder: &Path) -> Result<Self, NoRecording> {
        let found = folder.join(RECORDING).canonicalize();
        found.map(|file| Self { file }).map_err(|source| NoRecording { folder: folder.to_owned(), source })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(&self.file)
    }

    fn variable(&self) -> (String, OsString) {
        ("VITALS_TEST_RECORDED".to_owned(), self.file.clone().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_over_recorded_readings_are_left_out_however_the_caller_chooses() {
        let left_out = |words: &[&str]| {
            let given: Vec<_> = words.iter().map(OsString::from).collect();
            let all = without_recorded(&given);
            all.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(left_out(&[]), "-- --skip recorded::recorded_readings");
        assert_eq!(left_out(&["name"]), "name -- --skip recorded::recorded_readings");
        assert_eq!(left_out(&["--", "--exact", "name"]), "-- --exact name --skip recorded::recorded_readings");
    }

    #[test]
    fn a_folder_without_the_recording_is_refused_with_a_hint() {
        for folder in ["src", "nowhere"] {
            let told = Recorded::find(Path::new(folder)).unwrap_err().to_string();
            assert!(
                told.contains(folder) && told.contains(RECORDING) && told.contains("hint: --recorded DIR"),
                "{told}"
            );
        }
    }
}
