//! The pipeline on a real Kafka and a real Cassandra, seen from outside: the program as its users start it, beside
//! readers, writers and group members that are not ours. `cargo xtask test` starts the servers and says where they are.
//! What holds on the embedded broker and SQLite as well is in `pairs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[allow(dead_code, reason = "campaigns use the rest of it")]
#[path = "../../src/link.rs"]
mod link;
#[path = "../brokers/own_broker.rs"]
mod own_broker;
#[path = "../pairs/checks.rs"]
mod pairs;
#[path = "../pairs/program.rs"]
mod program;

mod consuming;
mod embedded_broker;
mod grants;
mod making;
mod old;
mod operator;
mod peer;
mod place;
mod poison;
mod recorded;
mod rights;
mod running;
mod secure;
mod secure_store;
mod sharing;
mod store_commands;
#[path = "../embedded/terminal.rs"]
#[allow(dead_code, reason = "other tests use what is left over here")]
mod terminal;
mod topic;
mod trouble;
mod ward;

pairs::on_a_pair!(ward::Ward::with_partitions);
