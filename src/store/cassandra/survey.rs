//! A look at the whole cluster: its nodes, the keyspace and its tables.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::join_all;

use super::connect::Names;
use super::error::Doing;
use super::probe::{Fault, NodeFault, probe_node};
use super::read::Columns;
use super::schema::LOOK_LIMIT;
use super::session::{self, rows_of};
use super::{CassandraError, CassandraStore};
use crate::store::{ClusterSurvey, Node};

impl CassandraStore {
    /// Looks at the cluster's nodes, the keyspace and its tables. Changes nothing.
    pub(crate) async fn survey(&self) -> Result<ClusterSurvey, CassandraError> {
        let schema_agrees = self.schema_versions().await?.len() <= 1;
        let replication = self.replication(Doing::ReadSchema, LOOK_LIMIT).await?.map(in_words);
        let tables = if replication.is_some() { self.survey_tables().await? } else { Vec::new() };
        let mut nodes = self.nodes().await?;
        let states = join_all(nodes.iter().map(|node| self.is_up(node))).await;
        nodes.iter_mut().zip(states).for_each(|(node, is_up)| node.is_up = is_up);
        nodes.sort_unstable();
        let version = self.version().await?;
        Ok(ClusterSurvey { nodes, schema_agrees, replication, version, tables })
    }

    /// A node tells about itself in one table and about its peers in another, so both are asked of the same node: the
    /// first in turn that answers.
    async fn nodes(&self) -> Result<Vec<Node>, CassandraError> {
        let connected = self.session.connected().await?;
        let mut failure = CassandraError::Broken(Doing::ReadSchema, "no node is up".to_owned());
        for node in connected.session.query_plan(None).nodes {
            match nodes_by(&node).await {
                Ok(nodes) => return Ok(nodes),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Whether a node can be used.
    async fn is_up(&self, node: &Node) -> bool {
        let Ok(address) = node.address.parse() else { return false };
        let config = self.session.config();
        if config.access.tls.is_none() {
            return probe_node(&node.address, "", &config.access).await.is_ok();
        }
        let Names { name, elsewhere } = config.names_of(address).await;
        match (probe_node(&node.address, &name, &config.access).await, elsewhere) {
            (Ok(_), _) => true,
            (Err(NodeFault { fault: Fault::Tls { is_without_tls: true, .. }, .. }), Some(place)) => {
                probe_node(&place.to_string(), &name, &config.access).await.is_ok()
            }
            _ => false,
        }
    }
}

/// All nodes, as one of them tells.
async fn nodes_by(teller: &Arc<session::Node>) -> Result<Vec<Node>, CassandraError> {
    let ask =
        async |cql| rows_of(teller, cql).await.map_err(|error| CassandraError::from_driver(Doing::ReadSchema, error));
    let mut nodes = Vec::new();
    for row in ask("SELECT data_center, release_version FROM system.local").await? {
        let columns = Columns::of(&row, Doing::ReadSchema);
        // Where it was reached: what it says of itself can be another port, or behind a translation of addresses.
        let address = teller.broadcast_rpc_address().to_string();
        nodes.push(Node { address, data_center: columns.need(0)?, version: columns.need(1)?, is_up: false });
    }
    for row in ask("SELECT native_address, native_port, data_center, release_version FROM system.peers_v2").await? {
        let columns = Columns::of(&row, Doing::ReadSchema);
        let (address, port): (IpAddr, i32) = (columns.need(0)?, columns.need(1)?);
        let address = if address.is_ipv6() { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
        nodes.push(Node { address, data_center: columns.need(2)?, version: columns.need(3)?, is_up: false });
    }
    Ok(nodes)
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
