//! Kafka: who does what.
pub mod cluster;
pub mod connection;
pub mod consumer;
pub mod error;
mod fetch;
pub mod group;
pub mod offsets;
pub mod records;
mod versions;
