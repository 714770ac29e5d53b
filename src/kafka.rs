//! Kafka: who does what.
pub mod admin;
pub mod cluster;
pub mod connection;
pub mod consumer;
pub mod dead_letters;
pub mod error;
mod fetch;
pub mod group;
pub mod offsets;
pub mod records;
mod versions;
