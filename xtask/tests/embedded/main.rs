//! The embedded broker under the checks that Kafka passes too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]
#![allow(clippy::disallowed_methods, reason = "the programs under test get an environment of their own")]

#[path = "../brokers/checks.rs"]
mod checks;
#[path = "../brokers/each.rs"]
mod each;
#[allow(dead_code, reason = "campaigns use the rest of it")]
#[path = "../../src/link.rs"]
mod link;
#[path = "../brokers/own_broker.rs"]
mod own_broker;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../services/running.rs"]
mod running;

mod advertised;
mod audit;
mod bench;
mod commands;
#[cfg(target_os = "linux")]
mod crowded;
#[cfg(target_os = "linux")]
mod deceptive;
mod deleted;
mod earlier;
mod faults;
mod faulty;
#[cfg(target_os = "linux")]
mod flushed;
mod home;
mod killed;
mod letters;
#[cfg(target_os = "linux")]
mod not_utf8;
mod operator;
mod records;
mod store_commands;
#[cfg(target_os = "linux")]
mod terminal;
mod top;
mod topic;
#[cfg(target_os = "linux")]
mod traced;
mod unanswered;
#[cfg(target_os = "linux")]
mod unread;
mod wire;

async fn on_embedded(check: impl AsyncFnOnce(Vec<String>)) {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = own_broker::started(folder.path()).await;
    check(vec![broker.address().to_string()]).await;
    broker.stop().await;
}

each::each_check!(on_embedded);
