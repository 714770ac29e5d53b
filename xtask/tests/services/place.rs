//! Where the servers are, and the tools to check with, as the test runner says it by the environment.
#![allow(clippy::disallowed_methods, reason = "the test runner says by the environment where things are")]

use crate::grants::USER;

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; hint: run `cargo xtask test`"))
}

/// Whether the program comes to the servers inside TLS and with a login.
pub(crate) fn is_secured() -> bool {
    std::env::var_os("VITALS_TEST_SECURED").is_some()
}

/// Kafka, as `host:port`.
pub(crate) fn brokers() -> String {
    variable("VITALS_BROKERS")
}

/// The same, where the program comes to it.
pub(crate) fn own_brokers() -> String {
    if is_secured() { format!("127.0.0.1:{}", variable("VITALS_TEST_BOTH_PORT")) } else { brokers() }
}

/// Cassandra, as `host:port`, with `user:password@` before it where it wants a login.
pub(crate) fn cassandra() -> String {
    if is_secured() {
        return format!("cassandra:cassandra@127.0.0.1:{}", variable("VITALS_TEST_SECURE_CASSANDRA_PORT"));
    }
    variable("VITALS_STORE").trim_start_matches("cassandra://").split('/').next().unwrap_or_default().to_owned()
}

/// The same, where the program comes to it.
pub(crate) fn own_cassandra() -> String {
    if is_secured() { format!("127.0.0.1:{}", variable("VITALS_TEST_SECURE_CASSANDRA_TLS_PORT")) } else { cassandra() }
}

/// How the program is let in, as it reads it in its environment.
pub(crate) fn access() -> Vec<(&'static str, String)> {
    if !is_secured() {
        return Vec::new();
    }
    vec![
        ("VITALS_BROKER_CA", secure_file("ca.pem")),
        ("VITALS_BROKER_USER", USER.to_owned()),
        ("VITALS_BROKER_PASSWORD_FILE", secure_file("password")),
        ("VITALS_STORE_CA", secure_file("ca.pem")),
        ("VITALS_STORE_USER", USER.to_owned()),
        ("VITALS_STORE_PASSWORD_FILE", secure_file("password")),
    ]
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
