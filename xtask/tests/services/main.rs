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

mod audit;
mod bench;
mod changing;
mod embedded_broker;
#[allow(dead_code, reason = "campaigns use the rest of it")]
#[path = "../../src/link.rs"]
mod link;
mod making;
mod newer;
mod old_programs;
mod old_readme;
mod old_versions;
mod operator;
#[path = "../brokers/own_broker.rs"]
mod own_broker;
mod peer;
mod place;
mod poison;
mod recorded;
mod running;
mod sending;
mod sharing;
mod starting;
mod store_commands;
mod topic;
mod trouble;
mod ward;
