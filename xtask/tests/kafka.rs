//! Real Kafka under the tests that the embedded broker has to pass too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "the test runner gives the server's address by the environment")]

#[path = "brokers/checks.rs"]
mod checks;

struct Server {
    brokers: Vec<String>,
}

impl Server {
    #[allow(clippy::unused_async, reason = "the embedded broker has to be waited for")]
    async fn start() -> Self {
        Self { brokers: address().split(',').map(str::to_owned).collect() }
    }
}

fn address() -> String {
    std::env::var("VITALS_BROKERS").expect("VITALS_BROKERS: run `cargo xtask test`")
}

#[test]
fn the_profile_of_the_embedded_broker_is_refused_where_kafka_answers() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("vitals.toml");
    std::fs::write(&settings, format!("[profile.embedded.kafka]\nbrokers = \"{}\"\n", address())).unwrap();
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_vitals"))
        .args(["lag", "--profile", "embedded", "--config"])
        .arg(&settings)
        .env_remove("VITALS_BROKERS")
        .env("XDG_DATA_HOME", folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    for expected in ["is not the broker of `vitals up`", "hint: leave --profile embedded out"] {
        assert!(told.contains(expected), "{told}");
    }
}
