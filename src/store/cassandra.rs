//! Apache Cassandra.
