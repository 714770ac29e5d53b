//! The pipeline on a real Kafka and a real Cassandra, seen from outside: the program as its users start it, beside
//! readers, writers and group members that are not ours. `cargo xtask test` starts the servers and says where they are.
//!
//! What is shown, by module:
//! - `recorded`: readings from a file to the table, field by field
//! - `sharing`: members of one group: sharing, take-over, static membership, members of other kinds
//! - `poison`: messages that are no readings, and what is strange one level below
//! - `old_programs`: a kafka-python producer and consumer beside ours
//! - `old_readme`: tables made by hand, and the output that the old README shows
//! - `old_versions`: the Kafka and the Cassandra that the old README has people install
//! - `trouble`: servers that are absent or silent, what is missing
//! - `making`: `vitals init`
//! - `sending`: `vitals produce`
//! - `topic`: `vitals topic` beside Kafka's own tools
//! - `starting`: where a group starts, and where it stops
//! - `changing`: topics that change under a running group
//! - `newer`: groups of protocols in which we take no part
//! - `store_commands`: export, import, count, schema and reset, beside cqlsh
//! - `audit`: `vitals audit` and `vitals dlq`, with holes
//! - `operator`: `vitals group`, `status` and `doctor`, on what is healthy and what is broken
//! - `bench`: `vitals bench`, and that nothing of it is left
//! - `embedded_broker`: Kafka's own tools and kafka-python on the embedded broker
//!
//! What they stand on:
//! - `ward`: a topic, a group and a keyspace of one test's own, and the program in them
//! - `running`: a process, what it has said so far, and waits that end
//! - `peer`: Python scripts and Java tools
//! - `link`: a link that can be cut; `own_broker`: an embedded broker
//! - `place`: where the servers are

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

#[path = "services/audit.rs"]
mod audit;
#[path = "services/bench.rs"]
mod bench;
#[path = "services/changing.rs"]
mod changing;
#[path = "services/embedded_broker.rs"]
mod embedded_broker;
#[allow(dead_code, reason = "campaigns use the rest of it")]
#[path = "../src/link.rs"]
mod link;
#[path = "services/making.rs"]
mod making;
#[path = "services/newer.rs"]
mod newer;
#[path = "services/old_programs.rs"]
mod old_programs;
#[path = "services/old_readme.rs"]
mod old_readme;
#[path = "services/old_versions.rs"]
mod old_versions;
#[path = "services/operator.rs"]
mod operator;
#[path = "brokers/own_broker.rs"]
mod own_broker;
#[path = "services/peer.rs"]
mod peer;
#[path = "services/place.rs"]
mod place;
#[path = "services/poison.rs"]
mod poison;
#[path = "services/recorded.rs"]
mod recorded;
#[path = "services/running.rs"]
mod running;
#[path = "services/sending.rs"]
mod sending;
#[path = "services/sharing.rs"]
mod sharing;
#[path = "services/starting.rs"]
mod starting;
#[path = "services/store_commands.rs"]
mod store_commands;
#[path = "services/topic.rs"]
mod topic;
#[path = "services/trouble.rs"]
mod trouble;
#[path = "services/ward.rs"]
mod ward;
