//! Kafka: who does what.
//!
//! rskafka produces ([`producer`]). Everything else speaks over our own [`connection`] on `kafka-protocol`: reading,
//! group membership, offsets, and topic creation with settings.

pub mod murmur2;
pub mod producer;
