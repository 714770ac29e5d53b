//! Where the servers are, and the tools to check with, as the test runner says it by the environment.
#![allow(clippy::disallowed_methods, reason = "the test runner says by the environment where things are")]

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; hint: run `cargo xtask test`"))
}

/// Kafka, as `host:port`.
pub(crate) fn brokers() -> String {
    variable("VITALS_BROKERS")
}

/// Cassandra, as `host:port`.
pub(crate) fn cassandra() -> String {
    variable("VITALS_STORE").trim_start_matches("cassandra://").split('/').next().unwrap_or_default().to_owned()
}

/// A certificate, a key or a password of the servers with TLS and logins.
pub(crate) fn secure_file(name: &str) -> String {
    format!("{}/{name}", variable("VITALS_TEST_CERTIFICATES"))
}

/// A Python with the clients that other programs use.
pub(crate) fn python() -> String {
    variable("VITALS_TEST_PYTHON")
}

/// A file of recorded readings.
pub(crate) fn recorded() -> std::path::PathBuf {
    std::env::var_os("VITALS_TEST_RECORDED").expect("hint: run `cargo xtask test --recorded DIR`").into()
}
