//! The embedded broker under the checks that Kafka passes too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]
#![allow(clippy::disallowed_methods, reason = "the programs under test get an environment of their own")]

#[path = "brokers/checks.rs"]
mod checks;
#[path = "brokers/each.rs"]
mod each;
#[allow(dead_code, reason = "campaigns use the rest of it")]
#[path = "../src/link.rs"]
mod link;
#[path = "brokers/own_broker.rs"]
mod own_broker;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "services/running.rs"]
mod running;

#[path = "embedded/advertised.rs"]
mod advertised;
#[path = "embedded/audit.rs"]
mod audit;
#[path = "embedded/bench.rs"]
mod bench;
#[path = "embedded/commands.rs"]
mod commands;
#[cfg(target_os = "linux")]
#[path = "embedded/crowded.rs"]
mod crowded;
#[cfg(target_os = "linux")]
#[path = "embedded/deceptive.rs"]
mod deceptive;
#[path = "embedded/deleted.rs"]
mod deleted;
#[path = "embedded/earlier.rs"]
mod earlier;
#[path = "embedded/faults.rs"]
mod faults;
#[path = "embedded/faulty.rs"]
mod faulty;
#[cfg(target_os = "linux")]
#[path = "embedded/flushed.rs"]
mod flushed;
#[path = "embedded/home.rs"]
mod home;
#[path = "embedded/killed.rs"]
mod killed;
#[path = "embedded/letters.rs"]
mod letters;
#[cfg(target_os = "linux")]
#[path = "embedded/not_utf8.rs"]
mod not_utf8;
#[path = "embedded/operator.rs"]
mod operator;
#[path = "embedded/records.rs"]
mod records;
#[path = "embedded/store_commands.rs"]
mod store_commands;
#[cfg(target_os = "linux")]
#[path = "embedded/terminal.rs"]
mod terminal;
#[path = "embedded/top.rs"]
mod top;
#[path = "embedded/topic.rs"]
mod topic;
#[cfg(target_os = "linux")]
#[path = "embedded/traced.rs"]
mod traced;
#[path = "embedded/unanswered.rs"]
mod unanswered;
#[cfg(target_os = "linux")]
#[path = "embedded/unread.rs"]
mod unread;
#[path = "embedded/wire.rs"]
mod wire;

async fn on_embedded(check: impl AsyncFnOnce(Vec<String>)) {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = own_broker::started(folder.path()).await;
    check(vec![broker.address().to_string()]).await;
    broker.stop().await;
}

each::each_check!(on_embedded);
