//! A look at the whole cluster: its nodes, the keyspace and its tables.

use std::collections::BTreeMap;
use std::net::IpAddr;

use cdrs_tokio::types::prelude::Row;
use futures::future::join_all;

use super::error::Doing;
use super::probe::probe;
use super::read::Columns;
use super::schema::LOOK_LIMIT;
use super::{CassandraError, CassandraStore};
use crate::store::{ClusterSurvey, Node};

/// How often it is asked until both halves of the list of nodes come from the same node.
const ATTEMPTS: u32 = 5;

impl CassandraStore {
    /// Looks at the cluster's nodes, the keyspace and its tables. Changes nothing.
    pub(crate) async fn survey(&self) -> Result<ClusterSurvey, CassandraError> {
        let schema_agrees = self.schema_versions().await?.len() <= 1;
        let replication = self.replication(Doing::ReadSchema, LOOK_LIMIT).await?.map(in_words);
        let tables = if replication.is_some() { self.survey_tables().await? } else { Vec::new() };
        let mut nodes = self.nodes().await?;
        let probes = join_all(nodes.iter().map(|node| probe(std::slice::from_ref(&node.address)))).await;
        nodes.iter_mut().zip(probes).for_each(|(node, probed)| node.is_up = probed.is_ok());
        nodes.sort_unstable();
        let version = self.version().await?;
        Ok(ClusterSurvey { nodes, schema_agrees, replication, version, tables })
    }

    /// A node tells about itself in one table and about its peers in another. Two questions may go to two nodes: then
    /// the first one is among the peers of the second, and it is asked again.
    async fn nodes(&self) -> Result<Vec<Node>, CassandraError> {
        let mut nodes = Vec::new();
        for _ in 0..ATTEMPTS {
            let here = "SELECT rpc_address, rpc_port, data_center, release_version FROM system.local";
            let here = self.look(Doing::ReadSchema, LOOK_LIMIT, here, Vec::new()).await?;
            let there = "SELECT native_address, native_port, data_center, release_version FROM system.peers_v2";
            let there = self.look(Doing::ReadSchema, LOOK_LIMIT, there, Vec::new()).await?;
            let mut found: Vec<Node> = here.iter().chain(&there).map(node).collect::<Result<_, _>>()?;
            let count = found.len();
            found.sort_unstable();
            found.dedup();
            nodes = found;
            if nodes.len() == count {
                break;
            }
        }
        Ok(nodes)
    }
}

fn node(row: &Row) -> Result<Node, CassandraError> {
    let columns = Columns::of(row, Doing::ReadSchema);
    let address: IpAddr = columns.need(0)?;
    let port: i32 = columns.need(1)?;
    let address = if address.is_ipv6() { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
    Ok(Node { address, data_center: columns.need(2)?, version: columns.need(3)?, is_up: false })
}

/// `SimpleStrategy 1`, or `NetworkTopologyStrategy DC1:3,DC2:3`.
fn in_words(mut settings: BTreeMap<String, String>) -> String {
    let class = settings.remove("class").unwrap_or_default();
    let class = class.rsplit('.').next().unwrap_or_default();
    let copies: Vec<_> = match settings.remove("replication_factor") {
        Some(copies) => vec![copies],
        None => settings.into_iter().map(|(center, copies)| format!("{center}:{copies}")).collect(),
    };
    format!("{class} {}", copies.join(",")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(settings: &[(&str, &str)]) -> String {
        in_words(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn replication_is_told_as_init_takes_it() {
        let simple = [("class", "org.apache.cassandra.locator.SimpleStrategy"), ("replication_factor", "1")];
        assert_eq!(words(&simple), "SimpleStrategy 1");
        let per_center =
            [("class", "org.apache.cassandra.locator.NetworkTopologyStrategy"), ("DC2", "2"), ("DC1", "3")];
        assert_eq!(words(&per_center), "NetworkTopologyStrategy DC1:3,DC2:2");
        assert_eq!(words(&[("class", "org.apache.cassandra.locator.LocalStrategy")]), "LocalStrategy");
    }
}
