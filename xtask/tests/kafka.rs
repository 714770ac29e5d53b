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
