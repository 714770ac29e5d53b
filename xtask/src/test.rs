//! `cargo xtask test`: all tests of the workspace, against servers that live for this run only.

pub(crate) mod python;
pub(crate) mod recorded;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use color_eyre::eyre;

use self::recorded::Recorded;
use crate::environment;
use crate::error::Error;
use crate::services::cassandra::CassandraRelease;
use crate::services::fresh::FreshStacks;
use crate::services::kafka::KafkaLayout;
use crate::services::options::StackOptions;
use crate::services::server::Role;
use crate::services::stack::Stack;
use crate::signals::Interrupt;
use crate::supervise::Foreground;
use crate::{repository, say};

/// Turns on the tests that need servers.
pub(crate) const FEATURES: &str = "vitals/real-services";

/// All tests, against a Kafka and a Cassandra of their own.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the tests over recorded readings, which are in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "arguments")]
    recorded: Option<PathBuf>,
    /// Passed on to `cargo test`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Builds first: a test that does not compile needs no servers.
pub(crate) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let recorded = args.recorded.as_deref().map(Recorded::find).transpose()?;
    let chosen = if recorded.is_some() { only_recorded() } else { without_recorded(&args.arguments) };
    let built = cargo_test(&["--no-run".into()], &chosen, &[], interrupt)?;
    interrupt.check()?;
    if built != 0 {
        return Ok(built);
    }
    let python = python::ensure(interrupt)?;
    let mut fresh = FreshStacks::new();
    let started = Instant::now();
    let servers = Servers::start(recorded.is_none(), &mut fresh, interrupt)?;
    let mut environment = servers.environment(&python);
    environment.extend(recorded.as_ref().map(Recorded::variable));
    let code = cargo_test(&[], &chosen, &environment, interrupt)?;
    drop(servers);
    say::talk(&format!("test: {:.0} s, with the start of the servers", started.elapsed().as_secs_f32()));
    fresh.end(code == 0)?;
    if recorded.is_none() && args.arguments.is_empty() {
        say::talk(NOT_RUN);
    }
    Ok(code)
}

/// What a whole run leaves out.
const NOT_RUN: &str = "\
test: not run: the tests over recorded readings, which are not in this repository
hint: cargo xtask test --recorded DIR; the attacks are cargo xtask chaos";

fn cargo_test(
    ours: &[OsString],
    chosen: &[OsString],
    environment: &[(String, OsString)],
    interrupt: &Interrupt,
) -> Result<u8, Error> {
    let mut command = vec![environment::cargo()];
    command.extend(["test", "--workspace", "--features", FEATURES].map(OsString::from));
    command.extend(ours.iter().chain(chosen).cloned());
    Foreground { command: &command, environment, folder: Some(repository::root()) }.run(interrupt)
}

fn only_recorded() -> Vec<OsString> {
    ["--test", "services", "--", recorded::TESTS].map(OsString::from).into()
}

/// What the caller chose; the count of what was left out is in the test runner's own closing lines.
fn without_recorded(arguments: &[OsString]) -> Vec<OsString> {
    let mut all = arguments.to_vec();
    if !all.iter().any(|argument| argument == "--") {
        all.push("--".into());
    }
    all.extend(["--skip", recorded::TESTS].map(OsString::from));
    all
}

/// The servers of a test run.
#[derive(Debug)]
struct Servers {
    current: Stack,
    /// Kafka and Cassandra as the old README has them.
    old: Option<Stack>,
}

impl Servers {
    /// One stack after the other: five servers that start at once on two cores can each take longer than is waited for.
    fn start(with_old: bool, fresh: &mut FreshStacks, interrupt: &Interrupt) -> Result<Self, Error> {
        let current = fresh.start("test", &StackOptions::small(), interrupt)?;
        let (kafka, cassandra) = (KafkaLayout::Zookeeper, CassandraRelease::Older);
        let options = StackOptions { kafka, cassandra, ..StackOptions::small() };
        let old = with_old.then(|| fresh.start("test-old", &options, interrupt)).transpose()?;
        Ok(Self { current, old })
    }

    fn environment(&self, python: &Path) -> Vec<(String, OsString)> {
        let mut environment = self.current.environment();
        environment.push(("VITALS_TEST_PYTHON".to_owned(), python.into()));
        let address = |role| self.old.as_ref()?.port(role).map(|port| OsString::from(format!("127.0.0.1:{port}")));
        let old = [("VITALS_TEST_OLD_BROKERS", Role::Kafka), ("VITALS_TEST_OLD_CASSANDRA", Role::Cassandra)];
        environment.extend(old.iter().filter_map(|(name, role)| Some(((*name).to_owned(), address(*role)?))));
        environment
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
}
