//! Real Kafka under the checks that the embedded broker has to pass too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]
#![allow(clippy::disallowed_methods, reason = "the test runner gives the server's address by the environment")]

#[path = "brokers/checks.rs"]
mod checks;
#[path = "brokers/each.rs"]
mod each;

async fn on_kafka(check: impl AsyncFnOnce(Vec<String>)) {
    let brokers = std::env::var("VITALS_BROKERS").expect("VITALS_BROKERS: run `cargo xtask test`");
    check(brokers.split(',').map(str::to_owned).collect()).await;
}

each::each_check!(on_kafka);

#[test]
fn the_profile_of_the_embedded_broker_is_refused_where_kafka_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let brokers = std::env::var("VITALS_BROKERS").expect("VITALS_BROKERS: run `cargo xtask test`");
    let settings = folder.path().join("vitals.toml");
    std::fs::write(&settings, format!("[profile.embedded.kafka]\nbrokers = \"{brokers}\"\n")).expect("written");
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_vitals"))
        .args(["lag", "--profile", "embedded", "--config"])
        .arg(&settings)
        .env_remove("VITALS_BROKERS")
        .env("XDG_DATA_HOME", folder.path())
        .output()
        .expect("ran");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(
        told.contains("is not the broker of `vitals up`") && told.contains("hint: leave --profile embedded out"),
        "{told}"
    );
}
