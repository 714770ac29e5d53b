//! `cargo xtask test`: all tests of the workspace, against servers that live for this run only, and then the campaigns
//! that attack the promises.

pub(crate) mod python;

use std::ffi::OsString;
use std::path::Path;

use color_eyre::eyre;

use crate::chaos;
use crate::environment;
use crate::process::Life;
use crate::repository;
use crate::services::error::ServiceError;
use crate::services::fresh::FreshStacks;
use crate::services::kafka::KafkaLayout;
use crate::services::options::{Only, StackOptions};
use crate::services::server::Role;
use crate::services::stack::Stack;
use crate::signals::Interrupt;
use crate::supervise::{Foreground, SuperviseError};

/// Turns on the tests that need servers.
pub(crate) const FEATURES: &str = "vitals/real-services";

/// All tests, against a Kafka and a Cassandra of their own; then `chaos`, unless arguments choose some tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Builds first: a test that does not compile needs no servers.
pub(crate) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let built = cargo_test(args, &[OsString::from("--no-run")], &[], interrupt)?;
    interrupt.check()?;
    if built != 0 {
        return Ok(built);
    }
    let python = python::ensure(interrupt)?;
    let mut fresh = FreshStacks::new();
    let servers = Servers::start(&mut fresh, interrupt)?;
    let code = cargo_test(args, &[], &servers.environment(&python), interrupt)?;
    drop(servers);
    if code != 0 {
        fresh.keep_logs()?;
        return Ok(code);
    }
    fresh.remove()?;
    // Who asks for some tests wants no others.
    if args.arguments.is_empty() { chaos::by_day(interrupt) } else { Ok(0) }
}

fn cargo_test(
    args: &Args,
    ours: &[OsString],
    environment: &[(String, OsString)],
    interrupt: &Interrupt,
) -> Result<u8, SuperviseError> {
    let mut command = vec![environment::cargo()];
    command.extend(["test", "--workspace", "--features", FEATURES].map(OsString::from));
    command.extend(ours.iter().chain(&args.arguments).cloned());
    Foreground { command: &command, environment, folder: Some(repository::root()) }.run(interrupt)
}

/// The servers of a test run.
#[derive(Debug)]
struct Servers {
    current: Stack,
    with_zookeeper: Stack,
}

impl Servers {
    /// All at the same time: a start is mostly waiting.
    fn start(fresh: &mut FreshStacks, interrupt: &Interrupt) -> Result<Self, ServiceError> {
        let current = launch(fresh, "test", &StackOptions::small(), interrupt)?;
        let zookeeper =
            StackOptions { kafka: KafkaLayout::Zookeeper, only: Some(Only::Kafka), ..StackOptions::small() };
        let with_zookeeper = launch(fresh, "test-zookeeper", &zookeeper, interrupt)?;
        let mut servers = Self { current, with_zookeeper };
        servers.with_zookeeper.wait_until_ready(interrupt)?;
        servers.current.wait_until_ready(interrupt)?;
        Ok(servers)
    }

    fn environment(&self, python: &Path) -> Vec<(String, OsString)> {
        let mut environment = self.current.environment();
        environment.push(("VITALS_TEST_PYTHON".to_owned(), python.into()));
        if let Some(port) = self.with_zookeeper.port(Role::Kafka) {
            environment.push(("VITALS_TEST_ZK_BROKERS".to_owned(), format!("127.0.0.1:{port}").into()));
        }
        environment
    }
}

fn launch(
    fresh: &mut FreshStacks,
    purpose: &str,
    options: &StackOptions,
    interrupt: &Interrupt,
) -> Result<Stack, ServiceError> {
    let folder = fresh.folder(purpose)?;
    let servers = fresh.servers(options)?;
    Stack::launch(folder, servers, Life::EndsWithParent, interrupt)
}
