//! Kafka: who does what.
//!
//! Over our own connections on `kafka-protocol`:
//! - [`producer`]: readings into the topic; [`murmur2`](crate::record::murmur2) places them as Java and kafka-python do
//! - [`connection`]: one request, one response, within a time limit; [`wire`] reads it, and says which versions are spoken
//! - [`config`]: how a cluster is reached; [`cluster`]: who leads what; [`brokers`] asks each broker by itself
//! - [`topics`]: what topics there are, what is in them, and how it was sent; [`topic_settings`] how they are kept
//! - [`records`]: record batches, read and written
//! - [`group`]: membership; [`consumer`] is a member as the pipeline's source; `fetch` reads for it
//! - [`history`]: what is in a topic, read from outside of any group; [`live`]: what comes
//! - [`offsets`]: where partitions begin and end, what groups have committed; [`lag`] compares them
//! - [`dead_letters`]: refused messages, kept whole; [`dead_letter`]: one of them, read back; [`append`] writes them
//! - [`alarm_topic`]: alarms for other programs; `topic_writer`: what it and the dead letters are written with
//! - [`admin`]: makes and deletes topics; [`right`]: what has to be allowed for all of this

pub mod admin;
pub mod alarm_topic;
pub mod append;
pub mod brokers;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod consumer;
pub mod dead_letter;
pub mod dead_letters;
pub mod error;
pub(crate) mod failover;
mod fetch;
pub mod group;
pub mod history;
pub mod lag;
pub mod live;
pub mod login;
pub mod offsets;
pub mod producer;
pub mod records;
pub mod right;
pub mod topic_settings;
mod topic_writer;
pub mod topics;
pub mod wire;
