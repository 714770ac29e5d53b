//! The embedded broker under the tests that Kafka passes too, and the program with it and SQLite.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "the programs under test get an environment of their own")]

#[path = "../brokers/checks.rs"]
mod checks;
#[allow(dead_code, reason = "campaigns use the rest of it")]
#[path = "../../src/link.rs"]
mod link;
#[path = "../brokers/own_broker.rs"]
mod own_broker;
#[path = "../pairs/checks.rs"]
mod pairs;
#[path = "../pairs/program.rs"]
mod program;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../services/running.rs"]
mod running;

mod alarms;
mod announced;
mod applied;
mod archived;
mod audit;
mod broker;
mod commands;
mod dashboards;
#[cfg(target_os = "linux")]
mod deceptive;
mod deleted;
#[cfg(feature = "real-services")]
mod described;
mod entrance;
mod faults;
mod faulty;
mod health;
mod hl7;
mod home;
mod http_in;
#[cfg(feature = "real-services")]
mod judged;
mod killed;
mod letters;
mod logs;
mod minutes;
#[cfg(target_os = "linux")]
mod not_utf8;
mod operator;
mod patients;
mod records;
mod report;
mod retention;
mod rules;
mod scores;
#[cfg(feature = "real-services")]
mod scraped;
#[cfg(feature = "real-services")]
mod screen;
mod serve;
mod store_commands;
#[cfg(target_os = "linux")]
mod terminal;
mod tokens;
mod top;
mod topic;
#[cfg(target_os = "linux")]
mod traced;
#[cfg(unix)]
mod trail;
#[cfg(target_os = "linux")]
mod unread;
mod wire;

pairs::on_a_pair!(home::Home::ready);

struct Server {
    brokers: Vec<String>,
    _broker: vitals::broker::Broker,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let (broker, folder) = own_broker::started_anew().await;
        Self { brokers: vec![broker.address().to_string()], _broker: broker, _folder: folder }
    }
}
