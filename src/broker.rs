//! The embedded broker: speaks the Kafka protocol for the programs of one machine.

pub mod groups;
