//! Where the servers are, and the tools to check with.
#![allow(clippy::disallowed_methods, reason = "the test runner says by the environment where things are")]

use std::path::PathBuf;

/// Kafka, as `host:port`.
pub(crate) fn brokers() -> String {
    variable("VITALS_BROKERS")
}

/// Kafka as the old README has it, as `host:port`.
pub(crate) fn old_brokers() -> String {
    variable("VITALS_TEST_OLD_BROKERS")
}

/// Cassandra as the old README has it, as `host:port`.
pub(crate) fn old_cassandra() -> String {
    variable("VITALS_TEST_OLD_CASSANDRA")
}

/// Cassandra, as `host:port`.
pub(crate) fn cassandra() -> String {
    let store = variable("VITALS_STORE");
    let nodes = store.trim_start_matches("cassandra://").split('/').next().unwrap_or_default();
    nodes.to_owned()
}

/// A Python with the clients that other programs use.
pub(crate) fn python() -> PathBuf {
    variable("VITALS_TEST_PYTHON").into()
}

/// A file of recorded readings.
pub(crate) fn recorded() -> PathBuf {
    std::env::var_os("VITALS_TEST_RECORDED").expect("hint: run `cargo xtask test --recorded DIR`").into()
}

/// The Java that runs the servers.
pub(crate) fn java() -> PathBuf {
    variable("VITALS_TEST_JAVA").into()
}

/// The folder of Kafka's jars, its tools among them.
pub(crate) fn kafka_libs() -> PathBuf {
    variable("VITALS_TEST_KAFKA_LIBS").into()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; hint: run `cargo xtask test`"))
}
