//! Kafka: who does what.
pub mod cluster;
pub mod connection;
pub mod error;
pub mod group;
pub mod records;
mod versions;
