//! What was found: the object that `-o json` gives, field by field.

use serde::Serialize;

use crate::diagnose::Problem;
use crate::store::SchemaVersion;

/// Everything at one look. A part that did not answer is null, and `wrong` says why.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Whether nothing is wrong.
    pub(super) healthy: bool,
    /// Each thing that is wrong.
    pub(super) wrong: Vec<Problem>,
    /// Where brokers were looked for.
    pub(super) brokers_address: String,
    pub(super) cluster: Option<Cluster>,
    pub(super) topics: Vec<Topic>,
    pub(super) group: Option<Group>,
    /// Where the store was looked for.
    pub(super) store_address: String,
    pub(super) store: Option<Store>,
}

/// The brokers.
#[derive(Debug, Default, Serialize)]
pub(super) struct Cluster {
    pub(super) id: Option<String>,
    /// The id of the node that leads the cluster.
    pub(super) controller: Option<i32>,
    pub(super) brokers: Vec<Broker>,
}

#[derive(Debug, Serialize)]
pub(super) struct Broker {
    pub(super) id: i32,
    /// Null of one that only the replicas' lists still name.
    pub(super) address: Option<String>,
    pub(super) up: bool,
    pub(super) version: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) exists: bool,
    pub(super) partitions: usize,
    /// On how many brokers each partition is kept.
    pub(super) replication: usize,
    pub(super) leaderless: Vec<i32>,
    pub(super) under_replicated: Vec<i32>,
    /// Null where a partition's leader does not tell.
    pub(super) records: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) name: String,
    /// In Kafka's words; null where there is no such group.
    pub(super) state: Option<String>,
    pub(super) members: usize,
    /// Messages that the group has not read; null where it is not known.
    pub(super) lag: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Store {
    Cassandra {
        keyspace: String,
        /// Null where there is no such keyspace.
        replication: Option<String>,
        schema_agrees: bool,
        schema_version: SchemaVersion,
        nodes: Vec<Node>,
        tables: Vec<Table>,
    },
    Sqlite {
        path: String,
        size_bytes: u64,
        journal_mode: String,
        schema_version: SchemaVersion,
        tables: Vec<Table>,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Node {
    pub(super) address: String,
    pub(super) up: bool,
    pub(super) data_center: String,
    pub(super) version: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// `fits`, `missing`, or `differs`.
    pub(super) state: &'static str,
}
